"""The report at the end of a run, from the ledger."""

import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from binance_trade_agent.domain.money import ZERO
from binance_trade_agent.domain.positions import Position
from binance_trade_agent.domain.wording import clock_time
from binance_trade_agent.ledger import alarms, queries, run_sums
from binance_trade_agent.ledger.errors import LedgerError
from binance_trade_agent.ledger.position_marks import since_mark
from binance_trade_agent.ledger.reader import LedgerReader
from binance_trade_agent.ledger.records import Alarm, RunRecord
from binance_trade_agent.reports.holdings import Equity, Holding, equity, holdings
from binance_trade_agent.reports.status import OpenOrder, alarm_name, open_orders, order_line
from binance_trade_agent.reports.trades import Assets, Figures, Trade, figures_by_symbol, figures_in_all, replay
from binance_trade_agent.reports.wording import amounts, exact, money, signed_money, utc_text


@dataclass(frozen=True, slots=True)
class SessionReport:
    """What one run did.

    Attributes:
        cycles: ticks that left a decision.
        decisions: how many ended how, by symbol and outcome.
        orders: how many are in which state; unsettled: those whose end or fills are not known yet.
        open_orders: every order that is not settled, whichever run made it; alarms: those that stand.
        by_symbol, in_all: what the run's own orders traded; in_all once for each quote asset.
        holdings: positions as the run left them, those of runs before it included.
    """

    run: RunRecord
    cycles: int
    decisions: dict[str, dict[str, int]]
    orders: dict[str, int]
    unsettled: int
    open_orders: list[OpenOrder]
    alarms: list[Alarm]
    by_symbol: list[Figures]
    in_all: list[Figures]
    holdings: list[Holding]
    equity: Equity | None


def session_report(reader: LedgerReader, run_id: str) -> SessionReport:
    """The report of a run.

    Raises:
        LedgerError: the ledger has no such run.
    """
    return reader.snapshot(lambda connection: _session_report(connection, run_id))


def render(report: SessionReport) -> str:
    """The report as plain text, within 80 columns for usual numbers."""
    return "\n".join([*_head(report), *_symbols(report), *_totals(report)])


def _session_report(connection: sqlite3.Connection, run_id: str) -> SessionReport:
    runs = queries.runs(connection)
    run = next((run for run in runs if run.run_id == run_id), None)
    if run is None:
        raise LedgerError(f"the ledger has no run {run_id}")
    assets = queries.symbol_assets(connection)
    own_entries = queries.orders_of_run(connection, run.epoch, run_id)
    own_orders = {entry.order.client_order_id for entry in own_entries}
    if run.number == runs[-1].number:
        trades, positions = _since_the_start(connection, run, assets)
    else:
        trades, positions = _until_the_end(connection, runs, run, assets)
    own_trades = [trade for trade in trades if trade.client_order_id in own_orders]
    return SessionReport(
        run=run,
        cycles=run_sums.cycle_count(connection, run_id),
        decisions=_outcomes(connection, run_id),
        orders=dict(Counter(str(entry.order.state) for entry in own_entries)),
        unsettled=sum(not entry.is_settled for entry in own_entries),
        open_orders=open_orders(connection, run.epoch),
        alarms=alarms.standing(connection),
        by_symbol=figures_by_symbol(own_trades),
        in_all=figures_in_all(own_trades),
        holdings=holdings(connection, positions.values(), assets, [run]),
        equity=equity(queries.equity_ends(connection, run_id)),
    )


def _since_the_start(
    connection: sqlite3.Connection, run: RunRecord, assets: Mapping[str, Assets]
) -> tuple[list[Trade], dict[str, Position]]:
    """Trades of the ledger's last run, others among them, and the positions now; the past before it is not read."""
    trades: list[Trade] = []
    for symbol, trade_id in queries.first_trades_of_run(connection, run.epoch, run.run_id).items():
        before, fills = since_mark(connection, run.epoch, symbol, trade_id)
        trades += replay(fills, assets, {symbol: before})[0]
    return trades, queries.positions(connection, run.epoch)


def _until_the_end(
    connection: sqlite3.Connection, runs: Iterable[RunRecord], run: RunRecord, assets: Mapping[str, Assets]
) -> tuple[list[Trade], dict[str, Position]]:
    """Trades of an earlier run, others among them, and the positions as it left them."""
    so_far = {other.run_id for other in runs if other.number <= run.number}
    entries = queries.orders(connection, epoch=run.epoch)
    known = {entry.order.client_order_id for entry in entries if entry.run_id in so_far}
    fills = queries.fills(connection, epoch=run.epoch)
    return replay((fill for fill in fills if fill.client_order_id in known), assets)


def _outcomes(connection: sqlite3.Connection, run_id: str) -> dict[str, dict[str, int]]:
    outcomes: dict[str, dict[str, int]] = {}
    for symbol, outcome, count in run_sums.outcome_counts(connection, run_id):
        outcomes.setdefault(symbol, {})[outcome] = count
    return outcomes


def _head(report: SessionReport) -> Iterator[str]:
    run = report.run
    yield f"Session {run.run_id} (run {run.number}, {run.mode}, {run.strategy}, {' '.join(run.symbols)})"
    if run.ended_ms is not None:
        yield f"  {utc_text(run.started_ms)} to {utc_text(run.ended_ms)} UTC, ended: {run.end_reason}"
    decisions = sum(sum(counts.values()) for counts in report.decisions.values())
    yield f"  cycles {report.cycles}, decisions {decisions}"
    orders = _counts(report.orders)
    unsettled = f", {report.unsettled} not settled yet" if report.unsettled else ""
    yield f"  orders {sum(report.orders.values())}{f': {orders}' if orders else ''}{unsettled}"
    for order in report.open_orders:
        yield f"    {order_line(order)}"
    for alarm in report.alarms:
        yield f"  alarm {alarm_name(alarm)}: {alarm.text}"


def _symbols(report: SessionReport) -> Iterator[str]:
    figures = {entry.name: entry for entry in report.by_symbol}
    held = {entry.symbol: entry for entry in report.holdings}
    for symbol in sorted(report.decisions.keys() | figures.keys() | held.keys()):
        yield symbol
        if symbol in report.decisions:
            yield f"  decisions    {_counts(report.decisions[symbol])}"
        if symbol in figures:
            yield from _traded(figures[symbol])
        if symbol in held:
            yield from _held(held[symbol])


def _totals(report: SessionReport) -> Iterator[str]:
    for figures in report.in_all:
        yield f"In all, {figures.quote_asset}"
        yield from _traded(figures)
        open_profits = [
            held.unrealised_pnl_quote for held in report.holdings if held.quote_asset == figures.quote_asset
        ]
        known = [profit for profit in open_profits if profit is not None]
        unrealised = sum(known, ZERO) if len(known) == len(open_profits) else None
        yield f"  unrealised   {signed_money(unrealised)} {figures.quote_asset}"
    if report.equity:
        change = signed_money(report.equity.change_quote)
        before, after = money(report.equity.first_quote), money(report.equity.last_quote)
        yield f"Equity {before} before, {after} after ({change}), at the prices of {clock_time(report.equity.last_ms)}"


def _traded(figures: Figures) -> Iterator[str]:
    yield f"  traded       {figures.buys} buys, {figures.sells} sells, {figures.fills} fills"
    yield f"  volume       {money(figures.volume_quote)} {figures.quote_asset}"
    yield f"  fees         {amounts(figures.fees)}"
    yield f"  realised     {signed_money(figures.realised_pnl_quote)} {figures.quote_asset}"


def _held(held: Holding) -> Iterator[str]:
    if not held.quantity_base:
        yield "  position     flat"
        return
    yield f"  position     {exact(held.quantity_base)} {held.base_asset}, cost {money(held.cost_quote)}"
    at = ", no price seen"
    if held.mark_price is not None and held.mark_ms is not None:
        at = f" at {exact(held.mark_price)}, the bid of {clock_time(held.mark_ms)}"
    yield f"  unrealised   {signed_money(held.unrealised_pnl_quote)} {held.quote_asset}{at}"


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items())

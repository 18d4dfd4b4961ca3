"""What `trade-agent analyze` shows, from the ledger alone: trades, positions, summary, profit and loss, equity."""

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from binance_trade_agent.domain.money import ZERO
from binance_trade_agent.domain.nearest import nearest
from binance_trade_agent.ledger import alarms, fee_values, queries
from binance_trade_agent.ledger.reader import LedgerReader
from binance_trade_agent.ledger.records import Alarm, Epoch, EquityPoint, RunRecord
from binance_trade_agent.reports.holdings import Equity, Holding, equity, holdings
from binance_trade_agent.reports.status import OpenOrder, open_orders
from binance_trade_agent.reports.trades import Figures, Trade, figures_by_symbol, figures_in_all, replay


@dataclass(frozen=True, slots=True)
class Profit:
    """Profit and loss of all symbols of one quote asset; unrealised is None where a price is unknown.

    Attributes:
        at_ms: whose prices these are, market time: of the last point of equity, so that both say the same, or of the
            oldest bid among the positions where one symbol is asked for or a trade is newer; None without a price.
    """

    quote_asset: str
    at_ms: int | None
    realised_pnl_quote: Decimal
    unrealised_pnl_quote: Decimal | None
    total_pnl_quote: Decimal | None


@dataclass(frozen=True, slots=True)
class Analysis:
    """The ledger's current epoch, with earlier ones listed.

    Attributes:
        symbol, since_ms: what trades and summary were narrowed to; the symbol narrows positions and profit too.
        trades: the last ones, oldest first; trade_count: how many there are.
        wallet: by asset, exact.
        open_orders: every order that is not settled, unknown ones too; alarms: those that stand.
        fees_converted_quote: worth of commissions in third assets (BNB); fees_unknown: how many have no price.
    """

    ledger: str
    epochs: list[Epoch]
    runs: int
    symbol: str | None
    since_ms: int | None
    trade_count: int
    trades: list[Trade]
    summary_by_symbol: list[Figures]
    summary_in_all: list[Figures]
    positions: list[Holding]
    profit: list[Profit]
    equity: Equity | None
    wallet: dict[str, Decimal]
    open_orders: list[OpenOrder]
    alarms: list[Alarm]
    fees_converted_quote: Decimal
    fees_unknown: int


def analyze(
    reader: LedgerReader, *, symbol: str | None = None, since_ms: int | None = None, limit: int | None = 20
) -> Analysis:
    """Analyse the ledger.

    Args:
        reader: the ledger.
        symbol: only this one.
        since_ms: only trades from this market time on.
        limit: how many of the last trades to list; None for all. The summary counts all of them.

    Raises:
        ValueError: no run ever traded `symbol`; the message names those that were.
    """
    return reader.snapshot(lambda connection: _analyze(connection, str(reader.path), symbol, since_ms, limit))


def _analyze(
    connection: sqlite3.Connection, ledger: str, symbol: str | None, since_ms: int | None, limit: int | None
) -> Analysis:
    epochs = queries.epochs(connection)
    epoch = epochs[-1].epoch if epochs else 0
    runs = [run for run in queries.runs(connection) if run.epoch == epoch]
    if symbol is not None:
        refuse_unknown_symbol(symbol, runs)
    assets = queries.symbol_assets(connection)
    trades, positions = replay(queries.fills(connection, epoch=epoch, symbol=symbol), assets)
    last_trade_ms = max((trade.traded_ms for trade in trades), default=0)
    trades = [trade for trade in trades if since_ms is None or trade.traded_ms >= since_ms]
    held = holdings(connection, positions.values(), assets, runs)
    points = [point for run in runs for point in queries.equity_ends(connection, run.run_id)]
    fees_converted, fees_unknown = fee_values.total(connection, epoch)
    return Analysis(
        ledger=ledger,
        epochs=epochs,
        runs=len(runs),
        symbol=symbol,
        since_ms=since_ms,
        trade_count=len(trades),
        trades=trades if limit is None else trades[max(0, len(trades) - limit) :],
        summary_by_symbol=figures_by_symbol(trades),
        summary_in_all=figures_in_all(trades),
        positions=held,
        profit=_profit(held, points[-1] if points and symbol is None else None, last_trade_ms),
        equity=equity(points),
        wallet=queries.wallet(connection, epoch),
        open_orders=open_orders(connection, epoch),
        alarms=alarms.standing(connection),
        fees_converted_quote=fees_converted,
        fees_unknown=fees_unknown,
    )


def refuse_unknown_symbol(symbol: str, runs: Iterable[RunRecord]) -> None:
    """Raise ValueError for a symbol that none of the runs traded; the message names those that one did."""
    known = sorted({name for run in runs for name in run.symbols})
    if symbol not in known:
        hint = nearest(symbol, known)
        raise ValueError(
            f"the ledger has no symbol {symbol!r}, only {', '.join(known) or 'none yet'}"
            + (f"; did you mean {hint}?" if hint else "")
        )


def _profit(held: Iterable[Holding], last: EquityPoint | None, last_trade_ms: int) -> list[Profit]:
    by_quote: dict[str, list[Holding]] = {}
    for holding in held:
        by_quote.setdefault(holding.quote_asset, []).append(holding)
    found = [_profit_in(asset, by_quote[asset]) for asset in sorted(by_quote)]
    if last is None or last.tick_ms < last_trade_ms:
        return found
    return [_at_point(each, last) for each in found]


def _at_point(found: Profit, point: EquityPoint) -> Profit:
    """The same at the prices of a point of equity, where that is of this quote asset and not older."""
    if point.quote_asset != found.quote_asset or (found.at_ms is not None and point.tick_ms < found.at_ms):
        return found
    realised, unrealised = point.realised_pnl_quote, point.unrealised_pnl_quote
    return Profit(found.quote_asset, point.tick_ms, realised, unrealised, realised + unrealised)


def _profit_in(quote_asset: str, held: list[Holding]) -> Profit:
    realised = sum((holding.realised_pnl_quote for holding in held), ZERO)
    known = [holding.unrealised_pnl_quote for holding in held if holding.unrealised_pnl_quote is not None]
    unrealised = sum(known, ZERO) if len(known) == len(held) else None
    at_ms = min((holding.mark_ms for holding in held if holding.mark_ms is not None), default=None)
    return Profit(quote_asset, at_ms, realised, unrealised, None if unrealised is None else realised + unrealised)

"""The analysis for people: tables that fit 80 columns, in colour on a terminal."""

import sys
from collections.abc import Iterator

from rich.console import Console
from rich.table import Table

from binance_trade_agent.reports.analysis import Analysis
from binance_trade_agent.reports.holdings import Holding
from binance_trade_agent.reports.status import alarm_name, order_line
from binance_trade_agent.reports.trades import Figures, Trade
from binance_trade_agent.reports.wording import amounts, exact, money, signed_money, utc_text

_IN_A_PIPE = 1_000  # columns: what reads it there takes lines as they are


def print_analysis(analysis: Analysis, console: Console | None = None) -> None:
    """Print the analysis; without a console, to standard output as wide as it is, as wide as a line needs in a pipe."""
    out = console or Console(highlight=False, soft_wrap=False, width=None if sys.stdout.isatty() else _IN_A_PIPE)
    for line in _head(analysis):
        out.print(line, markup=False)
    for table in (_trades_table(analysis), _summary_table(analysis), _positions_table(analysis)):
        out.print()
        out.print(table if table.row_count else f"{table.title}: none", markup=False)
    out.print()
    for line in _foot(analysis):
        out.print(line, markup=False)


def _head(analysis: Analysis) -> Iterator[str]:
    yield f"Ledger {analysis.ledger}, {_plural(analysis.runs, 'run')} in the current epoch"
    for epoch in analysis.epochs:
        until = "now" if epoch.closed_ms is None else utc_text(epoch.closed_ms)
        yield f"  epoch {epoch.epoch}: {utc_text(epoch.opened_ms)} to {until}, {epoch.reason}"
    if analysis.since_ms is not None:
        yield f"Trades and summary since {utc_text(analysis.since_ms)}"


def _trades_table(analysis: Analysis) -> Table:
    shown, total = len(analysis.trades), analysis.trade_count
    title = f"Trades, times UTC, the last {shown} of {total}" if shown < total else "Trades, times UTC"
    table = _table(title, "time", "symbol", "side")
    for name in ("quantity", "price", "fee", "P&L"):
        table.add_column(name, justify="right")
    for trade in analysis.trades:
        table.add_row(*_trade_cells(trade))
    return table


def _trade_cells(trade: Trade) -> tuple[str, ...]:
    profit = "" if trade.realised_pnl_quote is None else signed_money(trade.realised_pnl_quote)
    return (
        utc_text(trade.traded_ms)[5:],
        trade.symbol,
        trade.side,
        exact(trade.quantity_base),
        money(trade.price),
        amounts(trade.fees),
        profit,
    )


def _summary_table(analysis: Analysis) -> Table:
    table = _table("Summary", "symbol")
    for name in ("buys", "sells", "ratio", "won", "bought", "sold", "realised"):
        table.add_column(name, justify="right")
    for figures in analysis.summary_by_symbol:
        table.add_row(figures.name, *_figure_cells(figures))
    for figures in analysis.summary_in_all:
        table.add_row(f"all, {figures.name}", *_figure_cells(figures), style="bold")
    return table


def _figure_cells(figures: Figures) -> tuple[str, ...]:
    won = "-" if figures.win_rate_fraction is None else f"{figures.win_rate_fraction:.0%}"
    return (
        str(figures.buys),
        str(figures.sells),
        "-" if figures.buy_sell_ratio is None else f"{figures.buy_sell_ratio:.2f}",
        won,
        money(figures.bought_quote),
        money(figures.sold_quote),
        signed_money(figures.realised_pnl_quote),
    )


def _positions_table(analysis: Analysis) -> Table:
    table = _table("Positions", "symbol")
    for name in ("held", "cost", "bid", "realised", "unrealised"):
        table.add_column(name, justify="right")
    for held in analysis.positions:
        table.add_row(*_position_cells(held))
    return table


def _position_cells(held: Holding) -> tuple[str, ...]:
    return (
        held.symbol,
        f"{exact(held.quantity_base)} {held.base_asset}",
        money(held.cost_quote),
        "unknown" if held.mark_price is None else money(held.mark_price),
        signed_money(held.realised_pnl_quote),
        signed_money(held.unrealised_pnl_quote),
    )


def _foot(analysis: Analysis) -> Iterator[str]:
    marks = [held.mark_ms for held in analysis.positions if held.mark_ms is not None]
    if marks:
        yield f"Bids as of {utc_text(min(marks))} UTC, the last that a decision saw"
    for figures in analysis.summary_in_all:
        yield f"Fees, {figures.name}: {amounts(figures.fees)}"
    for profit in analysis.profit:
        yield (
            f"P&L, {profit.quote_asset}: realised {signed_money(profit.realised_pnl_quote)},"
            f" unrealised {signed_money(profit.unrealised_pnl_quote)}, total {signed_money(profit.total_pnl_quote)}"
        )
        if profit.at_ms is not None:
            yield f"  at the prices of {utc_text(profit.at_ms)} UTC"
    if analysis.equity:
        first, last = analysis.equity.first_quote, analysis.equity.last_quote
        yield f"Equity: {money(first)} first, {money(last)} last ({signed_money(analysis.equity.change_quote)})"
        yield f"  from {utc_text(analysis.equity.first_ms)} to {utc_text(analysis.equity.last_ms)} UTC"
    yield f"Wallet: {amounts(analysis.wallet)}"
    if analysis.fees_converted_quote or analysis.fees_unknown:
        unknown = f", {analysis.fees_unknown} without a price" if analysis.fees_unknown else ""
        yield f"Commissions in a third asset, not in the profit: worth {money(analysis.fees_converted_quote)}{unknown}"
    for order in analysis.open_orders:
        yield f"Not settled: {order_line(order)}"
    for alarm in analysis.alarms:
        yield f"Alarm {alarm_name(alarm)}: {alarm.text}"


def _table(title: str, *columns: str) -> Table:
    table = Table(*columns, title=title, title_justify="left", box=None, pad_edge=False, padding=(0, 1))
    table.title_style = "bold"
    return table


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"

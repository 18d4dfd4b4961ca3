"""The report for a terminal: plain text in columns, the outcome first."""

from collections.abc import Iterable, Iterator, Sequence
from textwrap import wrap

from binance_trade_agent.backtest.report import words
from binance_trade_agent.backtest.report.report import Report, TradeFigures
from binance_trade_agent.domain.exits import ExitKind
from binance_trade_agent.reports.aligned import aligned
from binance_trade_agent.reports.wording import exact, money, utc_text

_MOST_MONTHS = 24
_WIDTH = 112
_EXITS = frozenset(ExitKind)


def to_text(report: Report) -> str:
    """The report as lines."""
    return "\n".join(_lines(report))


def _lines(report: Report) -> Iterator[str]:
    yield from _head(report)
    yield from _section("Equity", _curve(report))
    yield from _section("Trades", aligned(words.trade_rows(report)))
    yield from _section("Market and costs", aligned(words.market_rows(report)))
    if len(report.by_symbol) > 1:
        yield from _section("By symbol", _groups(report.by_symbol, report))
    yield from _section("By exit", _groups(report.by_exit, report))
    yield from _section("Months", _months(report))
    yield from _section("Still open", _open(report))
    yield from _section("Refused by", _counts(report.refusals))
    yield from _section("Decisions", _counts(report.outcomes))
    yield from _section("Pauses", aligned(words.pause_rows(report)))


def _head(report: Report) -> Iterator[str]:
    setup, quote = report.setup, report.setup.quote_asset
    yield f"Backtest of {setup.strategy}"
    yield f"  on {' '.join(setup.symbols)}, {setup.interval} candles, {words.period(report)}"
    yield from _wrapped("parameters", words.parameters(report))
    yield from _wrapped("fills", setup.fills or words.UNDEFINED)
    yield from _wrapped("settings", words.settings(report))
    yield ""
    profit = words.signed_pct(report.figures.return_pct)
    yield from aligned(
        [
            ("Final equity", f"{money(report.final_quote)} {quote} ({profit} of {money(setup.opening_quote)})"),
            ("Buy and hold", words.hold_line(report)),
        ],
        indent="",
    )
    for warning in report.warnings:
        yield f"Warning: {warning}"


def _wrapped(title: str, text: str) -> Iterator[str]:
    return iter(wrap(f"{title}: {text}", _WIDTH, initial_indent="  ", subsequent_indent="    ", break_on_hyphens=False))


def _section(title: str, lines: Iterable[str]) -> Iterator[str]:
    for number, line in enumerate(lines):
        if not number:
            yield from ("", title)
        yield line


def _curve(report: Report) -> Iterator[str]:
    yield from aligned([("", "strategy", "buy and hold"), *words.curve_rows(report)], right={1, 2})
    if (when := words.drawdown_time(report.figures.drawdown)) != words.UNDEFINED:
        yield f"  Drawdown from {when}"


def _groups(groups: Sequence[TradeFigures], report: Report) -> Iterator[str]:
    if not groups:
        return
    head = ("", "trades", "won", "profit", "average", "factor", "duration")
    hold = report.hold.return_pct_by_symbol if report.hold else {}
    is_symbols = groups is report.by_symbol
    rows = [(*head, "hold") if is_symbols else head]
    for group in groups:
        cells = (
            words.in_words(group.name) if group.name in _EXITS else group.name,
            f"{group.trades:,}",
            words.pct(group.win_rate_pct),
            words.gain(group.profit_quote),
            words.signed_pct(group.expectancy_pct),
            words.ratio(group.profit_factor),
            words.length(group.mean_duration_ms),
        )
        rows.append((*cells, words.signed_pct(hold.get(group.name))) if is_symbols else cells)
    yield from aligned(rows, right=range(1, len(rows[0])))


def _months(report: Report) -> Iterator[str]:
    if len(report.months) < 2:
        return
    shown = report.months[-_MOST_MONTHS:]
    rows = [("", "return", "hold", "trades", "profit")]
    rows += [
        (
            each.month,
            words.signed_pct(each.return_pct),
            words.signed_pct(each.hold_pct),
            f"{each.trades:,}",
            words.gain(each.profit_quote),
        )
        for each in shown
    ]
    yield from aligned(rows, right=range(1, 5))
    if len(shown) < len(report.months):
        yield f"  {len(report.months) - len(shown)} months before these are in the JSON and HTML reports"


def _open(report: Report) -> Iterator[str]:
    for trip in report.open_trips:
        price = "no price known" if trip.price is None else f"at {exact(trip.price)}"
        unrealised = f"{words.gain(trip.unrealised_quote)} ({words.signed_pct(trip.unrealised_pct)})"
        yield (
            f"  {exact(trip.quantity_base)} {trip.symbol} since {utc_text(trip.opened_ms)},"
            f" cost {money(trip.cost_quote)}, {price} {unrealised}"
        )


def _counts(counts: dict[str, int]) -> Iterator[str]:
    yield from aligned([(name, f"{count:,}") for name, count in counts.items()], right={1})

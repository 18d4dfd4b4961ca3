"""Figures as people read them; what is not defined is a dash."""

from collections.abc import Sequence
from decimal import Decimal

from binance_trade_agent.backtest.report.report import CurveFigures, Report, TradeFigures
from binance_trade_agent.reports.performance import Drawdown
from binance_trade_agent.reports.round_trips import RoundTrip
from binance_trade_agent.reports.wording import duration, exact, money, signed_money, utc_text
from binance_trade_agent.risk.state import Pause

UNDEFINED = "-"
Row = tuple[str, str]  # what it is, and its value


def pct(value: float | Decimal | None) -> str:
    """`12.34 %`."""
    return UNDEFINED if value is None else f"{value:,.2f} %"


def signed_pct(value: float | Decimal | None) -> str:
    """`+12.34 %`, `-0.50 %`, `0.00 %`."""
    if value is None:
        return UNDEFINED
    rounded = round(float(value), 2)
    return f"{rounded:+,.2f} %" if rounded else "0.00 %"


def ratio(value: float | None) -> str:
    """`1.23`."""
    return UNDEFINED if value is None else f"{round(value, 2) + 0.0:,.2f}"


def probability(value: float | None) -> str:
    """`0.043`, `< 0.0001`."""
    if value is None:
        return UNDEFINED
    return "< 0.0001" if value < 0.0001 else f"{value:.4f}"


def amount(value: Decimal | None) -> str:
    """Quote asset to two decimals, to four digits when it is less than one: `1,234.56`, `0.0001235`."""
    return UNDEFINED if value is None else money(_short(value))


def gain(value: Decimal | None) -> str:
    """As `amount`, with its sign."""
    return UNDEFINED if value is None else signed_money(_short(value))


def _short(value: Decimal) -> Decimal:
    return round(value, 3 - value.adjusted()) if 0 < abs(value) < 1 else value


def length(value_ms: int | None) -> str:
    """`3 h 5 min`."""
    return UNDEFINED if value_ms is None else duration(value_ms)


def minute(at_ms: int) -> str:
    """`2024-08-05 14:36`, UTC."""
    return utc_text(at_ms)[:16]


def exit_name(trip: RoundTrip) -> str:
    """What made the sale, in words."""
    return in_words(trip.exit) if trip.exit else UNDEFINED


def in_words(name: str) -> str:
    """`take profit` of `take_profit`."""
    return name.replace("_", " ")


def trade_line(trip: RoundTrip | None) -> str:
    """A trade by its profit: `+3.20 %, +31.90, BTCUSDT 2024-08-05 14:36`."""
    if trip is None:
        return UNDEFINED
    return f"{signed_pct(trip.profit_pct)}, {gain(trip.profit_quote)}, {trip.symbol} {minute(trip.opened_ms)}"


def drawdown_time(fall: Drawdown | None) -> str:
    """From when to when the deepest fall was, and whether it was made up for."""
    if fall is None or fall.from_ms is None or fall.to_ms is None:
        return UNDEFINED
    back = "not recovered" if fall.recovered_ms is None else f"recovered {minute(fall.recovered_ms)}"
    return f"{minute(fall.from_ms)} to {minute(fall.to_ms)}, {back}"


def period(report: Report) -> str:
    """From when to when, and how long that is."""
    setup = report.setup
    return f"{minute(setup.start_ms)} to {minute(setup.end_ms)} UTC, {duration(setup.end_ms - setup.start_ms)}"


def parameters(report: Report) -> str:
    """Those of the strategy, as `--params` takes them."""
    return ", ".join(f"{name}={value}" for name, value in report.setup.parameters.items()) or "none"


def settings(report: Report) -> str:
    """The settings that differ from their defaults."""
    return ", ".join(f"{name}={value}" for name, value in report.setup.settings.items()) or "as by default"


def curve_rows(report: Report) -> list[tuple[str, str, str]]:
    """Figures of equity, and beside them those of buy and hold."""
    names = ("Return", "Growth a year", "Sharpe", "Sortino", "Calmar", "Max drawdown")
    own = _curve(report.figures)
    other = _curve(report.hold.figures) if report.hold else (UNDEFINED,) * len(names)
    return list(zip(names, own, other, strict=True))


def _curve(figures: CurveFigures) -> tuple[str, ...]:
    return (
        signed_pct(figures.return_pct),
        signed_pct(figures.cagr_pct),
        ratio(figures.sharpe),
        ratio(figures.sortino),
        ratio(figures.calmar),
        pct(figures.drawdown.pct if figures.drawdown else None),
    )


def hold_line(report: Report) -> str:
    """What buy and hold would have left."""
    if report.hold is None:
        return UNDEFINED
    of = "each in equal parts" if len(report.setup.symbols) > 1 else report.setup.symbols[0]
    fee = "no fee, as this run paid none" if report.hold.fee_pct is None else f"fee {exact(report.hold.fee_pct)} %"
    return f"{money(report.hold.final_quote)} ({signed_pct(report.hold.figures.return_pct)}; {of}, {fee})"


def trade_rows(report: Report) -> list[Row]:
    """Figures of all trades."""
    trades = report.trades
    return [
        ("Trades", f"{trades.trades:,}: {trades.won:,} won, {trades.lost:,} lost"),
        ("Win rate", pct(trades.win_rate_pct)),
        ("Profit factor", ratio(trades.profit_factor)),
        ("Average trade", _average(trades)),
        ("SQN", ratio(trades.sqn)),
        ("p-value of the mean", probability(trades.p_value)),
        ("Best trade", trade_line(report.best)),
        ("Worst trade", trade_line(report.worst)),
        ("Longest streak", f"{trades.longest_wins} won, {trades.longest_losses} lost"),
        ("Duration", _durations(trades)),
    ]


def market_rows(report: Report) -> list[Row]:
    """Time in the market, and what trading cost."""
    fees = ", ".join(f"{exact(fee)} {asset}" for asset, fee in report.fees.items())
    return [
        ("Time in market", pct(report.time_in_market_pct)),
        ("Equity invested", f"{pct(report.invested_pct)} on average"),
        ("Volume", f"{money(report.volume_quote)} {report.setup.quote_asset}"),
        ("Turnover", UNDEFINED if report.turnover is None else f"{report.turnover:,.1f} times the average equity"),
        ("Fees", f"{amount(report.fees_quote)} {report.setup.quote_asset}"),
        ("  as taken", fees or "none"),
        ("Slippage, spread", f"{amount(report.slippage_quote)} {report.setup.quote_asset}"),
        ("Orders, fills", f"{report.orders:,}, {report.fills:,}"),
        ("Ticks", f"{report.ticks:,}, agents ran at {report.visited:,}"),
    ]


def pause_rows(report: Report) -> list[Row]:
    """How often each limit paused entries, and for how long; in its own words where it was once."""
    by_rule: dict[str, list[Pause]] = {}
    for pause in report.pauses:
        by_rule.setdefault(pause.rule, []).append(pause)
    return [(rule, _pauses(pauses)) for rule, pauses in sorted(by_rule.items(), key=lambda entry: -len(entry[1]))]


def _pauses(pauses: Sequence[Pause]) -> str:
    last = pauses[-1]
    if len(pauses) == 1:
        return f"{minute(last.since_ms)} to {minute(last.until_ms)}: {last.detail}"
    in_all = duration(sum(pause.until_ms - pause.since_ms for pause in pauses))
    return f"{len(pauses):,} times, {in_all} in all, the last from {minute(last.since_ms)} on"


def _average(trades: TradeFigures) -> str:
    if not trades.trades:
        return UNDEFINED
    return f"{signed_pct(trades.expectancy_pct)}, {gain(trades.expectancy_quote)}"


def _durations(trades: TradeFigures) -> str:
    if not trades.trades:
        return UNDEFINED
    mean, middle, longest = trades.mean_duration_ms, trades.median_duration_ms, trades.longest_duration_ms
    return f"{length(mean)} on average, {length(middle)} median, {length(longest)} longest"

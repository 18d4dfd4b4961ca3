"""The report as one HTML file: no request to anywhere, so it works offline and can be sent to somebody."""

from collections.abc import Iterable, Sequence
from html import escape
from importlib import resources
from pathlib import Path

from binance_trade_agent.backtest.report import words
from binance_trade_agent.backtest.report.charts import MOST_POINTS, candle_chart, equity_chart
from binance_trade_agent.backtest.report.report import Report, TradeFigures, whole_curve, whole_hold_curve
from binance_trade_agent.backtest.result import BacktestResult
from binance_trade_agent.domain.money import ZERO
from binance_trade_agent.reports.round_trips import RoundTrip
from binance_trade_agent.reports.wording import exact, money, utc_text

MOST_TRADES = 2_000
"""Round trips in the list; of more, the first and the last."""
MOST_DRAWN = 4_000
"""Round trips in the charts together; of more, those with the largest profits and losses in percent."""

_MOST_CANDLES = 8_000  # in all charts together
_LEAST_CANDLES = 200  # in one
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_STRONG_PCT = 20.0  # a month's return that is coloured in full

# Nothing may be fetched, whatever stands in the page.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:"


def write_html(path: Path, result: BacktestResult, report: Report) -> None:
    """Write the report with its charts to `path`.

    Raises:
        OSError: it cannot be written.
    """
    path.write_text(to_html(result, report), encoding="utf-8")


def to_html(result: BacktestResult, report: Report) -> str:
    """The page; every name and text in it that comes from outside is escaped."""
    title = escape(f"Backtest of {report.setup.strategy} on {' '.join(report.setup.symbols)}")
    body = "".join(_sections(result, report))
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        f'<link rel="icon" href="data:,"><title>{title}</title><style>{_asset("page.css")}</style></head>'
        f"<body>{body}<script>{_asset('page.js')}</script></body></html>\n"
    )


def _asset(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def _sections(result: BacktestResult, report: Report) -> Iterable[str]:
    yield _head(report)
    yield from (f'<div class="warning">{escape(warning)}</div>' for warning in report.warnings)
    yield _cards(report)
    yield _equity(result, report)
    curve = [("", "strategy", "buy and hold"), *words.curve_rows(report)]
    fall = [("Drawdown", words.drawdown_time(report.figures.drawdown))]
    yield _columns(
        _section("Equity", _numbers(curve), _pairs(fall)),
        _section("Trades", _pairs(words.trade_rows(report))),
        _section("Market and costs", _pairs(words.market_rows(report))),
    )
    yield _section("Months", _months(report))
    if len(report.by_symbol) > 1:
        yield _section("By symbol", _groups(report.by_symbol, report))
    yield _section("By exit", _groups(report.by_exit, report))
    yield from _candles(result, report)
    yield _columns(
        _section("Refused by", _pairs(_counts(report.refusals))),
        _section("Decisions", _pairs(_counts(report.outcomes))),
        _section("Pauses", _pairs(words.pause_rows(report))),
    )
    yield _section("Still open", _open(report))
    yield _section(f"Trades, times UTC{_shown(report)}", _trades(report.round_trips))
    yield "<footer>What each figure means: docs/reference/statistics.md of the program.</footer>"


def _head(report: Report) -> str:
    setup = report.setup
    lines = [
        f"{', '.join(setup.symbols)}, {setup.interval} candles, {words.period(report)}",
        f"Parameters: {words.parameters(report)}",
        f"Fills: {setup.fills or words.UNDEFINED}",
        f"Settings: {words.settings(report)}",
    ]
    paragraphs = "".join(f'<p class="quiet">{escape(line)}</p>' for line in lines)
    return f'<header><h1>{escape(setup.strategy)} <span class="badge">BACKTEST</span></h1>{paragraphs}</header>'


def _cards(report: Report) -> str:
    figures, hold, fall = report.figures, report.hold, report.figures.drawdown
    held = hold.figures.return_pct if hold else None
    cards = [
        (f"Final equity, {report.setup.quote_asset}", money(report.final_quote), ""),
        ("Return", words.signed_pct(figures.return_pct), _colour(words.signed_pct(figures.return_pct))),
        ("Buy and hold", words.signed_pct(held), _colour(words.signed_pct(held))),
        ("Max drawdown", words.pct(fall.pct if fall else None), "down" if fall and fall.pct else ""),
        ("Sharpe (365)", words.ratio(figures.sharpe), ""),
        ("Win rate", words.pct(report.trades.win_rate_pct), ""),
        ("Trades", f"{report.trades.trades:,}", ""),
        ("Fees", words.amount(report.fees_quote), ""),
    ]
    boxes = (
        f'<div class="card"><span>{escape(name)}</span><b class="{kind}">{escape(value)}</b></div>'
        for name, value, kind in cards
    )
    return f'<div class="cards">{"".join(boxes)}</div>'


def _equity(result: BacktestResult, report: Report) -> str:
    times_ms, equity = whole_curve(result)
    hold = report.hold
    hold_equity = whole_hold_curve(result, hold.final_quote, hold.fee_pct) if hold else None
    legend = _legend(
        ("color:var(--up)", "", "equity"), ("color:var(--quiet);border-top-style:dotted", "", "buy and hold")
    )
    return _section("Equity and drawdown", equity_chart(times_ms, equity, hold_equity), legend)


def _candles(result: BacktestResult, report: Report) -> Iterable[str]:
    tables = [table for table in result.candles.values() if len(table)]
    most = min(MOST_POINTS, max(_LEAST_CANDLES, _MOST_CANDLES // max(1, len(tables))))
    drawn = sorted(report.round_trips, key=lambda trip: -abs(trip.profit_pct or ZERO))[:MOST_DRAWN]
    for table in tables:
        trips = [trip for trip in drawn if trip.symbol == table.symbol]
        still_open = [trip for trip in report.open_trips if trip.symbol == table.symbol]
        notes = [("", "dot entry", "entry"), ("", "dot exit", "exit")]
        notes += [("color:var(--up)", "", "won"), ("color:var(--down)", "", "lost")]
        joined = -(-len(table) // most)
        said = [f"{joined} candles of {table.interval} are joined to one"] if joined > 1 else []
        if len(drawn) < len(report.round_trips):
            said.append(f"the {MOST_DRAWN:,} trades with the largest profits and losses, in percent, are drawn")
        legend = _legend(*notes, text="; ".join(said))
        yield _section(table.symbol, candle_chart(table, trips, still_open, most=most), legend)


def _legend(*marks: tuple[str, str, str], text: str = "") -> str:
    spans = "".join(f'<span><i class="{kind}" style="{style}"></i>{escape(name)}</span>' for style, kind, name in marks)
    return f'<div class="legend">{spans}<span>{escape(text)}</span></div>'


def _months(report: Report) -> str:
    years: dict[str, dict[int, str]] = {}
    growth: dict[str, float] = {}
    for each in report.months:
        year, month = each.month.split("-")
        note = f"{each.trades} trades, {words.gain(each.profit_quote)}; hold {words.signed_pct(each.hold_pct)}"
        years.setdefault(year, {})[int(month)] = _shaded(each.return_pct, note)
        growth[year] = growth.get(year, 1.0) * (1 + each.return_pct / 100)
    rows = (
        f"<tr><td>{year}</td>{''.join(months.get(number, '<td></td>') for number in range(1, 13))}"
        f"{_shaded(100 * (growth[year] - 1), 'the year, or the part of it that was tested')}</tr>"
        for year, months in years.items()
    )
    head = "".join(f"<th>{name}</th>" for name in ("", *_MONTHS, "Year"))
    return (
        f'<div class="over"><table class="numbers months"><thead><tr>{head}</tr></thead>{"".join(rows)}</table></div>'
    )


def _shaded(value_pct: float, note: str) -> str:
    colour = "up" if value_pct > 0 else "down"
    share = min(1.0, abs(value_pct) / _STRONG_PCT)
    shade = f"background:color-mix(in srgb,var(--{colour}) {8 + 52 * share:.0f}%,transparent)" if value_pct else ""
    rounded = round(value_pct, 1)
    text = f"{rounded:+.1f}" if rounded else "0.0"
    return f'<td style="{shade}" title="{escape(note)}">{text}</td>'


def _groups(groups: Sequence[TradeFigures], report: Report) -> str:
    if not groups:
        return ""
    hold = report.hold.return_pct_by_symbol if report.hold else {}
    head = ["", "trades", "won", "profit", "average", "profit factor", "SQN", "best", "worst", "mean duration", "fees"]
    is_symbols = groups is report.by_symbol
    rows = [
        [
            group.name if is_symbols else words.in_words(group.name),
            f"{group.trades:,}",
            words.pct(group.win_rate_pct),
            words.gain(group.profit_quote),
            words.signed_pct(group.expectancy_pct),
            words.ratio(group.profit_factor),
            words.ratio(group.sqn),
            words.signed_pct(group.best_pct),
            words.signed_pct(group.worst_pct),
            words.length(group.mean_duration_ms),
            words.amount(group.fees_quote),
            *([words.signed_pct(hold.get(group.name))] if is_symbols else []),
        ]
        for group in groups
    ]
    return _numbers([[*head, "buy and hold"] if is_symbols else head, *rows])


def _open(report: Report) -> str:
    if not report.open_trips:
        return ""
    rows = [
        (
            trip.symbol,
            utc_text(trip.opened_ms),
            exact(trip.quantity_base),
            words.UNDEFINED if trip.entry_price is None else exact(trip.entry_price),
            money(trip.cost_quote),
            words.UNDEFINED if trip.price is None else exact(trip.price),
            words.gain(trip.unrealised_quote),
            words.signed_pct(trip.unrealised_pct),
        )
        for trip in report.open_trips
    ]
    return _numbers([("", "opened", "quantity", "entry", "cost", "last bid", "unrealised", "%"), *rows])


def _shown(report: Report) -> str:
    count = len(report.round_trips)
    if count <= MOST_TRADES:
        return ""
    half = MOST_TRADES // 2
    return f": the first and the last {half:,} of {count:,}; --csv writes all of them"


def _trades(trips: Sequence[RoundTrip]) -> str:
    if not trips:
        return ""
    half = MOST_TRADES // 2
    numbered = list(enumerate(trips, 1))
    shown = numbered if len(trips) <= MOST_TRADES else [*numbered[:half], *numbered[-half:]]
    head = ("#", "opened", "symbol", "held", "quantity", "entry", "exit", "profit", "%", "best", "worst", "fees", "by")
    cells = "".join(f"<th>{name}</th>" for name in head)
    rows = "".join(_trade(number, trip) for number, trip in shown)
    return f'<div class="over"><table class="numbers trades"><thead><tr>{cells}</tr></thead>{rows}</table></div>'


def _trade(number: int, trip: RoundTrip) -> str:
    cells = (
        str(number),
        words.minute(trip.opened_ms),
        escape(trip.symbol),
        words.length(trip.duration_ms),
        exact(trip.quantity_base),
        words.UNDEFINED if trip.entry_price is None else exact(trip.entry_price),
        words.UNDEFINED if trip.exit_price is None else exact(trip.exit_price),
        words.gain(trip.profit_quote),
        words.signed_pct(trip.profit_pct),
        words.signed_pct(trip.best_pct),
        words.signed_pct(trip.worst_pct),
        words.amount(trip.fees_quote),
        words.exit_name(trip),
    )
    kind = "u" if trip.profit_quote > 0 else "d" if trip.profit_quote < 0 else ""
    # A browser closes cells and rows by itself, which a list of thousands is the smaller for.
    return f"<tr class={kind or 'e'}><td>{'<td>'.join(cells)}"


def _section(title: str, *parts: str) -> str:
    content = "".join(parts)
    return f"<section><h2>{escape(title)}</h2>{content}</section>" if content else ""


def _columns(*sections: str) -> str:
    return f'<div class="columns">{"".join(sections)}</div>'


def _pairs(rows: Iterable[words.Row]) -> str:
    cells = "".join(f"<tr><td>{escape(name)}</td><td>{escape(value)}</td></tr>" for name, value in rows)
    return f'<table class="pairs">{cells}</table>' if cells else ""


def _numbers(rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in rows[0])
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows[1:])
    return f'<div class="over"><table class="numbers"><thead><tr>{head}</tr></thead>{body}</table></div>'


def _cell(text: str) -> str:
    colour = _colour(text)
    return f'<td class="{colour}">{escape(text)}</td>' if colour else f"<td>{escape(text)}</td>"


def _colour(text: str) -> str:
    return "up" if text.startswith("+") else "down" if text.startswith("-") and text != words.UNDEFINED else ""


def _counts(counts: dict[str, int]) -> list[words.Row]:
    return [(name, f"{count:,}") for name, count in counts.items()]

"""The report as text, JSON, CSV and HTML."""

import csv
import json
import re
from dataclasses import replace as replaced
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pytest

from binance_trade_agent.backtest.report import page, words
from binance_trade_agent.backtest.report.files import to_json, write_csv
from binance_trade_agent.backtest.report.page import write_html
from binance_trade_agent.backtest.report.report import CurveFigures, Day, Hold, Month, Report, TradeFigures
from binance_trade_agent.backtest.report.text import to_text
from binance_trade_agent.domain.values import field_names
from binance_trade_agent.reports.performance import Drawdown
from binance_trade_agent.reports.round_trips import OpenTrip, RoundTrip
from binance_trade_agent.risk.state import Pause
from tests.backtest.report.made_results import made_result, walk

RESULT = made_result({symbol: walk(symbol, 1_500, seed=seed) for seed, symbol in enumerate(("BTCUSDT", "ETHUSDT"))})
REPORT = Report.of(RESULT)
NOTHING = made_result({"BTCUSDT": walk("BTCUSDT", 5)}, refusals={}, outcomes={}, pauses=[], warnings=["Few candles."])
STATISTICS = Path(__file__).parents[3] / "docs" / "reference" / "statistics.md"


def section(text: str, title: str) -> list[str]:
    """The lines under a title."""
    return text.partition(f"\n{title}\n")[2].partition("\n\n")[0].splitlines()


def test_text_begins_with_what_was_tested_and_how_it_ended():
    lines = to_text(REPORT).splitlines()
    assert lines[:5] == [
        "Backtest of above_mean",
        "  on BTCUSDT ETHUSDT, 1h candles, 2024-01-31 00:00 to 2024-04-02 12:00 UTC, 62 days 12 h",
        "  parameters: mean_of=30",
        "  fills: next open, fee 0.1 %",
        "  settings: RISK_STOP_LOSS_PCT=2, RISK_TAKE_PROFIT_PCT=3",
    ]
    assert lines[6].startswith(f"Final equity  {REPORT.final_quote:,.2f} USDT (")
    assert lines[7].startswith(f"Buy and hold  {REPORT.hold.final_quote:,.2f} (")
    assert lines[7].endswith("; each in equal parts, fee 0.1 %)")


def test_text_has_a_table_for_each_part_and_fits_a_terminal():
    text = to_text(REPORT)
    assert [line.split()[0] for line in section(text, "By symbol")[1:]] == ["BTCUSDT", "ETHUSDT"]
    assert section(text, "By exit")[1].split()[0] == "strategy"
    assert section(text, "Refused by") == ["  cooldown            5", "  max_open_positions  2"]
    assert section(text, "Months")[1].split()[0] == "2024-01"
    assert any(line.startswith("  Sharpe") for line in section(text, "Equity"))
    assert max(map(len, text.splitlines())) <= 100


def test_text_shows_dashes_for_what_is_not_defined_and_leaves_out_what_is_empty():
    text = to_text(Report.of(NOTHING))
    assert "Warning: Few candles." in text.splitlines()
    trades = dict(re.split(r"  +", line.strip(), maxsplit=1) for line in section(text, "Trades"))
    assert {trades[name] for name in ("Win rate", "Profit factor", "SQN", "p-value of the mean", "Best trade")} == {"-"}
    assert [line.split()[1:] for line in section(text, "Equity") if "Sharpe" in line] == [["-", "-"]]
    for title in ("By symbol", "By exit", "Months", "Refused by", "Pauses", "Still open"):
        assert f"\n{title}\n" not in text
    assert not re.search(r"\b(nan|inf|None)\b", text)


def test_small_amounts_are_told_in_few_digits():
    small = [Decimal(value) for value in ("-0.77331426", "0.00012347", "0.5", "0", "-0.99999", "1234.567")]
    assert [words.gain(value) for value in small] == ["-0.7733", "+0.0001235", "+0.5", "0.00", "-1.00", "+1,234.57"]
    assert words.amount(None) == "-"


def test_pauses_are_counted_by_the_limit_that_began_them():
    hour = 3_600_000
    pauses = [Pause("losses_in_row", since, since + hour, "5 losses") for since in (0, 2 * hour, 50 * hour)]
    text = to_text(Report.of(replaced(RESULT, pauses=[*pauses, Pause("drawdown", hour, 25 * hour, "10 % down")])))
    assert section(text, "Pauses") == [
        "  losses_in_row  3 times, 3 h 0 min in all, the last from 1970-01-03 02:00 on",
        "  drawdown       1970-01-01 01:00 to 1970-01-02 01:00: 10 % down",
    ]


def test_json_is_one_document_with_exact_money():
    document = json.loads(to_json(REPORT))
    assert list(document) == list(field_names(Report))
    assert Decimal(document["final_quote"]) == REPORT.final_quote
    assert document["setup"]["symbols"] == ["BTCUSDT", "ETHUSDT"]
    assert len(document["round_trips"]) == len(REPORT.round_trips)
    trip, told = REPORT.round_trips[0], document["round_trips"][0]
    assert told["exit"] == trip.exit
    assert {name: Decimal(fee) for name, fee in told["fees"].items()} == trip.fees
    assert told["profit_quote"] == f"{trip.profit_quote.normalize():f}"
    assert document["trades"]["win_rate_pct"] == REPORT.trades.win_rate_pct


def test_json_has_null_for_what_is_not_defined():
    document = json.loads(to_json(Report.of(NOTHING)))
    assert (document["figures"]["sharpe"], document["trades"]["profit_factor"], document["best"]) == (None, None, None)


def test_csv_has_a_line_for_each_round_trip(tmp_path):
    written = write_csv(tmp_path, REPORT)
    assert written == tmp_path / "trades.csv"
    with written.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [Decimal(row["profit_quote"]) for row in rows] == [trip.profit_quote for trip in REPORT.round_trips]
    first, trip = rows[0], REPORT.round_trips[0]
    assert (first["symbol"], int(first["opened_ms"]), first["exit"]) == (trip.symbol, trip.opened_ms, trip.exit)
    assert first["fees"] == " + ".join(f"{fee.normalize():f} {asset}" for asset, fee in trip.fees.items())
    assert float(first["worst_pct"]) == trip.worst_pct
    assert re.fullmatch(r"2024-0\d-\d\dT\d\d:00:00Z", first["closed_utc"])


def test_csv_goes_to_the_file_that_is_named(tmp_path):
    assert write_csv(tmp_path / "mine.csv", Report.of(NOTHING)).read_text(encoding="utf-8").count("\n") == 1


class Page(HTMLParser):
    """Titles of sections, rows of tables, and every attribute, of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.titles: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.tags: list[str] = []
        self.text: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data):
        if self.tags[-1] == "h2":
            self.titles.append(data)
        if self.tags[-1] not in {"script", "style"}:
            self.text.append(data)


def written(tmp_path, result) -> str:
    write_html(tmp_path / "report.html", result, Report.of(result))
    return (tmp_path / "report.html").read_text(encoding="utf-8")


def test_the_page_has_every_part_of_the_report(tmp_path):
    shown = Page(written(tmp_path, RESULT))
    assert {"Equity and drawdown", "BTCUSDT", "ETHUSDT", "Months", "Equity", "Trades", "Market and costs"} <= set(
        shown.titles
    )
    assert {"By symbol", "By exit", "Refused by", "Decisions", "Pauses", "Trades, times UTC"} <= set(shown.titles)
    assert shown.tags.count("tr") > len(REPORT.round_trips)
    assert f"{REPORT.final_quote:,.2f}" in shown.text


def test_the_page_asks_nobody_for_anything(tmp_path):
    text = written(tmp_path, RESULT)
    links = [value for name, value in Page(text).attributes if name in {"src", "href", "srcset", "action"}]
    assert links == ["data:,"]
    assert not re.search(r"https?:|@import|url\(|fetch\(|XMLHttpRequest", text)
    assert "default-src 'none'" in text


def test_what_comes_from_outside_is_text_on_the_page(tmp_path):
    evil = "<script>alert(1)</script>"
    setup = replaced(
        RESULT.setup, strategy=evil, parameters={evil: evil}, settings={"A": evil}, fills=f'"{evil}', quote_asset="USDT"
    )
    result = replaced(RESULT, setup=setup, warnings=[evil], refusals={evil: 1}, outcomes={evil: 2})
    text = written(tmp_path, result)
    assert evil not in text
    assert text.count("&lt;script&gt;") >= 7
    assert Page(text).tags.count("script") == Page(written(tmp_path, RESULT)).tags.count("script")


def test_numbers_of_the_charts_are_sound_json(tmp_path):
    documents = re.findall(r'<script type="application/json">(.*?)</script>', written(tmp_path, RESULT))
    equity, *candles = [json.loads(document) for document in documents]
    assert [name for name, _, _ in equity["series"]] == ["equity", "buy and hold", "drawdown %"]
    assert equity["series"][0][1][-1] == pytest.approx(float(REPORT.final_quote), abs=0.01)
    assert len(candles) == 2
    for chart in (equity, *candles):
        assert {len(values) for _, values, _ in chart["series"]} == {len(chart["seconds"])}


def test_a_page_without_trades_or_candles(tmp_path):
    nothing = written(tmp_path, NOTHING)
    assert "Trades, times UTC" not in Page(nothing).titles
    assert not re.search(r"\b(nan|NaN|inf|None)\b", re.sub(r"<(script|style)>.*?</\1>", "", nothing, flags=re.DOTALL))
    assert "BTCUSDT" in Page(nothing).titles
    assert "BTCUSDT" not in Page(written(tmp_path, replaced(NOTHING, candles={}))).titles


def test_of_more_trades_than_the_page_lists_the_first_and_the_last_are_shown(tmp_path, monkeypatch):
    monkeypatch.setattr(page, "MOST_TRADES", 20)
    monkeypatch.setattr(page, "MOST_DRAWN", 10)
    text = written(tmp_path, RESULT)
    count = len(REPORT.round_trips)
    assert f"Trades, times UTC: the first and the last 10 of {count:,}; --csv writes all of them" in Page(text).titles
    numbers = [int(number) for number in re.findall(r"<tr class=[ude]><td>(\d+)", text)]
    assert numbers == [*range(1, 11), *range(count - 9, count + 1)]
    assert "the 10 trades with the largest profits and losses, in percent, are drawn" in text


def test_a_year_of_minutes_is_a_small_page(tmp_path):
    year = made_result({"BTCUSDT": walk("BTCUSDT", 525_600, interval="1m", spread=0.0008)}, mean_of=6_000)
    text = written(tmp_path, year)
    assert len(Report.of(year).round_trips) > 1_500
    assert len(text) < 1_000_000


@pytest.mark.parametrize("kind", [Report, CurveFigures, Drawdown, Hold, TradeFigures, Month, Day, RoundTrip, OpenTrip])
def test_every_field_of_the_document_is_described(kind):
    page_text = STATISTICS.read_text(encoding="utf-8")
    assert issubclass(kind, msgspec.Struct)
    missing = [name for name in field_names(kind) if f"`{name}`" not in page_text]
    assert missing == []

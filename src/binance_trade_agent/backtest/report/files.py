"""The report for programs: one JSON document, and the trades as CSV. Money is text with all its digits."""

import csv
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

import orjson

from binance_trade_agent.backtest.report.report import Report
from binance_trade_agent.domain.money import plain
from binance_trade_agent.domain.values import Value, field_names
from binance_trade_agent.domain.wording import iso_second
from binance_trade_agent.reports.round_trips import RoundTrip

TRADES_FILE = "trades.csv"
_MONEY = ("quantity_base", "entry_price", "exit_price", "cost_quote", "proceeds_quote", "profit_quote", "profit_pct")
_CSV_COLUMNS = (
    "symbol",
    "quote_asset",
    "opened_utc",
    "closed_utc",
    "opened_ms",
    "closed_ms",
    "duration_ms",
    "entries",
    "exits",
    "exit",
    *_MONEY,
    "fees",
    "fees_quote",
    "best_pct",
    "worst_pct",
)


def to_json(report: Report) -> str:
    """One document with the fields of Report by their names; money and quantities as text, other figures as numbers."""
    return orjson.dumps(report, default=_encoded, option=orjson.OPT_INDENT_2 | orjson.OPT_SERIALIZE_NUMPY).decode()


def write_csv(path: Path, report: Report) -> Path:
    """Write a line for each round trip, with a header, to `path`, or to `trades.csv` in it when it is a folder.

    Several fees stand in one cell as `0.001 BTC + 0.2 USDT`. What is not defined is empty.

    Returns:
        The file.

    Raises:
        OSError: it cannot be written.
    """
    target = path / TRADES_FILE if path.is_dir() else path
    with target.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, _CSV_COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(map(_cells, report.round_trips))
    return target


def _encoded(value: object) -> object:
    """What orjson does not know: exact numbers, values by their fields, mappings that are no dict."""
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, Value):
        return {name: getattr(value, name) for name in field_names(type(value))}
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} has no place in a report")


def _cells(trip: RoundTrip) -> dict[str, str | int | float | None]:
    money = {name: _text(getattr(trip, name)) for name in (*_MONEY, "fees_quote")}
    others = {name: getattr(trip, name) for name in _CSV_COLUMNS if hasattr(trip, name) and name not in money}
    return {
        **others,
        **money,
        "opened_utc": iso_second(trip.opened_ms),
        "closed_utc": iso_second(trip.closed_ms),
        "fees": " + ".join(f"{plain(fee)} {asset}" for asset, fee in trip.fees.items()),
    }


def _text(value: object) -> str:
    return "" if value is None else plain(value)  # type: ignore[arg-type]

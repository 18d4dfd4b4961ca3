"""Candles from CSV files, plain or gzip, checked row by row; a broken row is named by its file and line."""

import gzip
import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from itertools import pairwise
from pathlib import Path

from binance_trade_agent.domain.candles import INTERVAL_MS, Candle, interval_open_ms
from binance_trade_agent.domain.money import plain
from binance_trade_agent.domain.nearest import nearest
from binance_trade_agent.simulator.market.feed import FeedError
from binance_trade_agent.simulator.symbols import UnknownSymbolError, split_symbol

HEADER = "open_time_ms,open,high,low,close,volume"

_YEAR_2100_MS = 4_102_444_800_000  # Binance's archive has had microseconds since 2025; they lie beyond
_COLUMNS = tuple(HEADER.split(","))
_NAME = re.compile(r"(?P<symbol>[^-]+)-(?P<interval>[^-.]+)(-[^.]*)?\.csv(\.gz)?")


@dataclass(frozen=True, slots=True)
class CandleFile:
    """What a file holds: at least one candle of `symbol`, in time order, each opening on the grid of `interval`."""

    path: Path
    symbol: str
    interval: str
    candles: Sequence[Candle]


def read_candle_file(path: Path) -> CandleFile:
    """Read a file named `SYMBOL-INTERVAL[-REMARK].csv[.gz]`.

    Its columns are those of `HEADER`: UTC milliseconds, prices in quote per base, volume in base asset.

    Raises:
        FeedError: the name is not of that form, the file cannot be read, or a row is broken.
    """
    symbol, interval = _symbol_and_interval(path)
    lines = _lines(path)
    if next(lines, None) != HEADER:
        raise FeedError(f"{path.name}:1: the header must be {HEADER}")
    candles = list(_candles(path.name, interval, lines))
    if not candles:
        raise FeedError(f"{path.name} holds no candles")
    _check_spacing(path.name, interval, candles)
    return CandleFile(path, symbol, interval, candles)


def _symbol_and_interval(path: Path) -> tuple[str, str]:
    match = _NAME.fullmatch(path.name)
    if not match:
        raise FeedError(
            f"{path.name}: a candle file is named SYMBOL-INTERVAL.csv or SYMBOL-INTERVAL.csv.gz, "
            "such as BTCUSDT-1m.csv.gz"
        )
    symbol, interval = match["symbol"], match["interval"]
    try:
        split_symbol(symbol)
    except UnknownSymbolError as error:
        raise FeedError(f"{path.name}: {error}") from None
    if interval not in INTERVAL_MS:
        near = nearest(interval, INTERVAL_MS)
        hint = f"; did you mean {near}?" if near else ""
        raise FeedError(f"{path.name}: interval {interval!r} is none of {', '.join(INTERVAL_MS)}{hint}")
    return symbol, interval


def _lines(path: Path) -> Iterator[str]:
    """The file's lines without their ends."""
    try:
        content = path.read_bytes()
        text = (gzip.decompress(content) if path.suffix == ".gz" else content).decode("ascii")
    except FileNotFoundError:
        raise FeedError(f"candle file {path} does not exist") from None
    except UnicodeDecodeError:
        raise FeedError(f"{path.name} is not a text file") from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise FeedError(f"{path.name} is not a whole gzip file: {error}") from None
    except OSError as error:
        raise FeedError(f"candle file {path} cannot be read: {error.strerror}") from None
    return iter(text.splitlines())


def _candles(name: str, interval: str, lines: Iterator[str]) -> Iterator[Candle]:
    last_ms = -1
    length_ms = INTERVAL_MS[interval]
    for number, line in enumerate(lines, start=2):
        candle = _candle(f"{name}:{number}", line, length_ms)
        open_ms = candle.open_time_ms
        if open_ms <= last_ms:
            relation = "repeats" if open_ms == last_ms else "is before"
            raise FeedError(f"{name}:{number}: time {open_ms} {relation} the row above's {last_ms}")
        if interval_open_ms(interval, open_ms) != open_ms:
            raise FeedError(f"{name}:{number}: time {open_ms} is not the start of a {interval} candle")
        last_ms = open_ms
        yield candle


def _candle(place: str, line: str, length_ms: int) -> Candle:
    fields = line.split(",")
    if len(fields) != len(_COLUMNS):
        raise FeedError(f"{place}: {len(fields)} columns instead of {len(_COLUMNS)}")
    try:
        open_ms = int(fields[0])
        candle = Candle(open_ms, open_ms + length_ms - 1, *map(Decimal, fields[1:]))
    except (ValueError, InvalidOperation):
        raise FeedError(f"{place}: {_not_a_number(fields)}") from None
    if not 0 <= open_ms < _YEAR_2100_MS:
        raise FeedError(f"{place}: time {open_ms} is not in milliseconds between the years 1970 and 2100")
    if not candle.is_sound:
        raise FeedError(f"{place}: {_flaw(candle)}")
    return candle


def _not_a_number(fields: Sequence[str]) -> str:
    for column, text in zip(_COLUMNS, fields, strict=True):
        try:
            int(text) if column == _COLUMNS[0] else Decimal(text)
        except (ValueError, InvalidOperation):
            kind = "a whole number of milliseconds" if column == _COLUMNS[0] else "a number"
            return f"{column} {text!r} is not {kind}"
    raise AssertionError("all fields are numbers")


def _flaw(candle: Candle) -> str:
    """What makes `candle` unsound."""
    prices = {"open": candle.open, "high": candle.high, "low": candle.low, "close": candle.close}
    for name, value in (*prices.items(), ("volume", candle.volume)):
        if not value.is_finite():
            return f"{name} {value} is not a finite number"
    for name, price in prices.items():
        if price <= 0:
            return f"{name} {plain(price)} is not above 0"
    if candle.volume < 0:
        return f"volume {plain(candle.volume)} is negative"
    for name, price in prices.items():
        if price > candle.high:
            return f"high {plain(candle.high)} is below {name} {plain(price)}"
    name = "open" if candle.open < candle.low else "close"
    return f"low {plain(candle.low)} is above {name} {plain(prices[name])}"


def _check_spacing(name: str, interval: str, candles: Sequence[Candle]) -> None:
    """A file of longer candles than its name says has rows that all lie too far apart."""
    opens = [candle.open_time_ms for candle in candles]
    smallest_ms = min((later - earlier for earlier, later in pairwise(opens)), default=0)
    if smallest_ms > INTERVAL_MS[interval]:
        minutes = smallest_ms / 60_000
        raise FeedError(f"{name}: rows are at least {minutes:g} minutes apart, but the name says {interval}")

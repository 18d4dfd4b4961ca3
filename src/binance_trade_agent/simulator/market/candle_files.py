"""Candles from files, checked row by row; a broken row is named by its file and line."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from itertools import pairwise
from pathlib import Path
from typing import Any

from binance_trade_agent.domain.candles import INTERVAL_MS, Candle, interval_open_ms
from binance_trade_agent.domain.money import plain
from binance_trade_agent.domain.nearest import nearest
from binance_trade_agent.simulator.market.candle_tables import COLUMNS, Row, rows_of
from binance_trade_agent.simulator.market.feed import FeedError
from binance_trade_agent.simulator.symbols import UnknownSymbolError, split_symbol

_YEAR_2100_MS = 4_102_444_800_000
# A whole number is a time in seconds below the first bound, in milliseconds below the next, then micro-, nanoseconds.
_SECONDS_END, _MILLISECONDS_END, _MICROSECONDS_END = 10**11, 10**14, 10**17
_MOST_DIGITS = 20  # as on the exchange (binance-protocol.md 2.5, -1100)
_FINEST = Decimal("0.00000001")
_NAME = re.compile(r"(?P<symbol>[^-]+)-(?P<interval>[^-.]+)(-[^.]*)?\.(csv|csv\.gz|parquet|feather)")


@dataclass(frozen=True, slots=True)
class CandleFile:
    """What a file holds: at least one candle of `symbol`, in time order, each opening on the grid of `interval`."""

    path: Path
    symbol: str
    interval: str
    candles: Sequence[Candle]


def read_candle_file(path: Path) -> CandleFile:
    """Read a file named `SYMBOL-INTERVAL[-REMARK]` with the suffix .csv, .csv.gz, .parquet or .feather.

    Times are UTC, as ISO text or counted in seconds, milli-, micro- or nanoseconds; prices in quote per base, volume in
    base asset, both with eight decimals: what is finer, as in binary floats, is rounded.

    Raises:
        FeedError: the name is not of that form, the file cannot be read, or a row is broken; one sentence.
    """
    symbol, interval = _symbol_and_interval(path)
    return CandleFile(path, symbol, interval, read_candles(path, interval))


def read_candles(path: Path, interval: str) -> Sequence[Candle]:
    """The candles of a file whatever its name; see `read_candle_file`, and `candle_tables` for the columns it may have.

    Raises:
        FeedError: the file cannot be read, or a row is broken; one sentence.
    """
    candles = list(_candles(interval, rows_of(path)))
    if not candles:
        raise FeedError(f"{path.name} holds no candles")
    _check_spacing(path.name, interval, candles)
    return candles


def _symbol_and_interval(path: Path) -> tuple[str, str]:
    match = _NAME.fullmatch(path.name)
    if not match:
        raise FeedError(
            f"{path.name}: a candle file is named SYMBOL-INTERVAL with the suffix .csv, .csv.gz, .parquet or .feather, "
            "such as BTCUSDT-1m.csv.gz"
        )
    symbol, interval = match["symbol"].replace("_", ""), match["interval"]
    try:
        split_symbol(symbol)
    except UnknownSymbolError as error:
        raise FeedError(f"{path.name}: {error}") from None
    if interval not in INTERVAL_MS:
        near = nearest(interval, INTERVAL_MS)
        hint = f"; did you mean {near}?" if near else ""
        raise FeedError(f"{path.name}: interval {interval!r} is none of {', '.join(INTERVAL_MS)}{hint}")
    return symbol, interval


def _candles(interval: str, rows: Iterable[Row]) -> Iterator[Candle]:
    last_ms = -1
    length_ms = INTERVAL_MS[interval]
    for place, values in rows:
        try:
            candle = _candle(values, length_ms)
        except ValueError as error:
            raise FeedError(f"{place}: {error}") from None
        open_ms = candle.open_time_ms
        if open_ms <= last_ms:
            relation = "repeats" if open_ms == last_ms else "is before"
            raise FeedError(f"{place}: time {open_ms} {relation} the row above's {last_ms}")
        if interval_open_ms(interval, open_ms) != open_ms:
            raise FeedError(f"{place}: time {open_ms} is not the start of a {interval} candle")
        last_ms = open_ms
        yield candle


def _candle(values: Sequence[Any], length_ms: int) -> Candle:
    """A sound candle; raises ValueError with what is wrong."""
    open_ms = _time_ms(values[0])
    amounts = [_amount(name, value) for name, value in zip(COLUMNS[1:], values[1:], strict=True)]
    candle = Candle(open_ms, open_ms + length_ms - 1, *amounts)
    if not candle.is_sound:
        raise ValueError(_flaw(candle))
    return candle


def _time_ms(value: Any) -> int:
    text = str(value)
    if text.lstrip("-").isdigit():
        number = int(text)
        if number < _SECONDS_END:
            at_ms = number * 1000
        elif number < _MILLISECONDS_END:
            at_ms = number
        else:
            at_ms = number // (1000 if number < _MICROSECONDS_END else 1_000_000)
    else:
        try:
            parsed = datetime.fromisoformat(text)
        except ValueError:
            raise ValueError(f"time {text!r} is neither a whole number nor ISO 8601") from None
        at_ms = int((parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp() * 1000)
    if not 0 <= at_ms < _YEAR_2100_MS:
        raise ValueError(f"time {text} is not between the years 1970 and 2100")
    return at_ms


def _amount(name: str, value: Any) -> Decimal:
    text = str(value)
    try:
        amount = Decimal(text)
    except InvalidOperation:
        raise ValueError(f"{name} {value!r} is not a number") from None
    whole, _, decimals = text.partition(".")
    if len(text) <= _MOST_DIGITS and len(decimals) <= -_FINEST.adjusted() and (whole + decimals).isdigit():
        return amount  # as nearly all are, without the cost of taking the number apart
    if not amount.is_finite():
        raise ValueError(f"{name} {amount} is not a finite number")
    _, digits, exponent = amount.as_tuple()
    assert isinstance(exponent, int), "a finite number has an exponent"
    if max(len(digits), len(digits) + exponent) > _MOST_DIGITS:
        raise ValueError(f"{name} has more than {_MOST_DIGITS} digits")
    return amount if exponent >= _FINEST.adjusted() else amount.quantize(_FINEST)


def _flaw(candle: Candle) -> str:
    """What makes `candle` unsound."""
    prices = {"open": candle.open, "high": candle.high, "low": candle.low, "close": candle.close}
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

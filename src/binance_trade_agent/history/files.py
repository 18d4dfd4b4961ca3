"""Candles from files as columns: CSV, plain or gzip, Parquet and Feather, of this and of other programs.

The fast way here reads a file that is in order. A file that is not, or that is written in an unusual way, is read row
by row by the simulated exchange's reader, which names the row that is wrong or takes what it understands: so both
accept the same files and say the same of the others.
"""

import gzip
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from binance_trade_agent.domain.candles import INTERVAL_MS, Candle, interval_open_ms
from binance_trade_agent.domain.nearest import nearest
from binance_trade_agent.history.errors import HistoryError
from binance_trade_agent.history.rounding import TooLargeError, rounded_table
from binance_trade_agent.history.table import CandleTable, FloatArray, IntArray
from binance_trade_agent.simulator.market.candle_files import read_candles
from binance_trade_agent.simulator.market.candle_tables import (
    COLUMNS,
    column_places,
    is_header_line,
    read_arrow_table,
)
from binance_trade_agent.simulator.market.feed import FeedError

SUFFIXES = (".parquet", ".feather", ".csv", ".csv.gz")

_NAME = re.compile(r"(?P<symbol>[A-Z0-9_]+)-(?P<interval>[^-.]+)(-[^.]*)?(?P<suffix>(\.[a-z]+)+)")
_AMOUNTS = COLUMNS[1:]
_YEAR_2100_MS = 4_102_444_800_000
_SMALLEST = 0.5e-8  # a price of less is 0 when it is rounded


def read_table(path: Path, symbol: str | None = None, interval: str | None = None) -> CandleTable:
    """Read a file named `SYMBOL-INTERVAL[-REMARK]` with one of SUFFIXES; `symbol` and `interval` overrule its name.

    Columns are known by their names, or by their order as in Binance's public archive; times are UTC, as ISO text or
    counted in seconds, milli-, micro- or nanoseconds. Amounts are rounded to eight decimals, and to fewer where the
    largest of a column would otherwise have more than 15 digits: what is finer is the noise of binary floats.

    Raises:
        HistoryError: the name is not of that form, the file cannot be read, a row is broken (not a number, prices out
            of order, a time off the interval's grid, repeated or before the row above's), or there is none.
    """
    if symbol is None or interval is None:
        named = symbol_and_interval(path)
        symbol, interval = symbol or named[0], interval or named[1]
    try:
        columns = _columns(path)
        if columns is None or not are_sound(interval, *columns):
            columns = _columns_of(read_candles(path, interval))
        return rounded_table(symbol, interval, *columns)
    except FeedError as error:
        raise HistoryError(str(error)) from None
    except TooLargeError as error:
        raise HistoryError(f"{path.name}: {error}") from None


def symbol_and_interval(path: Path) -> tuple[str, str]:
    """What a file holds, by its name; `BTC_USDT-1m.feather` is BTCUSDT's.

    Raises:
        HistoryError: the name is not of that form, or the interval is unknown.
    """
    match = _NAME.fullmatch(path.name)
    if not match or match["suffix"] not in SUFFIXES:
        raise HistoryError(
            f"{path.name}: a candle file is named SYMBOL-INTERVAL with the suffix {', '.join(SUFFIXES[:-1])} or "
            f"{SUFFIXES[-1]}, such as BTCUSDT-1m.csv.gz"
        )
    if match["interval"] not in INTERVAL_MS:
        raise HistoryError(f"{path.name}: {unknown_interval(match['interval'])}")
    return match["symbol"].replace("_", ""), match["interval"]


def unknown_interval(interval: str) -> str:
    """What to say of an interval that is none."""
    near = nearest(interval, INTERVAL_MS)
    return f"interval {interval!r} is none of {', '.join(INTERVAL_MS)}" + (f"; did you mean {near}?" if near else "")


def raw_times_ms(path: Path) -> IntArray | None:
    """The times of a file's rows as they stand there, also of broken ones; None when they cannot be read so."""
    try:
        columns = _columns(path)
    except FeedError:
        return None
    return columns[0] if columns else None


def _columns(path: Path) -> tuple[IntArray, dict[str, FloatArray]] | None:
    """Open times in ms and the amounts by name; None when the fast way does not understand the file."""
    table = read_arrow_table(path) if path.suffix in {".parquet", ".feather"} else _csv_table(path)
    if table is None:
        return None
    time, *amounts = (table.column(place) for place in column_places(path.name, table.column_names))
    times_ms = None if time.null_count else _times_ms(time)
    if times_ms is None or any(column.null_count or not _is_number(column) for column in amounts):
        return None
    arrays = (np.asarray(column.to_numpy(), dtype=np.float64) for column in amounts)
    return times_ms, dict(zip(_AMOUNTS, arrays, strict=True))


def _columns_of(candles: Sequence[Candle]) -> tuple[IntArray, dict[str, FloatArray]]:
    times_ms = np.array([candle.open_time_ms for candle in candles], dtype=np.int64)
    return times_ms, {name: np.array([float(getattr(candle, name)) for candle in candles]) for name in _AMOUNTS}


def _csv_table(path: Path) -> Any:
    import pyarrow as pa  # type: ignore[import-untyped]
    from pyarrow import csv

    first = _first_line(path).strip()
    if not first or '"' in first:
        return None
    fields = first.split(",")
    has_header = is_header_line(fields[0])
    names = fields if has_header else [*COLUMNS, *(f"unused_{place}" for place in range(len(fields) - len(COLUMNS)))]
    if len(names) != len(fields):
        return None
    places = column_places(f"{path.name}:1", names)
    try:
        return csv.read_csv(
            path,
            read_options=csv.ReadOptions(column_names=names, skip_rows=int(has_header)),
            parse_options=csv.ParseOptions(quote_char=False, ignore_empty_lines=False),
            convert_options=csv.ConvertOptions(
                include_columns=[names[place] for place in places],
                column_types={names[place]: pa.float64() for place in places[1:]},
            ),
        )
    except (pa.ArrowException, KeyError, OSError):
        return None


def _first_line(path: Path) -> str:
    """The first line of a text file; nothing when it cannot be read, of which the row by row reader says why."""
    try:
        with gzip.open(path) if path.name.endswith(".gz") else path.open("rb") as file:
            return file.readline().decode("utf-8-sig")
    except (OSError, EOFError, ValueError):
        return ""


def _is_number(column: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_floating(column.type) or pa.types.is_integer(column.type))


def _times_ms(column: Any) -> IntArray | None:
    """Times as whole milliseconds; a whole number's size says its unit, as in `candle_files`."""
    import pyarrow as pa

    kind = column.type
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        zoned = column.cast(pa.timestamp("ms", getattr(kind, "tz", None)), safe=False)
        return np.asarray(zoned.cast(pa.int64()).to_numpy(), dtype=np.int64)
    if not pa.types.is_integer(kind):
        return None
    numbers = np.asarray(column.to_numpy(), dtype=np.int64)
    if len(numbers) == 0:
        return numbers
    if numbers.min() >= 10**11 and numbers.max() < 10**14:
        return numbers
    units = [numbers < 10**11, numbers < 10**14, numbers < 10**17]
    return np.select(units, [numbers * 1000, numbers, numbers // 1000], numbers // 1_000_000)


def are_sound(interval: str, times_ms: IntArray, amounts: Mapping[str, FloatArray], *, whole: bool = True) -> bool:
    """Whether all rows are in order, on the grid, with sound prices; the same rules as `candle_files`.

    A `whole` file has two candles in a row somewhere: one without holds longer candles than it should.
    """
    if len(times_ms) == 0 or times_ms[0] < 0 or times_ms[-1] >= _YEAR_2100_MS:
        return False
    length_ms, grid_ms = INTERVAL_MS[interval], interval_open_ms(interval, 0)
    smallest_step_ms = int(np.diff(times_ms).min(initial=_YEAR_2100_MS))
    if smallest_step_ms <= 0 or (whole and len(times_ms) > 1 and smallest_step_ms > length_ms):
        return False
    return not np.any((times_ms - grid_ms) % length_ms) and _prices_are_sound(amounts)


def _prices_are_sound(amounts: Mapping[str, FloatArray]) -> bool:
    opens, highs, lows, closes, volumes = (amounts[name] for name in _AMOUNTS)
    checks = (
        lows > _SMALLEST,
        lows <= opens,
        lows <= closes,
        opens <= highs,
        closes <= highs,
        highs < np.inf,
        volumes >= 0,
        volumes < np.inf,
    )
    return all(bool(check.all()) for check in checks)

"""Tables of candles as they lie in files: CSV, plain or gzip, Parquet and Feather, whatever their columns are called.

Known are the project's own CSV, Binance's public archive (12 columns, with or without a header, milliseconds or
microseconds), and what pandas and freqtrade write (date, open, high, low, close, volume).
"""

import gzip
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from binance_trade_agent.simulator.market.feed import FeedError

COLUMNS = ("time", "open", "high", "low", "close", "volume")

_TIME_NAMES = ("open_time_ms", "open_time", "time", "timestamp", "date", "datetime", "__index_level_0__")
_LEAST_COLUMNS, _MOST_COLUMNS = 6, 12


class Row(NamedTuple):
    """One row: where it stands, for an error, and its values in the order of COLUMNS, as text or numbers."""

    place: str
    values: Sequence[Any]


def rows_of(path: Path) -> Iterator[Row]:
    """The rows of a file, as its suffix says, in their order.

    Raises:
        FeedError: the file cannot be read, or a column is missing; one sentence with the file's name.
    """
    return _arrow_rows(path) if path.suffix in {".parquet", ".feather"} else _csv_rows(path)


def is_header_line(first_field: str) -> bool:
    """Whether a CSV file whose first line begins so has a header: the time of a row is a whole number."""
    return not first_field.strip().lstrip("-").isdigit()


def column_places(place: str, names: Sequence[str]) -> list[int]:
    """Where each of COLUMNS stands among a table's names.

    Raises:
        FeedError: one is missing; the sentence begins with `place`.
    """
    known = [name.strip().lower().replace(" ", "_") for name in names]
    time = next((name for name in _TIME_NAMES if name in known), None)
    if time is None:
        raise FeedError(f"{place}: no column is the time of a candle's opening, such as open_time or date")
    missing = [name for name in COLUMNS[1:] if name not in known]
    if missing:
        raise FeedError(f"{place}: column {missing[0]} is missing; needed are {', '.join(COLUMNS)}")
    return [known.index(name) for name in (time, *COLUMNS[1:])]


def _csv_rows(path: Path) -> Iterator[Row]:
    lines = _text(path).rstrip().splitlines()
    if not lines:
        return
    first = lines[0].split(",")
    is_header = is_header_line(first[0])
    places = column_places(f"{path.name}:1", first) if is_header else range(len(COLUMNS))
    if not is_header and not _LEAST_COLUMNS <= len(first) <= _MOST_COLUMNS:
        raise FeedError(
            f"{path.name}:1: {len(first)} columns; a file without a header has time, open, high, low, close, volume, "
            "and up to six more"
        )
    for number, line in enumerate(lines[is_header:], start=1 + is_header):
        fields = line.split(",")
        if len(fields) != len(first):
            raise FeedError(f"{path.name}:{number}: {len(fields)} columns instead of {len(first)}")
        yield Row(f"{path.name}:{number}", [fields[place].strip() for place in places])


def _text(path: Path) -> str:
    try:
        content = path.read_bytes()
        return (gzip.decompress(content) if path.suffix == ".gz" else content).decode("utf-8-sig")
    except FileNotFoundError:
        raise FeedError(f"candle file {path} does not exist") from None
    except UnicodeDecodeError:
        raise FeedError(f"{path.name} is not a text file") from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise FeedError(f"{path.name} is not a whole gzip file: {error}") from None
    except OSError as error:
        raise FeedError(f"candle file {path} cannot be read: {error.strerror}") from None


def read_arrow_table(path: Path) -> Any:
    """A Parquet or Feather file as a table of pyarrow.

    Raises:
        FeedError: the file cannot be read; one sentence.
    """
    import pyarrow as pa  # type: ignore[import-untyped]

    if not path.exists():
        raise FeedError(f"candle file {path} does not exist")
    is_parquet = path.suffix == ".parquet"
    try:
        if not is_parquet:
            from pyarrow import feather

            return feather.read_table(path)
        from pyarrow import parquet

        with parquet.ParquetFile(path) as file:
            return file.read()
    except (pa.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0]
        raise FeedError(f"{path.name} is not a whole {'Parquet' if is_parquet else 'Feather'} file: {reason}") from None


def _arrow_rows(path: Path) -> Iterator[Row]:
    import pyarrow as pa

    table = read_arrow_table(path)
    columns = [table.column(place) for place in column_places(path.name, table.column_names)]
    if pa.types.is_timestamp(columns[0].type) or pa.types.is_date(columns[0].type):
        in_zone = pa.timestamp("ms", getattr(columns[0].type, "tz", None))
        columns[0] = columns[0].cast(in_zone, safe=False).cast(pa.int64())
    for number, values in enumerate(zip(*(column.to_pylist() for column in columns), strict=True), start=1):
        yield Row(f"{path.name} row {number}", values)

"""The folder of recorded candles: one Parquet file a symbol and interval, and what a backtest reads from it."""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from binance_trade_agent.domain.nearest import nearest
from binance_trade_agent.domain.wording import iso_second
from binance_trade_agent.history.errors import AbsentError, HistoryError
from binance_trade_agent.history.files import SUFFIXES, read_table, symbol_and_interval
from binance_trade_agent.history.merging import AMOUNTS, Merged, joined, merge
from binance_trade_agent.history.spans import Span, union
from binance_trade_agent.history.table import CandleTable

# A year of minutes is 12 MB and is read in 40 ms; with dictionaries it is larger and written in twice the time.
_FORM: dict[str, Any] = {"compression": "zstd", "use_dictionary": False}


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where the candles of a file come from.

    Attributes:
        source: the exchange that was asked; "" when they were only imported.
        covered: when it was asked about, and had no more candles than are there.
        wanted_from_ms: the earliest time that a download was to begin at; it may not have come so far.
    """

    source: str = ""
    covered: tuple[Span, ...] = ()
    wanted_from_ms: int | None = None

    def with_more(self, later: "Provenance") -> "Provenance":
        """What is known when candles of another origin were added."""
        begins = [each for each in (self.wanted_from_ms, later.wanted_from_ms) if each is not None]
        covered = tuple(union([*self.covered, *later.covered]))
        return Provenance(later.source or self.source, covered, min(begins, default=None))


class CandleStore:
    """Candles in a folder as `SYMBOL-INTERVAL.parquet`: open_time_ms int64; open, high, low, close, volume float64.

    The file's metadata say symbol, interval and provenance. The simulated exchange replays such a file too.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path_of(self, symbol: str, interval: str) -> Path:
        """Where the candles of a symbol and interval are, or would be."""
        return self.folder / f"{symbol}-{interval}.parquet"

    def read(self, symbol: str, interval: str) -> CandleTable | None:
        """All candles, or None when there are none.

        Raises:
            HistoryError: the file cannot be read.
        """
        path = self.path_of(symbol, interval)
        return read_table(path) if path.exists() else None

    def provenance(self, symbol: str, interval: str) -> Provenance:
        """Where the candles come from; of a file of another program nothing is known."""
        import pyarrow as pa  # type: ignore[import-untyped]
        from pyarrow import parquet

        try:
            metadata = parquet.read_schema(self.path_of(symbol, interval)).metadata or {}
            covered = tuple((int(start), int(end)) for start, end in json.loads(metadata.get(b"covered", b"[]")))
            wanted_from = metadata.get(b"wanted_from_ms")
            return Provenance(metadata.get(b"source", b"").decode(), covered, int(wanted_from) if wanted_from else None)
        except (pa.ArrowException, OSError, ValueError, TypeError):
            return Provenance()

    def write(self, table: CandleTable, provenance: Provenance) -> Path:
        """Put `table` in the place of what is there, in one step; whoever reads meanwhile sees the old or the new.

        Raises:
            HistoryError: the folder cannot be written to.
        """
        import pyarrow as pa
        from pyarrow import parquet

        metadata = {
            "symbol": table.symbol,
            "interval": table.interval,
            "source": provenance.source,
            "covered": json.dumps(provenance.covered),
        }
        if provenance.wanted_from_ms is not None:
            metadata["wanted_from_ms"] = str(provenance.wanted_from_ms)
        columns = {"open_time_ms": table.open_times_ms} | {name: getattr(table, name) for name in AMOUNTS}
        path = self.path_of(table.symbol, table.interval)
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            parquet.write_table(pa.table(columns, metadata=metadata), draft, **_FORM)
            draft.replace(path)
        except OSError as failure:
            raise HistoryError(f"{path} cannot be written: {failure.strerror or failure}") from None
        return path

    def add(self, new: CandleTable, provenance: Provenance = Provenance()) -> Merged:
        """Merge candles into the store; without a provenance they are imported.

        Raises:
            HistoryError: the file that is there cannot be read, or the folder cannot be written to.
        """
        old = self.read(new.symbol, new.interval)
        merged = merge(old, new) if old is not None else Merged(new, len(new), 0, 0)
        if len(merged.table):
            self.write(merged.table, self.provenance(new.symbol, new.interval).with_more(provenance))
        return merged


def candle_files(folder: Path) -> dict[tuple[str, str], list[Path]]:
    """Files of candles in a folder by symbol and interval, each list in the order of their names.

    Raises:
        HistoryError: there is no such folder.
    """
    try:
        paths = sorted(path for path in folder.iterdir() if path.name.endswith(SUFFIXES))
    except OSError as failure:
        raise HistoryError(f"the data folder {folder} cannot be read: {failure.strerror}") from None
    found: dict[tuple[str, str], list[Path]] = {}
    for path in paths:
        try:
            found.setdefault(symbol_and_interval(path), []).append(path)
        except HistoryError:
            continue  # some other file
    return found


def open_data(
    path: Path, symbol: str, interval: str, start_ms: int | None = None, end_ms: int | None = None
) -> CandleTable:
    """The candles of a symbol that open in [start_ms, end_ms), from a file or a folder of files.

    In a folder the file that is named `SYMBOL-INTERVAL` and nothing more is taken alone, Parquet before others; where
    none has candles of the period, all that have a remark (`BTCUSDT-1m-2024-01.csv`) are taken together.

    Raises:
        HistoryError: there are no candles of this symbol, interval or period, or a file cannot be read.
    """
    if start_ms is not None and end_ms is not None and start_ms >= end_ms:
        raise HistoryError(
            f"the period begins at {iso_second(start_ms)}, which is not before its end {iso_second(end_ms)}"
        )
    seen: list[CandleTable] = []
    for paths in _choices(path, symbol, interval):
        table = joined([read_table(each) for each in paths])
        first_ms, last_ms = int(table.open_times_ms[0]), int(table.open_times_ms[-1])
        part = table.between(first_ms if start_ms is None else start_ms, last_ms + 1 if end_ms is None else end_ms)
        if len(part):
            return part
        seen.append(table)
    held = " and ".join(
        f"{iso_second(int(table.open_times_ms[0]))} to {iso_second(int(table.open_times_ms[-1]))}" for table in seen
    )
    asked = " ".join(
        f"{word} {iso_second(bound_ms)}"
        for word, bound_ms in (("from", start_ms), ("to", end_ms))
        if bound_ms is not None
    )
    raise HistoryError(f"{path} has no {symbol} {interval} candles {asked}; it has those of {held}")


def _choices(path: Path, symbol: str, interval: str) -> Sequence[Sequence[Path]]:
    """Files to read together, the best first; at least one.

    Raises:
        AbsentError: there is none of this symbol and interval.
        HistoryError: there is no such file or folder, or the file holds others.
    """
    if not path.exists():
        raise HistoryError(f"{path} does not exist; it should be a file of candles or a data folder")
    if path.is_file():
        held = symbol_and_interval(path)
        if held != (symbol, interval):
            raise HistoryError(f"{path} holds {' '.join(held)} candles, not {symbol} {interval}")
        return [[path]]
    found = candle_files(path)
    if (symbol, interval) not in found:
        raise AbsentError(f"{path} holds no {symbol} {interval} candles{_instead(symbol, list(found))}")
    paths = sorted(found[symbol, interval], key=lambda each: SUFFIXES.index("".join(each.suffixes)))
    plain = [each for each in paths if each.name.split(".")[0].count("-") == 1]
    remarked = sorted(set(paths) - set(plain))
    return [*([each] for each in plain), *([remarked] if remarked else [])]


def _instead(symbol: str, held: Sequence[tuple[str, str]]) -> str:
    """What the folder has instead, as the end of a sentence."""
    if not held:
        return "; it holds no candles at all"
    intervals = [each for name, each in held if name == symbol]
    if intervals:
        return f"; of {symbol} it has {', '.join(intervals)}"
    symbols = sorted({name for name, _ in held})
    near = nearest(symbol, symbols)
    hint = f"; did you mean {near}?" if near else ""
    return f"; it has {', '.join(symbols[:10])}{' and more' if len(symbols) > 10 else ''}{hint}"

"""Candles that other programs have saved, merged into the store."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from binance_trade_agent.history.errors import HistoryError
from binance_trade_agent.history.files import SUFFIXES, read_table, symbol_and_interval
from binance_trade_agent.history.merging import Merged
from binance_trade_agent.history.store import CandleStore, candle_files

# What freqtrade adds to a name when the candles are not those of a spot market.
_NOT_SPOT = {"futures", "mark", "index", "premiumIndex", "funding_rate"}


@dataclass(frozen=True, slots=True)
class Imported:
    """One file: what it brought, or the sentence why it was refused."""

    path: Path
    symbol: str = ""
    interval: str = ""
    merged: Merged | None = None
    refusal: str = ""


def import_files(
    store: CandleStore, paths: Sequence[Path], symbol: str | None = None, interval: str | None = None
) -> Iterator[Imported]:
    """Merge files, and those that folders hold, into the store, one after the other; what is imported last stays.

    Args:
        store: takes the candles.
        paths: files as for `read_table`, or folders of them.
        symbol: overrules what the files' names say.
        interval: the same.
    """
    for path in paths:
        try:
            files = _files(path)
        except HistoryError as error:
            yield Imported(path, refusal=str(error))
            continue
        for file in files:
            yield _import(store, file, symbol, interval)


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    files = [each for found in candle_files(path).values() for each in found]
    if not files:
        raise HistoryError(f"{path} holds no file of candles named SYMBOL-INTERVAL with {', '.join(SUFFIXES)}")
    return files


def _import(store: CandleStore, path: Path, symbol: str | None, interval: str | None) -> Imported:
    try:
        if not (symbol and interval):
            named = _spot_market(path)
            symbol, interval = symbol or named[0], interval or named[1]
        return Imported(path, symbol, interval, store.add(read_table(path, symbol, interval)))
    except HistoryError as error:
        return Imported(path, refusal=str(error))


def _spot_market(path: Path) -> tuple[str, str]:
    """Symbol and interval by the file's name."""
    named = symbol_and_interval(path)
    remark = path.name.split(".")[0].split("-", 2)[2:]
    if remark and remark[0] in _NOT_SPOT:
        raise HistoryError(f"{path.name} does not hold candles of a spot market ({remark[0]})")
    return named

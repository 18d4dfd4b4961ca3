"""Whether recorded candles can be trusted: what a backtest must not use, and what one should know."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from binance_trade_agent.domain.candles import INTERVAL_MS, interval_open_ms
from binance_trade_agent.domain.wording import iso_second
from binance_trade_agent.history.errors import HistoryError
from binance_trade_agent.history.files import raw_times_ms, read_table
from binance_trade_agent.history.merging import joined
from binance_trade_agent.history.spans import Span, gaps
from binance_trade_agent.history.table import CandleTable, FloatArray, IntArray

_WRONG_FACTOR, _NOTED_FACTOR = 10.0, 2.0  # a price against both its neighbours: a slipped point, a wild minute
_LONG_RUN = 30  # candles in a row that say little


@dataclass(frozen=True, slots=True)
class Stretch:
    """Candles in a row: the first and the last of them open then."""

    first_ms: int
    last_ms: int
    candles: int

    def __str__(self) -> str:
        """`10 candles, 2023-03-24T12:40:00Z to 2023-03-24T12:49:00Z`."""
        if self.candles == 1:
            return f"1 candle, {iso_second(self.first_ms)}"
        return f"{self.candles:,} candles, {iso_second(self.first_ms)} to {iso_second(self.last_ms)}"


@dataclass(slots=True)
class Checked:
    """What was found in one file, or in two intervals of one symbol: `wrong` must not be used, `notes` may be."""

    what: str
    candles: int = 0
    gaps: list[Stretch] = field(default_factory=list)
    duplicates: int = 0
    misaligned: int = 0
    wrong: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def check_files(files: Mapping[tuple[str, str], Sequence[Path]]) -> Iterator[Checked]:
    """Check each file (see `candle_files`), and then that the intervals of each symbol agree."""
    tables: dict[tuple[str, str], list[CandleTable]] = {}
    for (symbol, interval), paths in files.items():
        for path in paths:
            checked = Checked(path.name)
            try:
                table = read_table(path)
            except HistoryError as error:
                checked.wrong.append(str(error))
                _count_bad_times(path, interval, checked)
            else:
                tables.setdefault((symbol, interval), []).append(table)
                _check_table(table, checked)
            yield checked
    yield from _agreements({key: joined(found) for key, found in tables.items()})


def _count_bad_times(path: Path, interval: str, checked: Checked) -> None:
    """Of a broken file whose times can be read."""
    times_ms = raw_times_ms(path)
    if times_ms is None:
        return
    checked.candles = len(times_ms)
    checked.duplicates = len(times_ms) - len(np.unique(times_ms))
    checked.misaligned = int(((times_ms - interval_open_ms(interval, 0)) % INTERVAL_MS[interval] != 0).sum())
    if checked.duplicates:
        checked.wrong.append(f"rows that repeat a time: {checked.duplicates:,}")
    if checked.misaligned:
        checked.wrong.append(f"rows off the grid of {interval}: {checked.misaligned:,}")


def _check_table(table: CandleTable, checked: Checked) -> None:
    checked.candles = len(table)
    checked.gaps = [_stretch(span, table.interval_ms) for span in gaps(table)]
    _check_outliers(table, checked)
    for said, is_so in (("no volume", table.volume == 0), ("no range", (table.high == table.low) & (table.volume > 0))):
        stretches = [stretch for stretch in _runs_of(table, is_so) if stretch.candles >= _LONG_RUN]
        checked.notes += [f"{said} in {stretch}" for stretch in stretches]


def _check_outliers(table: CandleTable, checked: Checked) -> None:
    """Candles whose high or low is far from the close before and from the open after: a price nobody traded around."""
    if len(table) < 3:
        return
    before, after = table.close[:-2], table.open[2:]
    high, low = table.high[1:-1], table.low[1:-1]
    factor = np.maximum(high / np.maximum(before, after), np.minimum(before, after) / low)
    for row in np.flatnonzero(factor >= _NOTED_FACTOR) + 1:
        extreme = f"{table.price(table.low[row])} to {table.price(table.high[row])}"
        at = iso_second(int(table.open_times_ms[row]))
        said = f"price from {extreme} at {at}, {factor[row - 1]:.3g} times off those before and after"
        (checked.wrong if factor[row - 1] >= _WRONG_FACTOR else checked.notes).append(said)


def _agreements(tables: Mapping[tuple[str, str], CandleTable]) -> Iterator[Checked]:
    """Each interval of a symbol against the largest smaller one that divides it, where both have candles."""
    for (symbol, interval), table in tables.items():
        length_ms = INTERVAL_MS[interval]
        smaller = [
            other
            for name, other in tables
            if name == symbol and INTERVAL_MS[other] < length_ms and length_ms % INTERVAL_MS[other] == 0
        ]
        for other in sorted(smaller, key=lambda each: INTERVAL_MS[each], reverse=True):
            checked = _agreement(tables[symbol, other], table)
            if checked.candles:
                yield checked


def _agreement(small: CandleTable, large: CandleTable) -> Checked:
    """Compare the candles of `large` with what those of `small` add up to, where none of them is missing."""
    checked = Checked(f"{large.symbol} {small.interval} and {large.interval}")
    times_ms, added_up = _added_up(small, large.interval)
    _, in_small, in_large = np.intersect1d(times_ms, large.open_times_ms, assume_unique=True, return_indices=True)
    checked.candles = len(in_small)
    differs = np.zeros(len(in_small), dtype=bool)
    for name, values in added_up.items():
        digits = large.volume_digits if name == "volume" else large.price_digits
        differs |= np.abs(values[in_small] - getattr(large, name)[in_large]) > 0.6 * 10.0**-digits
    if differs.any():
        first_ms = int(times_ms[in_small[np.flatnonzero(differs)[0]]])
        checked.wrong.append(
            f"{int(differs.sum()):,} of {len(in_small):,} candles differ, the first at {iso_second(first_ms)}"
        )
    return checked


def _added_up(small: CandleTable, interval: str) -> tuple[IntArray, dict[str, FloatArray]]:
    """Candles of `interval` made of smaller ones; only those of which no part is missing."""
    length_ms, grid_ms = INTERVAL_MS[interval], interval_open_ms(interval, 0)
    opened_ms = small.open_times_ms - (small.open_times_ms - grid_ms) % length_ms
    times_ms, firsts, counts = np.unique(opened_ms, return_index=True, return_counts=True)
    whole = counts == length_ms // small.interval_ms
    if not len(firsts):
        return times_ms, {}
    lasts = firsts + counts - 1
    amounts = {
        "open": small.open[firsts],
        "high": np.maximum.reduceat(small.high, firsts),
        "low": np.minimum.reduceat(small.low, firsts),
        "close": small.close[lasts],
        "volume": np.add.reduceat(small.volume, firsts),
    }
    return times_ms[whole], {name: values[whole] for name, values in amounts.items()}


def _runs_of(table: CandleTable, is_so: np.ndarray) -> Iterator[Stretch]:
    """Rows next to each other for which something is so."""
    edges = np.flatnonzero(np.diff(np.r_[False, is_so, False].astype(np.int8)))
    for first, after in edges.reshape(-1, 2):
        yield Stretch(int(table.open_times_ms[first]), int(table.open_times_ms[after - 1]), int(after - first))


def _stretch(span: Span, length_ms: int) -> Stretch:
    return Stretch(span[0], span[1] - length_ms, (span[1] - span[0]) // length_ms)

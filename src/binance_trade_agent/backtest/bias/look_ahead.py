"""Look-ahead: whether rows say something else once later candles are there.

The recording is cut off after each chosen row, and what is left must say in every row what it says with the candles
that follow. Signals of the whole recording for each of thousands of cuts would take hours: most cuts are made in
stretches of a few thousand rows, a few in whole pieces.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from binance_trade_agent.backtest.bias.findings import ColumnDifference, Finding
from binance_trade_agent.backtest.bias.recording import IntArray, Rows
from binance_trade_agent.domain.checks import Checked, Verdict
from binance_trade_agent.strategies.check.parts import ROUNDING
from binance_trade_agent.strategies.check.trial import SEED, differing

_STRETCH_ROWS = 2000  # in which rows are cut off, after as many as a live tick looks at
_WHOLE_CUTS = 24
_PART = "when the candles end there"


@dataclass(slots=True)
class _Column:
    """What was seen of a column so far: which rows differ, and the first of them with its two values."""

    differs: npt.NDArray[np.bool_]
    row: int
    whole: float
    part: float
    largest: float = 0.0


def look_ahead(rows: Rows) -> Finding:
    """Cut off after each chosen row, what is left says the same."""
    seen: dict[str, _Column] = {}
    for start, stop, cuts in (*_stretches(rows), *_whole_pieces(rows)):
        whole = rows.signals(start, stop)
        values = whole.to_numpy(dtype=np.float64)
        for cut in cuts.tolist():
            part = rows.signals(start, cut)
            left = values[: cut - start]
            if part.shape != left.shape or not np.array_equal(part.to_numpy(np.float64), left, equal_nan=True):
                _note(seen, len(rows.whole), start, whole.iloc[: cut - start], part)
    columns = tuple(
        ColumnDifference(
            name, int(each.differs.sum()), rows.recording.open_ms(each.row), each.whole, each.part, each.largest
        )
        for name, each in ((name, seen[name]) for name in rows.whole.columns if name in seen)
    )
    said = f"cut off after {len(rows.chosen):,} rows, {rows.with_signal:,} of them with a signal"
    numbers: dict[str, int | None] = {"cuts": len(rows.chosen), "cuts_at_signals": rows.with_signal}
    if not columns:
        return Finding(Checked("look-ahead", Verdict.OK, f"{said}, each row says the same"), (), numbers)
    text = f"{said}: rows hang on later candles; no shift(-1), no centred window, no mean of the whole frame"
    return Finding(Checked("look-ahead", Verdict.FAILED, text), columns, numbers, _PART)


def _stretches(rows: Rows) -> Iterator[tuple[int, int, IntArray]]:
    """First row and end of each stretch, and where it is cut: once after each chosen row, one in its last part."""
    for start, stop in rows.recording.pieces:
        for begin in range(start, stop, _STRETCH_ROWS):
            end = min(begin + _STRETCH_ROWS, stop)
            cuts = _within(rows.chosen + 1, begin, end)
            if len(cuts):
                # A row more than the last cut, where there is one: of it a cut takes away at least that.
                yield max(start, begin - rows.live_candles), min(end + rows.live_candles, stop), cuts


def _whole_pieces(rows: Rows) -> Iterator[tuple[int, int, IntArray]]:
    """The same of whole pieces and a few rows: what looks thousands of rows ahead, or back, looks beyond a stretch."""
    rng = np.random.default_rng(SEED)
    some = np.sort(rng.choice(rows.chosen, min(_WHOLE_CUTS, len(rows.chosen)), replace=False)) + 1
    for start, stop in rows.recording.pieces:
        if len(cuts := _within(some, start, stop)):
            yield start, stop, cuts


def _within(cuts: IntArray, start: int, stop: int) -> IntArray:
    """Those of `cuts` after which the first row that is missing is one of [start + 1, stop + 1)."""
    return cuts[(cuts > start) & (cuts <= stop)]


def _note(seen: dict[str, _Column], rows: int, start: int, whole: pd.DataFrame, part: pd.DataFrame) -> None:
    for name, differs in differing(whole, part, ROUNDING).items():
        first = int(np.argmax(differs))
        ours = whole[name].to_numpy(dtype=np.float64)
        theirs = part[name].to_numpy(dtype=np.float64) if name in part.columns else np.full(len(ours), np.nan)
        column = seen.get(name)
        if column is None:
            column = seen[name] = _Column(np.zeros(rows, dtype=np.bool_), rows, np.nan, np.nan)
        if start + first < column.row:
            column.row, column.whole, column.part = start + first, float(ours[first]), float(theirs[first])
        column.differs[start : start + len(differs)] |= differs
        column.largest = max(column.largest, largest_fraction(ours, theirs))


def largest_fraction(ours: npt.NDArray[np.float64], theirs: npt.NDArray[np.float64]) -> float:
    """The greatest difference of two values that are both defined, as a share of the largest of `ours`."""
    apart = np.abs(ours - theirs)
    scale = np.abs(ours[np.isfinite(ours)]).max(initial=0.0)
    return float(apart[np.isfinite(apart)].max(initial=0.0) / scale) if scale else 0.0

"""CandleRing: the last closed candles of one symbol and one interval, as they come from a stream and from REST."""

from collections.abc import Sequence

import numpy as np

from binance_trade_agent.domain.candle_series import FAR_OFF_FACTOR, CandleSeries, candle_series
from binance_trade_agent.domain.candle_window import (
    CLOSE,
    HIGH,
    LOW,
    OPEN,
    VOLUME,
    CandleWindow,
    FloatArray,
    IntArray,
    window_of,
)
from binance_trade_agent.domain.candles import Candle

Row = tuple[int, int, float, float, float, float, float]  # open time, close time, open, high, low, close, volume
_Range = tuple[float, float]  # lowest and highest price
_NOTHING: _Range = (np.inf, 0.0)


class CandleRing:
    """Closed candles in time order, each time once; the oldest make room.

    The arrays are twice as long as what is kept: a candle is written behind the last one, and only when the end is
    reached the kept half moves to new arrays. So a window is a view that costs nothing and never changes. Each column
    lies in one piece, as TA-Lib wants it.

    Args:
        capacity: candles that are kept.

    Attributes:
        changes: how often what is kept has changed.
        merges: how often otherwise than by a candle behind the last one.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.changes = self.merges = 0
        self._times, self._numbers = _empty(2 * capacity)
        self._start = self._end = 0
        self._series: CandleSeries | None = None
        self._range: _Range | None = None  # of what is kept, or of more; None while it is not known to be whole

    def __len__(self) -> int:
        return self._end - self._start

    @property
    def last_close_ms(self) -> int | None:
        """Close time of the last candle; None while there is none."""
        return int(self._times[self._end - 1, 1]) if len(self) else None

    def put(self, row: Row) -> bool:
        """Take in one closed candle from the stream. Returns whether that changed anything."""
        if len(self) and row[0] <= self._times[self._end - 1, 0]:
            return self.merge(CandleWindow(np.array([row[:2]], dtype=np.int64), np.array([row[2:]], dtype=np.float64)))
        if self._end == len(self._times):
            self._move()
        self._range = self._range and _widened(self._range, self.last_close_ms, row)
        self._times[self._end] = row[:2]
        self._numbers[self._end] = row[2:]
        self._end += 1
        self._start = max(self._start, self._end - self.capacity)
        self._note_change()
        return True

    def merge(self, window: CandleWindow) -> bool:
        """Take in closed candles in time order; they win over kept ones of the same time. Returns whether it changed.

        Arrays that windows look at are left as they are: what is merged goes to new ones.
        """
        if not len(window):
            return False
        kept = self.window()
        stays = ~np.isin(kept.times[:, 0], window.times[:, 0])
        times = np.concatenate([kept.times[stays], window.times])
        order = np.argsort(times[:, 0], kind="stable")[-self.capacity :]
        times, values = times[order], np.concatenate([kept.numbers[stays], window.numbers])[order]
        if np.array_equal(times, kept.times) and np.array_equal(values, kept.numbers, equal_nan=True):
            return False
        self._take(times, values)
        self._range = None
        self.merges += 1
        self._note_change()
        return True

    def merge_candles(self, candles: Sequence[Candle]) -> bool:
        """`merge` of candles as REST gives them, closed and each time once."""
        return self.merge(window_of(candles))

    def window(self, *, are_finite: bool = False) -> CandleWindow:
        """All that is kept; are its numbers known to be finite?"""
        kept = slice(self._start, self._end)
        return CandleWindow(self._times[kept], self._numbers[kept], are_finite=are_finite)

    def series(self, now_ms: int) -> CandleSeries:
        """What a decision may use of it, as `domain.candle_series` judges; made once for each change.

        Args:
            now_ms: market time. Every candle of a ring was closed when it was put in.
        """
        if self._series is None:
            self._range = self._range or range_of_whole(self.window())
            window = self.window(are_finite=self._range is not None)
            self._series = CandleSeries(window) if self._range else candle_series((), window, now_ms)
        return self._series

    def grow(self, capacity: int) -> None:
        """Keep more from now on."""
        self.capacity = capacity
        self._move()

    def _note_change(self) -> None:
        self.changes += 1
        self._series = None

    def _move(self) -> None:
        self._take(self._times[self._start : self._end], self._numbers[self._start : self._end])

    def _take(self, times: IntArray, numbers: FloatArray) -> None:
        self._times, self._numbers = _empty(2 * self.capacity)
        self._start, self._end = 0, len(times)
        self._times[: self._end] = times
        self._numbers[: self._end] = numbers


def _empty(rows: int) -> tuple[IntArray, FloatArray]:
    return np.empty((rows, 2), dtype=np.int64, order="F"), np.empty((rows, 5), dtype=np.float64, order="F")


def range_of_whole(window: CandleWindow) -> _Range | None:
    """Lowest and highest price of a window with which nothing is wrong; else None.

    Nothing is: each candle is sound, no price far off, no hole. The same judgement as `candle_series`, over whole
    columns: 20 us for 500 candles, which would take 2.5 ms only to be made. Where it is None, that one looks closer.
    """
    times, values = window.times, window.numbers
    if not len(times):
        return _NOTHING
    opened, high, low, closed, volume = (values[:, column] for column in (OPEN, HIGH, LOW, CLOSE, VOLUME))
    # The comparisons are false for NaN, and so is the whole.
    lowest, highest = float(low.min()), float(high.max())
    is_whole = (
        lowest > 0
        and highest < lowest * FAR_OFF_FACTOR
        and (low <= opened).all()
        and (low <= closed).all()
        and (opened <= high).all()
        and (closed <= high).all()
        and volume.min() >= 0
        and volume.max() < np.inf
        and (times[1:, 0] == times[:-1, 1] + 1).all()
        and (times[:, 0] < times[:, 1]).all()
    )
    return (lowest, highest) if is_whole else None


def _widened(known: _Range, last_close_ms: int | None, row: Row) -> _Range | None:
    """The range with one more candle behind the last; None where it may not be whole any more.

    500 symbols close at once, and to look at all their candles again would take 10 ms.
    """
    open_ms, close_ms, opened, high, low, closed, volume = row
    lowest, highest = min(known[0], low), max(known[1], high)
    is_whole = (
        0 < low <= opened <= high
        and low <= closed <= high
        and highest < lowest * FAR_OFF_FACTOR
        and 0 <= volume < np.inf
        and (last_close_ms is None or open_ms == last_close_ms + 1)
        and open_ms < close_ms
    )
    return (lowest, highest) if is_whole else None

"""CandleWindow: closed candles kept as columns, which look like a sequence of Candle to whoever wants single ones."""

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from decimal import Decimal
from math import nan
from typing import overload

import numpy as np
import numpy.typing as npt

from binance_trade_agent.domain.candles import Candle

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

OPEN, HIGH, LOW, CLOSE, VOLUME = range(5)
_COLUMNS = {"open": OPEN, "high": HIGH, "low": LOW, "close": CLOSE, "volume": VOLUME}
_LAST_KEPT = 32  # candles that were made and are wanted again: each decision keeps the last few


class ColumnarCandles(Sequence[Candle]):
    """Candles whose numbers can be had as columns, at no cost."""

    __slots__ = ()

    @abstractmethod
    def column(self, name: str) -> FloatArray:
        """A number of each candle by its name in Candle, such as `high`, as float64."""

    @abstractmethod
    def highest_since(self, open_ms: int) -> Decimal | None:
        """The highest price of the candles that open at or after `open_ms`; None without one."""


class CandleWindow(ColumnarCandles):
    """A stretch of closed candles in time order. It never changes.

    500 candles are 28 kB of numbers; as `Candle` values they would be 330 kB and take 2.5 ms to make, so single ones
    are made when they are asked for. Each number came as a decimal with at most 15 significant digits, or lost the
    others: its float64 stands for exactly one such number, and that is what the candle has.

    Attributes:
        times: int64 (n, 2): open and close time, ms UTC.
        numbers: float64 (n, 5): open, high, low, close (quote per base), volume (base).
        are_finite: whether the numbers are known to be finite; else some may not be.
        worked_out: what somebody has made of it, by a key of his own: until a candle closes each tick has the same one.
    """

    __slots__ = ("_made", "are_finite", "numbers", "times", "worked_out")

    def __init__(self, times: IntArray, numbers: FloatArray, *, are_finite: bool = False) -> None:
        self.times = times
        self.numbers = numbers
        self.are_finite = are_finite
        self.worked_out: dict[object, object] = {}
        self._made: dict[int, Candle] = {}

    def __len__(self) -> int:
        return len(self.times)

    @overload
    def __getitem__(self, index: int) -> Candle: ...
    @overload
    def __getitem__(self, index: slice) -> "CandleWindow": ...
    def __getitem__(self, index: int | slice) -> "Candle | CandleWindow":
        if isinstance(index, slice):
            return CandleWindow(self.times[index], self.numbers[index], are_finite=self.are_finite)
        row = index + len(self) if index < 0 else index
        if not 0 <= row < len(self):
            raise IndexError(index)
        if (made := self._made.get(row)) is None:
            made = _candle(self.times[row].tolist(), self.numbers[row].tolist())
            if row >= len(self) - _LAST_KEPT:
                self._made[row] = made
        return made

    def __iter__(self) -> Iterator[Candle]:
        return map(_candle, self.times.tolist(), self.numbers.tolist())

    def __eq__(self, other: object) -> bool:
        if isinstance(other, CandleWindow):
            return np.array_equal(self.times, other.times) and np.array_equal(self.numbers, other.numbers)
        if isinstance(other, Sequence):
            return list(self) == list(other)
        return NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"CandleWindow({len(self)} candles)"

    @property
    def last_open_ms(self) -> int:
        """Open time of the last candle."""
        return int(self.times[-1, 0])

    @property
    def last_close_ms(self) -> int:
        """Close time of the last candle."""
        return int(self.times[-1, 1])

    def continues(self, before: "CandleWindow") -> tuple[bool, int]:
        """Whether this window is the end of `before` and then some new candles; and how many those are."""
        if self is before:
            return bool(len(self)), 0
        last_open_ms = before.last_open_ms if len(before) else -1
        new = len(self) - int(np.searchsorted(self.times[:, 0], last_open_ms, side="right"))
        common = len(self) - new
        goes_on = 0 < common <= len(before) and CandleWindow(
            self.times[:common], self.numbers[:common]
        ) == CandleWindow(before.times[len(before) - common :], before.numbers[len(before) - common :])
        return goes_on, new

    def rows(self) -> list[tuple[int | float, ...]]:
        """Open and close time, open, high, low, close and volume of each candle, as plain numbers."""
        return [(*times, *numbers) for times, numbers in zip(self.times.tolist(), self.numbers.tolist(), strict=True)]

    def column(self, name: str) -> FloatArray:
        """See ColumnarCandles."""
        return self.numbers[:, _COLUMNS[name]]

    def highest_since(self, open_ms: int) -> Decimal | None:
        """See ColumnarCandles."""
        first = int(np.searchsorted(self.times[:, 0], open_ms))
        return Decimal(repr(self.numbers[first:, HIGH].max().item())) if first < len(self) else None


def _candle(times: Sequence[int], numbers: Sequence[float]) -> Candle:
    opened, closed = times
    return Candle(opened, closed, *map(Decimal, map(repr, numbers)))


def last_open_ms(candles: Sequence[Candle]) -> int:
    """Open time of the last of some candles, one at least; of a window without making the candle."""
    return candles.last_open_ms if isinstance(candles, CandleWindow) else candles[-1].open_time_ms


def window_of(candles: Sequence[Candle]) -> CandleWindow:
    """The same candles as columns; a number that is none becomes NaN."""
    times = np.array([(c.open_time_ms, c.close_time_ms) for c in candles], dtype=np.int64).reshape(len(candles), 2)
    values = np.array(
        [tuple(map(_number, (c.open, c.high, c.low, c.close, c.volume))) for c in candles],
        dtype=np.float64,
    ).reshape(len(candles), 5)
    return CandleWindow(times, values)


def _number(value: Decimal) -> float:
    try:
        return float(value)
    except ValueError:  # a signalling NaN
        return nan

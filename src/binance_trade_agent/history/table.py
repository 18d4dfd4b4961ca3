"""CandleTable: the closed candles of one symbol as columns, with the digits that make each number exact again."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Self

import numpy as np
import numpy.typing as npt

from binance_trade_agent.domain.candles import INTERVAL_MS, Candle
from binance_trade_agent.domain.values import replace

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

MOST_DIGITS = 8  # decimals of a price or quantity on Binance (binance-protocol.md 1.1)
_PRICES = ("open", "high", "low", "close")
_COLUMNS = ("open_times_ms", *_PRICES, "volume")


@dataclass(frozen=True, slots=True, eq=False)
class CandleTable:
    """Closed candles of one symbol and one interval, in time order, each time once; there may be gaps between them.

    Every number has at most 15 significant digits, so its float64 stands for exactly one decimal number: the one with
    `price_digits` (`volume_digits`) decimals.

    Attributes:
        open_times_ms: int64, UTC.
        open, high, low, close: float64, quote per base; volume: float64, base asset. All of the same length.
        price_digits, volume_digits: decimals of the numbers, 0 to 8.
    """

    symbol: str
    interval: str
    open_times_ms: IntArray
    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    volume: FloatArray
    price_digits: int
    volume_digits: int

    @classmethod
    def of(cls, symbol: str, interval: str, candles: Sequence[Candle]) -> Self:
        """The same candles as columns."""
        columns = {
            name: np.array([float(getattr(candle, name)) for candle in candles], dtype=np.float64)
            for name in _COLUMNS[1:]
        }
        return cls.with_digits(symbol, interval, np.array([c.open_time_ms for c in candles], dtype=np.int64), **columns)

    @classmethod
    def with_digits(cls, symbol: str, interval: str, open_times_ms: IntArray, **columns: FloatArray) -> Self:
        """A table of columns by name, with the digits found from the numbers."""
        price_digits = max(digits_of(columns[name]) for name in _PRICES)
        volume_digits = digits_of(columns["volume"])
        return cls(symbol, interval, open_times_ms, **columns, price_digits=price_digits, volume_digits=volume_digits)

    def __len__(self) -> int:
        """How many candles there are."""
        return len(self.open_times_ms)

    @property
    def interval_ms(self) -> int:
        """Length of a candle."""
        return INTERVAL_MS[self.interval]

    def rows(self, start: int, stop: int) -> Self:
        """The candles of rows [start, stop): views, no copies."""
        return replace(self, **{name: getattr(self, name)[start:stop] for name in _COLUMNS})

    def between(self, from_ms: int, before_ms: int) -> Self:
        """The candles that open in [from_ms, before_ms)."""
        start, stop = np.searchsorted(self.open_times_ms, (from_ms, before_ms))
        return self.rows(int(start), int(stop))

    def row_from(self, at_ms: int) -> int:
        """The first row that opens at `at_ms` or later; the number of rows when none does."""
        return int(np.searchsorted(self.open_times_ms, at_ms))

    def joined(self, later: Self) -> Self:
        """These candles and then those of `later`, all of which open after them."""
        columns = {name: np.concatenate([getattr(self, name), getattr(later, name)]) for name in _COLUMNS}
        digits = {name: max(getattr(self, name), getattr(later, name)) for name in ("price_digits", "volume_digits")}
        return replace(self, **columns, **digits)

    def price(self, value: float) -> Decimal:
        """A price of the table as the exact decimal number."""
        return Decimal(f"{value:.{self.price_digits}f}")

    def quantity(self, value: float) -> Decimal:
        """A volume of the table as the exact decimal number."""
        return Decimal(f"{value:.{self.volume_digits}f}")

    def candle(self, row: int) -> Candle:
        """One row as a Candle."""
        open_ms = int(self.open_times_ms[row])
        return Candle(
            open_time_ms=open_ms,
            close_time_ms=open_ms + self.interval_ms - 1,
            open=self.price(self.open[row]),
            high=self.price(self.high[row]),
            low=self.price(self.low[row]),
            close=self.price(self.close[row]),
            volume=self.quantity(self.volume[row]),
        )


def digits_of(values: FloatArray) -> int:
    """The least number of decimals, at most 8, that gives each of `values` back when it is rounded to them."""
    for digits in range(MOST_DIGITS):
        if np.array_equal(np.round(values, digits), values):
            return digits
    return MOST_DIGITS

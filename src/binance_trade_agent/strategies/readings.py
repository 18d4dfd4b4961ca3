"""Indicators as the strategies of this program read them: of every candle as arrays, or of the last one as floats.

500 symbols close at once. What a strategy says of each is a few comparisons of its newest numbers; over whole columns
they take several times as long as the lines of TA-Lib that are compared. So a strategy is written once, for readings of
either kind: `EveryCandle` here, and `LastCandle`, which says of the last one the same, bit for bit.
"""

from abc import ABC, abstractmethod
from typing import Any, Generic, Protocol

import numpy.typing as npt

from binance_trade_agent.strategies import indicators
from binance_trade_agent.strategies.indicators import FloatArray, N


class Column(Protocol):
    """The same number of each candle."""

    def to_numpy(self) -> npt.NDArray[Any]:
        """As an array of float64, not to be written to."""
        ...


class Columns(Protocol):
    """Candles in time order. A pandas frame of `frame.candle_frame` is one."""

    def __getitem__(self, name: str) -> Column:
        """One of open, high, low, close (quote per base) and volume (base)."""
        ...

    def __len__(self) -> int: ...


class Readings(ABC, Generic[N]):
    """Indicators, and the closing price; quote per base. `indicators` says more of each, and where it is NaN."""

    __slots__ = ()

    @property
    @abstractmethod
    def close(self) -> N:
        """Closing price, quote per base."""

    @abstractmethod
    def rsi(self, period: int) -> N:
        """Relative strength index, 0 to 100."""

    @abstractmethod
    def macd(self, fast: int, slow: int, signal: int) -> tuple[N, N]:
        """MACD line and its signal line."""

    @abstractmethod
    def bollinger(self, period: int, width_std: float) -> tuple[N, N, N]:
        """Lower, middle and upper band."""

    @abstractmethod
    def atr(self, period: int) -> N:
        """Average true range."""

    @abstractmethod
    def ema(self, period: int) -> N:
        """Exponential moving average."""

    @abstractmethod
    def zscore(self, period: int) -> N:
        """Deviations above the mean."""

    @abstractmethod
    def donchian(self, high_period: int, low_period: int) -> tuple[N, N, N]:
        """Lowest low, middle and highest high of the candles before."""

    @abstractmethod
    def supertrend(self, period: int, multiplier: float) -> tuple[N, N]:
        """The line, and the trend: 1 up, -1 down."""


class EveryCandle(Readings[FloatArray]):
    """Readings of each candle of a frame."""

    __slots__ = ("_frame",)

    def __init__(self, frame: Columns) -> None:
        self._frame = frame

    @property
    def close(self) -> FloatArray:
        """See Readings."""
        return self._frame["close"].to_numpy()

    def rsi(self, period: int) -> FloatArray:
        """See Readings."""
        return indicators.rsi(self.close, period)

    def macd(self, fast: int, slow: int, signal: int) -> tuple[FloatArray, FloatArray]:
        """See Readings."""
        return indicators.macd(self.close, fast, slow, signal)

    def bollinger(self, period: int, width_std: float) -> tuple[FloatArray, FloatArray, FloatArray]:
        """See Readings."""
        return indicators.bollinger(self.close, period, width_std)

    def atr(self, period: int) -> FloatArray:
        """See Readings."""
        return indicators.atr(*self._ranges(), period)

    def ema(self, period: int) -> FloatArray:
        """See Readings."""
        return indicators.ema(self.close, period)

    def zscore(self, period: int) -> FloatArray:
        """See Readings."""
        return indicators.zscore(self.close, period)

    def donchian(self, high_period: int, low_period: int) -> tuple[FloatArray, FloatArray, FloatArray]:
        """See Readings."""
        high, low, _ = self._ranges()
        return indicators.donchian(high, low, high_period, low_period)

    def supertrend(self, period: int, multiplier: float) -> tuple[FloatArray, FloatArray]:
        """See Readings."""
        return indicators.supertrend(*self._ranges(), period, multiplier)

    def _ranges(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        return self._frame["high"].to_numpy(), self._frame["low"].to_numpy(), self.close

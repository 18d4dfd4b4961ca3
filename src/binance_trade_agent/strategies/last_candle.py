"""LastCandle: the indicators of the last of some candles, as floats."""

from collections.abc import Callable, Sequence
from math import ceil, isnan, nan
from typing import Any

import numpy as np

from binance_trade_agent.domain.candle_window import CandleWindow, window_of
from binance_trade_agent.domain.candles import Candle
from binance_trade_agent.strategies import indicators
from binance_trade_agent.strategies.indicators import FloatArray
from binance_trade_agent.strategies.readings import Readings

_CLOSE, _HIGH_LOW, _RANGE = ("close",), ("high", "low"), ("high", "low", "close")
_SUPERTREND_ROWS = 25  # times its multiplier: over so many it is nearly always certain, whatever was before them


class LastCandle(Readings[float]):
    """Readings of the last candle alone: bit for bit what `indicators` says of all of them, in the last row.

    TA-Lib draws its lines over all candles, because they hang on where they begin. What is looked at of them, and taken
    back where it is undefined, is one row.

    Args:
        candles: in time order.
        before: of the candle so many before the last; there is one.
        lines: what was drawn over the same candles.
    """

    __slots__ = ("_back", "_has_moved", "_lines", "_row", "_window", "close")

    def __init__(
        self, candles: Sequence[Candle], before: int = 0, lines: dict[tuple[Any, ...], Any] | None = None
    ) -> None:
        self._window = candles if isinstance(candles, CandleWindow) else window_of(candles)
        self._lines = {} if lines is None else lines  # by what draws them
        closes = self._window.column("close")
        self._row, self._back = len(closes) - 1 - before, -1 - before  # from the first, and from behind the last
        self.close: float = closes.item(self._back)
        self._has_moved = self._row > 0 and closes.item(self._back - 1) != self.close

    def before(self, candles: int) -> "LastCandle | None":
        """Readings of the candle so many earlier, of the same lines; None where there is none."""
        return LastCandle(self._window, candles - 1 - self._back, self._lines) if candles <= self._row else None

    def rsi(self, period: int) -> float:
        """See Readings."""
        line = self._line(indicators.rsi_line, _CLOSE, period)
        return nan if self._is_undefined(_CLOSE) or self._is_flat(period) else self._at(line)

    def macd(self, fast: int, slow: int, signal: int) -> tuple[float, float]:
        """See Readings."""
        line, signal_line = self._line(indicators.macd_lines, _CLOSE, fast, slow, signal)
        if self._is_undefined(_CLOSE) or self._is_flat(slow):
            return nan, nan
        return self._at(line), self._at(signal_line)

    def bollinger(self, period: int, width_std: float) -> tuple[float, float, float]:
        """See Readings."""
        scale, *lines = self._line(indicators.band_lines, _CLOSE, period, width_std)
        lower, middle, upper = map(self._at, lines)
        if indicators.is_narrow(lower, middle, upper) or self._is_flat(period - 1) or self._is_undefined(_CLOSE):
            return nan, nan, nan
        return lower * scale, middle * scale, upper * scale

    def atr(self, period: int) -> float:
        """See Readings."""
        value = self._at(self._line(indicators.range_line, _RANGE, period))
        return nan if value == 0 or self._is_undefined(_RANGE) else value

    def ema(self, period: int) -> float:
        """See Readings."""
        line = self._line(indicators.ema_line, _CLOSE, period)
        return nan if self._is_undefined(_CLOSE) or self._is_flat(period - 1) else self._at(line)

    def zscore(self, period: int) -> float:
        """See Readings."""
        _, mean, mean_and_deviation = self.bollinger(period, 1.0)
        return (self.close - mean) / (mean_and_deviation - mean)

    def donchian(self, high_period: int, low_period: int) -> tuple[float, float, float]:
        """See Readings."""
        if self._row < high_period or self._is_undefined(_HIGH_LOW):
            return nan, nan, nan
        highest, lowest = max(self._before("high", high_period)), min(self._before("low", high_period))
        floor = min(self._before("low", low_period)) if self._row >= low_period else nan
        return (floor, (lowest + highest) / 2, highest) if highest > lowest else (nan, nan, nan)

    def supertrend(self, period: int, multiplier: float) -> tuple[float, float]:
        """See Readings."""
        if self._is_undefined(_RANGE):
            return nan, nan
        line, trend = self._supertrend_lines(period, multiplier, ceil(_SUPERTREND_ROWS * multiplier))
        if len(trend) < -self._back or isnan(self._at(trend)):  # what was before may tell
            line, trend = self._supertrend_lines(period, multiplier, len(self._window))
        return self._at(line), self._at(trend)

    def _supertrend_lines(self, period: int, multiplier: float, rows: int) -> tuple[FloatArray, FloatArray]:
        """The end of its lines, as far as the last candles make it certain, so many of them at most."""
        key = (indicators.supertrend_lines, period, multiplier, rows)
        if (drawn := self._lines.get(key)) is None:
            mean_range, first = self._line(indicators.range_line, _RANGE, period), indicators.range_start(period)
            if (skipped := len(mean_range) - rows - 1) >= first:
                first = 1  # it begins with what one candle before says
            else:
                skipped = 0
            high, low, close = (self._window.column(name)[skipped:] for name in _RANGE)
            drawn = indicators.supertrend_lines(high, low, close, mean_range[skipped:], multiplier, first)
            self._lines[key] = drawn
        lines: tuple[FloatArray, FloatArray] = drawn
        return lines

    def _line(self, draw: Callable[..., Any], columns: tuple[str, ...], *numbers: float) -> Any:
        """What `draw` makes of whole columns, once for all rows."""
        key = (draw, *numbers)
        if (drawn := self._lines.get(key)) is None:
            drawn = self._lines[key] = draw(*map(self._window.column, columns), *numbers)
        return drawn

    def _at(self, line: FloatArray) -> float:
        """The value of this candle."""
        return line.item(self._back)

    def _before(self, column: str, candles: int) -> list[float]:
        """A number of so many candles before this one."""
        values: list[float] = self._window.column(column)[self._row - candles : self._row].tolist()
        return values

    def _is_flat(self, changes: int) -> bool:
        """Whether the last `changes` changes of the close, one at least, were all zero."""
        if self._has_moved or self._row < changes:  # as nearly always
            return False
        return bool((self._window.column("close")[self._row - changes : self._row] == self.close).all())

    def _is_undefined(self, columns: tuple[str, ...]) -> bool:
        """Whether a number up to here is not finite."""
        return not self._window.are_finite and any(self._finite(column) <= self._row for column in columns)

    def _finite(self, column: str) -> int:
        """How many numbers are finite before the first that is not."""
        if (rows := self._lines.get((column,))) is None:
            is_finite = np.isfinite(self._window.column(column))
            rows = self._lines[column,] = len(is_finite) if is_finite.all() else int(is_finite.argmin())
        return int(rows)

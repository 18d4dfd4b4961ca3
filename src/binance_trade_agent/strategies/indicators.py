"""Technical indicators: the only door to TA-Lib.

TA-Lib is called directly on contiguous float64 arrays: pandas-ta-classic takes hundreds of times as long for the same
numbers (benchmarks/indicators.py measures both). pandas-ta-classic is the oracle of the tests. TA-Lib (and the pandas
that it pulls in) is imported at the first call, because that takes over a second.

Every function takes and returns arrays of one length; an element depends on its own and earlier elements only. It is
NaN where the indicator is undefined: during its start-up, from the first input that is not finite onwards, and where
the market is flat. TA-Lib itself says RSI 0.0 there, which reads as deeply oversold.
"""

import math
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
N = TypeVar("N", FloatArray, float)
"""A number of every candle, or of one."""

# Bands narrower than this share of the price count as flat: TA-Lib's one-pass variance is off by about 1e-7 of it.
_NARROWEST_BAND = 1e-6


def rsi(close: FloatArray, period: int) -> FloatArray:
    """Relative strength index, 0 to 100, with Wilder's smoothing (New Concepts in Technical Trading Systems, 1978).

    NaN where the last `period` changes are all zero: without gains and losses their ratio has no value.
    """
    return _undefined_where(rsi_line(close, period), _flat(close, period), close)


def macd(close: FloatArray, fast: int, slow: int, signal: int) -> tuple[FloatArray, FloatArray]:
    """MACD line (fast EMA less slow EMA) and its signal line (EMA of the MACD line), in quote per base.

    NaN where the last `slow` changes are all zero: what is left there is the echo of older movement.
    """
    line, signal_line = macd_lines(close, fast, slow, signal)
    flat = _flat(close, slow)
    return _undefined_where(line, flat, close), _undefined_where(signal_line, flat, close)


def bollinger(close: FloatArray, period: int, width_std: float) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Lower, middle and upper Bollinger band, quote per base: simple mean, and population deviation (ddof 0).

    NaN where the bands have no width.
    """
    scale, lower, middle, upper = band_lines(close, period, width_std)
    with np.errstate(invalid="ignore"):
        flat = _flat(close, period - 1) | is_narrow(lower, middle, upper)
    lower, middle, upper = (_undefined_where(band * scale, flat, close) for band in (lower, middle, upper))
    return lower, middle, upper


def atr(high: FloatArray, low: FloatArray, close: FloatArray, period: int) -> FloatArray:
    """Average true range with Wilder's smoothing, quote per base. NaN where it is zero."""
    values = range_line(high, low, close, period)
    return _undefined_where(values, values == 0, high, low, close)


def last_atr(high: FloatArray, low: FloatArray, close: FloatArray, period: int) -> float:
    """The last element of `atr`, at half the time."""
    value = float(range_line(high, low, close, period)[-1])
    return value if value and _are_finite(high, low, close) else math.nan


def ema(close: FloatArray, period: int) -> FloatArray:
    """Exponential moving average, quote per base: factor 2 / (period + 1), begun with the mean of one period.

    NaN where the last `period` closes are all the same: what moves there is the echo of older movement. Of its start,
    (1 - 2/(period+1))^n is left after n candles: a millionth after 7 periods.
    """
    return _undefined_where(ema_line(close, period), _flat(close, period - 1), close)


def zscore(close: FloatArray, period: int) -> FloatArray:
    """How many population deviations (ddof 0) the close is above its simple mean, both of the last `period` candles.

    NaN where the deviation is as good as zero, see `bollinger`.
    """
    _, mean, mean_and_deviation = bollinger(close, period, 1.0)
    return (close - mean) / (mean_and_deviation - mean)


def donchian(
    high: FloatArray, low: FloatArray, high_period: int, low_period: int
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Donchian channel of the candles before each one, quote per base.

    Returns:
        The lowest low of the `low_period` candles before; the middle between the lowest low and the highest high of the
        `high_period` candles before; that highest high. All are NaN where the latter two are the same.
    """
    import talib

    high, low = _contiguous(high), _contiguous(low)
    highest = _of_the_row_before(talib.MAX(high, timeperiod=high_period))
    lowest = _of_the_row_before(talib.MIN(low, timeperiod=high_period))
    floor = _of_the_row_before(talib.MIN(low, timeperiod=low_period))
    has_width = highest > lowest
    lines = floor, (lowest + highest) / 2, highest
    floor, middle, highest = (_undefined_where(line, ~has_width, high, low) for line in lines)
    return floor, middle, highest


def supertrend(
    high: FloatArray, low: FloatArray, close: FloatArray, period: int, multiplier: float
) -> tuple[FloatArray, FloatArray]:
    """Olivier Seban's Supertrend, with the bands of TradingView's `ta.supertrend`.

    The bands lie `multiplier` average true ranges (Wilder's, of `period` candles) above and below the middle of the
    candle. The lower one does not fall unless the close before was below it; the upper one does not rise likewise. The
    trend turns up at a close above the upper band, down at one below the lower band. A close beyond both, in a candle
    of many times the ATR, turns nothing.

    A band remembers for ever, until it is crossed. So it is not begun with a guess: from the `15 * period`th candle on,
    when a millionth of the ATR's start is left, both bands and the trend are followed for every past that the candles
    could have had, and have a value once all of these say the same. A shorter history can only know less.

    Returns:
        The line: the lower band while the trend is up, the upper one while it is down, quote per base. The trend: 1 up,
        -1 down. Both are NaN while either is not certain, and where the ATR is zero.
    """
    lines = supertrend_lines(high, low, close, range_line(high, low, close, period), multiplier, range_start(period))
    never = np.zeros(len(close), dtype=np.bool_)
    line, trend = (_undefined_where(each, never, high, low, close) for each in lines)
    return line, trend


def rsi_line(close: FloatArray, period: int) -> FloatArray:
    """`rsi` as TA-Lib says it: where it is undefined there is some number."""
    import talib

    return np.asarray(talib.RSI(_near_one(close), timeperiod=period), dtype=np.float64)


def macd_lines(close: FloatArray, fast: int, slow: int, signal: int) -> tuple[FloatArray, FloatArray]:
    """`macd` as TA-Lib says it."""
    import talib

    line, signal_line, _ = talib.MACD(_contiguous(close), fastperiod=fast, slowperiod=slow, signalperiod=signal)
    return line, signal_line


def band_lines(close: FloatArray, period: int, width_std: float) -> tuple[float, FloatArray, FloatArray, FloatArray]:
    """A power of two, and `bollinger` as TA-Lib says it of prices that were divided by that."""
    import talib

    scale = _power_of_two(close)
    upper, middle, lower = talib.BBANDS(
        _contiguous(close) / scale, timeperiod=period, nbdevup=width_std, nbdevdn=width_std, matype=0
    )
    return scale, lower, middle, upper


def is_narrow(lower: N, middle: N, upper: N) -> Any:
    """Whether bands of `band_lines` have no width."""
    return upper - lower <= _NARROWEST_BAND * middle


def range_line(high: FloatArray, low: FloatArray, close: FloatArray, period: int) -> FloatArray:
    """`atr` as TA-Lib says it."""
    import talib

    values = talib.ATR(_contiguous(high), _contiguous(low), _contiguous(close), timeperiod=period)
    return np.asarray(values, dtype=np.float64)


def range_start(period: int) -> int:
    """Candles after which a millionth is left of the start of `range_line`."""
    return 15 * period


def ema_line(close: FloatArray, period: int) -> FloatArray:
    """`ema` as TA-Lib says it."""
    import talib

    return np.asarray(talib.EMA(_contiguous(close), timeperiod=period), dtype=np.float64)


def supertrend_lines(
    high: FloatArray, low: FloatArray, close: FloatArray, mean_range: FloatArray, multiplier: float, first: int
) -> tuple[FloatArray, FloatArray]:
    """`supertrend` of finite prices, with its ATR, as far as the candles from row `first` on make it certain.

    What they make certain is the same whatever `first` is: bands are chosen among those of single candles, and of fewer
    candles more pasts are followed, never less.
    """
    middle, reach = (high + low) / 2, multiplier * mean_range
    upper_least, upper_most = _ratchet(close, middle + reach, first)
    lower_most, lower_least = (-edge for edge in _ratchet(-close, -(middle - reach), first))
    above, maybe_above = close > upper_most, close > upper_least
    below, maybe_below = close < lower_least, close < lower_most
    crossed = np.where(above > maybe_below, 1.0, np.where(below > maybe_above, -1.0, np.nan))  # a > b: a and not b
    trend = _last_where((maybe_above | maybe_below) > (above & below), crossed)
    is_up = trend > 0
    line, other_edge = np.where(is_up, lower_least, upper_least), np.where(is_up, lower_most, upper_most)
    undefined = (line != other_edge) | np.isnan(trend) | (mean_range == 0)
    return np.where(undefined, np.nan, line), np.where(undefined, np.nan, trend)


def _ratchet(close: FloatArray, basic: FloatArray, first: int) -> tuple[FloatArray, FloatArray]:
    """The upper band of the Supertrend: the least and the greatest value that it can have; NaN before row `first`.

    It is the least of the basic bands since a close was last above it. Of row `first` only that much is known: it is
    the basic band, or an older one below that and not below the last close.
    """
    least, greatest = np.full(len(close), np.nan), np.full(len(close), np.nan)
    if first >= len(close):
        return least, greatest
    closes, basics = close[first - 1 : -1].tolist(), basic[first:].tolist()
    low, high = min(closes[0], basics[0]), basics[0]
    lows, highs = [low], [high]
    for before, now in zip(closes[1:], basics[1:], strict=True):
        if before > high or now < low:  # crossed, or below whatever it was
            low = high = now
        elif before > low:  # crossed, if it was lower than that close
            low, high = min(before, now), now
        elif now < high:
            high = now
        lows.append(low)
        highs.append(high)
    least[first:], greatest[first:] = lows, highs
    return least, greatest


def _last_where(chosen: BoolArray, values: FloatArray) -> FloatArray:
    """In each row the value of the last chosen row up to it, NaN before the first."""
    rows = np.maximum.accumulate(np.where(chosen, np.arange(len(chosen)), -1))
    return np.where(rows >= 0, values[rows], np.nan)


def _of_the_row_before(values: FloatArray) -> FloatArray:
    return np.concatenate(([np.nan], values))[: len(values)]


def _contiguous(values: FloatArray) -> FloatArray:
    return np.ascontiguousarray(values, dtype=np.float64)


def _power_of_two(values: FloatArray) -> float:
    """The power of two next to the first value; dividing by it changes no digit."""
    if not len(values) or not math.isfinite(first := values.item(0)):
        return 1.0
    return math.ldexp(1.0, math.frexp(first)[1])


def _near_one(values: FloatArray) -> FloatArray:
    """Prices brought near 1, because TA-Lib takes sums and variances below 1e-14 for zero (a coin of 0.00001 USDT)."""
    return _contiguous(values) / _power_of_two(values)


def _flat(close: FloatArray, changes: int) -> BoolArray:
    """Where the last `changes` changes of the close were all zero."""
    flat = np.zeros(len(close), dtype=np.bool_)
    has_moved = close[1:] != close[:-1]
    if changes and has_moved.all():  # as nearly always, and told at a third of the time
        return flat
    moved = np.concatenate(([0], np.cumsum(has_moved)))[: len(close)]
    flat[changes:] = moved[changes:] == moved[: max(0, len(close) - changes)]
    return flat


def _undefined_where(values: FloatArray, undefined: BoolArray, *inputs: FloatArray) -> FloatArray:
    """`values` with NaN where `undefined`, and from the first element on at which an input is not finite."""
    if not _are_finite(*inputs):
        undefined = undefined | np.logical_or.accumulate(~np.isfinite(np.vstack(inputs)).all(axis=0))
    return np.where(undefined, np.nan, values)


def _are_finite(*arrays: FloatArray) -> bool:
    """Whether they hold finite numbers only: then their sum is one, but for very large numbers.

    (A product of vectors says it as well, but of long ones BLAS makes it in threads, which then spin for some 10 ms.)
    """
    with np.errstate(over="ignore", invalid="ignore"):
        return all(math.isfinite(each.sum()) or bool(np.isfinite(each).all()) for each in arrays)

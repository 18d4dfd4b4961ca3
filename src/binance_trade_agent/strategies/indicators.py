"""Technical indicators: the only door to TA-Lib.

TA-Lib is called directly on contiguous float64 arrays: pandas-ta-classic takes hundreds of times as long for the same
numbers (benchmarks/indicators.py measures both). pandas-ta-classic is the oracle of the tests. TA-Lib (and the pandas
that it pulls in) is imported at the first call, because that takes over a second.

Every function takes and returns arrays of one length; an element depends on its own and earlier elements only. It is
NaN where the indicator is undefined: during its start-up, from the first input that is not finite onwards, and where
the market is flat. TA-Lib itself says RSI 0.0 there, which reads as deeply oversold.
"""

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

# Bands narrower than this share of the price count as flat: TA-Lib's one-pass variance is off by about 1e-7 of it.
_NARROWEST_BAND = 1e-6


def rsi(close: FloatArray, period: int) -> FloatArray:
    """Relative strength index, 0 to 100, with Wilder's smoothing (New Concepts in Technical Trading Systems, 1978).

    NaN where the last `period` changes are all zero: without gains and losses their ratio has no value.
    """
    import talib

    values = np.asarray(talib.RSI(_near_one(close), timeperiod=period), dtype=np.float64)
    return _undefined_where(values, _flat(close, period), close)


def macd(close: FloatArray, fast: int, slow: int, signal: int) -> tuple[FloatArray, FloatArray]:
    """MACD line (fast EMA less slow EMA) and its signal line (EMA of the MACD line), in quote per base.

    NaN where the last `slow` changes are all zero: what is left there is the echo of older movement.
    """
    import talib

    line, signal_line, _ = talib.MACD(_contiguous(close), fastperiod=fast, slowperiod=slow, signalperiod=signal)
    flat = _flat(close, slow)
    return _undefined_where(line, flat, close), _undefined_where(signal_line, flat, close)


def bollinger(close: FloatArray, period: int, width_std: float) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Lower, middle and upper Bollinger band, quote per base: simple mean, and population deviation (ddof 0).

    NaN where the bands have no width.
    """
    import talib

    scale = _power_of_two(close)
    upper, middle, lower = talib.BBANDS(
        _contiguous(close) / scale, timeperiod=period, nbdevup=width_std, nbdevdn=width_std, matype=0
    )
    with np.errstate(invalid="ignore"):
        flat = _flat(close, period - 1) | (upper - lower <= _NARROWEST_BAND * middle)
    lower, middle, upper = (_undefined_where(band * scale, flat, close) for band in (lower, middle, upper))
    return lower, middle, upper


def atr(high: FloatArray, low: FloatArray, close: FloatArray, period: int) -> FloatArray:
    """Average true range with Wilder's smoothing, quote per base. NaN where it is zero."""
    import talib

    values = talib.ATR(_contiguous(high), _contiguous(low), _contiguous(close), timeperiod=period)
    return _undefined_where(values, values == 0, high, low, close)


def _contiguous(values: FloatArray) -> FloatArray:
    return np.ascontiguousarray(values, dtype=np.float64)


def _power_of_two(values: FloatArray) -> float:
    """The power of two next to the first value; dividing by it changes no digit."""
    if not len(values) or not np.isfinite(values[0]):
        return 1.0
    return float(np.ldexp(1.0, int(np.frexp(values[0])[1])))


def _near_one(values: FloatArray) -> FloatArray:
    """Prices brought near 1, because TA-Lib takes sums and variances below 1e-14 for zero (a coin of 0.00001 USDT)."""
    return _contiguous(values) / _power_of_two(values)


def _flat(close: FloatArray, changes: int) -> BoolArray:
    """Where the last `changes` changes of the close were all zero."""
    moved = np.concatenate(([0], np.cumsum(np.diff(close) != 0)))[: len(close)]
    flat = np.zeros(len(close), dtype=np.bool_)
    flat[changes:] = moved[changes:] == moved[: max(0, len(close) - changes)]
    return flat


def _undefined_where(values: FloatArray, undefined: BoolArray, *inputs: FloatArray) -> FloatArray:
    """`values` with NaN where `undefined`, and from the first element on at which an input is not finite."""
    broken = np.logical_or.accumulate(~np.isfinite(np.vstack(inputs)).all(axis=0))
    return np.where(undefined | broken, np.nan, values)

"""RSI, MACD, Bollinger bands and ATR over 500 candles: ours, bare TA-Lib, and pandas-ta-classic beside it."""

import statistics
import warnings
from collections.abc import Callable

import numpy as np
import pandas as pd
import talib

from binance_trade_agent.ops.clock import monotonic_seconds
from binance_trade_agent.strategies import indicators
from support.machine import print_head

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import pandas_ta_classic as ta

CANDLES = 500
ROUNDS = 200


def main() -> None:
    """Measure, check that all three agree on the last candle, and print."""
    print_head("benchmarks/indicators.py")
    print(f"rsi(14) + macd(12, 26, 9) + bollinger(20, 2) + atr(14) on {CANDLES} candles, median of {ROUNDS}, ms")
    high, low, close = candles()
    frame = pd.DataFrame({"high": high, "low": low, "close": close})
    ways: dict[str, Callable[[], list[float]]] = {
        "strategies/indicators.py (TA-Lib, guarded)": lambda: ours(high, low, close),
        "TA-Lib alone (reference)": lambda: bare(high, low, close),
        "pandas-ta-classic (reference)": lambda: classic(frame),
    }
    expected = bare(high, low, close)
    for name, work in ways.items():
        np.testing.assert_allclose(work(), expected, rtol=1e-9)
        print(f"  {name:45} {milliseconds(work):7.3f}")


def candles() -> tuple[indicators.FloatArray, indicators.FloatArray, indicators.FloatArray]:
    """High, low and close of a random walk from a fixed seed, around 60,000 quote per base."""
    steps = np.random.default_rng(7).normal(0.0, 0.0008, CANDLES)
    close = 60_000 * np.exp(np.cumsum(steps))
    return close * 1.0005, close * 0.9995, close


def milliseconds(work: Callable[[], object]) -> float:
    """Median duration of `work`, after ten rounds to warm up."""
    for _ in range(10):
        work()
    seconds = []
    for _ in range(ROUNDS):
        started = monotonic_seconds()
        work()
        seconds.append(monotonic_seconds() - started)
    return statistics.median(seconds) * 1000


def ours(high: indicators.FloatArray, low: indicators.FloatArray, close: indicators.FloatArray) -> list[float]:
    """Last values through the project's own module."""
    line, signal = indicators.macd(close, 12, 26, 9)
    bands = indicators.bollinger(close, 20, 2.0)
    values = (indicators.rsi(close, 14), line, signal, *bands, indicators.atr(high, low, close, 14))
    return [float(column[-1]) for column in values]


def bare(high: indicators.FloatArray, low: indicators.FloatArray, close: indicators.FloatArray) -> list[float]:
    """Last values from TA-Lib itself."""
    line, signal, _ = talib.MACD(close, 12, 26, 9)
    upper, middle, lower = talib.BBANDS(close, 20, 2.0, 2.0)
    values = (talib.RSI(close, 14), line, signal, lower, middle, upper, talib.ATR(high, low, close, 14))
    return [float(column[-1]) for column in values]


def classic(frame: pd.DataFrame) -> list[float]:
    """Last values through pandas-ta-classic, which calls TA-Lib where it is installed."""
    macd = ta.macd(frame["close"], 12, 26, 9)
    bands = ta.bbands(frame["close"], 20, 2.0)
    values = (
        ta.rsi(frame["close"], 14),
        macd.iloc[:, 0],
        macd.iloc[:, 2],
        bands.iloc[:, 0],
        bands.iloc[:, 1],
        bands.iloc[:, 2],
        ta.atr(frame["high"], frame["low"], frame["close"], 14),
    )
    return [float(column.iloc[-1]) for column in values]


if __name__ == "__main__":
    main()

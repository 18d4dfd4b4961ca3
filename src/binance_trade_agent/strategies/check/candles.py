"""Candles to check strategies on: seeded, and harder than a usual day.

Importing this module imports pandas, which takes a second: import it where it is used.
"""

import numpy as np
import pandas as pd

from binance_trade_agent.domain.candles import MINUTE_MS
from binance_trade_agent.strategies.indicators import FloatArray

_SEED = 5
_FIRST_OPEN_MS = 1_700_000_040_000
# Name, price at the start, and tick size, both in quote per base: a usual coin, one of many decimals, a large number.
_SCALES = (("usual prices", 60_000.0, 0.01), ("tiny prices", 0.00002, 1e-8), ("huge prices", 3e8, 1.0))
# Each regime's mean and deviation of a candle's change (fractions of the price), repeated until the rows are filled.
_REGIMES = ((0.0004, 0.001), (0.0, 0.0003), (-0.0004, 0.001), (0.0, 0.0), (0.0, 0.004), (0.0002, 0.0005))
_REGIME_ROWS, _JUMP_EVERY, _QUIET_EVERY = 150, 190, 700


def check_candles(rows: int) -> dict[str, pd.DataFrame]:
    """Frames of one-minute candles by name, each of `rows` rows and on another scale of price.

    Each has trends both ways, calm and wild stretches, one where nothing moves, jumps of several percent (half of them
    between two candles), and minutes without volume.
    """
    return {
        name: _candles(np.random.default_rng((_SEED, place)), rows, start, tick)
        for place, (name, start, tick) in enumerate(_SCALES)
    }


def _candles(rng: np.random.Generator, rows: int, start: float, tick: float) -> pd.DataFrame:
    regime = np.arange(rows) // _REGIME_ROWS % len(_REGIMES)
    drift, deviation = (np.array(values)[regime] for values in zip(*_REGIMES, strict=True))
    # Student's t with 3 degrees of freedom has the fat tails of returns; its own deviation is the square root of 3.
    change = drift + deviation * rng.standard_t(3, rows) / np.sqrt(3)
    jumps = np.arange(_JUMP_EVERY, rows, _JUMP_EVERY)
    change[jumps] += rng.choice((-1, 1), len(jumps)) * rng.uniform(0.03, 0.08, len(jumps))
    close = _on_grid(start * np.exp(np.cumsum(change)), tick)
    opens = np.concatenate(([start], close[:-1]))
    opens[jumps[::2]] = close[jumps[::2]]
    wick = np.abs(rng.normal(0, 0.3, (2, rows))) * deviation
    volume = rng.lognormal(2, 1, rows)
    volume[np.arange(rows) % _QUIET_EVERY < 5] = 0.0
    return pd.DataFrame(
        {
            "open": opens,
            "high": _on_grid(np.maximum(opens, close) * (1 + wick[0]), tick),
            "low": np.maximum(_on_grid(np.minimum(opens, close) * (1 - wick[1]), tick), tick),
            "close": close,
            "volume": volume,
        },
        index=pd.Index(_FIRST_OPEN_MS + MINUTE_MS * np.arange(rows), name="open_time_ms"),
    )


def _on_grid(prices: FloatArray, tick: float) -> FloatArray:
    return np.maximum(np.round(np.round(prices / tick) * tick, 8), tick)

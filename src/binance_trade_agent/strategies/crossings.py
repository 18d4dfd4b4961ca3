"""Where one line crossed another."""

from collections.abc import Callable
from math import isfinite
from typing import Any

import numpy as np

from binance_trade_agent.strategies.base import Directions, directions
from binance_trade_agent.strategies.indicators import BoolArray, FloatArray, N
from binance_trade_agent.strategies.last_candle import LastCandle
from binance_trade_agent.strategies.readings import Readings

ROUNDING_NOISE = 1e-9  # share of the price below which two averages of it are equal; on a straight trend they may be


def crossings(
    seen: Readings[N], distance: Callable[[Readings[N]], tuple[N, N | float]], candles: int
) -> tuple[Any, Any]:
    """Crossings among the last candles, and which line is above.

    Args:
        seen: the candles.
        distance: reads of them one line less the other, NaN where it is not known; and what it must exceed, either way,
            to be taken for one.
        candles: for how many candles a crossing counts, the one on which it happens among them.

    Returns:
        The crossing: 1 up, -1 down, 0 none, or one that was taken back. The side: 1 above, -1 below, 0 neither.
        `Directions` of every candle, ints of the last one.
    """
    if isinstance(seen, LastCandle):
        return _last_crossing(seen, distance, candles)
    apart, noise = distance(seen)
    return _all_crossings(np.asarray(apart), noise, candles)


def _last_crossing(
    seen: LastCandle, distance: Callable[[LastCandle], tuple[float, float]], candles: int
) -> tuple[int, int]:
    apart, noise = distance(seen)
    side = (apart > noise) - (apart < -noise)
    is_on_side = side != 0
    for earlier in filter(None, map(seen.before, range(1, candles + 1 if side else 1))):
        apart, noise = distance(earlier)
        was_on_side, is_on_side = is_on_side, side * apart > noise
        if was_on_side and not is_on_side and isfinite(apart):
            return side, side
    return 0, side


def _all_crossings(distance: FloatArray, noise: FloatArray | float, candles: int) -> tuple[Directions, Directions]:
    above, below = distance > noise, distance < -noise
    crossed = directions(above & _lately(above, distance, candles), below & _lately(below, distance, candles))
    return crossed, directions(above, below)


def _lately(on_side: BoolArray, distance: FloatArray, candles: int) -> BoolArray:
    """Where one of the last `candles` rows is on the side while the row before it was not; both must be defined."""
    crossed = np.zeros(len(on_side), dtype=np.bool_)
    crossed[1:] = on_side[1:] & ~on_side[:-1] & np.isfinite(distance[:-1])
    count = np.cumsum(crossed)
    before = np.concatenate((np.zeros(candles, dtype=count.dtype), count))[: len(count)]
    lately: BoolArray = count > before
    return lately

"""Where one line crossed another."""

import numpy as np

from binance_trade_agent.strategies.base import Directions, directions
from binance_trade_agent.strategies.indicators import BoolArray, FloatArray

ROUNDING_NOISE = 1e-9  # share of the price below which two averages of it are equal; on a straight trend they may be


def crossings(distance: FloatArray, noise: FloatArray | float, candles: int) -> tuple[Directions, Directions]:
    """Crossings among the last candles, and which line is above.

    Args:
        distance: one line less the other; NaN where it is not known.
        noise: what the distance must exceed to count as one.
        candles: for how many candles a crossing counts, the one on which it happens among them.

    Returns:
        The crossing: 1 up, -1 down, 0 none, or one that was taken back. The side: 1 above, -1 below, 0 neither.
    """
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

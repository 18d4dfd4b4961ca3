"""Numbers of candles as they are kept: floats that each stand for one decimal number."""

import math
from collections.abc import Iterable, Mapping

import numpy as np

from binance_trade_agent.history.table import MOST_DIGITS, CandleTable, FloatArray, IntArray

_EXACT_DIGITS = 15  # significant digits that every float64 holds


class TooLargeError(ValueError):
    """A number has more digits before its point than a float64 holds."""


def rounded_table(
    symbol: str, interval: str, open_times_ms: IntArray, amounts: Mapping[str, FloatArray]
) -> CandleTable:
    """A table of columns by name, rounded to eight decimals, or to fewer where 15 digits do not suffice.

    Each price keeps the same number of decimals, so that none of an order of prices is turned.

    Raises:
        TooLargeError: a number is 10**15 or more.
    """
    decimals = _decimals(values for name, values in amounts.items() if name != "volume")
    volume_decimals = _decimals([amounts["volume"]])
    rounded = {
        name: np.round(values, volume_decimals if name == "volume" else decimals) for name, values in amounts.items()
    }
    return CandleTable.with_digits(symbol, interval, open_times_ms, **rounded)


def _decimals(columns: Iterable[FloatArray]) -> int:
    """How many decimals leave the largest number 15 digits, at most 8."""
    largest = max((float(values.max()) for values in columns if len(values)), default=0.0)
    whole_digits = math.floor(math.log10(largest)) + 1 if largest >= 1 else 0
    if whole_digits > _EXACT_DIGITS:
        raise TooLargeError(f"{largest:.0f} has more than {_EXACT_DIGITS} digits, which is too large for a candle")
    return min(MOST_DIGITS, _EXACT_DIGITS - whole_digits)

"""The trades that a workload must lead to: TA-Lib's RSI, crossings found by NumPy, and a plain loop over them."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import talib

from backtest.workloads import CASH_QUOTE, FEE_FRACTION, Candles, Parameters


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run came to.

    Attributes:
        trades: Index of the candle of entry and of exit of each trade that was closed by the rule.
        open_entry: Index of the candle of the entry that was never closed, None when flat at the end.
        final_quote: Cash, or the position at the last close.
    """

    trades: list[tuple[int, int]]
    open_entry: int | None
    final_quote: float


def outcome(candles: Candles, parameters: Parameters, first_fill: int = 0) -> Outcome:
    """Of the rule over the candles with one set of parameters.

    With `first_fill` no order is filled before that candle, and an RSI that is below the low then counts as fallen.
    """
    return follow(candles, talib.RSI(candles.close, parameters.period), parameters, first_fill)


def follow(candles: Candles, rsi: npt.NDArray[np.float64], parameters: Parameters, first_fill: int = 0) -> Outcome:
    """The rule over an RSI that was computed before."""
    trades: list[tuple[int, int]] = []
    cash, base, entry = CASH_QUOTE, 0.0, None
    opens = candles.open
    for index, is_fall in zip(*crossings(rsi, parameters, first_fill), strict=True):
        fill = index + 1
        if is_fall and entry is None:
            entry, base = fill, cash / (opens[fill] * (1 + FEE_FRACTION))
        elif not is_fall and entry is not None:
            trades.append((entry, fill))
            entry, cash = None, base * opens[fill] * (1 - FEE_FRACTION)
    return Outcome(trades, entry, float(cash if entry is None else base * candles.close[-1]))


def crossings(
    rsi: npt.NDArray[np.float64], parameters: Parameters, first_fill: int = 0
) -> tuple[list[int], list[bool]]:
    """Candles, but the last, at whose close the RSI has fallen below the low or risen above the high, and which."""
    before, now = rsi[:-2], rsi[1:-1]
    falls = (before >= parameters.low) & (now < parameters.low)
    rises = (before <= parameters.high) & (now > parameters.high)
    if first_fill:
        row = first_fill - 2
        falls[:row] = rises[:row] = False
        falls[row] = now[row] < parameters.low
    indices = np.flatnonzero(falls | rises)
    return (indices + 1).tolist(), falls[indices].tolist()


def difference(name: str, found: list[list[int]], expected: Outcome) -> str | None:
    """One sentence on the first trade that is not the expected one, None when all are equal.

    What is left open at the end may be missing from `found`, or be there with whatever exit the peer gave it.
    """
    for number, pair in enumerate(expected.trades):
        if number >= len(found):
            return f"{name} made {len(found)} trades, expected are {len(expected.trades)}"
        if tuple(found[number]) != pair:
            return f"{name}: trade {number} is {tuple(found[number])} (entry and exit candle), expected is {pair}"
    surplus = found[len(expected.trades) :]
    if surplus and (len(surplus) > 1 or surplus[0][0] != expected.open_entry):
        return f"{name} made {len(found)} trades, expected are {len(expected.trades)}"
    return None

"""TA-Lib's RSI and one compiled loop over all candles."""

from collections.abc import Sequence

import numba
import numpy as np
import numpy.typing as npt
import talib

from backtest.peers.measured import Run, report
from backtest.workloads import CASH_QUOTE, FEE_FRACTION, Candles, Parameters

Job = tuple[Candles, Sequence[Parameters]]
Found = tuple[npt.NDArray[np.int64], float]


@numba.njit(cache=False)
def follow(
    rsi: npt.NDArray[np.float64], opens: npt.NDArray[np.float64], last_close: float, low: float, high: float
) -> Found:
    """Candles of the fills, entries and exits in turn, and what is left at the end."""
    fills = np.empty(len(rsi), np.int64)
    count, cash, base = 0, CASH_QUOTE, 0.0
    for index in range(1, len(rsi) - 1):
        before, now = rsi[index - 1], rsi[index]
        if count % 2 == 0:
            if now < low and before >= low:
                base, cash = cash / (opens[index + 1] * (1 + FEE_FRACTION)), 0.0
                fills[count] = index + 1
                count += 1
        elif now > high and before <= high:
            cash, base = base * opens[index + 1] * (1 - FEE_FRACTION), 0.0
            fills[count] = index + 1
            count += 1
    return fills[:count].copy(), cash + base * last_close


def run(job: Job) -> tuple[Candles, list[Found]]:
    """Each period's RSI once, then each set of parameters."""
    candles, sets = job
    rsi = {period: talib.RSI(candles.close, period) for period in {one.period for one in sets}}
    last = candles.close[-1]
    return candles, [follow(rsi[one.period], candles.open, last, one.low, one.high) for one in sets]


def read(raw: tuple[Candles, list[Found]]) -> list[Run]:
    candles, found = raw
    runs = []
    for fills, final_quote in found:
        trades = list(zip(fills[::2].tolist(), fills[1::2].tolist(), strict=False))
        prices = [(candles.open[entry], candles.open[out]) for entry, out in trades]
        runs.append(Run(final_quote, trades, prices))
    return runs


if __name__ == "__main__":
    report("numba", "RSI, crossings, trades, cash; compiled before", lambda *job: job, run, read, rounds=20)

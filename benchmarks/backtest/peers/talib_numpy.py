"""TA-Lib's RSI, crossings by NumPy, a plain loop over the crossings: the least that can be done, and the reference."""

from collections.abc import Sequence

import talib

from backtest.peers.measured import Run, report
from backtest.reference import Outcome, follow
from backtest.workloads import Candles, Parameters

Job = tuple[Candles, Sequence[Parameters]]


def run(job: Job) -> tuple[Candles, list[Outcome]]:
    """Each period's RSI once, then each set of parameters."""
    candles, sets = job
    rsi = {period: talib.RSI(candles.close, period) for period in {one.period for one in sets}}
    return candles, [follow(candles, rsi[one.period], one) for one in sets]


def read(raw: tuple[Candles, list[Outcome]]) -> list[Run]:
    candles, outcomes = raw
    prices = candles.open
    return [
        Run(one.final_quote, one.trades, [(prices[entry], prices[out]) for entry, out in one.trades])
        for one in outcomes
    ]


if __name__ == "__main__":
    report("TA-Lib", "RSI, crossings, trades, cash", lambda *job: job, run, read, rounds=20)

"""backtesting.py, in millionths of a coin, since it trades whole units only; TA-Lib's RSI."""

# ruff: noqa: D102 (the methods are those that the framework calls)
import warnings
from collections.abc import Sequence

import pandas as pd
import talib
from backtesting import Strategy
from backtesting.lib import FractionalBacktest

from backtest.peers.measured import Run, report
from backtest.workloads import CASH_QUOTE, FEE_FRACTION, Candles, Parameters

UNIT_BASE = 1e-6
Job = tuple[FractionalBacktest, Sequence[Parameters]]


class Rule(Strategy):
    """The rule of the workloads; market orders are filled at the next open."""

    period, low, high = 14, 30.0, 70.0

    def init(self) -> None:
        self.rsi = self.I(talib.RSI, self.data.Close, self.period)

    def next(self) -> None:
        before, now = self.rsi[-2], self.rsi[-1]
        if not self.position:
            if now < self.low <= before:
                self.buy()
        elif now > self.high >= before:
            self.position.close()


def prepare(candles: Candles, sets: Sequence[Parameters]) -> Job:
    frame = pd.DataFrame(
        {name.title(): getattr(candles, name) for name in ("open", "high", "low", "close", "volume")},
        index=pd.to_datetime(candles.open_ms, unit="ms"),
    )
    return FractionalBacktest(frame, Rule, fractional_unit=UNIT_BASE, cash=CASH_QUOTE, commission=FEE_FRACTION), sets


def run(job: Job) -> list[pd.Series]:
    backtest, sets = job
    return [backtest.run(period=one.period, low=one.low, high=one.high) for one in sets]


def read(results: list[pd.Series]) -> list[Run]:
    runs = []
    for result in results:
        trades = result["_trades"]
        indices = zip(trades.EntryBar.tolist(), trades.ExitBar.tolist(), strict=True)
        prices = zip(trades.EntryPrice.tolist(), trades.ExitPrice.tolist(), strict=True)
        runs.append(Run(result["Equity Final [$]"], list(indices), list(prices)))
    return runs


if __name__ == "__main__":
    warnings.filterwarnings("ignore", message="Some trades remain open")
    report("backtesting", "RSI, crossings, trades, equity, its statistics", prepare, run, read, rounds=2)

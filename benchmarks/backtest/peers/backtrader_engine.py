"""backtrader with its own RSI (Wilder's); sizes are a real number of coins, from the close before the fill.

Its feeds read row by row within its run, which takes a third of the time; here the columns are put in place at once.
An order that the cash does not cover at the next open is refused by backtrader, so 1 % of the cash stays idle.
"""

# ruff: noqa: D102 (the methods are those that the framework calls)
from array import array
from collections.abc import Sequence

import backtrader as bt
import numpy as np

from backtest.peers.measured import Run, report
from backtest.workloads import CASH_QUOTE, FEE_FRACTION, Candles, Parameters

USED_FRACTION = 0.99
DAY_MS = 86_400_000
EPOCH_DAYS = 719_163  # 1970-01-01 as backtrader counts days
Result = tuple[bt.brokers.BackBroker, list[tuple[int, float]]]
Job = tuple[Candles, Sequence[Parameters]]


class Columns(bt.feed.DataBase):
    """All candles at once."""

    params = (("candles", None),)

    def preload(self) -> None:
        candles = self.p.candles
        for name in ("open", "high", "low", "close", "volume"):
            getattr(self.lines, name).array = array("d", getattr(candles, name))
        self.lines.datetime.array = array("d", candles.open_ms / DAY_MS + EPOCH_DAYS)
        self.lines.openinterest.array = array("d", np.zeros(len(candles)))
        self.home()


class Rule(bt.Strategy):
    """The rule of the workloads; market orders are filled at the next open."""

    params = (("period", 14), ("low", 30.0), ("high", 70.0))

    def __init__(self) -> None:
        self.rsi = bt.indicators.RSI(self.data.close, period=self.p.period)
        self.fills: list[tuple[int, float]] = []

    def next(self) -> None:
        before, now = self.rsi[-1], self.rsi[0]
        if not self.position:
            if now < self.p.low <= before:
                self.buy(size=self.broker.get_cash() * USED_FRACTION / self.data.close[0])
        elif now > self.p.high >= before:
            self.close()

    def notify_order(self, order: bt.Order) -> None:
        if order.status == order.Completed:
            self.fills.append((len(self) - 1, order.executed.price))


def run(job: Job) -> list[Result]:
    candles, sets = job
    results = []
    for one in sets:
        cerebro = bt.Cerebro(stdstats=False)
        cerebro.adddata(Columns(candles=candles))
        cerebro.addstrategy(Rule, period=one.period, low=one.low, high=one.high)
        cerebro.broker.setcash(CASH_QUOTE)
        cerebro.broker.setcommission(commission=FEE_FRACTION)
        results.append((cerebro.broker, cerebro.run()[0].fills))
    return results


def read(results: list[Result]) -> list[Run]:
    runs = []
    for broker, fills in results:
        pairs = list(zip(fills[::2], fills[1::2], strict=False))
        trades = [(entry, out) for (entry, _), (out, _) in pairs]
        prices = [(bought, sold) for (_, bought), (_, sold) in pairs]
        runs.append(Run(broker.getvalue(), trades, prices))
    return runs


if __name__ == "__main__":
    report("backtrader", "RSI, crossings, trades, cash", lambda *job: job, run, read)

"""jesse's research backtest on its spot exchange, with its own RSI (Wilder's) over the last candles.

jesse knows no fill at the next open: a market order is filled at the close that the strategy has just seen, and the
time of that fill is the next candle's open. So its trades can be compared with the others', its prices cannot.
"""

# ruff: noqa: D102 (the methods are those that the framework calls)
import os
from collections.abc import Sequence
from tempfile import mkdtemp

import numpy as np

os.chdir(mkdtemp(prefix="jesse-"))  # it writes into the folder that it is started in

import jesse.indicators as ta  # noqa: E402
from jesse import utils  # noqa: E402
from jesse.research import backtest  # noqa: E402
from jesse.strategies import Strategy  # noqa: E402

from backtest.peers.measured import Run, report  # noqa: E402
from backtest.workloads import CASH_QUOTE, FEE_FRACTION, MINUTE_MS, START_MS, Candles, Parameters  # noqa: E402

EXCHANGE, PAIR = "Binance Spot", "BTC-USDT"
CONFIG = {
    "starting_balance": CASH_QUOTE,
    "fee": FEE_FRACTION,
    "type": "spot",
    "exchange": EXCHANGE,
    "warm_up_candles": 0,
}
# An RSI forgets 1 / period a candle: over 25 periods what was before counts for 1e-11.
PERIODS_SEEN = 25
Job = tuple[dict, Sequence[Parameters]]


class Rule(Strategy):
    """The rule of the workloads."""

    rule = Parameters(14, 30.0, 70.0)

    def before(self) -> None:
        period = self.rule.period
        self.vars["rsi"] = ta.rsi(self.candles[-PERIODS_SEEN * period :], period, sequential=True)[-2:]

    def should_long(self) -> bool:
        before, now = self._two()
        return now < self.rule.low <= before

    def go_long(self) -> None:
        self.buy = utils.size_to_qty(self.balance, self.price, precision=6, fee_rate=self.fee_rate), self.price

    def update_position(self) -> None:
        before, now = self._two()
        if now > self.rule.high >= before:
            self.liquidate()

    def should_cancel_entry(self) -> bool:
        return True

    def _two(self) -> tuple[float, float]:
        pair = self.vars["rsi"]
        return (pair[0], pair[1]) if len(pair) == 2 else (np.nan, np.nan)


def prepare(candles: Candles, sets: Sequence[Parameters]) -> Job:
    rows = np.column_stack(
        (candles.open_ms.astype(float), candles.open, candles.close, candles.high, candles.low, candles.volume)
    )
    return {f"{EXCHANGE}-{PAIR}": {"exchange": EXCHANGE, "symbol": PAIR, "candles": rows}}, sets


def run(job: Job) -> list[dict]:
    candles, sets = job
    results = []
    for one in sets:
        strategy = type("Rule", (Rule,), {"rule": one})
        route = {"exchange": EXCHANGE, "strategy": strategy, "symbol": PAIR, "timeframe": "1m"}
        results.append(backtest(CONFIG, [route], [], candles, fast_mode=True))
    return results


def read(results: list[dict]) -> list[Run]:
    runs = []
    for result in results:
        run_of_set = Run(float(result["metrics"].get("finishing_balance", CASH_QUOTE)))
        for trade in result.get("trades", []):
            times = trade["opened_at"], trade["closed_at"]
            run_of_set.trades.append(tuple(int(time - START_MS) // MINUTE_MS for time in times))
            run_of_set.prices.append((trade["entry_price"], trade["exit_price"]))
        runs.append(run_of_set)
    return runs


if __name__ == "__main__":
    report("jesse", "RSI, crossings, orders, trades, its statistics", prepare, run, read)

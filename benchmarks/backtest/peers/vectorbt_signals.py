"""vectorbt: TA-Lib's RSI, its own crossings and `from_signals`, each signal moved to the next candle's open."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import vectorbt as vbt

from backtest.peers.measured import Run, report
from backtest.workloads import CASH_QUOTE, FEE_FRACTION, Candles, Parameters

RSI = vbt.IndicatorFactory.from_talib("RSI")
Job = tuple[pd.Series, pd.Series, Sequence[Parameters]]


def prepare(candles: Candles, sets: Sequence[Parameters]) -> Job:
    index = pd.to_datetime(candles.open_ms, unit="ms")
    return pd.Series(candles.open, index), pd.Series(candles.close, index), sets


def run(job: Job) -> tuple[vbt.Portfolio, np.ndarray]:
    opens, closes, sets = job
    rsi = RSI.run(closes, timeperiod=[one.period for one in sets], run_unique=True)
    lows, highs = np.array([[one.low for one in sets]]), np.array([[one.high for one in sets]])
    falls = rsi.real.vbt.crossed_below(lows).vbt.signals.fshift(1)
    rises = rsi.real.vbt.crossed_above(highs).vbt.signals.fshift(1)
    portfolio = vbt.Portfolio.from_signals(
        closes, falls, rises, price=opens, fees=FEE_FRACTION, init_cash=CASH_QUOTE, freq="1min"
    )
    return portfolio, np.atleast_1d(portfolio.final_value())


def read(raw: tuple[vbt.Portfolio, np.ndarray]) -> list[Run]:
    portfolio, finals = raw
    runs = [Run(float(value)) for value in finals]
    for trade in portfolio.trades.records.to_dict("records"):
        runs[trade["col"]].trades.append((int(trade["entry_idx"]), int(trade["exit_idx"])))
        runs[trade["col"]].prices.append((float(trade["entry_price"]), float(trade["exit_price"])))
    return runs


if __name__ == "__main__":
    report("vectorbt", "RSI, crossings, trades, final equity; compiled before", prepare, run, read, rounds=6)

"""Objectives that are quick and known, in place of a backtest."""

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from binance_trade_agent.backtest.optimize.model import Curve, Outcome, Span, Task
from binance_trade_agent.backtest.optimize.workers import Candles, Workload
from binance_trade_agent.domain.candles import DAY_MS
from binance_trade_agent.history.table import CandleTable

DAYS = 40
PERIOD = Span(0, DAYS * DAY_MS)
BEST = {"rsi_period": 11, "rsi_oversold": 25.0, "rsi_overbought": 66.0}


def candles(rows: int = 24 * DAYS) -> dict[str, CandleTable]:
    """A straight line by the hour."""
    price = np.linspace(100, 200, rows).round(2)
    times = np.arange(rows, dtype=np.int64) * 3_600_000
    columns = dict.fromkeys(("open", "high", "low", "close", "volume"), price)
    return {"BTCUSDT": CandleTable.with_digits("BTCUSDT", "1h", times, **columns)}


@dataclass
class Hill:
    """One hill over the three parameters of rsi_momentum, its top at BEST, where the Sharpe ratio is `top`.

    Attributes:
        most_oversold: above it there are no trades.
        on_task: called before each answer; may end the process.
    """

    candles: Candles
    top: float = 2.0
    most_oversold: float = 1000
    on_task: Callable[[Task], None] | None = None
    asked: int = 0

    def __call__(self, task: Task) -> Outcome:
        self.asked += 1
        if self.on_task:
            self.on_task(task)
        given = {"rsi_period": "14", "rsi_oversold": "30", "rsi_overbought": "70", **task.params}
        distance = sum(((float(given[name]) - best) / 10) ** 2 for name, best in BEST.items())
        sharpe = self.top - distance + task.span.from_ms / DAY_MS / 1000
        trades = 0 if float(given["rsi_oversold"]) > self.most_oversold else round(task.span.length_ms / DAY_MS)
        measures = {
            "sharpe": sharpe if trades else None,
            "drawdown": 5 + float(given["rsi_period"]),
            "profit": 10 * sharpe,
            "trades": float(trades),
        }
        return Outcome(measures, trades, self._curve(task.span, sharpe) if task.with_curve else None)

    def _curve(self, span: Span, sharpe: float) -> Curve:
        """Days that are good and bad in turn, so that the Sharpe ratio of a year is about `sharpe`."""
        days = max(2, span.length_ms // DAY_MS)
        daily = 0.01 * np.where(np.arange(days) % 2, -1, 1) + 0.01 * sharpe / 365**0.5
        equity = 10_000 * np.cumprod(np.concatenate([[1.0], 1 + daily]))
        return Curve(np.linspace(*span, days + 1).astype(np.int64), equity)


def hill(table: Candles) -> Hill:
    """The hill, as a Workload makes it; it must have got the candles."""
    assert len(table["BTCUSDT"]) == 24 * DAYS
    assert float(table["BTCUSDT"].close[-1]) == 200.0
    return Hill(table)


@dataclass
class KilledOnce:
    """Ends its process with SIGKILL at one task, the first time only."""

    marker: Path
    params: dict[str, str]

    def __call__(self, task: Task) -> None:
        if task.params != self.params:
            return
        try:
            os.close(os.open(self.marker, os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return
        os.kill(os.getpid(), signal.SIGKILL)


@dataclass
class KilledHill:
    """Makes a hill at whose foot a process dies once."""

    marker: Path
    params: dict[str, str]

    def __call__(self, table: Candles) -> Hill:
        return Hill(table, on_task=KilledOnce(self.marker, self.params))


def workload() -> Workload:
    """The hill with its candles."""
    return Workload(hill, candles())

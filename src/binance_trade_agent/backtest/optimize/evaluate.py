"""One task as a backtest: run it, and measure what the search looks at."""

import functools
from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from binance_trade_agent.backtest.optimize.model import Curve, Evaluate, Outcome, Span, Task
from binance_trade_agent.backtest.optimize.workers import Candles
from binance_trade_agent.backtest.plan import BacktestError, BacktestPlan
from binance_trade_agent.backtest.report.report import whole_curve
from binance_trade_agent.backtest.result import BacktestResult
from binance_trade_agent.backtest.run import run_backtest
from binance_trade_agent.domain.candles import DAY_MS
from binance_trade_agent.domain.strategy_choice import StrategyChoice
from binance_trade_agent.history.table import FloatArray
from binance_trade_agent.reports import performance
from binance_trade_agent.reports.round_trips import round_trips
from binance_trade_agent.reports.trades import Assets
from binance_trade_agent.strategies.registry import StrategyError


class _Measured:
    """A result, and what several measures need of it."""

    def __init__(self, result: BacktestResult, assets: Mapping[str, Assets]) -> None:
        self.times_ms, self.equity = whole_curve(result)
        self.invested_pct = performance.invested_pct(result.equity_quote, result.exposure_quote)
        closed, _ = round_trips(result.fills, result.orders, assets)
        self.profits: FloatArray = np.array([float(trip.profit_quote) for trip in closed])

    @functools.cached_property
    def drawdown_pct(self) -> float | None:
        fall = performance.drawdown(self.times_ms, self.equity)
        return fall.pct if fall else None


_MEASURES: Mapping[str, Callable[[_Measured], float | None]] = MappingProxyType(
    {
        "sharpe": lambda run: performance.sharpe(run.times_ms, run.equity),
        "sortino": lambda run: performance.sortino(run.times_ms, run.equity),
        "calmar": lambda run: performance.calmar(run.times_ms, run.equity),
        "profit": lambda run: performance.return_pct(run.equity),
        "cagr": lambda run: performance.cagr_pct(run.times_ms, run.equity),
        "profit_factor": lambda run: performance.profit_factor(run.profits),
        "expectancy": lambda run: performance.expectancy(run.profits),
        "sqn": lambda run: performance.sqn(run.profits),
        "win_rate": lambda run: performance.win_rate_pct(run.profits),
        "drawdown": lambda run: run.drawdown_pct,
        "exposure": lambda run: run.invested_pct,
        "trades": lambda run: float(len(run.profits)),
    }
)
ALWAYS_MEASURED = ("sharpe", "profit", "drawdown", "trades")  # in every report


def backtests(plan: BacktestPlan, measures: tuple[str, ...], candles: Candles) -> Evaluate:
    """What runs the tasks of a search, as a Workload makes it in each process (`functools.partial` of the first two).

    Args:
        plan: all but the parameters that are searched and the period.
        measures: names of goals; ALWAYS_MEASURED are measured besides.
        candles: by symbol, and finer ones by `detail_key`.
    """
    tables = {symbol: candles[symbol] for symbol in plan.rules if symbol in candles}
    details = {symbol: candles[detail_key(symbol)] for symbol in plan.rules if detail_key(symbol) in candles}
    wanted = dict.fromkeys((*ALWAYS_MEASURED, *measures))
    assets = {symbol: (rules.base_asset, rules.quote_asset) for symbol, rules in plan.rules.items()}

    def evaluate(task: Task) -> Outcome:
        choice = StrategyChoice(plan.choice.name, {**plan.choice.params, **task.params})
        try:
            result = run_backtest(plan.with_choice(choice).between(*task.span), tables, details=details)
        except (BacktestError, StrategyError) as refusal:
            return Outcome({}, 0, None, str(refusal))
        except Exception as failure:  # noqa: BLE001 - a strategy is anybody's code, and may fail with some parameters
            return Outcome({}, 0, None, f"{type(failure).__name__}: {failure}")
        run = _Measured(result, assets)
        found = {name: _MEASURES[name](run) for name in wanted}
        return Outcome(found, len(run.profits), _curve(run, task.span) if task.with_curve else None)

    return evaluate


def detail_key(symbol: str) -> str:
    """Under which a symbol's finer candles lie among the candles of a workload."""
    return f"{symbol}-detail"


def _curve(run: _Measured, span: Span) -> Curve:
    begins, equity = performance.daily_equity(run.times_ms, run.equity)
    ends = np.minimum(begins + DAY_MS, span.before_ms)
    return Curve(np.concatenate([[span.from_ms], ends]), np.concatenate([run.equity[:1], equity]))

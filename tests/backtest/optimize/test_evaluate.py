"""One task is one backtest, and its numbers are those of the report."""

from decimal import Decimal

import numpy as np
import pytest

from binance_trade_agent.backtest.fills import FillSettings
from binance_trade_agent.backtest.optimize.evaluate import backtests, detail_key
from binance_trade_agent.backtest.optimize.goals import GOALS
from binance_trade_agent.backtest.optimize.model import Span, Task
from binance_trade_agent.backtest.plan import BacktestPlan
from binance_trade_agent.backtest.report.report import Report
from binance_trade_agent.backtest.run import run_backtest
from binance_trade_agent.domain.candles import DAY_MS
from binance_trade_agent.domain.strategy_choice import StrategyChoice
from binance_trade_agent.history.rules import rules_of
from binance_trade_agent.history.table import CandleTable
from binance_trade_agent.settings import Settings

HOUR_MS = 3_600_000
HOURS = 24 * 80
PARAMS = {"rsi_period": "7", "rsi_oversold": "35"}
BEGIN_MS = 1_704_067_200_000  # 2024-01-01
SPAN = Span(BEGIN_MS + 30 * DAY_MS, BEGIN_MS + 70 * DAY_MS)


def waves(interval="1h", step_ms=HOUR_MS, count=HOURS):
    """Prices that swing, so that an RSI buys and sells."""
    since_ms = np.arange(count, dtype=np.int64) * step_ms
    steps = np.random.default_rng(11).normal(size=count)
    close = np.round(30_000 * np.exp(0.05 * np.sin(since_ms / (9 * HOUR_MS)) + 0.004 * np.cumsum(steps * 0.5)), 2)
    opened = np.concatenate([close[:1], close[:-1]])
    spread = np.round(np.abs(steps) * 20, 2)
    columns = {
        "open": opened,
        "high": np.maximum(opened, close) + spread,
        "low": np.minimum(opened, close) - spread,
        "close": close,
        "volume": np.full(count, 500.0),
    }
    return CandleTable.with_digits("BTCUSDT", interval, BEGIN_MS + since_ms, **columns)


@pytest.fixture(scope="module")
def table():
    return waves()


@pytest.fixture(scope="module")
def plan(table):
    choice = StrategyChoice("rsi_momentum", {"rsi_overbought": "60"})
    rules = {"BTCUSDT": rules_of(None, "BTCUSDT", table.price(table.open[0]))}
    return BacktestPlan(Settings(), choice, rules, FillSettings(), Decimal(10_000))


@pytest.fixture(scope="module")
def evaluate(plan, table):
    return backtests(plan, tuple(GOALS), {"BTCUSDT": table})


@pytest.fixture(scope="module")
def result(plan, table):
    choice = StrategyChoice("rsi_momentum", {"rsi_overbought": "60", **PARAMS})
    return run_backtest(plan.with_choice(choice).between(*SPAN), {"BTCUSDT": table})


def test_its_measures_are_the_numbers_of_the_report_of_the_same_backtest(evaluate, result):
    report = Report.of(result)
    outcome = evaluate(Task(PARAMS, SPAN))
    assert outcome.trades == report.trades.trades > 10
    assert outcome.curve is None
    assert outcome.measures == pytest.approx(
        {
            "sharpe": report.figures.sharpe,
            "sortino": report.figures.sortino,
            "calmar": report.figures.calmar,
            "profit": report.figures.return_pct,
            "cagr": report.figures.cagr_pct,
            "profit_factor": report.trades.profit_factor,
            "expectancy": float(report.trades.expectancy_quote),
            "sqn": report.trades.sqn,
            "win_rate": report.trades.win_rate_pct,
            "drawdown": report.figures.drawdown.pct,
            "exposure": report.invested_pct,
            "trades": report.trades.trades,
        },
        rel=1e-9,
    )


def test_its_curve_begins_with_the_opening_amount_and_ends_with_the_final_one(evaluate, result):
    curve = evaluate(Task(PARAMS, SPAN, with_curve=True)).curve
    assert curve.times_ms.tolist() == list(range(SPAN.from_ms, SPAN.before_ms + 1, DAY_MS))
    assert curve.equity_quote[0] == 10_000
    assert curve.equity_quote[-1] == float(result.final_quote)


def test_only_what_is_wanted_is_measured(plan, table):
    outcome = backtests(plan, ("sqn",), {"BTCUSDT": table})(Task(PARAMS, SPAN))
    assert list(outcome.measures) == ["sharpe", "profit", "drawdown", "trades", "sqn"]


def test_finer_candles_go_to_the_backtest(plan, table):
    finer = waves("30m", HOUR_MS // 2, 2 * HOURS)
    outcome = backtests(plan, (), {"BTCUSDT": table, detail_key("BTCUSDT"): finer})(Task(PARAMS, SPAN))
    assert outcome.refused is None


def test_a_set_that_is_not_allowed_is_refused_with_its_sentence(evaluate):
    outcome = evaluate(Task({"rsi_oversold": "60"}, SPAN))
    assert outcome.refused == "rsi_oversold is 60: it must be below rsi_overbought, 60"
    assert outcome.measures == {}


def test_what_a_strategy_raises_is_its_refusal(plan, table, monkeypatch):
    def fails(*_):
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr("binance_trade_agent.strategies.rsi_momentum.RsiMomentum.vote", fails)
    outcome = backtests(plan, (), {"BTCUSDT": table})(Task(PARAMS, SPAN))
    assert outcome.refused.startswith("strategy rsi_momentum raised ZeroDivisionError: division by zero, at ")


def test_a_span_without_candles_is_refused(evaluate):
    outcome = evaluate(Task(PARAMS, Span(BEGIN_MS + 90 * DAY_MS, BEGIN_MS + 95 * DAY_MS)))
    assert outcome.refused.startswith("BTCUSDT has no ")
    assert " from 2024-03-31T00:00:00Z" in outcome.refused

"""With the settings that a user begins with, each strategy does the same when candles are skipped (test_every_candle.py)."""

import pytest

from binance_trade_agent.backtest.fills import FillSettings
from binance_trade_agent.backtest.plan import BacktestPlan
from binance_trade_agent.backtest.run import run_backtest
from binance_trade_agent.domain.strategy_choice import StrategyChoice
from binance_trade_agent.settings import Settings
from binance_trade_agent.strategies.registry import built_in_names
from tests.backtest.made import MINUTE_MS, START_MS, rules, walk
from tests.backtest.test_every_candle import assert_same


@pytest.fixture(scope="module")
def market():
    """Minutes with a hole, after which there are enough for the strategy that warms up the longest."""
    return walk(count=2200, hole=range(350, 380))


@pytest.mark.parametrize("name", built_in_names())
def test_skipping_changes_nothing(name, market):
    plan = BacktestPlan(
        Settings(), StrategyChoice(name), {"BTCUSDT": rules()}, FillSettings(), start_ms=START_MS + 300 * MINUTE_MS
    )
    skipped, every = (
        run_backtest(plan, {"BTCUSDT": market}, every_candle=each, keeps_decisions=True) for each in (False, True)
    )
    assert_same(skipped, every)
    assert skipped.visited < every.visited / 2
    assert skipped.fills

"""RSI momentum: a table of markets and decisions."""

import numpy as np
import pytest

from binance_trade_agent.domain.signals import Action
from binance_trade_agent.strategies import indicators
from binance_trade_agent.strategies.registry import create_strategy

# A market that goes one up, one down rests at RSI 50; a run of falls or rises then moves it.
CALM = [100.0, 101.0] * 160


@pytest.mark.parametrize(
    ("after_calm", "action", "reason"),
    [
        ([100.0, 101.0], Action.HOLD, "RSI 51.9 between 30 and 70"),
        ([101.0 - step for step in range(1, 7)], Action.HOLD, "RSI 33.2 between 30 and 70"),
        ([101.0 - step for step in range(1, 9)], Action.BUY, "RSI 28.7 < 30"),
        ([101.0 + step for step in range(1, 6)], Action.HOLD, "RSI 66.8 between 30 and 70"),
        ([101.0 + step for step in range(1, 9)], Action.SELL, "RSI 73.4 > 70"),
    ],
    ids=["calm", "six falls", "eight falls", "five rises", "eight rises"],
)
def test_a_market_and_its_decision(after_calm, action, reason, frame_of, candles_of):
    signal = create_strategy("rsi_momentum").evaluate("BTCUSDT", candles_of(frame_of(CALM + after_calm)))
    assert (signal.action, signal.reason) == (action, reason)


@pytest.mark.parametrize(
    ("rsi", "thresholds", "confidence"),
    [
        (29.999, (30, 70), 0.5),
        (27.4, (30, 70), 0.5433),
        (15.0, (30, 70), 0.75),
        (0.0, (30, 70), 1.0),
        (50.0, (30, 70), 0.0),
        (70.001, (30, 70), 0.5),
        (85.0, (30, 70), 0.75),
        (100.0, (30, 70), 1.0),
        (20.0, (40, 60), 0.75),
        (80.0, (40, 60), 0.75),
    ],
)
def test_confidence_rises_from_half_at_the_threshold_to_one_at_the_end(rsi, thresholds, confidence, walk, monkeypatch):
    monkeypatch.setattr(indicators, "rsi", lambda close, _period: np.full(len(close), rsi))
    strategy = create_strategy("rsi_momentum", dict(zip(("rsi_oversold", "rsi_overbought"), thresholds, strict=True)))
    assert strategy.signals(walk(1))["confidence"].iloc[-1] == pytest.approx(confidence, abs=1e-4)


def test_a_fall_without_a_rise_is_a_buy_with_full_confidence(frame_of, candles_of):
    signal = create_strategy("rsi_momentum").evaluate("X", candles_of(frame_of([1000.0 - i for i in range(400)])))
    assert (signal.action, signal.confidence, signal.reason) == (Action.BUY, 1.0, "RSI 0.0 < 30")


def test_the_aggressive_preset_acts_where_the_conservative_one_holds(walk):
    frame = walk(2, 1500)
    acts = {
        name: int((create_strategy(name).signals(frame)["action"] != 0).sum())
        for name in ("rsi_aggressive", "rsi_default", "rsi_conservative")
    }
    assert acts["rsi_aggressive"] > acts["rsi_default"] > acts["rsi_conservative"]

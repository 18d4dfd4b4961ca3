"""Bollinger bands: a table of markets and decisions."""

import pytest

from binance_trade_agent.domain.signals import Action
from binance_trade_agent.strategies.registry import create_strategy

CALM = [99.0, 101.0] * 12  # mean 100, deviation 1: bands at 98 and 102


@pytest.mark.parametrize(
    ("last_close", "action", "reason"),
    [
        (100.0, Action.HOLD, "close 100 between bands 98.1"),
        (98.0, Action.HOLD, "close 98 between bands 97.8"),
        (95.0, Action.BUY, "close 95 < lower band 96.8"),
        (102.0, Action.HOLD, "close 102 between bands 98.0"),
        (105.0, Action.SELL, "close 105 > upper band 103.2"),
    ],
)
def test_a_close_and_its_decision(last_close, action, reason, frame_of, candles_of):
    signal = create_strategy("bollinger_bands").evaluate("BTCUSDT", candles_of(frame_of([*CALM, last_close])))
    assert signal.action is action
    assert signal.reason.startswith(reason)


def test_confidence_grows_with_the_distance_from_the_band(frame_of):
    strategy = create_strategy("bollinger_bands")
    confidences = [strategy.signals(frame_of([*CALM, close]))["confidence"].iloc[-1] for close in (97, 95, 90, 60)]
    assert confidences == sorted(confidences)
    assert 0.5 <= confidences[0] < confidences[-1] <= 1


def test_bands_without_width_hold(frame_of, candles_of):
    signal = create_strategy("bollinger_bands").evaluate("BTCUSDT", candles_of(frame_of([0.1] * 40)))
    assert signal.action is Action.HOLD
    assert "flat market" in signal.reason

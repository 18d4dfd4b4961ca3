"""MACD crossover: a table of markets and decisions."""

import pytest

from binance_trade_agent.domain.signals import Action
from binance_trade_agent.strategies.registry import create_strategy

FALL = [10_000.0 - 10 * step for step in range(400)]  # a straight fall: both lines lie on each other
RISE = [10_000.0 + 10 * step for step in range(400)]


def turned(trend, candles):
    """The trend, then as steep the other way."""
    step = trend[0] - trend[1]
    return trend + [trend[-1] + step * count for count in range(1, candles + 1)]


@pytest.mark.parametrize(
    ("closes", "action"),
    [
        (FALL, Action.HOLD),
        (turned(FALL, 1), Action.BUY),
        (turned(FALL, 3), Action.BUY),
        (turned(FALL, 4), Action.HOLD),
        (RISE, Action.HOLD),
        (turned(RISE, 1), Action.SELL),
        (turned(RISE, 3), Action.SELL),
        (turned(RISE, 4), Action.HOLD),
    ],
    ids=["falling", "turned up 1", "turned up 3", "turned up 4", "rising", "turned down 1", "down 3", "down 4"],
)
def test_a_crossing_counts_for_three_candles(closes, action, frame_of, candles_of):
    signal = create_strategy("macd_crossover").evaluate("BTCUSDT", candles_of(frame_of(closes)))
    assert signal.action is action
    assert (signal.confidence > 0) is (action is not Action.HOLD)


def test_a_longer_confirmation_keeps_the_signal_longer(frame_of, candles_of):
    candles = candles_of(frame_of(turned(FALL, 6)))
    assert create_strategy("macd_crossover").evaluate("X", candles).action is Action.HOLD
    assert create_strategy("macd_crossover", {"macd_confirm_candles": 6}).evaluate("X", candles).action is Action.BUY


def test_a_crossing_that_was_taken_back_is_no_signal(frame_of):
    spike = [*FALL, FALL[-1] + 10, FALL[-1] - 60]
    actions = create_strategy("macd_crossover").signals(frame_of(spike))["action"].tolist()
    assert actions[-2:] == [1, -1]


def test_the_reason_says_which_line_is_where(frame_of, candles_of):
    strategy = create_strategy("macd_crossover")
    bought = strategy.evaluate("X", candles_of(frame_of(turned(FALL, 2)))).reason
    held = strategy.evaluate("X", candles_of(frame_of(turned(FALL, 5)))).reason
    assert bought == "MACD -65.58 crossed above its signal -68.86 within 3 candles"
    assert held == "MACD -52.43 above its signal -62.83, no crossing within 3 candles"


@pytest.mark.parametrize("scale", [0.001, 1000.0])
def test_confidence_does_not_depend_on_the_scale_of_the_price(scale, walk):
    frame = walk(4, 1000)
    strategy = create_strategy("macd_crossover")
    ours, scaled = strategy.signals(frame), strategy.signals(frame * scale)
    assert (ours["action"] == scaled["action"]).all()
    assert (ours["action"] != 0).any()
    assert scaled["confidence"].to_numpy() == pytest.approx(ours["confidence"].to_numpy(), abs=1e-9)

"""What each strategy decides: hand-made candles, the decision, and the reason in its own words.

Each table reads: what the market did, the candles at the end of it, the decision. What comes before those candles is
named above the table; strategies that remember for long need 300 candles of it.
"""

import pandas as pd
import pytest

from binance_trade_agent.domain.candles import MINUTE_MS
from binance_trade_agent.strategies.registry import create_strategy, parse_params

CALM = [100.0, 101.0] * 160  # one up, one down: RSI near 50
FALL = [10_000.0 - 10 * step for step in range(400)]  # ends at 6,010
CLIMB = [1000.0 + 10 * step for step in range(1, 40)]
HILLS = (CLIMB + CLIMB[::-1]) * 5  # up to 1,390 and down to 1,010, ten ways; each turns the Supertrend
QUIET = [99.0, 101.0] * 15  # mean 100, deviation 1


def steps(start, step, count):
    """`count` closes, each `step` after the one before."""
    return [start + step * number for number in range(1, count + 1)]


@pytest.fixture
def decision(frame_of, candles_of):
    """Action and reason of a strategy on candles of these closes, without wicks."""

    def decide(name, closes, params=None):
        signal = create_strategy(name, params).evaluate("BTCUSDT", candles_of(frame_of(closes)))
        return signal.action.value, signal.reason

    return decide


@pytest.mark.parametrize(
    ("after_calm", "action", "reason"),
    [
        ([], "HOLD", "RSI 51.9 between 30 and 70"),
        (steps(101, -1, 6), "HOLD", "RSI 33.2 between 30 and 70"),
        (steps(101, -1, 8), "BUY", "RSI 28.7 < 30"),
        (steps(101, +1, 5), "HOLD", "RSI 66.8 between 30 and 70"),
        (steps(101, +1, 8), "SELL", "RSI 73.4 > 70"),
        ([101.0, 101.0, 101.0], "HOLD", "RSI 51.9 between 30 and 70"),
        ([101.0] * 14, "HOLD", "flat market or broken candles: rsi undefined"),
    ],
    ids=["calm", "falls 6", "falls 8", "rises 5", "rises 8", "pauses", "stops"],
)
def test_rsi_momentum_buys_what_fell_and_sells_what_rose(after_calm, action, reason, decision):
    assert decision("rsi_momentum", CALM + after_calm) == (action, reason)


@pytest.mark.parametrize(
    ("after_the_fall", "action", "reason"),
    [
        (steps(6010, +10, 2), "BUY", "MACD -65.58 crossed above its signal -68.86 within 3 candles"),
        (steps(6010, +10, 4), "HOLD", "MACD -57.37 above its signal -65.44, no crossing within 3 candles"),
        ([6020.0, 5950.0], "SELL", "MACD -71.96 crossed below its signal -70.14 within 3 candles"),
    ],
    ids=["turned 2 candles ago", "turned 4 candles ago", "turned, and fell again"],
)
def test_macd_crossover_buys_the_turn(after_the_fall, action, reason, decision):
    assert decision("macd_crossover", FALL + after_the_fall) == (action, reason)


@pytest.mark.parametrize(
    ("last", "action", "reason"),
    [
        (100.0, "HOLD", "close 100 between bands 98.1"),
        (98.0, "HOLD", "close 98 between bands 97.8"),
        (95.0, "BUY", "close 95 < lower band 96.8"),
        (105.0, "SELL", "close 105 > upper band 103.2"),
    ],
)
def test_bollinger_bands_buys_below_and_sells_above(last, action, reason, decision):
    decided, said = decision("bollinger_bands", [*QUIET, last])
    assert decided == action
    assert said.startswith(reason)


@pytest.mark.parametrize(
    ("after_the_fall", "action", "reason"),
    [
        (
            steps(6010, +10, 12),
            "HOLD",
            "EMA(12) 6089.8178 below EMA(26) 6104.2784, no crossing within 3 candles",
        ),
        (steps(6010, +10, 15), "BUY", "EMA(12) 6113.977 crossed above EMA(26) 6113.8104 within 3 candles"),
        (
            steps(6010, +10, 18),
            "HOLD",
            "EMA(12) 6140.4385 above EMA(26) 6127.5623, no crossing within 3 candles",
        ),
        (
            [*steps(6010, +10, 18), 5900.0, 5900.0],
            "SELL",
            "EMA(12) 6072.1483 crossed below EMA(26) 6095.098 within 3 candles",
        ),
    ],
    ids=["rises 12", "rises 15", "rises 18", "rises 18, and falls back"],
)
def test_ema_crossover_buys_when_the_fast_average_is_through_the_slow_one(after_the_fall, action, reason, decision):
    assert decision("ema_crossover", FALL + after_the_fall) == (action, reason)


@pytest.mark.parametrize(
    ("after_the_hills", "action", "reason"),
    [
        ([], "HOLD", "Supertrend down, no turn within 3 candles: close 1010, band 1044.9443 above"),
        (CLIMB[:3], "HOLD", "Supertrend down, no turn within 3 candles: close 1030, band 1036.9499 above"),
        (CLIMB[:4], "BUY", "Supertrend turned up within 3 candles: close 1040, band 1007.2235 below"),
        (CLIMB[:6], "BUY", "Supertrend turned up within 3 candles: close 1060, band 1026.801 below"),
        (CLIMB[:7], "HOLD", "Supertrend up, no turn within 3 candles: close 1070, band 1036.6209 below"),
        ([*CLIMB, 1350.0], "SELL", "Supertrend turned down within 3 candles: close 1350, band 1394.9313 above"),
        ([*CLIMB, 1356.0], "HOLD", "Supertrend up, no turn within 3 candles: close 1356, band 1355.0557 below"),
    ],
    ids=["down", "below the band", "above it", "2 candles on", "3 candles on", "falls below the band", "falls short"],
)
def test_supertrend_buys_the_close_above_its_band_and_sells_that_below(after_the_hills, action, reason, decision):
    assert decision("supertrend", HILLS + after_the_hills) == (action, reason)


# High, low and close. Of three candles the highest high is 103, of two the lowest low is 98.
CHANNEL = [(102, 95, 101), (103, 100, 101), (102, 98, 100)]


@pytest.mark.parametrize(
    ("last", "action", "reason"),
    [
        ((103, 100, 103), "HOLD", "close 103 between 98, the low of 2 candles, and 103, the high of 3"),
        ((105, 100, 102), "HOLD", "close 102 between 98, the low of 2 candles, and 103, the high of 3"),
        ((104, 100, 104), "BUY", "close 104 > 103, the high of 3 candles"),
        ((101, 98, 98), "HOLD", "close 98 between 98, the low of 2 candles, and 103, the high of 3"),
        ((101, 96, 99), "HOLD", "close 99 between 98, the low of 2 candles, and 103, the high of 3"),
        ((101, 97, 97), "SELL", "close 97 < 98, the low of 2 candles"),
    ],
    ids=["at the high", "wick above", "close above", "at the low", "wick below", "close below"],
)
def test_donchian_breakout_buys_a_close_above_the_channel_and_sells_one_below(last, action, reason, candles_of):
    frame = pd.DataFrame([*CHANNEL, last], columns=["high", "low", "close"], dtype=float)
    frame = frame.assign(open=frame["close"], volume=1.0).set_index(MINUTE_MS * frame.index)
    strategy = create_strategy("donchian_breakout", {"donchian_entry": 3, "donchian_exit": 2})
    signal = strategy.evaluate("BTCUSDT", candles_of(frame))
    assert (signal.action.value, signal.reason) == (action, reason)


@pytest.mark.parametrize(
    ("last", "action", "reason"),
    [
        (100.0, "HOLD", "z-score -0.03 between -2 and 0"),
        (98.0, "HOLD", "z-score -1.88 between -2 and 0"),
        (96.0, "BUY", "z-score -3.20 < -2"),
        (101.0, "SELL", "z-score 0.94 > 0"),
        (104.0, "SELL", "z-score 3.16 > 0"),
    ],
)
def test_mean_reversion_buys_far_below_the_mean_and_sells_above_it(last, action, reason, decision):
    assert decision("mean_reversion_zscore", [*QUIET, last]) == (action, reason)


# Donchian and z-score alone vote, each over a few candles; the last of these closes is a new high, far above the mean.
TWO_VOTERS = (
    "rsi_weight=0, macd_weight=0, bollinger_weight=0, donchian_weight=1, zscore_weight=1, "
    "donchian_entry=3, donchian_exit=2, zscore_period=4, zscore_entry=-1, zscore_exit=1"
)
NEW_HIGH = [100.0, 102.0, 101.0, 102.5]
BREAKOUT, FAR = "donchian BUY 0.75 (close 102.5 > 102, the high of 3 candles)", "zscore SELL 0.54 (z-score 1.17 > 1)"


@pytest.mark.parametrize(
    ("closes", "params", "action", "reason"),
    [
        (
            [100.0, 102.0, 101.0, 101.5],
            {},
            "HOLD",
            "score +0.00 within ±0.15: donchian HOLD (close 101.5, channel's middle 101), zscore HOLD (z-score 0.51)",
        ),
        (NEW_HIGH, {}, "HOLD", f"score +0.10 within ±0.15: {BREAKOUT}, {FAR}"),
        (NEW_HIGH, {"zscore_weight": 0.5}, "BUY", f"score +0.32 >= 0.15: {BREAKOUT}, {FAR}"),
        (NEW_HIGH, {"donchian_weight": 0}, "SELL", f"score -0.54 <= -0.15: {FAR}"),
    ],
    ids=["nobody acts", "they contradict", "one weighs more", "one is silent"],
)
def test_combined_default_adds_up_the_votes_that_have_a_weight(closes, params, action, reason, decision):
    assert decision("combined_default", closes, {**parse_params(TWO_VOTERS), **params}) == (action, reason)

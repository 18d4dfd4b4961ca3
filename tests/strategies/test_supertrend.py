"""Supertrend: against its recurrence from any past, and how little the begin of the candles matters."""

import numpy as np
import pytest
import talib
from hypothesis import given
from hypothesis import strategies as st

from binance_trade_agent.domain.signals import Action
from binance_trade_agent.strategies import indicators
from binance_trade_agent.strategies.registry import create_strategy

PERIOD, FIRST = 10, 150
seeds = st.integers(0, 10**6)
multipliers = st.sampled_from([0.5, 1.0, 3.0, 6.0])
shares = st.floats(0, 1)


def prices(frame):
    return tuple(frame[name].to_numpy() for name in ("high", "low", "close"))


def recurrence(frame, multiplier, upper_share, lower_share, is_up):
    """Line and trend, candle by candle, from one of the pasts that row FIRST could have had.

    The shares, 0 to 1, say where between the close before and the basic band each band was.
    """
    high, low, close = prices(frame)
    reach = multiplier * talib.ATR(high, low, close, PERIOD)
    upper_basic, lower_basic = (high + low) / 2 + reach, (high + low) / 2 - reach
    before = close[FIRST - 1]
    upper = upper_basic[FIRST] - upper_share * max(0, upper_basic[FIRST] - before)
    lower = lower_basic[FIRST] + lower_share * max(0, before - lower_basic[FIRST])
    lines, trends = np.full(len(close), np.nan), np.full(len(close), np.nan)
    for row in range(FIRST, len(close)):
        if row > FIRST:
            upper = upper_basic[row] if close[row - 1] > upper else min(upper, upper_basic[row])
            lower = lower_basic[row] if close[row - 1] < lower else max(lower, lower_basic[row])
        above, below = close[row] > upper, close[row] < lower
        is_up = is_up if above == below else above
        lines[row], trends[row] = (lower, 1) if is_up else (upper, -1)
    return lines, trends


@given(seed=seeds, multiplier=multipliers, upper=shares, lower=shares, is_up=st.booleans())
def test_wherever_it_has_a_value_every_past_leads_to_it(seed, multiplier, upper, lower, is_up, walk):
    frame = walk(seed, 600, volatility=0.002)
    line, trend = indicators.supertrend(*prices(frame), PERIOD, multiplier)
    expected_line, expected_trend = recurrence(frame, multiplier, upper, lower, is_up)
    known = np.isfinite(trend)
    np.testing.assert_array_equal(np.isfinite(line), known)
    np.testing.assert_allclose(line[known], expected_line[known], rtol=1e-9)
    np.testing.assert_array_equal(trend[known], expected_trend[known])


@given(seed=seeds)
def test_once_known_it_stays_known(seed, walk):
    _, trend = indicators.supertrend(*prices(walk(seed, 800)), PERIOD, 3.0)
    known = np.isfinite(trend)
    assert known.any()
    assert known[known.argmax() :].all()
    assert not known[:FIRST].any()


def test_most_starts_are_settled_when_the_warm_up_is_over(walk):
    strategy = create_strategy("supertrend")
    signals = [strategy.signals(walk(seed, strategy.warm_up)).iloc[-1] for seed in range(100)]
    assert sum(np.isfinite(row["supertrend"]) for row in signals) >= 95


@given(seed=seeds, start=st.integers(1, 700), multiplier=multipliers)
def test_a_shorter_history_says_the_same_or_holds(seed, start, multiplier, walk):
    strategy = create_strategy("supertrend", {"supertrend_multiplier": multiplier})
    frame = walk(seed, 1500)
    whole, later = strategy.signals(frame).iloc[start:], strategy.signals(frame.iloc[start:])
    acts, known = later["action"] != 0, later["lean"] != 0
    assert (later["action"][acts] == whole["action"][acts]).all()
    assert (later["lean"][known] == whole["lean"][known]).all()
    # A turn may have come before the trend was known; a few candles later both histories have seen the same.
    settled = known & known.shift(strategy.params.supertrend_confirm_candles, fill_value=False)
    assert (later["action"][settled] == whole["action"][settled]).all()
    np.testing.assert_allclose(later["confidence"][settled], whole["confidence"][settled], atol=1e-4)


def test_candles_without_a_move_that_settles_it_are_a_hold_that_says_so(frame_of, candles_of):
    sideways = candles_of(frame_of([100.0, 101.0] * 200))
    for name, params in (("supertrend", {}), ("combined_default", {"supertrend_weight": 1})):
        signal = create_strategy(name, params).evaluate("X", sideways)
        assert signal.action is Action.HOLD
        assert signal.reason == "Supertrend not settled: the candles hold no move large enough to tell its trend"


def test_a_close_beyond_both_bands_turns_nothing(frame_of):
    """One candle falls far and comes almost back: its middle takes the upper band below its close."""
    ramp = [1000.0 + step for step in range(100)]
    frame = frame_of((ramp + ramp[::-1]) * 4 + ramp[:60])
    opened = frame["close"].iloc[-2]
    frame.iloc[-1, :4] = (opened, opened, opened - 500, opened - 5)
    line, trend = indicators.supertrend(*prices(frame), 45, 0.5)
    assert trend[-2:].tolist() == [1, 1]
    assert frame["close"].iloc[-1] < line[-1]
    frame.iloc[-1, 2] = opened - 5  # the same close without the way down is a turn
    assert indicators.supertrend(*prices(frame), 45, 0.5)[1][-1] == -1


@pytest.mark.parametrize(("multiplier", "warm_up"), [(0.5, 300), (3, 300), (4, 350), (6, 450)])
def test_the_warm_up_grows_with_the_distance_of_the_bands(multiplier, warm_up):
    assert create_strategy("supertrend", {"supertrend_multiplier": multiplier}).warm_up == warm_up

"""Confirmation on a larger interval: what is kept, what is held and why, and that live and whole frames agree."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from binance_trade_agent.domain.candle_window import window_of
from binance_trade_agent.domain.candles import INTERVAL_MS, MINUTE_MS
from binance_trade_agent.domain.signals import Action
from binance_trade_agent.strategies.confirmation import confirm
from binance_trade_agent.strategies.registry import create_strategy

NOON_MS = 1_700_000_000_000 // INTERVAL_MS["1h"] * INTERVAL_MS["1h"]
COLUMNS = {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}

# Three candles show a mean; a close below it leans to buying, one 1.2 deviations below it buys.
ZSCORE = {"zscore_period": 3, "zscore_entry": -1.2, "zscore_exit": 1.2}
FALLING, RISING, EVEN = [104.0, 103.0, 98.0], [98.0, 99.0, 104.0], [100.0, 101.0, 100.5]


@pytest.fixture
def closing_at(frame_of, candles_of):
    """Candles of these closes, the last of which closes `late_ms` after noon."""

    def make(closes, interval, late_ms=0):
        length_ms = INTERVAL_MS[interval]
        frame = frame_of(closes)
        opens_ms = NOON_MS + late_ms - length_ms * np.arange(len(closes), 0, -1)
        return candles_of(frame.set_index(pd.Index(opens_ms, name="open_time_ms")), length_ms)

    return make


def resampled(frame, interval_ms):
    """The complete candles of a larger interval, made of one-minute candles."""
    groups = frame.groupby(frame.index // interval_ms * interval_ms)
    return groups.agg(COLUMNS)[groups.size() == interval_ms // MINUTE_MS]


@pytest.mark.parametrize(
    ("closes", "larger_closes", "action", "reason"),
    [
        (FALLING, FALLING, Action.BUY, "z-score -1.40 < -1.2, confirmed on 15m: z-score -1.40"),
        (FALLING, RISING, Action.HOLD, "z-score -1.40 < -1.2, but not confirmed on 15m: z-score 1.40"),
        (FALLING, [99.0, 103.0, 101.0], Action.HOLD, "z-score -1.40 < -1.2, but not confirmed on 15m: z-score 0.00"),
        (
            FALLING,
            [98.0, 98.0, 98.0],
            Action.HOLD,
            "z-score -1.40 < -1.2, but not confirmed on 15m: flat market or broken candles: zscore undefined",
        ),
        (
            FALLING,
            FALLING[1:],
            Action.HOLD,
            "z-score -1.40 < -1.2, but not confirmed on 15m: warming up, 2 of 3 candles",
        ),
        (FALLING, [], Action.HOLD, "z-score -1.40 < -1.2, but not confirmed on 15m: warming up, 0 of 3 candles"),
        (FALLING, None, Action.BUY, "z-score -1.40 < -1.2"),
        (RISING, FALLING, Action.SELL, "z-score 1.40 > 1.2"),
        (RISING, [], Action.SELL, "z-score 1.40 > 1.2"),
        (EVEN, FALLING, Action.HOLD, "z-score 0.00 between -1.2 and 1.2"),
    ],
)
def test_an_entry_needs_the_larger_interval_and_an_exit_does_not(closes, larger_closes, action, reason, closing_at):
    larger = None if larger_closes is None else closing_at(larger_closes, "15m")
    signal = create_strategy("mean_reversion_zscore", ZSCORE).evaluate("X", closing_at(closes, "1m"), larger, "15m")
    assert (signal.action, signal.reason) == (action, reason)
    assert (signal.confidence > 0) is (action is not Action.HOLD)
    assert set(signal.indicators) == {"zscore"}


@pytest.mark.parametrize(
    ("late_ms", "confirmed"), [(-MINUTE_MS, True), (0, True), (1, False), (MINUTE_MS, False)], ids=str
)
def test_a_larger_candle_counts_once_it_is_closed(late_ms, confirmed, closing_at):
    """The newest larger candle turns the lean to buying: it counts when it closes with the smaller one or before."""
    larger = closing_at([*RISING, 90.0], "15m", late_ms)
    strategy = create_strategy("mean_reversion_zscore", ZSCORE)
    signal = strategy.evaluate("X", closing_at(FALLING, "1m"), larger, "15m")
    assert (signal.action is Action.BUY) is confirmed


@pytest.mark.parametrize(("minutes_old", "confirmed"), [(0, True), (14, True), (15, False), (80, False)])
def test_a_larger_candle_older_than_its_interval_confirms_nothing(minutes_old, confirmed, closing_at):
    larger = closing_at(FALLING, "15m", -minutes_old * MINUTE_MS)
    strategy = create_strategy("mean_reversion_zscore", ZSCORE)
    signal = strategy.evaluate("X", closing_at(FALLING, "1m"), larger, "15m")
    assert (signal.action is Action.BUY) is confirmed
    if not confirmed:
        assert signal.reason.endswith(f"but not confirmed on 15m: its last candle is {minutes_old * 60} s old")


def test_a_combination_says_what_each_voter_sees_on_the_larger_interval(walk, candles_of):
    frame = walk(3, 7000)
    strategy = create_strategy("combined_default")
    bought = strategy.signals(frame).iloc[5000:].query("action > 0").index[0]
    candles = candles_of(frame.loc[:bought].iloc[-400:])
    larger = candles_of(resampled(frame.loc[:bought], 5 * MINUTE_MS), 5 * MINUTE_MS)
    reason = strategy.evaluate("X", candles, larger, "5m").reason
    assert "confirmed on 5m: score " in reason
    assert reason.endswith(" up its bands)")


lively = st.sampled_from(["bollinger_bands", "donchian_breakout", "mean_reversion_zscore"])
lengths = st.sampled_from(["3m", "5m"])


@settings(max_examples=10, deadline=None)
@given(name=lively, interval=lengths, seed=st.integers(0, 10**6), data=st.data())
def test_live_says_in_each_row_what_the_whole_frame_says(name, interval, seed, data, walk, candles_of):
    """Also where candles are missing, in either interval, and with larger candles of the future at hand."""
    strategy, larger_ms = create_strategy(name), INTERVAL_MS[interval]
    frame = walk(seed, 260, 0.002)
    larger = resampled(frame, larger_ms)
    frame = frame.drop(frame.index[data.draw(st.lists(st.integers(0, 200), max_size=20))])
    larger = larger.drop(larger.index[data.draw(st.lists(st.integers(0, 50), max_size=10))])
    confirmed = confirm(strategy.signals(frame), strategy.signals(larger), MINUTE_MS, larger_ms)
    candles, larger_candles = candles_of(frame), candles_of(larger, larger_ms)
    larger_window = window_of(larger_candles)
    for row in range(len(frame) - 100, len(frame)):
        signal = strategy.evaluate("X", candles[: row + 1], larger_candles, interval)
        assert strategy.evaluate("X", candles[: row + 1], larger_window, interval) == signal
        assert signal.action is {1: Action.BUY, -1: Action.SELL, 0: Action.HOLD}[confirmed["action"].iloc[row]]
        assert signal.confidence == confirmed["confidence"].iloc[row]


@given(name=lively, interval=lengths, seed=st.integers(0, 10**6), cut=st.integers(1, 600))
def test_no_row_looks_ahead_in_either_interval(name, interval, seed, cut, walk):
    strategy, larger_ms = create_strategy(name), INTERVAL_MS[interval]
    frame = walk(seed, 600, 0.002)
    known = frame.iloc[:cut]
    now = confirm(strategy.signals(known), strategy.signals(resampled(known, larger_ms)), MINUTE_MS, larger_ms)
    later = confirm(strategy.signals(frame), strategy.signals(resampled(frame, larger_ms)), MINUTE_MS, larger_ms)
    pd.testing.assert_frame_equal(now, later.iloc[:cut], rtol=0, atol=0)


@given(name=lively, seed=st.integers(0, 10**6))
def test_only_unconfirmed_entries_change(name, seed, walk):
    strategy, larger_ms = create_strategy(name), 5 * MINUTE_MS
    frame = walk(seed, 600, 0.002)
    alone = strategy.signals(frame)
    confirmed = confirm(alone, strategy.signals(resampled(frame, larger_ms)), MINUTE_MS, larger_ms)
    held = (alone["action"] > 0) & (confirmed["confirmed_lean"] <= 0)
    assert (confirmed.loc[held, ["action", "confidence"]] == 0).all(axis=None)
    pd.testing.assert_frame_equal(confirmed.loc[~held, alone.columns], alone.loc[~held])
    assert confirmed["action"].dtype == confirmed["confirmed_lean"].dtype == np.int8


def test_a_lively_market_has_entries_that_are_confirmed_and_entries_that_are_not(walk):
    frame, strategy = walk(5, 4000), create_strategy("donchian_breakout")
    confirmed = confirm(
        strategy.signals(frame), strategy.signals(resampled(frame, 5 * MINUTE_MS)), MINUTE_MS, 5 * MINUTE_MS
    )
    entries = strategy.signals(frame)["action"] > 0
    assert 0 < (confirmed["action"] > 0).sum() < entries.sum()


def test_the_confirming_interval_must_be_the_larger_one(walk):
    signals = create_strategy("bollinger_bands").signals(walk(1))
    with pytest.raises(ValueError, match="candles of 60000 ms cannot confirm candles of 60000 ms"):
        confirm(signals, signals, MINUTE_MS, MINUTE_MS)

"""The ring of candles: whatever comes in whatever order, it says what `candle_series` says of the same candles."""

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from binance_trade_agent.domain.candle_series import candle_series
from binance_trade_agent.domain.candle_window import CandleWindow, window_of
from binance_trade_agent.domain.candles import MINUTE_MS, Candle
from binance_trade_agent.domain.values import replace
from binance_trade_agent.feed.ring import CandleRing, range_of_whole
from binance_trade_agent.history.recording import Known
from binance_trade_agent.strategies.frame import candle_frame
from tests.domain.test_candle_series import FIRST_MS, SPOILERS, candles

CAPACITY = 12
LATER_MS = FIRST_MS + 1_000 * MINUTE_MS  # everything has closed by then


def row(candle):
    prices = map(float, (candle.open, candle.high, candle.low, candle.close, candle.volume))
    return (candle.open_time_ms, candle.close_time_ms, *prices)


def ring_of(some, capacity=CAPACITY):
    ring = CandleRing(capacity)
    for candle in some:
        ring.put(row(candle))
    return ring


spoiled = st.builds(
    lambda candle, spoiler: replace(candle, **spoiler[0]),
    st.sampled_from(candles(30)),
    st.sampled_from([*SPOILERS.values()]),
)
some_candle = st.one_of(st.sampled_from(candles(30)), st.sampled_from(candles(30, price=101)), spoiled)
steps = st.lists(
    st.one_of(
        some_candle.map(lambda candle: [candle]),
        st.tuples(st.integers(0, 29), st.integers(1, 15)).map(lambda span: candles(30)[span[0] : span[0] + span[1]]),
    ),
    max_size=25,
)


def as_floats(candle):
    """What is left of a candle on its way through columns."""
    return window_of([candle])[0]


@given(steps)
def test_a_ring_says_what_candle_series_says_of_the_newest_candles_that_came(steps):
    ring, came = CandleRing(CAPACITY), {}
    for number, step in enumerate(steps):
        if len(step) == 1 and number % 2:
            ring.put(row(as_floats(step[0])))
        else:
            ring.merge(window_of(step))
        came |= {candle.open_time_ms: as_floats(candle) for candle in step}
        came = {open_ms: came[open_ms] for open_ms in sorted(came)[-CAPACITY:]}
    ours, theirs = ring.series(LATER_MS), candle_series((), came.values(), LATER_MS)
    assert list(ours.candles) == list(theirs.candles)
    assert {*ours.dropped} == {*theirs.dropped}
    assert ours.hole == theirs.hole
    if isinstance(ours.candles, CandleWindow) and ours.candles.are_finite:
        assert np.isfinite(ours.candles.numbers).all()


@given(st.lists(some_candle, max_size=15, unique_by=lambda candle: candle.open_time_ms))
def test_only_what_candle_series_takes_as_it_is_is_whole(some):
    some = sorted(map(as_floats, some), key=lambda candle: candle.open_time_ms)
    series = candle_series((), some, LATER_MS)
    is_taken_as_it_is = not series.dropped and series.hole is None
    assert range_of_whole(window_of(some)) is None or is_taken_as_it_is


def test_sound_candles_in_a_row_are_whole():
    lowest, highest = range_of_whole(window_of(candles(30)))
    assert (lowest, highest) == (
        float(min(candle.low for candle in candles(30))),
        float(max(candle.high for candle in candles(30))),
    )


@given(st.lists(st.one_of(st.none(), st.sampled_from([*SPOILERS.values()]), st.just([])), min_size=1, max_size=30))
def test_a_ring_that_is_asked_after_each_candle_says_what_candle_series_says(spoilers):
    """Each candle comes as it is (None), spoiled, or not at all (a hole)."""
    ring, came = CandleRing(CAPACITY), []
    for candle, spoiler in zip(candles(30), spoilers, strict=False):
        if spoiler == []:
            continue
        came.append(as_floats(replace(candle, **spoiler[0]) if spoiler else candle))
        if len(came) > 1 and came[-1].open_time_ms <= came[-2].open_time_ms:
            del came[-1]
            continue
        ring.put(row(came[-1]))
        ours, theirs = ring.series(LATER_MS), candle_series((), came[-CAPACITY:], LATER_MS)
        assert list(ours.candles) == list(theirs.candles)
        assert {*ours.dropped} == {*theirs.dropped}
        assert ours.hole == theirs.hole


@given(st.decimals("0.00000001", "99999", places=8), st.decimals(0, "999999", places=8))
def test_a_number_comes_back_as_the_decimal_that_it_was(price, volume):
    candle = Candle(0, 59_999, price, price, price, price, volume)
    assert window_of([candle])[0] == candle


def test_a_window_never_changes_whatever_comes_later():
    ring = ring_of(candles(CAPACITY))
    window = ring.window()
    before = list(window)
    for candle in candles(5 * CAPACITY, price=101):
        ring.put(row(candle))
    ring.merge(window_of(candles(CAPACITY, price=99)))
    assert list(window) == before


def test_columns_of_a_ring_lie_in_one_piece_and_those_of_sound_candles_are_known_to_be_finite():
    ring = ring_of(candles(CAPACITY))
    for _ in range(2):
        window = ring.series(LATER_MS).candles
        assert window.are_finite
        assert window[-5:].are_finite
        assert all(window[-5:].column(name).flags.c_contiguous for name in ("open", "high", "low", "close", "volume"))
        for candle in candles(5 * CAPACITY):
            ring.put(row(candle))
    assert not window_of(candles(CAPACITY)).are_finite


def test_a_strategy_may_do_with_its_frame_what_it_likes():
    window = window_of(candles(5))
    frame = candle_frame(window)
    frame.iloc[:, :] = 0.0
    assert list(window) == candles(5)


def test_a_frame_of_a_window_is_that_of_its_candles():
    window = window_of(candles(5))
    assert candle_frame(window).equals(candle_frame(list(window)))


def test_a_window_is_a_sequence_of_its_candles():
    expected = candles(5)
    window = window_of(expected)
    assert window == expected
    assert window == window_of(expected)
    assert window != expected[:4]
    assert list(reversed(window)) == expected[::-1]
    assert (window[0], window[-1], len(window)) == (expected[0], expected[-1], 5)
    assert isinstance(window[1:3], CandleWindow)
    assert list(window[1:3]) == expected[1:3]
    for outside in (5, -6):
        with pytest.raises(IndexError):
            window[outside]


def test_only_what_is_new_counts_as_a_change():
    ring = ring_of(candles(3))
    changes, series = ring.changes, ring.series(LATER_MS)
    assert not ring.put(row(candles(3)[1]))
    assert not ring.merge(window_of(candles(3)))
    assert ring.changes == changes
    assert ring.series(LATER_MS) is series, "made once for each change: the signal of the same series is the same"
    assert ring.merge(window_of(candles(3, price=101)))
    assert ring.put(row(candles(4)[3]))
    assert ring.last_close_ms == candles(4)[3].close_time_ms


def test_an_empty_ring_has_nothing():
    ring = CandleRing(CAPACITY)
    assert (len(ring), ring.last_close_ms, list(ring.series(LATER_MS).candles)) == (0, None, [])
    assert not ring.merge(window_of([]))


def test_the_kept_half_moves_without_losing_a_candle():
    expected = candles(5 * CAPACITY)
    ring = CandleRing(CAPACITY)
    for number, candle in enumerate(expected, start=1):
        ring.put(row(candle))
        assert list(ring.window()) == expected[max(0, number - CAPACITY) : number]
    assert np.all(np.diff(ring.window().times[:, 0]) == MINUTE_MS)
    assert ring.series(LATER_MS).candles[-1].close == Decimal(expected[-1].close)


@given(st.integers(0, 20), st.integers(0, 20), st.integers(0, 20), st.integers(0, 20), st.booleans())
def test_a_recording_says_of_a_window_what_it_says_of_its_candles(first, count, then, more, changed):
    before, now = candles(50)[first : first + count], candles(50)[then : then + more]
    if changed and before:
        before = [replace(before[0], close=Decimal(101)), *before[1:]]
    of_windows, of_lists = Known(), Known()
    for some in (before, now, now):
        ours, theirs = of_windows.shortened(("X", ""), window_of(some)), of_lists.shortened(("X", ""), some)
        assert ours == theirs

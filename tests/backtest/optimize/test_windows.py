"""Where is searched and where is judged."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from binance_trade_agent.backtest.optimize.model import OptimizeError, Span
from binance_trade_agent.backtest.optimize.windows import held_back, walking_forward
from binance_trade_agent.domain.candles import DAY_MS


def days(window):
    return tuple(
        (span.from_ms / DAY_MS, span.before_ms / DAY_MS) for span in (window.train, window.test) if span is not None
    )


PERIOD = Span(0, 40 * DAY_MS)


def test_the_end_of_the_period_is_kept_back():
    assert list(map(days, held_back(PERIOD, 0.25))) == [((0, 30), (30, 40))]
    assert list(map(days, held_back(PERIOD, 0))) == [((0, 40),)]


def test_a_long_period_is_cut_at_midnight():
    assert list(map(days, held_back(Span(DAY_MS // 3, 41 * DAY_MS), 0.25))) == [((1 / 3, 31), (31, 41))]


@pytest.mark.parametrize("fraction", [-0.1, 0.95, 1.0])
def test_most_of_the_period_is_searched(fraction):
    with pytest.raises(OptimizeError, match=f"^--holdout {fraction:g} is not allowed"):
        held_back(PERIOD, fraction)


def test_rolling_windows_move_on_by_a_test_span():
    found = walking_forward(PERIOD, 2, train_days=20, test_days=10)
    assert list(map(days, found)) == [((0, 20), (20, 30)), ((10, 30), (30, 40))]


def test_anchored_windows_grow():
    found = walking_forward(PERIOD, 2, train_days=20, test_days=10, anchored=True)
    assert list(map(days, found)) == [((0, 20), (20, 30)), ((0, 30), (30, 40))]


def test_without_lengths_a_window_is_searched_three_times_as_long_as_it_is_judged():
    assert days(walking_forward(PERIOD, 5)[0]) == ((0, 15), (15, 20))


def test_the_newest_candles_are_used_when_the_windows_are_shorter_than_the_period():
    assert days(walking_forward(PERIOD, 2, train_days=5, test_days=5)[0]) == ((25, 30), (30, 35))


def test_windows_that_do_not_fit_are_refused_with_their_lengths():
    with pytest.raises(OptimizeError) as refused:
        walking_forward(PERIOD, 5, train_days=20, test_days=10)
    assert str(refused.value) == (
        "5 windows do not fit into 40.0 days: --train-days 20 and 5 times --test-days 10 are 70.0."
    )


def test_a_cut_is_not_moved_to_the_midnight_at_which_all_begins():
    (kept_back,) = held_back(Span(0, 5 * DAY_MS // 2), 0.9)
    (walked,) = walking_forward(Span(0, 4 * DAY_MS), 1, test_days=3.5)
    assert (kept_back.train, walked.train) == (Span(0, DAY_MS // 4), Span(0, DAY_MS // 2))


@given(
    st.integers(0, 10**9),
    st.integers(4, 900),
    st.integers(1, 12),
    st.booleans(),
    st.one_of(st.none(), st.floats(0.2, 20)),
)
def test_no_window_is_judged_on_what_it_was_searched_on(start_ms, length_days, count, anchored, test_days):
    period = Span(start_ms, start_ms + length_days * DAY_MS)
    try:
        windows = walking_forward(period, count, test_days=test_days, anchored=anchored)
    except OptimizeError:
        return
    assert len(windows) == count
    assert windows[-1].test.before_ms == period.before_ms
    assert all(window.train.before_ms == window.test.from_ms for window in windows)
    assert all(left.test.before_ms == right.test.from_ms for left, right in itertools.pairwise(windows))
    assert all(span.length_ms > 0 for window in windows for span in (window.train, window.test))
    assert all(window.train.from_ms >= period.from_ms for window in windows)

"""Figures of equity curves and trades: against known values, and against plain loops."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from binance_trade_agent.domain.candles import DAY_MS, MINUTE_MS
from binance_trade_agent.reports import performance
from binance_trade_agent.reports.performance import Drawdown
from binance_trade_agent.reports.t_test import incomplete_beta, two_sided_p

JULY_31 = 1_722_384_000_000  # 2024-07-31T00:00Z
EMPTY = np.empty(0)
NO_TIMES = np.empty(0, dtype=np.int64)

RETURNS = [0.01, -0.02, 0.015, 0.0, 0.03, -0.005, -0.012, 0.008, 0.021, -0.017]
PROFITS = np.array([12.5, -8, 3.25, -4.5, 20, -11, 0, 6.75, -2.5, 9])

equities = st.lists(st.integers(50, 200), min_size=1, max_size=40)
profits = st.lists(st.integers(-20, 20), max_size=40)


def daily(values, first_ms: int = JULY_31):
    """A curve with one point a day, at midnight."""
    return first_ms + DAY_MS * np.arange(len(values), dtype=np.int64), np.array(values, dtype=float)


def growing_by(returns):
    return daily(1_000 * np.cumprod([1, *(1 + each for each in returns)]))


# --- Against other programs: empyrical-reloaded 0.5.10 with annualization=365, SciPy 1.17.1 ttest_1samp


@pytest.mark.parametrize(
    ("figure", "expected"),
    [
        (performance.sharpe, 3.4402715553717207),
        (performance.sortino, 6.187625819869305),
        (performance.cagr_pct, 185.21639308491955),
        (performance.calmar, 92.60819654245995),
    ],
)
def test_figures_of_a_year_are_those_of_empyrical(figure, expected):
    assert figure(*growing_by(RETURNS)) == pytest.approx(expected, rel=1e-9)


def test_the_t_test_of_the_mean_trade_is_that_of_scipy():
    assert performance.sqn(PROFITS) == pytest.approx(0.8347579654414876, rel=1e-12)
    assert performance.mean_p_value(PROFITS) == pytest.approx(0.4254567075193228, rel=1e-12)


@pytest.mark.parametrize(
    ("t", "degrees", "expected"),
    [
        # 2 * scipy.stats.t.sf(t, degrees), SciPy 1.17.1
        (0.1, 3, 0.9266523488008059),
        (2, 30, 0.054625044962983094),
        (3.3, 1_700, 0.000986849733623354),
        (-3.3, 1_700, 0.000986849733623354),
        (10, 100, 9.90168898459413e-17),
        (40, 10, 2.2808577430857535e-12),
        (1, 100_000, 0.3173129275641102),
        (0, 5, 1.0),
    ],
)
def test_tails_of_students_distribution(t, degrees, expected):
    assert two_sided_p(t, degrees) == pytest.approx(expected, rel=1e-9)


@given(st.floats(1e-6, 1e6))
def test_tails_that_have_a_formula(t):
    """Student's distribution of one, two and four degrees in closed form (Abramowitz and Stegun 26.7.3, 26.7.4)."""
    cosine = 1 / math.sqrt(1 + t * t / 4)
    assert two_sided_p(t, 1) == pytest.approx(2 / math.pi * math.atan2(1, t), rel=1e-12, abs=1e-14)
    assert two_sided_p(t, 2) == pytest.approx(1 - t / math.sqrt(2 + t * t), rel=1e-12, abs=1e-12)
    assert two_sided_p(t, 4) == pytest.approx(1 - t / 2 * cosine * (1 + cosine * cosine / 2), rel=1e-12, abs=1e-12)


def test_the_incomplete_beta_function_at_its_ends():
    assert (incomplete_beta(2, 3, 0, 1), incomplete_beta(2, 3, 1, 0)) == (0, 1)
    assert incomplete_beta(2, 3, 0.25, 0.75) == pytest.approx(0.26171875, rel=1e-14)  # a polynomial for whole numbers


# --- Days and months


def test_a_day_runs_from_midnight_to_midnight_and_midnight_ends_it():
    times = JULY_31 + np.array([0, 12 * 60, 24 * 60, 24 * 60 + 1, 48 * 60], dtype=np.int64) * MINUTE_MS
    equity = np.array([100.0, 90, 110, 111, 99])
    assert performance.daily_returns(times, equity) == pytest.approx([0.1, -0.1])
    days, closing = performance.daily_equity(times, equity)
    assert (days.tolist(), closing.tolist()) == ([JULY_31, JULY_31 + DAY_MS], [110, 99])


def test_a_day_without_a_tick_has_the_return_zero():
    times = JULY_31 + np.array([DAY_MS // 2, DAY_MS, 3 * DAY_MS + 1], dtype=np.int64)
    assert performance.daily_returns(times, np.array([100.0, 110, 121])) == pytest.approx([0.1, 0, 0, 0.1])


@given(st.lists(st.tuples(st.integers(1, 2_000), st.integers(50, 200)), min_size=1, max_size=40), st.integers(0, 1_440))
def test_daily_returns_are_those_of_a_plain_loop(steps, first_minute):
    times, equity, now = [], [], JULY_31 + first_minute * MINUTE_MS
    for minutes, value in steps:
        times.append(now)
        equity.append(float(value))
        now += minutes * MINUTE_MS
    closing = {}
    for at_ms, value in zip(times, equity, strict=True):
        closing[max(times[0] // DAY_MS, (at_ms - 1) // DAY_MS)] = value
    expected, before = [], equity[0]
    for day in range(min(closing), max(closing) + 1):
        expected.append(closing.get(day, before) / before - 1)
        before = closing.get(day, before)
    assert performance.daily_returns(np.array(times), np.array(equity)).tolist() == pytest.approx(expected)


def test_months_are_calendar_months_and_make_up_the_whole():
    curve = growing_by([0.1, 0.2, *([0.0] * 30), -0.5, 1.0])  # 31 July, August, 1 and 2 September
    months = performance.monthly_returns(*curve)
    assert [month.month for month in months] == ["2024-07", "2024-08", "2024-09"]
    assert [month.return_pct for month in months] == pytest.approx([10, 20, 0])
    assert performance.return_pct(curve[1]) == pytest.approx(32)


# --- Falls


def test_a_fall_that_was_made_up_for_says_when():
    times, equity = daily([100, 120, 90, 96, 120, 130])
    assert performance.drawdown(times, equity) == Drawdown(25, 30, times[1], times[2], times[4])


def test_a_fall_that_lasts_has_no_end():
    times, equity = daily([100, 120, 120, 60, 61])
    assert performance.drawdown(times, equity) == Drawdown(50, 60, times[2], times[3], None)


def test_a_curve_that_never_fell():
    assert performance.drawdown(*daily([100, 100, 120])) == Drawdown(0, 0, None, None, None)
    assert performance.calmar(*daily([100, 100, 120])) is None


@given(equities)
def test_the_deepest_fall_is_the_deepest_of_all_pairs(values):
    found = performance.drawdown(*daily(values))
    deepest = max(1 - low / high for first, high in enumerate(values) for low in values[first:])
    assert found.pct == pytest.approx(100 * deepest, abs=1e-12)
    if deepest:
        high, low = ((at - JULY_31) // DAY_MS for at in (found.from_ms, found.to_ms))
        assert found.quote == values[high] - values[low]
        assert 1 - values[low] / values[high] == pytest.approx(deepest)
        later = [day for day in range(low, len(values)) if values[day] >= values[high]]
        assert found.recovered_ms == (JULY_31 + later[0] * DAY_MS if later else None)


# --- Trades


def test_figures_of_trades():
    assert performance.win_rate_pct(PROFITS) == 50
    assert performance.profit_factor(PROFITS) == pytest.approx(51.5 / 26)
    assert performance.expectancy(PROFITS) == pytest.approx(2.55)
    assert performance.longest_streaks(PROFITS) == (1, 1)
    assert performance.longest_streaks(np.array([1.0, 2, 3, -1, -2, 4])) == (3, 2)


@given(profits)
def test_streaks_are_those_of_a_plain_loop(values):
    longest, run = {1: 0, 0: 0, -1: 0}, (0, 0)
    for value in values:
        sign = (value > 0) - (value < 0)
        run = (sign, run[1] + 1 if run[0] == sign else 1)
        longest[sign] = max(longest[sign], run[1])
    assert performance.longest_streaks(np.array(values, dtype=float)) == (longest[1], longest[-1])


@given(st.lists(st.tuples(st.integers(-5, 60), st.integers(0, 30)), max_size=8))
def test_time_in_the_market_counts_each_moment_once(spans):
    spans = [(first, first + length) for first, length in spans]
    covered = sum(any(first <= moment < last for first, last in spans) for moment in range(50))
    assert performance.time_in_market_pct(spans, 0, 50) == pytest.approx(2 * covered)


def test_what_positions_were_worth_and_how_often_money_was_turned_over():
    equity, exposure = np.array([100.0, 200]), np.array([50.0, 0])
    assert performance.invested_pct(equity, exposure) == 25
    assert performance.turnover(600, equity) == 4


# --- What is not defined


@pytest.mark.parametrize(
    "curve",
    [(NO_TIMES, EMPTY), daily([100]), daily([100, 101]), daily([100, 100, 100]), daily([100, 0, 100])],
    ids=["no tick", "one tick", "one day", "nothing moved", "all was lost"],
)
def test_ratios_without_a_meaning_are_none(curve):
    assert performance.sharpe(*curve) is None
    assert performance.sortino(*curve) is None
    assert performance.calmar(*curve) is None


def test_days_that_all_rise_alike_have_no_ratio():
    assert performance.sharpe(*growing_by([0.01] * 9)) is None
    assert performance.sortino(*growing_by([0.01] * 9)) is None


@pytest.mark.parametrize("curve", [(NO_TIMES, EMPTY), daily([100]), daily([100, 101]), daily([1, 1e200, 1e250])])
def test_growth_a_year_is_not_read_out_of_a_day_nor_beyond_numbers(curve):
    assert performance.cagr_pct(*curve) is None


@pytest.mark.parametrize(
    "figure",
    [
        performance.win_rate_pct,
        performance.profit_factor,
        performance.expectancy,
        performance.sqn,
        performance.mean_p_value,
    ],
)
def test_without_trades_nothing_is_known_of_them(figure):
    assert figure(EMPTY) is None


def test_figures_that_need_a_loss_or_a_second_trade():
    assert performance.profit_factor(np.array([1.0, 2])) is None
    assert performance.profit_factor(np.array([-1.0])) == 0
    assert performance.sqn(np.array([1.0])) is None
    assert performance.sqn(np.array([0.1] * 7)) is None
    assert performance.mean_p_value(np.array([0.1] * 7)) is None


def test_without_a_curve_nothing_is_known_of_it():
    assert performance.return_pct(EMPTY) is None
    assert performance.drawdown(NO_TIMES, EMPTY) is None
    assert performance.monthly_returns(NO_TIMES, EMPTY) == []
    assert [part.tolist() for part in performance.daily_equity(NO_TIMES, EMPTY)] == [[], []]
    assert performance.invested_pct(EMPTY, EMPTY) is None
    assert performance.turnover(1, EMPTY) is None
    assert performance.time_in_market_pct([], 5, 5) is None

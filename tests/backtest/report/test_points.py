"""What is drawn of long arrays, and where round numbers and times stand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from binance_trade_agent.backtest.report.axes import WIDTH, Axes
from binance_trade_agent.backtest.report.points import evenly, extremes, grouped
from binance_trade_agent.domain.candles import DAY_MS, MINUTE_MS
from tests.backtest.report.made_results import START_MS, walk

values = st.lists(st.integers(-50, 50), min_size=1, max_size=120).map(lambda numbers: np.array(numbers, dtype=float))


@given(values, st.integers(4, 40))
def test_fewer_points_keep_both_ends_and_every_extreme_of_a_stretch(numbers, most):
    rows = extremes(numbers, most)
    assert (rows[0], rows[-1]) == (0, len(numbers) - 1)
    assert (np.diff(rows) > 0).all()
    assert len(rows) <= most + 2
    if len(numbers) <= most:
        assert rows.tolist() == list(range(len(numbers)))
        return
    size = -(-len(numbers) // (most // 2))
    for start in range(0, len(numbers), size):
        stretch, kept = numbers[start : start + size], numbers[rows[(rows >= start) & (rows < start + size)]]
        assert {stretch.min(), stretch.max()} <= set(kept)


@given(st.integers(1, 300), st.integers(2, 50))
def test_even_points_have_both_ends(count, most):
    rows = evenly(count, most)
    assert (rows[0], rows[-1], len(rows)) == (0, count - 1, min(count, most))


def test_of_nothing_there_is_nothing_to_draw():
    assert evenly(0, 5).tolist() == []


@given(st.integers(1, 60), st.integers(1, 20))
def test_joined_candles_are_those_of_a_plain_loop(count, most):
    table = walk("BTCUSDT", count)
    times, prices = grouped(table, most)
    assert len(times) <= most
    size = -(-count // most)
    for number, start in enumerate(range(0, count, size)):
        rows = slice(start, start + size)
        assert times[number] == table.open_times_ms[start]
        expected = (table.open[start], max(table.high[rows]), min(table.low[rows]), table.close[rows][-1])
        assert tuple(prices[number]) == expected


@pytest.mark.parametrize(
    ("low", "high", "texts"),
    [
        (9_600, 12_400, ["10,000", "10,500", "11,000", "11,500", "12,000"]),
        (-0.02, 0.05, ["-0.02", "0.00", "0.02", "0.04"]),
        (0.00001, 0.00002, ["0.000010", "0.000012", "0.000014", "0.000016", "0.000018", "0.000020"]),
    ],
)
def test_values_are_labelled_at_round_numbers(low, high, texts):
    assert [label.text for label in Axes(0, 1, low, high, 100).value_labels()] == texts


@pytest.mark.parametrize(
    ("days", "texts"),
    [
        (1 / 24, ["31 Jan", "00:15", "00:30", "00:45", "01:00"]),
        (2, ["31 Jan", "12:00", "1 Feb", "12:00", "2 Feb"]),
        (40, ["1 Feb", "15 Feb", "29 Feb"]),
        (400, ["Apr", "Jul", "Oct", "2025"]),
        (4_000, ["2025", "2030", "2035"]),
    ],
)
def test_times_are_labelled_at_round_times(days, texts):
    axes = Axes(START_MS, START_MS + round(days * DAY_MS), 0, 1, 100)
    assert [label.text for label in axes.time_labels(5)] == texts


@given(st.integers(1, 10**6), values)
def test_everything_lies_within_the_picture(minutes, numbers):
    axes = Axes.around(START_MS, START_MS + minutes * MINUTE_MS, numbers, 100)
    assert ((axes.y(numbers) >= 0) & (axes.y(numbers) <= 100)).all()
    assert axes.x(np.array([axes.from_ms, axes.to_ms])).tolist() == [0, WIDTH]
    labels = [*axes.value_labels(), *axes.time_labels(9)]
    assert all(0 <= label.at <= 1 for label in labels)
    assert 1 <= len(axes.value_labels()) <= 8

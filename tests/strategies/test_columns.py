"""The last row of a built-in strategy, made without a frame, is that of its signals over one."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from binance_trade_agent.domain.candle_window import CandleWindow
from binance_trade_agent.strategies.base import is_built_in
from binance_trade_agent.strategies.columns import WindowColumns
from binance_trade_agent.strategies.frame import candle_frame
from binance_trade_agent.strategies.registry import built_in_names, create_strategy
from binance_trade_agent.strategies.rsi_momentum import RsiMomentum, RsiParams


def walk(seed, count, flat, broken):
    """A random walk that stands still over its last `flat` candles; the close of one candle, if any, is no number."""
    random = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(random.normal(0, 0.004, count)))
    opened = np.concatenate(([100.0], close[:-1]))
    numbers = np.column_stack(
        [opened, np.maximum(opened, close) * 1.001, np.minimum(opened, close) * 0.999, close, random.random(count)]
    )
    if flat:
        numbers[-flat:, :4] = numbers[-flat - 1, 3]
    if broken is not None:
        numbers[broken, 3] = np.nan
    opens_ms = np.arange(count) * 60_000
    return CandleWindow(np.column_stack([opens_ms, opens_ms + 59_999]), numbers)


windows = st.builds(
    walk,
    seed=st.integers(0, 9_999),
    count=st.sampled_from([100, 299, 300, 350, 500]),
    flat=st.sampled_from([0, 0, 0, 5, 14, 40]),
    broken=st.sampled_from([None, None, None, 0, 50, -1]),
)


@pytest.mark.parametrize("name", built_in_names())
@settings(max_examples=30)
@given(window=windows)
def test_the_last_row_without_a_frame_is_that_of_the_whole_frame(name, window):
    strategy = create_strategy(name)
    columns = strategy.columns(candle_frame(window))
    expected = {column: float(values[-1]) for column, values in columns.items()}
    row = strategy.last_row(window)
    assert list(row) == list(expected)
    np.testing.assert_equal(row, expected)


@given(window=windows)
def test_columns_are_those_of_a_frame(window):
    columns, frame = WindowColumns(window), candle_frame(window)
    assert len(columns) == len(frame)
    for name in frame:
        np.testing.assert_array_equal(columns[name].to_numpy(), frame[name].to_numpy())


def test_what_somebody_makes_of_a_built_in_strategy_gets_a_frame():
    class Mine(RsiMomentum):
        def vote(self, frame):
            seen.append(frame.rolling(3).mean())
            return super().vote(frame)

    seen = []
    mine, window = Mine(RsiParams()), walk(1, 400, 0, None)
    assert not is_built_in(mine)
    assert mine.last_row(window) == create_strategy("rsi_momentum").last_row(window)
    assert len(seen) == 1

"""What a built-in strategy says of the last candle alone is what it says of it among all, bit for bit."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from binance_trade_agent.domain.candle_window import CandleWindow
from binance_trade_agent.strategies import indicators
from binance_trade_agent.strategies.base import is_built_in
from binance_trade_agent.strategies.frame import candle_frame
from binance_trade_agent.strategies.last_candle import LastCandle
from binance_trade_agent.strategies.params import bounds, kind_of
from binance_trade_agent.strategies.readings import EveryCandle
from binance_trade_agent.strategies.registry import built_in_names, create_strategy
from binance_trade_agent.strategies.rsi_momentum import RsiMomentum, RsiParams

READINGS = {
    "rsi": [(2,), (14,)],
    "macd": [(12, 26, 9), (2, 3, 2)],
    "bollinger": [(20, 2.0), (2, 0.1)],
    "atr": [(2,), (14,)],
    "ema": [(2,), (50,)],
    "zscore": [(3,), (30,)],
    "donchian": [(20, 10), (2, 2), (3, 30)],
    "supertrend": [(10, 3.0), (2, 0.5), (45, 6.0)],
}


def walk(seed, count, flat, broken, volatility=0.004):
    """A random walk that stands still over its last `flat` candles; the close of one candle, if any, is no number."""
    random = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(random.standard_t(3, count) * volatility))
    opened = np.concatenate(([100.0], close[:-1]))
    numbers = np.column_stack(
        [opened, np.maximum(opened, close) * 1.001, np.minimum(opened, close) * 0.999, close, random.random(count)]
    )
    if flat := min(flat, count - 1):
        numbers[-flat:, :4] = numbers[-flat - 1, 3]
    if broken is not None:
        numbers[max(-count, min(broken, count - 1)), 3] = np.nan
    opens_ms = np.arange(count) * 60_000
    return CandleWindow(np.column_stack([opens_ms, opens_ms + 59_999]), numbers, are_finite=broken is None)


windows = st.builds(
    walk,
    seed=st.integers(0, 9_999),
    count=st.sampled_from([100, 299, 300, 350, 500]) | st.integers(1, 60),
    flat=st.just(0) | st.integers(0, 60),
    broken=st.sampled_from([None, None, None, 0, 50, -2, -1]),
    volatility=st.sampled_from([0.0005, 0.004, 0.03]),
)


def last_of(columns):
    return {column: float(values[-1]) for column, values in columns.items()}


@pytest.mark.parametrize("name", built_in_names())
@settings(max_examples=30)
@given(window=windows)
def test_the_last_row_without_a_frame_is_that_of_the_whole_frame(name, window):
    strategy = create_strategy(name)
    expected = last_of(strategy.columns(candle_frame(window)))
    row = strategy.last_row(window)
    assert list(row) == list(expected)
    np.testing.assert_equal(row, expected)


def any_params(model):
    """Values of some parameters within their bounds, which may contradict each other."""
    values = {}
    for name in model.model_fields:
        least, most = bounds(model, name)
        values[name] = st.integers(least, most) if kind_of(model, name) is int else st.floats(least, most)
    return st.fixed_dictionaries({}, optional=values)


@pytest.mark.parametrize("name", sorted({type(create_strategy(name)).name for name in built_in_names()}))
@settings(max_examples=40)
@given(data=st.data(), seed=st.integers(0, 9_999), volatility=st.sampled_from([0.0005, 0.004, 0.03]))
def test_it_is_so_with_any_parameters(name, data, seed, volatility):
    kind = type(create_strategy(name))
    try:
        strategy = kind(kind.Params(**data.draw(any_params(kind.Params))))
    except ValidationError:
        assume(False)
    window = walk(seed, strategy.warm_up + data.draw(st.integers(-1, 100)), 0, None, volatility)
    np.testing.assert_equal(strategy.last_row(window), last_of(strategy.columns(candle_frame(window))))


@pytest.mark.parametrize(("reading", "numbers"), [(name, given) for name, all_ in READINGS.items() for given in all_])
@settings(max_examples=60)
@given(window=windows, before=st.integers(0, 70))
def test_a_reading_is_the_last_element_of_its_indicator_and_earlier_ones_those_before(reading, numbers, window, before):
    before = min(before, len(window) - 1)
    with np.errstate(all="ignore"):  # a z-score of narrow bands
        expected = getattr(EveryCandle(candle_frame(window)), reading)(*numbers)
    last = LastCandle(window)
    for seen, row in ((last, -1), (last.before(before), -1 - before), (last, -1)):
        np.testing.assert_equal(
            getattr(seen, reading)(*numbers),
            tuple(values[row] for values in expected) if isinstance(expected, tuple) else expected[row],
        )
    assert last.before(len(window)) is None


@pytest.mark.parametrize(("reading", "numbers"), [(name, given) for name, all_ in READINGS.items() for given in all_])
def test_a_reading_is_lost_in_a_market_that_stands_still_when_its_indicator_is(reading, numbers):
    for still in range(60):
        window = walk(5, 300, still, None)
        with np.errstate(all="ignore"):
            expected = getattr(EveryCandle(candle_frame(window)), reading)(*numbers)
        last = tuple(values[-1] for values in expected) if isinstance(expected, tuple) else expected[-1]
        np.testing.assert_equal(getattr(LastCandle(window), reading)(*numbers), last)


@settings(max_examples=200)
@given(
    seed=st.integers(0, 10**6),
    period=st.integers(2, 12),
    multiplier=st.floats(0.5, 6),
    rows=st.integers(2, 200),
    volatility=st.sampled_from([0.0005, 0.004, 0.05]),
)
def test_what_the_last_candles_make_certain_of_a_supertrend_is_so_whatever_was_before(
    seed, period, multiplier, rows, volatility
):
    window = walk(seed, 500, 0, None, volatility)
    high, low, close = map(window.column, ("high", "low", "close"))
    whole = indicators.supertrend(high, low, close, period, multiplier)
    mean_range = indicators.range_line(high, low, close, period)
    ends = (each[-rows:] for each in (high, low, close, mean_range))
    for ours, theirs in zip(indicators.supertrend_lines(*ends, multiplier, 1), whole, strict=True):
        is_certain = np.isfinite(ours)
        np.testing.assert_array_equal(ours[is_certain], theirs[-rows:][is_certain])


@given(window=windows)
def test_the_columns_of_a_window_are_those_of_a_frame(window):
    frame = candle_frame(window)
    assert len(window) == len(frame)
    for name in frame:
        np.testing.assert_array_equal(window.column(name), frame[name].to_numpy())


@pytest.mark.parametrize("name", built_in_names())
def test_a_window_and_the_candles_in_it_have_the_same_signal_and_its_words_are_made_when_they_are_read(name):
    strategy = create_strategy(name)
    for seed in range(5):
        window = walk(seed, strategy.warm_up + 50, 0, None)
        signal = strategy.evaluate("BTCUSDT", window)
        row = last_of(strategy.columns(candle_frame(window)))
        assert signal == strategy.signal_of_row("BTCUSDT", row, window.last_open_ms)
        assert signal.reason == strategy.reason(row)
    assert strategy.evaluate("BTCUSDT", list(window)) == signal


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

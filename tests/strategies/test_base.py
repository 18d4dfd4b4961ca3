"""What holds for every strategy: warming up, flat and broken markets, no look-ahead, bounds, scale."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from binance_trade_agent.domain.signals import Action
from binance_trade_agent.strategies.base import Strategy, Votes, directions
from binance_trade_agent.strategies.params import StrategyParams
from binance_trade_agent.strategies.registry import create_strategy, strategy_names

every_strategy = pytest.mark.parametrize("name", strategy_names())
# These enter and leave by different thresholds; with the same ones they are as even-handed as the others.
EVEN_HANDED = {
    "donchian_breakout": {"donchian_entry": 20, "donchian_exit": 20},
    "mean_reversion_zscore": {"zscore_entry": -2, "zscore_exit": 2},
}
markets = {"seed": st.integers(0, 10**6), "volatility": st.sampled_from([0.00002, 0.0005, 0.003, 0.03])}


@every_strategy
@settings(max_examples=15)
@given(**markets, cut=st.integers(1, 400))
def test_the_signals_of_a_prefix_are_the_prefix_of_the_signals(name, seed, volatility, cut, walk):
    frame, strategy = walk(seed, volatility=volatility), create_strategy(name)
    pd.testing.assert_frame_equal(
        strategy.signals(frame.iloc[:cut]), strategy.signals(frame).iloc[:cut], rtol=0, atol=0
    )


@every_strategy
@settings(max_examples=10)
@given(**markets, start=st.integers(1, 300))
def test_beyond_the_warm_up_a_shorter_history_says_the_same_or_holds(name, seed, volatility, start, walk):
    frame, strategy = walk(seed, 1200, volatility), create_strategy(name)
    whole, later = strategy.signals(frame).iloc[start:], strategy.signals(frame.iloc[start:])
    for column in ("action", "lean"):
        differs = (later[column] != 0) & (later[column] != whole[column])
        assert differs.mean() < 0.005  # a value on the threshold may fall to either side
    same = (later["action"] == whole["action"]).to_numpy()
    np.testing.assert_allclose(later["confidence"][same], whole["confidence"][same], atol=1e-3)


@every_strategy
@settings(max_examples=15)
@given(**markets)
def test_a_lean_is_a_direction_and_nowhere_before_the_warm_up_is_over(name, seed, volatility, walk):
    strategy = create_strategy(name)
    lean = strategy.signals(walk(seed, volatility=volatility))["lean"]
    assert lean.dtype == np.int8
    assert lean.isin([-1, 0, 1]).all()
    assert (lean.iloc[: strategy.warm_up - 1] == 0).all()


@every_strategy
@settings(max_examples=5)
@given(**markets, cut=st.integers(1, 400))
def test_a_live_tick_says_what_the_whole_frame_says_in_that_row(name, cut, walk, candles_of, **market):
    frame, strategy = walk(**market), create_strategy(name)
    signal = strategy.evaluate("BTCUSDT", candles_of(frame.iloc[:cut]))
    row = strategy.signals(frame).iloc[cut - 1]
    assert signal.action.value == {1: "BUY", -1: "SELL", 0: "HOLD"}[int(row["action"])]
    assert signal.confidence == row["confidence"]
    assert signal.candle_open_ms == frame.index[cut - 1]
    assert signal.strategy == name
    if cut >= strategy.warm_up:
        numbers = {column: float(value) for column, value in row.items()}
        assert strategy.signal_of_row("BTCUSDT", numbers, signal.candle_open_ms) == signal


@every_strategy
@settings(max_examples=15)
@given(**markets)
def test_actions_and_confidences_are_in_their_bounds(name, seed, volatility, walk):
    signals = create_strategy(name).signals(walk(seed, volatility=volatility))
    assert signals["action"].dtype == np.int8
    assert signals["action"].isin([-1, 0, 1]).all()
    assert signals["confidence"][signals["action"] != 0].between(0.5, 1).all()
    assert (signals["confidence"][signals["action"] == 0] == 0).all()


@every_strategy
@settings(max_examples=15)
@given(**markets, exponent=st.integers(-20, 20))
def test_the_scale_of_the_price_changes_no_decision(name, seed, volatility, exponent, walk):
    # Powers of two change no digit of a float, so that the comparison may be exact.
    frame, strategy = walk(seed, volatility=volatility), create_strategy(name)
    columns = ["action", "confidence"]
    pd.testing.assert_frame_equal(
        strategy.signals(frame)[columns], strategy.signals(frame * 2.0**exponent)[columns], rtol=0, atol=0
    )


@every_strategy
@settings(max_examples=10)
@given(**markets)
def test_prices_upside_down_turn_buys_into_sells(name, seed, volatility, walk):
    # Mirrored around 120,000 every change has the other sign; the indicators are linear in the price.
    frame = walk(seed, volatility=min(volatility, 0.003))
    mirrored = 120_000 - frame
    mirrored["high"], mirrored["low"] = 120_000 - frame["low"], 120_000 - frame["high"]
    made = create_strategy(name)
    strategy = create_strategy(name, EVEN_HANDED.get(type(made).name))
    for column in ("action", "lean"):
        ours, theirs = strategy.signals(frame)[column], strategy.signals(mirrored)[column]
        assert (ours != -theirs).mean() < 0.01  # a value on the threshold may fall to either side


@every_strategy
def test_too_few_candles_are_a_hold_that_counts_them(name, walk, candles_of):
    strategy = create_strategy(name)
    signal = strategy.evaluate("BTCUSDT", candles_of(walk(1, strategy.warm_up - 1)))
    assert signal.action is Action.HOLD
    assert signal.reason == f"warming up: {strategy.warm_up - 1} of {strategy.warm_up} candles"
    assert strategy.evaluate("BTCUSDT", []).reason == f"warming up: 0 of {strategy.warm_up} candles"
    assert "warming" not in strategy.evaluate("BTCUSDT", candles_of(walk(1, strategy.warm_up))).reason


@every_strategy
@pytest.mark.parametrize("price", [0.1, 66_120.1])
def test_a_flat_market_is_a_hold(name, price, frame_of, candles_of):
    strategy = create_strategy(name)
    signal = strategy.evaluate("BTCUSDT", candles_of(frame_of([price] * (strategy.warm_up + 100))))
    assert (signal.action, signal.confidence) == (Action.HOLD, 0.0)
    assert signal.reason.startswith("flat market")


@every_strategy
def test_a_market_that_went_flat_after_movement_is_a_hold(name, walk, frame_of, candles_of):
    strategy = create_strategy(name)
    moved = walk(17, strategy.warm_up + 100)["close"].tolist()
    signal = strategy.evaluate("BTCUSDT", candles_of(frame_of(moved + [moved[-1]] * 30)))
    assert signal.action is Action.HOLD


@every_strategy
def test_a_candle_that_is_not_a_number_is_a_hold(name, walk, candles_of):
    strategy = create_strategy(name)
    frame = walk(3, strategy.warm_up + 100)
    frame.iloc[-5, :4] = float("nan")
    signal = strategy.evaluate("BTCUSDT", candles_of(frame))
    assert signal.action is Action.HOLD
    assert "broken candles" in signal.reason


@every_strategy
def test_both_directions_come_up_in_a_lively_market(name, walk):
    actions = create_strategy(name).signals(walk(6, 4000))["action"]
    assert {-1, 1} <= set(actions)


@every_strategy
def test_indicators_of_a_signal_are_finite_floats_by_name(name, walk, candles_of):
    strategy = create_strategy(name)
    signal = strategy.evaluate("BTCUSDT", candles_of(walk(12, strategy.warm_up + 100)))
    assert signal.indicators
    assert all(isinstance(value, float) and np.isfinite(value) for value in signal.indicators.values())
    assert not {"action", "confidence", "lean"} & signal.indicators.keys()


class Plain(Strategy[StrategyParams]):
    """Buys a rise and sells a fall; what it votes with, and whether it leans, is set from outside."""

    name, summary, Params, warm_up = "plain", "for tests", StrategyParams, 2
    votes_with, shows = 1, "change"

    def vote(self, frame):
        change = np.diff(frame["close"].to_numpy(), prepend=np.nan)
        direction = directions(change > 0, change < 0) * np.int8(self.votes_with)
        return Votes(direction, np.ones(len(frame)), {self.shows: change})

    def reason(self, row):
        return f"change {row['change']:g}"


def test_a_strategy_without_a_lean_leans_the_way_it_votes(frame_of):
    signals = Plain(StrategyParams()).signals(frame_of([1.0, 2.0, 2.0, 1.0]))
    assert signals["lean"].tolist() == signals["action"].tolist() == [0, 1, 0, -1]


def test_a_vote_that_is_no_direction_is_an_error(frame_of):
    strategy = Plain(StrategyParams())
    strategy.votes_with = 2
    with pytest.raises(ValueError, match="plain voted something else than 1"):
        strategy.signals(frame_of([1.0, 2.0]))


def test_an_indicator_may_not_take_the_name_of_a_column_of_the_signals(frame_of):
    strategy = Plain(StrategyParams())
    strategy.shows = "lean"
    with pytest.raises(ValueError, match="plain has an indicator named lean"):
        strategy.signals(frame_of([1.0, 2.0]))


def test_words_that_cannot_be_said_come_out_while_the_strategy_is_asked(frame_of, candles_of):
    class Mute(Plain):
        def reason(self, row):
            raise LookupError(f"no words for {sorted(row)}")

    with pytest.raises(LookupError, match="no words"):
        Mute(StrategyParams()).evaluate("BTCUSDT", candles_of(frame_of([1.0, 2.0])))

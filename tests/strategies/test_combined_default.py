"""The combination: what the votes add up to, and how it explains itself."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from binance_trade_agent.domain.signals import Action
from binance_trade_agent.strategies.registry import BadStrategyParams, create_strategy

VOTES = ["rsi_vote", "macd_vote", "bollinger_vote"]
VOTERS = {
    "rsi_vote": "rsi_momentum",
    "macd_vote": "macd_crossover",
    "bollinger_vote": "bollinger_bands",
    "ema_vote": "ema_crossover",
    "supertrend_vote": "supertrend",
    "donchian_vote": "donchian_breakout",
    "zscore_vote": "mean_reversion_zscore",
}
ALL_VOTE = {f"{vote.removesuffix('_vote')}_weight": weight for weight, vote in enumerate(VOTERS, 1)}


def test_each_vote_is_the_voters_own_signal(walk):
    frame = walk(21, 900)
    combined = create_strategy("combined_default", ALL_VOTE).signals(frame)
    for column, name in VOTERS.items():
        alone = create_strategy(name).signals(frame).iloc[300:]
        expected = (alone["action"] * alone["confidence"]).to_numpy()
        assert combined[column].iloc[300:].to_numpy() == pytest.approx(expected), name


@given(
    seed=st.integers(0, 10**6),
    weights=st.tuples(*[st.floats(0, 100)] * 3).filter(lambda weights: sum(weights) > 0.01),
    threshold=st.floats(0.01, 0.99),
)
def test_the_score_is_the_weighted_mean_and_the_threshold_decides(seed, weights, threshold, walk):
    names = ("rsi_weight", "macd_weight", "bollinger_weight")
    params = {**dict(zip(names, weights, strict=True)), "vote_threshold": threshold}
    signals = create_strategy("combined_default", params).signals(walk(seed)).iloc[300:]
    heard = [(vote, weight) for vote, weight in zip(VOTES, weights, strict=True) if weight > 0]
    assert [vote for vote in signals if vote.endswith("_vote")] == [vote for vote, _ in heard]
    votes = signals[[vote for vote, _ in heard]].to_numpy()
    mean = np.average(votes, axis=1, weights=[weight for _, weight in heard])
    assert signals["score"].to_numpy() == pytest.approx(mean, abs=1e-12)
    decided = np.where(signals["score"] >= threshold, 1, np.where(signals["score"] <= -threshold, -1, 0))
    assert (signals["action"] == decided).all()


def test_one_voter_decides_when_no_other_contradicts(walk):
    signals = create_strategy("combined_default").signals(walk(8, 1500)).iloc[300:]
    alone = signals[(signals[VOTES] != 0).sum(axis=1) == 1]
    assert len(alone) > 20
    assert (alone["action"] == np.sign(alone[VOTES].sum(axis=1))).all()


def test_a_weight_of_zero_silences_a_voter(walk):
    frame = walk(13, 700)
    only_rsi = create_strategy("combined_default", {"macd_weight": 0, "bollinger_weight": 0}).signals(frame)
    assert (only_rsi["action"].iloc[300:] == create_strategy("rsi_momentum").signals(frame)["action"].iloc[300:]).all()


def test_with_the_defaults_three_vote_alike(walk):
    strategy = create_strategy("combined_default")
    assert [name for name in strategy.signals(walk(1)) if name.endswith("_vote")] == VOTES
    assert strategy.warm_up == 300


def test_a_voter_without_weight_needs_no_candles():
    only_zscore = {**dict.fromkeys(ALL_VOTE, 0), "zscore_weight": 2, "zscore_period": 7, "rsi_period": 70}
    assert create_strategy("combined_default", only_zscore).warm_up == 7


def test_one_request_for_candles_covers_the_longest_warm_up_of_all_voters():
    longest = {"rsi_period": 70, "macd_slow": 100, "macd_signal": 40, "bollinger_period": 300, "ema_slow": 140}
    longest |= {"supertrend_period": 45, "supertrend_multiplier": 6, "donchian_entry": 300, "zscore_period": 300}
    assert create_strategy("combined_default", {**ALL_VOTE, **longest}).warm_up == 980


@pytest.mark.parametrize(
    "contradiction",
    [
        {"rsi_oversold": 80},
        {"macd_fast": 50},
        {"ema_fast": 50},
        {"donchian_exit": 50},
        {"zscore_exit": -3},
    ],
    ids=lambda params: next(iter(params)),
)
def test_the_parameters_of_each_voter_are_checked_together_as_its_own_are(contradiction):
    with pytest.raises(BadStrategyParams, match=f"{next(iter(contradiction))} is|zscore_entry is -2: it must be below"):
        create_strategy("combined_default", contradiction)


def test_it_leans_as_the_weighted_sum_of_its_voters(walk):
    frame = walk(9, 900)
    combined = create_strategy("combined_default", ALL_VOTE)
    leans = [create_strategy(name).signals(frame)["lean"].iloc[300:] for name in VOTERS.values()]
    summed = np.sign(np.sum([weight * lean for weight, lean in enumerate(leans, 1)], axis=0))
    assert (combined.signals(frame)["lean"].iloc[300:] == summed).all()
    assert set(summed) == {-1, 0, 1}


def test_leans_that_cancel_out_are_none_whatever_the_weights_round_to(walk):
    frame = walk(9, 900)
    weights = {**dict.fromkeys(ALL_VOTE, 0), "rsi_weight": 0.1, "macd_weight": 0.2, "bollinger_weight": 0.3}
    lean = create_strategy("combined_default", weights).signals(frame)["lean"].iloc[300:]
    rsi, macd, bollinger = (
        create_strategy(name).signals(frame)["lean"].iloc[300:]
        for name in ("rsi_momentum", "macd_crossover", "bollinger_bands")
    )
    even = (rsi == macd) & (bollinger == -rsi) & (rsi != 0)
    assert even.any()
    assert (lean[even] == 0).all()


def test_the_reason_has_each_vote_and_the_score_against_the_threshold(frame_of, candles_of):
    calm = [100.0, 101.0] * 160
    crash = [101.0 - 2 * step for step in range(1, 10)]
    signal = create_strategy("combined_default").evaluate("BTCUSDT", candles_of(frame_of(calm + crash)))
    assert signal.action is Action.BUY
    assert signal.reason.startswith("score +")
    assert ">= 0.15: rsi BUY 0." in signal.reason
    assert "(RSI " in signal.reason
    assert "), macd HOLD (" in signal.reason
    assert " its signal), bollinger " in signal.reason


def test_a_vote_to_hold_still_shows_what_was_seen(walk):
    strategy = create_strategy("combined_default")
    signals = strategy.signals(walk(13, 700)).iloc[300:]
    quiet = signals[(signals["rsi_vote"] == 0) & (signals["macd_vote"] == 0) & (signals["bollinger_vote"] == 0)]
    reason = strategy.reason(quiet.iloc[0].to_dict())
    assert re.fullmatch(
        r"score \+0\.00 within ±0\.15: rsi HOLD \(RSI \d+\.\d\), "
        r"macd HOLD \(\S+ (above|below) its signal\), bollinger HOLD \(\d+ % up its bands\)",
        reason,
    )

"""The combination: what the votes add up to, and how it explains itself."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from binance_trade_agent.domain.signals import Action
from binance_trade_agent.strategies.registry import create_strategy

VOTES = ["rsi_vote", "macd_vote", "bollinger_vote"]
VOTERS = {"rsi_vote": "rsi_momentum", "macd_vote": "macd_crossover", "bollinger_vote": "bollinger_bands"}


def test_each_vote_is_the_voters_own_signal(walk):
    frame = walk(21, 900)
    combined = create_strategy("combined_default").signals(frame)
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

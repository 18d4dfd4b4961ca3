"""Consensus and agreement, worked out by hand."""

import numpy as np
import pytest

from binance_trade_agent.domain.signals import Action
from binance_trade_agent.domain.values import replace
from binance_trade_agent.strategies.base import Strategy, Votes
from binance_trade_agent.strategies.comparison import Comparison, Opinion, compare
from binance_trade_agent.strategies.params import StrategyParams


class Scripted(Strategy[StrategyParams]):
    """Says what it was made with, in a circle, with a confidence of a half."""

    summary = "says its script"
    Params = StrategyParams
    warm_up = 1

    def __init__(self, *script: int, warm_up: int = 1) -> None:
        super().__init__(StrategyParams(), "scripted")
        self.script, self.warm_up = script, warm_up

    def vote(self, frame):
        return Votes(np.resize(np.array(self.script, np.int8), len(frame)), np.full(len(frame), 0.5), {})

    def reason(self, row):
        return f"the script says {row['action']:g}"


@pytest.fixture
def compared(walk, candles_of):
    """Compare strategies over twelve candles."""

    def run(**strategies) -> Comparison:
        return compare(
            {name: lambda made=made: made for name, made in strategies.items()}, "BTCUSDT", candles_of(walk(1, 12))
        )

    return run


def test_consensus_counts_words_and_takes_the_mean_of_the_votes(compared):
    found = compared(a=Scripted(1), b=Scripted(1), c=Scripted(-1), d=Scripted(0))
    assert found.counts == {Action.BUY: 2, Action.SELL: 1, Action.HOLD: 1}
    assert found.mean_vote == pytest.approx((0.5 + 0.5 - 0.5 + 0) / 4)
    assert found.most_frequent == ([Action.BUY], 0.5)


def test_words_that_are_said_equally_often_are_all_named(compared):
    assert compared(a=Scripted(1), b=Scripted(-1)).most_frequent == ([Action.BUY, Action.SELL], 0.5)


def test_pairs_agree_on_the_share_of_candles_on_which_they_say_the_same(compared):
    found = compared(a=Scripted(1, 0, -1), b=Scripted(1, 0, 0), c=Scripted(1, warm_up=7))
    assert [(pair.first, pair.second, pair.candles) for pair in found.pairs] == [
        ("a", "b", 12),
        ("a", "c", 6),
        ("b", "c", 6),
    ]
    assert [pair.same_fraction for pair in found.pairs] == pytest.approx([2 / 3, 1 / 3, 1 / 3])


def test_one_that_is_still_warming_up_holds_and_is_in_no_pair(compared):
    found = compared(a=Scripted(1), b=Scripted(1, warm_up=13))
    assert found.opinions[1].signal.reason == "warming up: 12 of 13 candles"
    assert found.counts[Action.HOLD] == 1
    assert not found.pairs


def test_one_that_fails_has_no_word_and_the_others_go_on(compared):
    class Exits(Scripted):
        def vote(self, frame):
            raise SystemExit(len(frame))

    found = compared(a=Exits(1), b=Scripted(1))
    assert found.opinions[0] == Opinion("a", None, "SystemExit: 12")
    assert (found.counts[Action.BUY], found.mean_vote, found.most_frequent) == (1, 0.5, ([Action.BUY], 1.0))


@pytest.mark.parametrize(
    ("strength", "reason", "fault"),
    [
        (np.nan, "so it is", "with a confidence of nan, which is not from 0 to 1"),
        (0.5, None, "with a name or a reason that is no text"),
    ],
)
def test_one_whose_answer_is_no_signal_fails_and_is_in_no_mean(compared, strength, reason, fault):
    class Odd(Scripted):
        def vote(self, frame):
            return replace(super().vote(frame), strength=np.full(len(frame), strength))

        def reason(self, _row):
            return reason

    found = compared(a=Odd(1), b=Scripted(1))
    assert found.opinions[0] == Opinion("a", None, f"it answered {fault}")
    assert found.mean_vote == 0.5


def test_when_nobody_says_anything_there_is_no_consensus():
    found = Comparison([Opinion("a", None, "NameError")], [])
    assert (found.mean_vote, found.most_frequent) == (None, None)

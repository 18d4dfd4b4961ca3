"""Whatever clients and the market do: money is conserved, nothing is negative, locks equal the open orders' needs,
orders trade by price and time, no trade passes a better price by, and lists keep their laws."""

import random

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from binance_trade_agent.matching.invariants import violations
from tests.matching.exchange_driver import Crowd, check_list_laws, check_priorities

STEPS_PER_SEED = 12_500
SEEDS = range(8)


class Exchange(RuleBasedStateMachine):
    """Hypothesis chooses each step of the crowd, and finds the shortest way to a failure."""

    def __init__(self) -> None:
        super().__init__()
        self.crowd = Crowd(0)

    @rule(choices=st.randoms(use_true_random=False))
    def step(self, choices: random.Random) -> None:
        self.crowd.random = choices
        self.crowd.step()

    @rule()
    def stop_and_go_on(self) -> None:
        self.crowd.stop_and_go_on()

    @invariant()
    def everything_adds_up(self) -> None:
        assert violations(self.crowd.engine) == []

    @invariant()
    def queues_and_lists_are_in_order(self) -> None:
        check_priorities(self.crowd.engine)
        check_list_laws(self.crowd.engine)


Exchange.TestCase.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
TestExchange = Exchange.TestCase


@pytest.mark.parametrize("seed", SEEDS)
def test_long_sessions_of_a_crowd_keep_every_law(seed):
    """100,000 steps in all; the test's name tells the seed, and a failure the step."""
    crowd = Crowd(seed)
    for step in range(1, STEPS_PER_SEED + 1):
        try:
            crowd.step()
            if step % 500 == 0:
                crowd.stop_and_go_on()
                check_list_laws(crowd.engine)
        except AssertionError as error:
            raise AssertionError(f"seed {seed}, step {step}: {error}") from error
    kinds = {what.split()[0] for what in crowd.counts}
    assert {"NEW", "TRADE", "CANCELED", "EXPIRED", "TRADE_PREVENTION", "refused", "list"} <= kinds

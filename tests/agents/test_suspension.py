"""Suspensions: failures in a row, ticks of rest, and a fresh start."""

import pytest

from binance_trade_agent.agents.suspension import Suspensions


@pytest.mark.parametrize(("failures", "ticks"), [(5, 10), (1, 1), (3, 200)])
def test_symbol_rests_after_failures_in_a_row_and_is_tried_again(failures, ticks):
    suspensions = Suspensions(failures, ticks)
    for cycle in range(1, failures + 1):
        assert suspensions.resting("BTCUSDT", cycle) is None
        suspensions.note("BTCUSDT", cycle, failed=True)
    rest = range(failures + 1, failures + 1 + ticks)
    for cycle in rest:
        assert suspensions.resting("BTCUSDT", cycle) == (
            f"suspended after {failures} failures in a row; tried again in cycle {rest.stop}"
        )
        assert suspensions.resting("ETHUSDT", cycle) is None
    assert suspensions.resting("BTCUSDT", rest.stop) is None
    suspensions.note("BTCUSDT", rest.stop, failed=True)
    assert (suspensions.resting("BTCUSDT", rest.stop + 1) is None) == (failures > 1)


def test_one_success_forgets_the_failures_before_it():
    suspensions = Suspensions(5, 10)
    for cycle in range(1, 50):
        suspensions.note("BTCUSDT", cycle, failed=cycle % 5 != 0)
        assert suspensions.resting("BTCUSDT", cycle + 1) is None

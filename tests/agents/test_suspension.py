"""Suspensions: five failures in a row, ten ticks of rest, and a fresh start."""

from binance_trade_agent.agents.suspension import FAILURES_IN_A_ROW, TICKS_OF_REST, Suspensions


def test_symbol_rests_after_failures_in_a_row_and_is_tried_again():
    suspensions = Suspensions()
    for cycle in range(1, FAILURES_IN_A_ROW + 1):
        assert suspensions.resting("BTCUSDT", cycle) is None
        suspensions.note("BTCUSDT", cycle, failed=True)
    rest = range(FAILURES_IN_A_ROW + 1, FAILURES_IN_A_ROW + 1 + TICKS_OF_REST)
    for cycle in rest:
        assert suspensions.resting("BTCUSDT", cycle) == (
            f"suspended after {FAILURES_IN_A_ROW} failures in a row; tried again in cycle {rest.stop}"
        )
        assert suspensions.resting("ETHUSDT", cycle) is None
    assert suspensions.resting("BTCUSDT", rest.stop) is None
    suspensions.note("BTCUSDT", rest.stop, failed=True)
    assert suspensions.resting("BTCUSDT", rest.stop + 1) is None


def test_one_success_forgets_the_failures_before_it():
    suspensions = Suspensions()
    for cycle in range(1, 50):
        suspensions.note("BTCUSDT", cycle, failed=cycle % FAILURES_IN_A_ROW != 0)
        assert suspensions.resting("BTCUSDT", cycle + 1) is None

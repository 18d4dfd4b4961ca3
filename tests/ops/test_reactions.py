"""From a candle's end to its order: what is measured, and what is not."""

import asyncio

import pytest

from binance_trade_agent.ops import reactions as module
from binance_trade_agent.ops.reactions import Reactions, order_sent


@pytest.fixture
def clock(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(module, "monotonic_seconds", lambda: now[0])
    return now


def test_the_first_order_of_a_decision_is_measured(clock):
    reactions = Reactions()
    with reactions.to(99.9):
        clock[0] = 100.02
        order_sent()
        clock[0] = 107.0
        order_sent()  # its protection
    assert reactions.vitals().count == 1
    assert reactions.vitals().p50_ms == pytest.approx(120.0)


def test_nothing_is_measured_without_a_candle_that_has_just_closed(clock):
    reactions = Reactions()
    order_sent()
    with reactions.to(None):
        order_sent()
    assert reactions.vitals().count == 0
    assert reactions.vitals().p99_ms is None


def test_what_a_decision_has_begun_and_goes_on_after_it_is_not_its_order(clock):
    async def story():
        reactions = Reactions()
        go_on = asyncio.Event()

        async def later():
            await go_on.wait()
            order_sent()

        with reactions.to(99.0):
            task = asyncio.ensure_future(later())
        go_on.set()
        await task
        return reactions.durations.count

    assert asyncio.run(story()) == 0


def test_decisions_side_by_side_are_told_apart(clock):
    reactions = Reactions()

    async def decide(closed_seconds):
        with reactions.to(closed_seconds):
            await asyncio.sleep(0)  # noqa: TID251 (let the other one begin)
            order_sent()

    async def story():
        await asyncio.gather(*(decide(100.0 - number) for number in range(5)))

    asyncio.run(story())
    assert reactions.durations.count == 5
    assert reactions.durations.seconds == pytest.approx(0 + 1 + 2 + 3 + 4)


@pytest.mark.parametrize(("count", "p50_ms", "p99_ms"), [(1, 1, 1), (2, 1, 2), (100, 50, 99), (101, 51, 100)])
def test_a_percentile_is_the_smallest_time_that_so_many_do_not_exceed(count, p50_ms, p99_ms):
    reactions = Reactions()
    for number in range(1, count + 1):
        reactions.note(number / 1000)
    vitals = reactions.vitals()
    assert (vitals.p50_ms, vitals.p99_ms, vitals.longest_ms, vitals.measured) == (p50_ms, p99_ms, count, count)

"""Virtual time: it costs none, everything lives by it, and waiting for nothing is an error."""

import asyncio
import random
import time

import binance.base_client
import pytest

from binance_trade_agent.ops.clock import monotonic_seconds, sleep_seconds, wall_ms
from tests.torture.loop import START_WALL_MS, DeadlockError, LivelockError, run_virtual
from tests.torture.machine import Killed, Machine


def test_an_hour_passes_at_once_and_every_clock_shows_it():
    async def an_hour():
        before = monotonic_seconds()
        await sleep_seconds(3600)
        return monotonic_seconds() - before, wall_ms(), binance.base_client.time.time()

    began = monotonic_seconds()
    elapsed, wall, library = run_virtual(an_hour)

    assert monotonic_seconds() - began < 5
    assert elapsed == pytest.approx(3600)
    assert wall == START_WALL_MS + 3_600_000
    assert library == pytest.approx(wall / 1000)


def test_the_machines_own_clocks_are_back_afterwards():
    async def nothing():
        return None

    run_virtual(nothing)

    assert wall_ms() > START_WALL_MS + 86_400_000
    assert binance.base_client.time is time


def test_waiting_for_what_never_comes_is_an_error_and_no_hang():
    async def forever():
        await asyncio.Event().wait()

    with pytest.raises(DeadlockError, match="nothing will ever happen"):
        run_virtual(forever)


def test_spinning_is_an_error_and_no_hang():
    async def spin():
        while True:
            await sleep_seconds(0)

    with pytest.raises(LivelockError):
        run_virtual(spin)


def test_a_thread_is_replaced_by_doing_it_at_once():
    async def in_thread():
        return await asyncio.to_thread(wall_ms)

    assert run_virtual(in_thread) == START_WALL_MS


def _order_of_tasks(seed: int, reorder: float) -> list[int]:
    async def work():
        order: list[int] = []
        Machine("m").enter()

        async def step(number: int):
            for _ in range(3):
                await sleep_seconds(0)
            order.append(number)

        async with asyncio.TaskGroup() as group:
            for number in range(20):
                group.create_task(step(number))
        return order

    return run_virtual(work, seed=seed, reorder=reorder)


def test_tasks_overtake_one_another_as_the_seed_says():
    assert _order_of_tasks(1, 0.0) == list(range(20))
    assert _order_of_tasks(1, 0.3) == _order_of_tasks(1, 0.3)
    assert len({tuple(_order_of_tasks(seed, 0.3)) for seed in range(8)}) > 4


def test_callbacks_keep_their_order():
    async def work():
        loop, order = asyncio.get_running_loop(), []
        for number in range(50):
            loop.call_soon(order.append, number)
        await sleep_seconds(1)
        return order

    assert run_virtual(work, seed=random.randrange(100), reorder=0.9) == list(range(50))


def test_a_killed_machine_does_nothing_more():
    deeds: list[str] = []

    async def life(machine: Machine):
        machine.enter()
        try:
            await sleep_seconds(1)
            deeds.append("worked")
            await sleep_seconds(60)
        finally:
            try:
                machine.check()
                deeds.append("cleaned up")
            except Killed:
                deeds.append("was refused")

    async def work():
        machine = Machine("m")
        task = asyncio.ensure_future(life(machine))
        machine.adopt(task)
        await sleep_seconds(5)
        machine.kill()
        await machine.buried()
        return task.cancelled()

    assert run_virtual(work)
    assert deeds == ["worked", "was refused"]

"""The event loop's lag: when it is said that something blocks it, and what; on virtual time, and once for real."""

import asyncio
import re
from pathlib import Path

import pytest

from binance_trade_agent.ops.clock import monotonic_seconds, sleep_seconds, thread_cpu_seconds
from binance_trade_agent.ops.loop_lag import LoopLag
from binance_trade_agent.ops.loop_watch import LoopWatch
from tests.torture.loop import run_virtual

_LONGEST_SECONDS = 60


class Work:
    """What the loop's thread does: it takes time, with the processor or without."""

    def __init__(self):
        self.cpu_seconds = 0.0

    def take(self, milliseconds, *, cpu=True):
        """Block the loop for so long."""
        asyncio.get_running_loop().now += milliseconds / 1000
        if cpu:
            self.cpu_seconds += milliseconds / 1000

    async def again_and_again(self, times, milliseconds, *, cpu=True):
        """The same so often, a millisecond before a timer is due: one is set a second."""
        for _ in range(times):
            await sleep_seconds(0.999)
            self.take(milliseconds, cpu=cpu)


@pytest.fixture
def said(caplog):
    return lambda: [record.message for record in caplog.records if "event loop" in record.message]


def measured(story):
    """Let `story` go on with a lag that is measured, in virtual time."""

    async def work():
        doing = Work()
        lag = LoopLag(lambda: doing.cpu_seconds)
        with lag.measured():
            await story(lag, doing)

    run_virtual(work)


def test_a_block_now_and_then_is_counted_and_not_said(said):
    async def story(lag, work):
        for _ in range(5):  # as candles of many symbols make it
            await work.again_and_again(4, 100)
            await sleep_seconds(60)
            assert lag.trouble == ""
        assert lag.blocks == 20

    measured(story)
    assert said() == []


def test_work_of_its_own_that_blocks_it_again_and_again_is_said_once_and_its_end_too(said):
    async def story(lag, work):
        await work.again_and_again(20, 100)
        assert "by work of its own" in lag.trouble
        await sleep_seconds(70)
        assert lag.trouble == ""

    measured(story)
    begun, over = said()
    assert re.search(
        r"blocked for more than 50 ms 5 times within a minute, by work of its own: at most 99 ms, of", begun
    )
    assert over == "the event loop is no longer blocked"


def test_a_noisy_machine_is_no_flaw_of_the_program(said):
    async def story(lag, work):
        await work.again_and_again(40, 100, cpu=False)
        await sleep_seconds(70)
        assert lag.blocks == 40

    measured(story)
    assert said() == []


def test_a_machine_that_gives_it_no_time_for_much_of_a_minute_is_said(said):
    async def story(lag, work):
        await work.again_and_again(40, 300, cpu=False)
        assert "as the machine is busy or its disk slow" in lag.trouble
        assert lag.late[-1].own_ms == 0

    measured(story)
    assert len(said()) == 1


def hold(watch):
    """Use the processor until somebody has looked at it."""
    until = monotonic_seconds() + _LONGEST_SECONDS
    while not watch.found() and monotonic_seconds() < until:
        pass


async def test_what_the_loop_is_at_while_it_is_blocked_is_seen():
    watch = LoopWatch(0.05, Path(__file__).parent)

    async def work():
        watch.seen(monotonic_seconds())
        hold(watch)

    with watch.watching():
        await asyncio.create_task(work(), name="some work")  # noqa: TID251
    assert re.fullmatch(r"test_loop_lag.py:\d+ in (hold|work) \(task some work\)", watch.found())
    watch.seen(monotonic_seconds())
    assert watch.found() == ""


async def test_a_block_is_measured_with_its_processor_time():
    lag = LoopLag()
    with lag.measured():
        while lag.last_ms is None:
            await sleep_seconds(0.01)
        until = thread_cpu_seconds() + 0.3
        while thread_cpu_seconds() < until:
            pass
        while not any(block.is_own for block in lag.late):
            await sleep_seconds(0.01)
    (longest,) = sorted(lag.late, key=lambda block: block.own_ms)[-1:]
    assert longest.lag_ms >= 250
    assert longest.own_ms >= 250

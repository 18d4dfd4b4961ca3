"""Work that may never end: it has a deadline, does not hold the loop, and does not hold the process."""

import asyncio
import subprocess
import sys
import threading

import pytest

from binance_trade_agent.ops.clock import monotonic_seconds, sleep_seconds
from binance_trade_agent.ops.runner import OverdueError, in_thread, inline

HANGING = """
import asyncio, threading
from binance_trade_agent.ops.runner import OverdueError, in_thread

async def main():
    try:
        await in_thread(threading.Event().wait, 0.05)
    except OverdueError:
        print("overdue", flush=True)

asyncio.run(main())
"""


@pytest.mark.parametrize("runner", [inline, in_thread])
async def test_work_answers_or_raises(runner):
    assert await runner(lambda: 7, 5) == 7

    def fail() -> None:
        raise KeyError("key")

    with pytest.raises(KeyError, match="key"):
        await runner(fail, 5)


async def test_a_thread_that_has_done_its_work_takes_the_next():
    first = await in_thread(threading.current_thread, 10)
    assert await in_thread(threading.current_thread, 10) is first
    release = threading.Event()
    hanging = asyncio.ensure_future(in_thread(lambda: release.wait(10), 10))
    await sleep_seconds(0)
    assert await in_thread(lambda: 7, 10) == 7
    release.set()
    assert await hanging is True


async def test_loop_goes_on_while_the_work_is_done():
    release = threading.Event()
    working = asyncio.ensure_future(in_thread(lambda: release.wait(10), 10))
    await sleep_seconds(0)
    assert not working.done()
    release.set()
    assert await working is True


async def test_work_that_hangs_is_given_up_at_its_deadline_and_may_end_later():
    release, ended = threading.Event(), threading.Event()

    def hang() -> None:
        release.wait(10)
        ended.set()

    began = monotonic_seconds()
    with pytest.raises(OverdueError):
        await in_thread(hang, 0.05)
    assert monotonic_seconds() - began < 8
    release.set()
    assert await in_thread(lambda: ended.wait(10), 10)


def test_process_ends_while_its_work_hangs():
    ended = subprocess.run([sys.executable, "-c", HANGING], capture_output=True, text=True, timeout=30, check=False)
    assert (ended.returncode, ended.stdout.strip(), ended.stderr) == (0, "overdue", "")

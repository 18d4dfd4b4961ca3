import asyncio
import gc

from binance_trade_agent.ops import tasks
from binance_trade_agent.ops.clock import sleep_seconds
from binance_trade_agent.ops.tasks import spawn, stop


async def fail() -> None:
    raise RuntimeError("nobody waits for me")


async def test_failure_of_a_task_that_nobody_waits_for_is_logged_with_its_name(caplog):
    task = spawn(fail(), name="the reader")
    await asyncio.wait({task})
    await sleep_seconds(0)
    (record,) = caplog.records
    assert "the reader failed: RuntimeError('nobody waits for me')" in record.getMessage()


async def test_task_lives_without_anybody_holding_it():
    done = []

    async def work() -> None:
        await sleep_seconds(0.02)
        done.append(True)

    spawn(work(), name="work")
    gc.collect()
    await sleep_seconds(0.1)
    assert done == [True]


async def test_stop_waits_until_the_task_has_cleaned_up(caplog):
    cleaned = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await sleep_seconds(0.01)
            cleaned.append(True)

    task = spawn(work(), name="work")
    await sleep_seconds(0)
    await stop(task)
    assert (task.done(), cleaned, caplog.records) == (True, [True], [])


async def test_stop_of_a_task_that_has_failed_does_not_raise():
    task = spawn(fail(), name="failed")
    await asyncio.wait({task})
    await stop(task)


async def test_stop_asks_again_when_a_cancellation_was_taken_for_one_more_failure(monkeypatch):
    """A supervisor that goes on after every failure would otherwise be waited for for ever."""
    monkeypatch.setattr(tasks, "_ASK_AGAIN_SECONDS", 0.01)
    swallowed = []

    async def goes_on():
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                if swallowed:
                    raise
                swallowed.append("what it waited for made another failure of it")

    task = spawn(goes_on(), name="supervisor")
    await sleep_seconds(0)
    await asyncio.wait_for(stop(task), 5)
    assert task.cancelled()
    assert len(swallowed) == 1

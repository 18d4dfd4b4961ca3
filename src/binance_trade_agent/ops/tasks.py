"""Background tasks that are never lost: a strong reference is kept and a failure is logged."""

import asyncio
import logging
from collections.abc import Coroutine, Iterable
from typing import Any

_ASK_AGAIN_SECONDS = 5.0

_running: set[asyncio.Task[Any]] = set()


def spawn(work: Coroutine[Any, Any, Any], *, name: str) -> asyncio.Task[Any]:
    """Start `work` as a task that is kept alive until it ends; an exception in it is logged under `name`."""
    task = asyncio.create_task(work, name=name)  # noqa: TID251
    _running.add(task)
    task.add_done_callback(_finished)
    return task


async def stop(task: asyncio.Task[Any]) -> None:
    """Cancel `task` and wait until it has ended; its own failure was logged already.

    It is asked again and again, as a cancellation can get lost: asyncio.wait_for of Python 3.11 returns the result that
    comes at the same moment instead (python/cpython issue 86296), and a task that goes on for ever then goes on.
    """
    loop = asyncio.get_running_loop()
    timers: list[asyncio.TimerHandle] = []

    def ask() -> None:
        task.cancel()
        timers[:] = [loop.call_later(_ASK_AGAIN_SECONDS, ask)]

    ask()
    try:
        await asyncio.gather(task, return_exceptions=True)
    finally:
        timers[0].cancel()


async def wait_for_any(futures: Iterable["asyncio.Future[Any]"], seconds: float | None, *events: asyncio.Event) -> None:
    """Wait until one of `futures` is done, one of `events` is set, or so long; None waits without end."""
    wakers = [spawn(event.wait(), name="waker") for event in events]
    try:
        await asyncio.wait({*futures, *wakers}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for waker in wakers:
            await stop(waker)


def _finished(task: asyncio.Task[Any]) -> None:
    _running.discard(task)
    if not task.cancelled() and (failure := task.exception()):
        logging.getLogger(__name__).error("task %s failed: %r", task.get_name(), failure, exc_info=failure)

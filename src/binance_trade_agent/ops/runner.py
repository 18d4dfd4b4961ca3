"""Runs what may never come back: off the event loop, with a deadline, in a thread that does not keep the process."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future, wait
from typing import Any, Protocol, TypeVar

T = TypeVar("T")


class OverdueError(Exception):
    """The work has not ended in time. Nothing can stop it; it goes on in its thread."""


class Runner(Protocol):
    """How a piece of work is run that is not ours."""

    async def __call__(self, work: Callable[[], T], deadline_seconds: float) -> T:
        """What `work` returns or raises.

        Raises:
            OverdueError: it has not ended within `deadline_seconds`.
        """
        ...


async def inline(work: Callable[[], T], deadline_seconds: float) -> T:  # noqa: ARG001 (Runner)
    """A Runner that works here and now, without a deadline."""
    return work()


async def in_thread(work: Callable[[], T], deadline_seconds: float) -> T:
    """The Runner of a daemon. On an event loop that has no threads, as a simulation's, it is `inline`."""
    ending = asyncio.get_running_loop().run_in_executor(_daemon_threads, work)
    await asyncio.wait({ending}, timeout=deadline_seconds)
    if not ending.done():
        ending.cancel()  # nobody waits for it any more
        raise _overdue(deadline_seconds)
    return await ending


def in_time(work: Callable[[], T], deadline_seconds: float) -> T:
    """What `work` returns or raises, where there is no event loop.

    Raises:
        OverdueError: it has not ended within `deadline_seconds`.
    """
    ending = _daemon_threads.submit(work)
    if not wait([ending], deadline_seconds).done:
        raise _overdue(deadline_seconds)
    return ending.result()


def _overdue(deadline_seconds: float) -> OverdueError:
    return OverdueError(f"no answer in {deadline_seconds:g} s")


class _DaemonThreads(Executor):
    """A new thread for each piece of work.

    The threads of ThreadPoolExecutor are joined at the end of the process: one that hangs would hold it up.
    """

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """See Executor."""
        future: Future[T] = Future()

        def run() -> None:
            try:
                result = fn(*args, **kwargs)
            except BaseException as failure:  # noqa: BLE001 (it is raised where the work was asked for)
                future.set_exception(failure)
            else:
                future.set_result(result)

        future.set_running_or_notify_cancel()
        threading.Thread(target=run, name="runner", daemon=True).start()
        return future


_daemon_threads = _DaemonThreads()

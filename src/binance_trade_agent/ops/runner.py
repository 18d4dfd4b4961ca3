"""Runs what may never come back: off the event loop, with a deadline, in a thread that does not keep the process."""

import asyncio
import os
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future, wait
from queue import SimpleQueue
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
    """Threads that wait for more work once they have done some; a new one when none is free.

    The threads of ThreadPoolExecutor are joined at the end of the process: one that hangs would hold it up.
    """

    def __init__(self) -> None:
        self._free: list[SimpleQueue[Callable[[], None]]] = []  # to put in what a waiting thread is to run next
        os.register_at_fork(after_in_child=self._free.clear)  # there the threads are not

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """See Executor."""
        future: Future[T] = Future()

        def run() -> None:
            try:
                result = fn(*args, **kwargs)
            except BaseException as failure:  # noqa: BLE001 (it is raised where the work was asked for)
                self._free.append(place)
                future.set_exception(failure)
            else:
                self._free.append(place)
                future.set_result(result)

        future.set_running_or_notify_cancel()
        place = self._place()
        place.put(run)
        return future

    def _place(self) -> "SimpleQueue[Callable[[], None]]":
        try:
            return self._free.pop()
        except IndexError:
            place: SimpleQueue[Callable[[], None]] = SimpleQueue()
            threading.Thread(target=_serve, args=(place,), name="runner", daemon=True).start()
            return place


def _serve(place: "SimpleQueue[Callable[[], None]]") -> None:
    while True:
        place.get()()


_daemon_threads = _DaemonThreads()

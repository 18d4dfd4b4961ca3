"""An event loop on virtual time: nothing is ever waited for, and the order of tasks comes from a seed.

When nothing is ready, time jumps to the next timer. There are no threads and no sockets: what would go to a thread is
done at once, so that the same seed gives the same run to the last step.
"""

import asyncio
import random
import selectors
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, TypeVar

import aiohttp.connector
import binance.base_client

from binance_trade_agent.ops.clock import machine_time
from tests.torture.machine import MACHINE

T = TypeVar("T")

START_WALL_MS = 1_767_571_200_000  # 2026-01-05T00:00:00Z, the default start of a simulated market
_MOST_TURNS_AT_ONE_TIME = 200_000
_SHORT_DELAY_SECONDS = 20e-6  # tasks that are ready together overtake one another
_LONG_DELAY_SECONDS = 0.02  # a machine that is busy with something else


class DeadlockError(Exception):
    """Nothing is ready and no timer runs: whatever is awaited will never come."""


class LivelockError(Exception):
    """The program spins: it does one step after another and time does not pass."""


class _NoSelector(selectors.BaseSelector):
    """No files to watch: to select is to let virtual time pass."""

    def __init__(self) -> None:
        self.loop: VirtualLoop | None = None
        self._idle_turns = 0

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise DeadlockError("deadlock: nothing is ready and no timer runs, so nothing will ever happen")
        self._idle_turns = 0 if timeout > 0 else self._idle_turns + 1
        if self._idle_turns > _MOST_TURNS_AT_ONE_TIME:
            raise LivelockError(f"{_MOST_TURNS_AT_ONE_TIME} turns of the loop and no time has passed")
        if timeout > 0 and self.loop is not None:
            self.loop.now += timeout
        return []

    def register(self, fileobj: Any, events: int, data: Any = None) -> Any:
        raise NotImplementedError("there are no sockets in virtual time")

    def unregister(self, fileobj: Any) -> Any:
        raise NotImplementedError("there are no sockets in virtual time")

    def get_map(self) -> Any:
        return {}


class VirtualLoop(asyncio.SelectorEventLoop):
    """The loop, and the clocks of the machines on it.

    Args:
        seed: of the order of tasks on machines.
        reorder: probability that a step of such a task happens some microseconds later than it could.
        stall: probability that it happens up to 20 ms later.

    Attributes:
        now: virtual seconds since the loop began, plus a thousand.
        wall_jump_ms: how far the wall clock is off; set it to let it jump.
    """

    def __init__(self, *, seed: int = 0, reorder: float = 0.0, stall: float = 0.0) -> None:
        self.now = 1000.0
        self.wall_jump_ms = 0
        self.reorder = reorder
        self.stall = stall
        self._order = random.Random(f"order {seed}")
        selector = _NoSelector()
        super().__init__(selector)
        selector.loop = self
        self._clock_resolution = 1e-9

    def time(self) -> float:
        return self.now

    def wall_ms(self) -> int:
        """See ops.clock, MachineTime."""
        return START_WALL_MS + self.wall_jump_ms + int((self.now - 1000.0) * 1000)

    def monotonic_seconds(self) -> float:
        """See ops.clock, MachineTime."""
        return self.now

    @property
    def elapsed_seconds(self) -> float:
        """Virtual seconds since the loop began."""
        return self.now - 1000.0

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> Any:
        """Steps of a machine's tasks may be put off; callbacks of protocols and futures keep their order."""
        if self.reorder and isinstance(getattr(callback, "__self__", None), asyncio.Task):
            machine = context.get(MACHINE) if context is not None else None
            if machine is not None and not machine.is_dead:
                drawn = self._order.random()
                if drawn < self.stall:
                    delay = self._order.random() * _LONG_DELAY_SECONDS
                    return self.call_at(self.now + delay, callback, *args, context=context)
                if drawn < self.reorder:
                    delay = self._order.random() * _SHORT_DELAY_SECONDS
                    return self.call_at(self.now + delay, callback, *args, context=context)
        return super().call_soon(callback, *args, context=context)

    def create_task(self, coro: Any, *, name: str | None = None, context: Any = None) -> Any:
        """A task belongs to the machine on which it was started, and dies with it."""
        task = super().create_task(coro, name=name, context=context)
        machine = MACHINE.get() if context is None else context.get(MACHINE)
        if machine is not None:
            machine.adopt(task)
        return task

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> Any:  # noqa: ARG002 (asyncio's)
        """There are no threads: it is done at once."""
        done = self.create_future()
        try:
            done.set_result(func(*args))
        except Exception as failure:  # noqa: BLE001 (handed to whoever awaits it)
            done.set_exception(failure)
        return done

    def _make_self_pipe(self) -> None:
        """No thread ever wakes this loop."""

    def _close_self_pipe(self) -> None:
        """See _make_self_pipe."""

    def _write_to_self(self) -> None:
        """See _make_self_pipe."""


@contextmanager
def virtual_clocks(loop: VirtualLoop) -> Iterator[None]:
    """Let the project, python-binance (which signs with time.time) and aiohttp's pool live by the loop's clocks."""
    library, pool = binance.base_client, aiohttp.connector
    before = library.time, pool.monotonic
    library.time = SimpleNamespace(time=lambda: loop.wall_ms() / 1000, sleep=_no_blocking)
    pool.monotonic = loop.monotonic_seconds
    try:
        with machine_time(loop):
            yield
    finally:
        library.time, pool.monotonic = before


def run_virtual(
    work: Callable[..., Coroutine[Any, Any, T]], *args: Any, seed: int = 0, reorder: float = 0.0, stall: float = 0.0
) -> T:
    """Run `work(*args)` on virtual time and return what it returns; for tests, which then need not be async."""
    loop = VirtualLoop(seed=seed, reorder=reorder, stall=stall)
    with virtual_clocks(loop), asyncio.Runner(loop_factory=lambda: loop) as runner:
        return runner.run(work(*args))


def _no_blocking(seconds: float) -> None:
    raise AssertionError(f"something wants to block the loop for {seconds} s")

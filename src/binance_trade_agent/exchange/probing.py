"""Asking again and again, until told to stop."""

import asyncio
from collections.abc import Awaitable, Callable

from binance_trade_agent.ops import tasks
from binance_trade_agent.ops.clock import MarketClock, ScaledClock, SteppedClock, sleep_seconds


class Prober:
    """Probes on a task of its own. One owner; `close` it.

    A stepped market stands still while its daemon works, and moves when the daemon waits. A task that waits by itself
    would make such a session depend on the machine's speed; there the next request that comes late enough probes.

    Args:
        name: of the task.
        clock: the exchange's time, in which delays count.
        probe: asks; raises nothing.
        next_delay_seconds: how long to wait before the next probe, asked before each.
    """

    def __init__(
        self,
        name: str,
        clock: MarketClock,
        probe: Callable[[], Awaitable[None]],
        next_delay_seconds: Callable[[], float],
    ) -> None:
        self.is_stepped = isinstance(clock, SteppedClock)
        self._name = name
        self._clock = clock
        self._speed = clock.speed if isinstance(clock, ScaledClock) else 1.0
        self._probe = probe
        self._next_delay_seconds = next_delay_seconds
        self._is_active = False
        self._is_asking = False
        self._due_ms = 0.0  # on the clock's monotonic_ms
        self._task: asyncio.Task[None] | None = None

    @property
    def next_ms(self) -> int:
        """Exchange time of the next probe."""
        return self._clock.now_ms() + max(0, round(self._due_ms - self._clock.monotonic_ms()))

    def start(self) -> None:
        """Begin to probe, after the first delay."""
        if self._is_active:
            return
        self._is_active = True
        self._put_off()
        if not self.is_stepped:
            self._task = tasks.spawn(self._run(), name=self._name)

    def stop(self) -> None:
        """Probe no more. A probe may call it."""
        self._is_active = False
        task, self._task = self._task, None
        if task is not None and task is not asyncio.current_task():
            task.cancel()

    async def catch_up(self) -> None:
        """In a stepped market, probe if it is time to."""
        if not self.is_stepped or self._is_asking:
            return
        while self._is_active and self._clock.monotonic_ms() >= self._due_ms:
            self._is_asking = True
            try:
                await self._probe()
            finally:
                self._is_asking = False
            self._put_off()

    async def close(self) -> None:
        """Stop, and wait until the task has ended."""
        task = self._task
        self.stop()
        if task is not None and task is not asyncio.current_task():
            await tasks.stop(task)

    async def _run(self) -> None:
        while self._task is asyncio.current_task():
            await sleep_seconds((self._due_ms - self._clock.monotonic_ms()) / 1000 / self._speed)
            await self._probe()
            self._put_off()

    def _put_off(self) -> None:
        if self._is_active:
            self._due_ms = self._clock.monotonic_ms() + self._next_delay_seconds() * 1000

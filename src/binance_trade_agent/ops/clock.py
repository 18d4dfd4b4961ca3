"""The only reader of the machine's clock, and the clocks that the daemon can be given."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from binance_trade_agent.domain.clock import Clock

if TYPE_CHECKING:
    import aiohttp

_STEP_SECONDS = 0.1  # wall time between two advances of a stepped market while the daemon waits
_LONGEST_SLEEP_SECONDS = 1.0  # asyncio's timers stand still while the machine sleeps, so the clock is looked at again
# It goes on counting while the machine sleeps, where the system has such a clock (Linux).
_MONOTONIC_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class MarketGoneError(Exception):
    """A stepped market cannot be moved any more: its exchange does not answer."""


class MachineTime(Protocol):
    """The two clocks of a machine."""

    def wall_ms(self) -> int:
        """Wall time in integer milliseconds since the epoch, UTC."""
        ...

    def monotonic_seconds(self) -> float:
        """Seconds that never jump; only differences have a meaning."""
        ...


class _ThisMachine:
    def wall_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic_seconds(self) -> float:
        return time.clock_gettime(_MONOTONIC_CLOCK)


_machine: MachineTime = _ThisMachine()


@contextmanager
def machine_time(machine: MachineTime) -> Iterator[None]:
    """Let the whole process live by the clocks of `machine` instead of its own, as a simulation does."""
    global _machine  # noqa: PLW0603 (there is one machine, and this module is its only reader)
    before, _machine = _machine, machine
    try:
        yield
    finally:
        _machine = before


def wall_ms() -> int:
    """Wall time in integer milliseconds since the epoch, UTC."""
    return _machine.wall_ms()


def monotonic_seconds() -> float:
    """Seconds on the machine's monotonic clock; only differences have a meaning."""
    return _machine.monotonic_seconds()


def cpu_seconds() -> float:
    """Processor seconds that this process has used so far, of all its threads."""
    return time.process_time()


def thread_cpu_seconds() -> float:
    """Processor seconds that the calling thread has used so far."""
    return time.thread_time()


def is_machines_time() -> bool:
    """Whether the process lives by the machine's own clocks, not by those of a simulation."""
    return isinstance(_machine, _ThisMachine)


async def sleep_seconds(seconds: float) -> None:
    """Sleep for real seconds; for waits that have nothing to do with market time, such as back-off."""
    await asyncio.sleep(max(0.0, seconds))  # noqa: TID251


async def give_way() -> None:
    """Let everything else that is ready on the event loop go first."""
    await asyncio.sleep(0)  # noqa: TID251


def block_seconds(seconds: float) -> None:
    """Sleep in a command that has no event loop."""
    time.sleep(seconds)


class MarketClock(Clock, Protocol):
    """A clock that follows the exchange's.

    Attributes:
        speed: market seconds that pass in a second of the machine while nobody works.
    """

    speed: float

    def synchronise(self, server_ms: int, *, age_seconds: float) -> None:
        """Take over the exchange's time, stated `age_seconds` of wall time ago."""
        ...


class ScaledClock:
    """The exchange's time, running at `speed` market seconds a second: 1 on a real exchange."""

    def __init__(self, *, speed: float = 1.0) -> None:
        self.speed = speed
        self._anchor_ms = float(wall_ms())
        self._anchor_seconds = monotonic_seconds()

    def synchronise(self, server_ms: int, *, age_seconds: float) -> None:
        """See MarketClock. In between the machine's monotonic clock counts, so jumps of its wall clock are harmless."""
        self._anchor_ms = server_ms + age_seconds * 1000 * self.speed
        self._anchor_seconds = monotonic_seconds()

    def now_ms(self) -> int:
        """Exchange time in ms."""
        return int(self._anchor_ms + (monotonic_seconds() - self._anchor_seconds) * 1000 * self.speed)

    def monotonic_ms(self) -> float:
        """Market milliseconds on the machine's monotonic clock."""
        return monotonic_seconds() * 1000 * self.speed

    async def sleep_until(self, monotonic_ms: float) -> None:
        """Sleep until `monotonic_ms`."""
        while (left_ms := monotonic_ms - self.monotonic_ms()) > 0:
            await sleep_seconds(min(left_ms / 1000 / self.speed, _LONGEST_SLEEP_SECONDS))


class SteppedClock:
    """The time of a simulated exchange whose market moves only when told to, through its control port.

    Waiting moves it, at `speed` market seconds a second; while the daemon works the market stands still, so that the
    same seed gives the same session however slow or busy the machine is.
    """

    def __init__(self, control_url: str, *, speed: float, now_ms: int) -> None:
        self.speed = speed
        self._control_url = control_url
        self._now_ms = now_ms

    def synchronise(self, server_ms: int, *, age_seconds: float) -> None:  # noqa: ARG002 (a stepped time does not age)
        """See MarketClock."""
        self._now_ms = server_ms

    def now_ms(self) -> int:
        """Exchange time in ms."""
        return self._now_ms

    def monotonic_ms(self) -> float:
        """Market milliseconds; the market never steps back."""
        return float(self._now_ms)

    async def sleep_until(self, monotonic_ms: float) -> None:
        """Advance the market to `monotonic_ms`, in steps of a tenth of a second of wall time.

        Raises:
            MarketGoneError: the exchange does not answer.
        """
        import aiohttp  # a backtest has a clock and no network

        target_ms = round(monotonic_ms)
        async with aiohttp.ClientSession() as session:
            while self._now_ms < target_ms:
                started = monotonic_seconds()
                step_ms = max(1, round(_STEP_SECONDS * 1000 * self.speed))
                next_ms = min(target_ms, self._now_ms + step_ms)
                pace = (next_ms - self._now_ms) / 1000 / self.speed
                self._now_ms = await self._advance(session, next_ms)
                await sleep_seconds(pace - (monotonic_seconds() - started))

    async def _advance(self, session: "aiohttp.ClientSession", next_ms: int) -> int:
        """Market time after moving the market to `next_ms`, or later when somebody has moved it further."""
        import aiohttp

        try:
            async with session.post(f"{self._control_url}/sim/clock", json={"now": next_ms}) as answer:
                if answer.ok:
                    return int((await answer.json())["now"])
            async with session.post(f"{self._control_url}/sim/clock", json={}) as answer:
                answer.raise_for_status()
                return int((await answer.json())["now"])
        except (aiohttp.ClientError, OSError, ValueError, KeyError) as failure:
            raise MarketGoneError(f"the simulated exchange at {self._control_url} is gone: {failure}") from failure

"""The only reader of the machine's clock."""

import asyncio
import time


def wall_ms() -> int:
    """Wall time in integer milliseconds since the epoch, UTC."""
    return time.time_ns() // 1_000_000


def monotonic_seconds() -> float:
    """Seconds on the machine's monotonic clock; only differences have a meaning."""
    return time.monotonic()  # noqa: TID251


async def sleep_seconds(seconds: float) -> None:
    """Sleep for real seconds; for waits that have nothing to do with market time, such as back-off."""
    await asyncio.sleep(max(0.0, seconds))  # noqa: TID251


class SystemClock:
    """Market time against a real exchange: wall time, corrected by the offset that the gateway measures."""

    def __init__(self) -> None:
        self.offset_ms = 0

    def now_ms(self) -> int:
        """Exchange time in ms: wall time plus the measured offset."""
        return wall_ms() + self.offset_ms

    def monotonic_ms(self) -> float:
        """Milliseconds on the machine's monotonic clock."""
        return monotonic_seconds() * 1000

    async def sleep_until(self, monotonic_ms: float) -> None:
        """Sleep until `monotonic_ms`."""
        await sleep_seconds((monotonic_ms - self.monotonic_ms()) / 1000)

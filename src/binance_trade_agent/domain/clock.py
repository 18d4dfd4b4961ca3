"""The clock that everything is given. Nothing else in the project asks the machine for the time."""

from typing import Protocol


class Clock(Protocol):
    """Market time: wall time against a real exchange, the exchange's own time against a simulated one."""

    def now_ms(self) -> int:
        """Market time in integer milliseconds since the epoch, UTC."""
        ...

    def monotonic_ms(self) -> float:
        """Market milliseconds on a clock that never jumps; only differences have a meaning."""
        ...

    async def sleep_until(self, monotonic_ms: float) -> None:
        """Return when `monotonic_ms` is reached, at once when it has passed."""
        ...

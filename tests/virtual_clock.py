"""A clock for tests on which time passes when it is waited for, or when the test says so."""

import asyncio


class VirtualClock:
    """Market time that costs no time.

    Attributes:
        is_held: whether waiting lasts for ever, so that a test can do something meanwhile.
        overslept_ms: for each wait to come, how much later than asked it ends; none is left after those.
    """

    def __init__(self, start_ms: int = 1_000_000) -> None:
        self.is_held = False
        self.overslept_ms: list[int] = []
        self._start_ms = start_ms
        self._elapsed_ms = 0.0

    def now_ms(self) -> int:
        return self._start_ms + int(self._elapsed_ms)

    def monotonic_ms(self) -> float:
        return self._elapsed_ms

    def pass_by(self, milliseconds: float) -> None:
        """Let time pass while somebody works."""
        self._elapsed_ms += milliseconds

    async def sleep_until(self, monotonic_ms: float) -> None:
        if self.is_held:
            await asyncio.Event().wait()
        late_ms = self.overslept_ms.pop(0) if self.overslept_ms else 0
        self._elapsed_ms = max(self._elapsed_ms, monotonic_ms + late_ms)

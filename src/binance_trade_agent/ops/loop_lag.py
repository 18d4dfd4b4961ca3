"""How late the event loop comes to its timers: what everything that blocks it shows in."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Iterator

from binance_trade_agent.ops.clock import monotonic_seconds
from binance_trade_agent.ops.durations import Durations

_EVERY_SECONDS = 1.0
_KEPT = 60


class LoopLag:
    """Sets a timer a second on the running event loop while `measured`, and notes how late each comes.

    Attributes:
        last_ms: of the last one, None before the first.
        lags: of all of them.
    """

    def __init__(self) -> None:
        self.last_ms: float | None = None
        self.lags = Durations()
        self._lags_ms: deque[float] = deque(maxlen=_KEPT)
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0

    @property
    def longest_ms(self) -> float | None:
        """The longest of the last minute, None before the first timer."""
        return max(self._lags_ms, default=None)

    @contextlib.contextmanager
    def measured(self) -> Iterator[None]:
        """Measure until the end of the context."""
        self._set()
        try:
            yield
        finally:
            if self._timer is not None:
                self._timer.cancel()

    def _set(self) -> None:
        self._due = monotonic_seconds() + _EVERY_SECONDS
        self._timer = asyncio.get_running_loop().call_later(_EVERY_SECONDS, self._came)

    def _came(self) -> None:
        seconds = max(0.0, monotonic_seconds() - self._due)
        self.lags.note(seconds)
        self.last_ms = round(1000 * seconds, 2)
        self._lags_ms.append(self.last_ms)
        self._set()

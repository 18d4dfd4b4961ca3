"""A symbol whose step fails again and again is left alone for a while; the others go on."""

import logging
from collections import Counter

log = logging.getLogger(__name__)


class Suspensions:
    """Counts failures in a row by symbol. After `after_failures` a symbol rests for `ticks`."""

    def __init__(self, after_failures: int, ticks: int) -> None:
        self._after_failures = after_failures
        self._ticks = ticks
        self._failures: Counter[str] = Counter()
        self._rests_until: dict[str, int] = {}

    def resting(self, symbol: str, cycle: int) -> str | None:
        """Why `symbol` takes no part in this cycle, None when it does."""
        until = self._rests_until.get(symbol, 0)
        if cycle >= until:
            if self._rests_until.pop(symbol, None):
                log.warning("%s is tried again", symbol)
            return None
        return f"suspended after {self._after_failures} failures in a row; tried again in cycle {until}"

    @property
    def failures(self) -> dict[str, int]:
        """Failures in a row by symbol, of those that have any."""
        return dict(self._failures)

    @property
    def rests_until(self) -> dict[str, int]:
        """The cycle in which a symbol that rests is tried again."""
        return dict(self._rests_until)

    def note(self, symbol: str, cycle: int, *, failed: bool) -> None:
        """Take note of how the symbol's step ended."""
        if not failed:
            del self._failures[symbol]
            return
        self._failures[symbol] += 1
        if self._failures[symbol] >= self._after_failures:
            self._failures[symbol] = 0
            until = self._rests_until[symbol] = cycle + 1 + self._ticks
            log.error(
                "%s is suspended after %d failures in a row; tried again in cycle %d",
                symbol,
                self._after_failures,
                until,
            )

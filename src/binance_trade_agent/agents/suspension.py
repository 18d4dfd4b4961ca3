"""A symbol whose step fails again and again is left alone for a while; the others go on."""

import logging
from collections import Counter

FAILURES_IN_A_ROW = 5
TICKS_OF_REST = 10

log = logging.getLogger(__name__)


class Suspensions:
    """Counts failures in a row by symbol. After FAILURES_IN_A_ROW a symbol rests for TICKS_OF_REST ticks."""

    def __init__(self) -> None:
        self._failures: Counter[str] = Counter()
        self._rests_until: dict[str, int] = {}

    def resting(self, symbol: str, cycle: int) -> str | None:
        """Why `symbol` takes no part in this cycle, None when it does."""
        until = self._rests_until.get(symbol, 0)
        if cycle >= until:
            if self._rests_until.pop(symbol, None):
                log.warning("%s is tried again", symbol)
            return None
        return f"suspended after {FAILURES_IN_A_ROW} failures in a row; tried again in cycle {until}"

    def note(self, symbol: str, cycle: int, *, failed: bool) -> None:
        """Take note of how the symbol's step ended."""
        if not failed:
            del self._failures[symbol]
            return
        self._failures[symbol] += 1
        if self._failures[symbol] >= FAILURES_IN_A_ROW:
            self._failures[symbol] = 0
            until = self._rests_until[symbol] = cycle + 1 + TICKS_OF_REST
            log.error(
                "%s is suspended after %d failures in a row; tried again in cycle %d", symbol, FAILURES_IN_A_ROW, until
            )

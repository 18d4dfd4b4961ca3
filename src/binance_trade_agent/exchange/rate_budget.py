"""What the exchange lets us ask: the weight it says is used, and its orders to be silent."""

import contextlib
import math

from binance_trade_agent.exchange.errors import RateLimitedError
from binance_trade_agent.ops.clock import monotonic_seconds


class RateBudget:
    """Refuses requests while the exchange has told us to wait (429, 418; binance-protocol.md 2.8)."""

    def __init__(self) -> None:
        self.used_weight: int | None = None
        self._silent_until = 0.0

    def check(self) -> None:
        """Raise RateLimitedError while nothing may be sent."""
        left = self._silent_until - monotonic_seconds()
        if left > 0:
            raise RateLimitedError(math.ceil(left), "The exchange has asked us to wait.")

    def block(self, error: RateLimitedError) -> None:
        """Send nothing until the time that `error` names."""
        self._silent_until = max(self._silent_until, monotonic_seconds() + error.retry_after_seconds)

    def note(self, used_weight: str | None) -> None:
        """Take the used weight from an answer's header."""
        with contextlib.suppress(TypeError, ValueError):
            self.used_weight = int(used_weight or "")

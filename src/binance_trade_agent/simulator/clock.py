"""The market clock of the simulated exchange: running at a multiple of real time, or moved by hand."""

from collections.abc import Callable
from decimal import Decimal

from binance_trade_agent.ops.clock import monotonic_seconds, wall_ms

_LAG_SECONDS = 0.5  # of real time


class MarketClock:
    """Market time in ms UTC. It goes back only when `set_to` a time.

    Attributes:
        speed: market seconds per real second; None when the clock is stepped and moves only by `advance_to`.
    """

    def __init__(
        self, start_ms: int, speed: Decimal | None, *, real_seconds: Callable[[], float] = monotonic_seconds
    ) -> None:
        """Start the clock at `start_ms`.

        Raises:
            ValueError: `speed` is not positive.
        """
        _check_speed(speed)
        self.speed = speed
        self._real_seconds = real_seconds
        self._anchor_ms = start_ms
        self._anchor_real_seconds = real_seconds()

    @classmethod
    def at_wall_time(cls) -> "MarketClock":
        """A clock that starts at the machine's wall time and runs with it."""
        return cls(wall_ms(), Decimal(1))

    @property
    def is_stepped(self) -> bool:
        """Whether the clock moves only by `advance_to`."""
        return self.speed is None

    def now_ms(self) -> int:
        """Market time in integer milliseconds."""
        if self.speed is None:
            return self._anchor_ms
        elapsed_seconds = self._real_seconds() - self._anchor_real_seconds
        return self._anchor_ms + int(elapsed_seconds * 1000 * float(self.speed))

    def set_speed(self, speed: Decimal | None) -> None:
        """Go on from the present market time at another speed, or stepped when None.

        Raises:
            ValueError: `speed` is not positive.
        """
        _check_speed(speed)
        self._anchor_ms = self.now_ms()
        self._anchor_real_seconds = self._real_seconds()
        self.speed = speed

    def slow_down_to(self, now_ms: int) -> None:
        """Go on from `now_ms`, all that a market has reached which is faster than the machine; real time is kept.

        A market that is behind by little may catch up: its trades come in bursts, many symbols in one moment.
        """
        if self.speed is None or self.speed <= 1:
            return
        if self.now_ms() - now_ms > _LAG_SECONDS * 1000 * float(self.speed):
            self._anchor_ms = now_ms
            self._anchor_real_seconds = self._real_seconds()

    def set_to(self, now_ms: int) -> None:
        """Go on from `now_ms`, wherever that is."""
        self._anchor_ms = now_ms
        self._anchor_real_seconds = self._real_seconds()

    def advance_to(self, now_ms: int) -> None:
        """Set a stepped clock forward to `now_ms`.

        Raises:
            ValueError: the clock is not stepped, or `now_ms` lies in its past.
        """
        if not self.is_stepped:
            raise ValueError(f"the clock runs by itself at speed {self.speed}; only a stepped clock can be set")
        if now_ms < self._anchor_ms:
            raise ValueError(f"market time {now_ms} is before the present {self._anchor_ms}; time never goes back")
        self._anchor_ms = now_ms


def _check_speed(speed: Decimal | None) -> None:
    if speed is not None and not (speed.is_finite() and speed > 0):
        raise ValueError(f"simulation speed {speed} must be above 0, or 'stepped'")

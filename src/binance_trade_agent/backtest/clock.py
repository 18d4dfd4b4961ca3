"""The clock of a backtest: it stands where the engine puts it."""


class BacktestClock:
    """Market time that is set, never waited for.

    Attributes:
        at_ms: market time in integer milliseconds, UTC.
    """

    __slots__ = ("at_ms",)

    def __init__(self, at_ms: int) -> None:
        self.at_ms = at_ms

    def now_ms(self) -> int:
        """Market time."""
        return self.at_ms

    def monotonic_ms(self) -> float:
        """The same: market time of a recording never jumps."""
        return self.at_ms

    async def sleep_until(self, monotonic_ms: float) -> None:
        """Nobody sleeps in a backtest; the time is there at once."""

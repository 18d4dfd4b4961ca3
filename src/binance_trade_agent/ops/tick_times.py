"""How long ticks take and how late they begin."""

from collections import deque
from collections.abc import Iterable

from binance_trade_agent.ops.clock import cpu_seconds, monotonic_seconds, wall_ms
from binance_trade_agent.ops.durations import Durations
from binance_trade_agent.ops.vitals import TickVitals

_MEASURED = 100


class TickTimes:
    """Measures the latest 100 ticks: `begin` and `end` each.

    Attributes:
        cycle: number of the last tick that has begun, 0 before the first.
        durations: of all ticks that have ended, in real time; lags: of all that have begun, in market time.
        cpu: what the process used of the processor from the beginning of each tick to its end, whatever for.
    """

    def __init__(self) -> None:
        self.cycle = 0
        self.durations = Durations()
        self.lags = Durations()
        self.cpu = Durations()
        self._begun_seconds = 0.0
        self._begun_cpu_seconds = 0.0
        self._begun_wall_ms: int | None = None
        self._ended_wall_ms: int | None = None
        self._durations_ms: deque[float] = deque(maxlen=_MEASURED)
        self._lags_market_ms: deque[float] = deque(maxlen=_MEASURED)

    def begin(self, cycle: int, lag_market_ms: float) -> None:
        """Tick `cycle` begins, so many ms of market time after it was due."""
        self.cycle = cycle
        self._begun_seconds, self._begun_wall_ms, self._ended_wall_ms = monotonic_seconds(), wall_ms(), None
        self._begun_cpu_seconds = cpu_seconds()
        lag_market_ms = max(0.0, lag_market_ms)
        self._lags_market_ms.append(lag_market_ms)
        self.lags.note(lag_market_ms / 1000)

    def end(self) -> None:
        """It has ended."""
        seconds = monotonic_seconds() - self._begun_seconds
        self._ended_wall_ms = wall_ms()
        self._durations_ms.append(1000 * seconds)
        self.durations.note(seconds)
        self.cpu.note(cpu_seconds() - self._begun_cpu_seconds)

    def vitals(self, *, interval_seconds: float, missed: int, speed: float) -> TickVitals:
        """What was measured.

        Args:
            interval_seconds: market seconds between two ticks.
            missed: see TickVitals.
            speed: market seconds a second.
        """
        lags_ms = [lag / speed for lag in self._lags_market_ms]
        last_ms, mean_ms, longest_ms = _summary(self._durations_ms)
        last_lag_ms, mean_lag_ms, longest_lag_ms = _summary(lags_ms)
        begun = self._begun_wall_ms
        return TickVitals(
            cycle=self.cycle,
            missed=missed,
            interval_seconds=interval_seconds,
            due_wall_ms=None if begun is None else begun - round(lags_ms[-1]),
            begun_wall_ms=begun,
            ended_wall_ms=self._ended_wall_ms,
            measured=len(self._durations_ms),
            last_ms=last_ms,
            mean_ms=mean_ms,
            longest_ms=longest_ms,
            last_lag_ms=last_lag_ms,
            mean_lag_ms=mean_lag_ms,
            longest_lag_ms=longest_lag_ms,
        )


def _summary(values: Iterable[float]) -> tuple[float | None, float | None, float | None]:
    """Last, mean and largest, to a hundredth; of nothing, nothing."""
    known = list(values)
    if not known:
        return None, None, None
    return round(known[-1], 2), round(sum(known) / len(known), 2), round(max(known), 2)

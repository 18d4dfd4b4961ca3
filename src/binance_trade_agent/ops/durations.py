"""Durations counted into buckets as they come: what a histogram is drawn from."""

from bisect import bisect_left
from collections.abc import Sequence

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Durations:
    """Counts durations by the first bound that they do not exceed; one thread notes, any may read.

    Args:
        bounds: upper bounds in seconds, rising; what exceeds all of them is counted beyond the last.
    """

    __slots__ = ("_bounds", "_counts", "_seconds")

    def __init__(self, bounds: Sequence[float] = SECONDS) -> None:
        self._bounds = tuple(bounds)
        self._counts = [0] * (len(bounds) + 1)
        self._seconds = 0.0

    def note(self, seconds: float) -> None:
        """One that took so long."""
        self._counts[bisect_left(self._bounds, seconds)] += 1
        self._seconds += seconds

    @property
    def seconds(self) -> float:
        """The sum of all."""
        return self._seconds

    @property
    def count(self) -> int:
        """How many there were."""
        return sum(self._counts)

    def cumulative(self) -> list[tuple[float, int]]:
        """By upper bound, how many did not exceed it; the last bound is infinite."""
        counts, found, total = list(self._counts), [], 0
        for bound, count in zip((*self._bounds, float("inf")), counts, strict=True):
            total += count
            found.append((bound, total))
        return found

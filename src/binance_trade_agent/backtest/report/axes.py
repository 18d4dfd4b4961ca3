"""Axes of charts: where the round numbers and the round times are, and what to write there."""

import math
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from binance_trade_agent.domain.candles import DAY_MS, MINUTE_MS
from binance_trade_agent.history.table import FloatArray, IntArray

WIDTH = 20_000  # units across; the browser stretches them to the width there is
_HOUR_MS = 60 * MINUTE_MS
_STEPS_MS = (
    *(minutes * MINUTE_MS for minutes in (1, 5, 15, 30)),
    *(hours * _HOUR_MS for hours in (1, 3, 6, 12)),
    *(days * DAY_MS for days in (1, 2, 7, 14)),
)
_STEPS_MONTHS = (1, 3, 6, 12, 24, 60, 120)
_MONTH_MS = 30.44 * DAY_MS


@dataclass(frozen=True, slots=True)
class Label:
    """Text at a place: `at` is 0 to 1, from the left or from the top."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Axes:
    """From times and values to places in a picture of WIDTH times `height` units; the y axis points down."""

    from_ms: int
    to_ms: int
    low: float
    high: float
    height: int

    @classmethod
    def around(cls, from_ms: int, to_ms: int, values: FloatArray, height: int) -> "Axes":
        """Axes that show all the values, with a little room above and below."""
        low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 1.0)
        room = 0.04 * (high - low) or 0.01 * abs(high) or 1.0
        return cls(from_ms, max(to_ms, from_ms + 1), low - room, high + room, height)

    def x(self, times_ms: IntArray) -> FloatArray:
        """Units from the left."""
        return np.round((times_ms - self.from_ms) * (WIDTH / (self.to_ms - self.from_ms)))

    def y(self, values: FloatArray, digits: int = 1) -> FloatArray:
        """Units from the top, to so many decimals."""
        return np.round((self.high - values) * (self.height / (self.high - self.low)), digits)

    def value_labels(self, most: int = 6) -> list[Label]:
        """Round values."""
        step = _round_step((self.high - self.low) / most)
        digits = max(0, -math.floor(math.log10(step) + 1e-9))
        # A number at an edge counts, whatever the last digits of the division say.
        numbers = range(math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9) + 1)
        places = [min(1.0, max(0.0, (self.high - number * step) / (self.high - self.low))) for number in numbers]
        texts = [f"{number * step:,.{digits}f}" for number in numbers]
        return [Label(at, text) for at, text in zip(places, texts, strict=True)]

    def time_labels(self, most: int) -> list[Label]:
        """Round times: `14:30`, the day at midnight, the month at its first day, the year in January."""
        span = self.to_ms - self.from_ms
        step_ms = next((step for step in _STEPS_MS if span / step <= most), None)
        if step_ms is not None:
            first = -(-self.from_ms // step_ms) * step_ms
            times = list(range(first, self.to_ms + 1, step_ms))
        else:
            months = next((step for step in _STEPS_MONTHS if span / (step * _MONTH_MS) <= most), _STEPS_MONTHS[-1])
            times = _first_days(self.from_ms, self.to_ms, months)
        return [Label((at_ms - self.from_ms) / span, _time_text(at_ms, step_ms)) for at_ms in times]


def _round_step(least: float) -> float:
    """The least of 1, 2 and 5 times a power of ten that is at least this."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= least * (1 - 1e-9))


def _first_days(from_ms: int, to_ms: int, months: int) -> list[int]:
    moment = datetime.fromtimestamp(from_ms / 1000, UTC)
    number = (moment.year * 12 + moment.month - 1) // months * months
    found: list[int] = []
    while True:
        at_ms = int(datetime(number // 12, number % 12 + 1, 1, tzinfo=UTC).timestamp()) * 1000
        if at_ms > to_ms:
            return found
        if at_ms >= from_ms:
            found.append(at_ms)
        number += months


def _time_text(at_ms: int, step_ms: int | None) -> str:
    moment = datetime.fromtimestamp(at_ms / 1000, UTC)
    if step_ms is None:
        return f"{moment:%Y}" if moment.month == 1 else f"{moment:%b}"
    return f"{moment.day} {moment:%b}" if step_ms >= DAY_MS or not at_ms % DAY_MS else f"{moment:%H:%M}"

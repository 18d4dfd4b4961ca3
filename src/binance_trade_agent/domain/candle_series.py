"""From the candles that came to the series that a decision may use: closed, sound, no price far off, in one piece.

What cannot be used is dropped, with its reason. Of what is left only the candles after the last hole count: over a hole
an indicator would take two candles for neighbours that are not.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from itertools import pairwise

import numpy as np

from binance_trade_agent.domain.candle_window import CandleWindow
from binance_trade_agent.domain.candles import Candle
from binance_trade_agent.domain.values import Value

FAR_OFF_FACTOR = 10
QUIET_WINDOW = 20
_NEIGHBOURS = 5  # closes on each side by which a price is judged
_FEWEST_NEIGHBOURS = 3


class Flaw(StrEnum):
    """Why a candle was dropped."""

    UNCLOSED = "not closed yet"
    REPEATED = "repeated"
    NOT_A_NUMBER = "a price or the volume is not a number"
    UNSOUND = "prices contradict each other or are not above 0"
    FAR_OFF = f"a price is off by a factor of {FAR_OFF_FACTOR} or more"


@dataclass(frozen=True, slots=True)
class Dropped:
    """A candle that was dropped: its open time, and why."""

    open_time_ms: int
    flaw: Flaw


@dataclass(frozen=True, slots=True)
class Hole:
    """Candles that are missing from `from_ms` until `until_ms`, where the series goes on."""

    from_ms: int
    until_ms: int


class CandleSeries(Value, frozen=True):
    """Candles without a hole, in time order.

    Attributes:
        dropped: what was left out, in the order in which it was found.
        hole: the last hole, before `candles`; None when there was none.
    """

    candles: Sequence[Candle]
    dropped: Sequence[Dropped] = ()
    hole: Hole | None = None

    @property
    def bad_end(self) -> Dropped | None:
        """The newest closed candle when it was dropped: what the market did last is then not known."""
        if not self.dropped:
            return None
        last_ms = self.candles[-1].open_time_ms if self.candles else -1
        later = [each for each in self.dropped if each.flaw is not Flaw.UNCLOSED and each.open_time_ms > last_ms]
        return max(later, key=lambda each: each.open_time_ms, default=None)

    @property
    def quiet_candles(self) -> int:
        """How many of the last QUIET_WINDOW candles nobody traded in. Dropping those would make holes."""
        if isinstance(self.candles, CandleWindow):
            volumes = self.candles.column("volume")[-QUIET_WINDOW:]
            return len(volumes) - int(np.count_nonzero(volumes))
        return sum(not candle.volume for candle in self.candles[-QUIET_WINDOW:])

    @property
    def is_quiet(self) -> bool:
        """Whether most of the last QUIET_WINDOW candles have no volume: their prices are old."""
        return self.quiet_candles * 2 > min(QUIET_WINDOW, len(self.candles))


def candle_series(known: Iterable[Candle], fetched: Iterable[Candle], now_ms: int) -> CandleSeries:
    """The series that may be decided on at `now_ms`.

    Args:
        known: candles of an earlier series, all of them usable.
        fetched: candles as they came; they win over known ones of the same time, later ones over earlier ones.
        now_ms: market time; a candle is closed when its close time is over.
    """
    dropped: list[Dropped] = []
    fresh: dict[int, Candle] = {}
    for candle in fetched:
        if flaw := _own_flaw(candle, now_ms):
            dropped.append(Dropped(candle.open_time_ms, flaw))
            continue
        if candle.open_time_ms in fresh:
            dropped.append(Dropped(candle.open_time_ms, Flaw.REPEATED))
        fresh[candle.open_time_ms] = candle
    by_time = {candle.open_time_ms: candle for candle in known} | fresh
    candles = [by_time[open_ms] for open_ms in sorted(by_time)]
    if far_off := {candle.open_time_ms for candle in _far_off(candles)}:
        dropped += [Dropped(open_ms, Flaw.FAR_OFF) for open_ms in sorted(far_off)]
        candles = [candle for candle in candles if candle.open_time_ms not in far_off]
    start, hole = _last_piece(candles)
    return CandleSeries(candles[start:], dropped, hole)


def _own_flaw(candle: Candle, now_ms: int) -> Flaw | None:
    """What is wrong with a candle, whatever stands beside it."""
    if candle.close_time_ms >= now_ms:
        return Flaw.UNCLOSED
    if candle.is_sound and candle.open_time_ms < candle.close_time_ms:
        return None
    values = (candle.open, candle.high, candle.low, candle.close, candle.volume)
    return Flaw.UNSOUND if all(value.is_finite() for value in values) else Flaw.NOT_A_NUMBER


def _far_off(candles: Sequence[Candle]) -> Iterator[Candle]:
    """Candles with a price that is off by FAR_OFF_FACTOR from the median of the closes around them."""
    highest, lowest = max((each.high for each in candles), default=0), min((each.low for each in candles), default=0)
    if highest < lowest * FAR_OFF_FACTOR:
        return  # nothing can be so far from anything: the usual case, at a glance
    for index, candle in enumerate(candles):
        around = (*candles[max(0, index - _NEIGHBOURS) : index], *candles[index + 1 : index + 1 + _NEIGHBOURS])
        if len(around) < _FEWEST_NEIGHBOURS:
            continue
        usual = _median([each.close for each in around])
        if candle.high >= usual * FAR_OFF_FACTOR or candle.low * FAR_OFF_FACTOR <= usual:
            yield candle


def _median(values: Sequence[Decimal]) -> Decimal:
    """The median, the upper one of two."""
    return sorted(values)[len(values) // 2]


def _last_piece(candles: Sequence[Candle]) -> tuple[int, Hole | None]:
    """Where the last piece without a hole begins, and the hole before it.

    A candle ends where the next begins, whatever their length: months are not of one (binance-protocol.md 1.2).
    """
    start, hole = 0, None
    for index, (before, after) in enumerate(pairwise(candles), start=1):
        if before.close_time_ms + 1 != after.open_time_ms:
            start, hole = index, Hole(before.close_time_ms + 1, after.open_time_ms)
    return start, hole

"""CandleNews: which candles of a feed its readers know, and which they do not.

They know a candle when a bell has told it, and find it where it was written. A bell is told at once; written are the
candles with the next sign of life, many together, as that takes longer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from binance_trade_agent.domain.candle_window import CandleWindow
from binance_trade_agent.feed.candles import CandleFeed, Key
from binance_trade_agent.feed.notes import BellRow, rows_of
from binance_trade_agent.feed.ring import CandleRing

_WHOLE_AT_ONCE = 50  # 28 kB each: more would keep the event loop for long
_ADDED_SHARE = 0.25  # of what is kept: with more behind it, it is written anew, without the oldest


@dataclass(slots=True)
class _Seen:
    """A ring as it was when readers were told of it, or found it written.

    Attributes:
        added: candles that were written behind the whole since.
    """

    ring: CandleRing
    changes: int
    merges: int
    added: int = 0

    @classmethod
    def of(cls, ring: CandleRing) -> "_Seen":
        return cls(ring, ring.changes, ring.merges)

    def new_of(self, ring: CandleRing) -> int | None:
        """How many candles were put behind the last one since; None where more has changed."""
        return ring.changes - self.changes if ring is self.ring and ring.merges == self.merges else None


@dataclass(frozen=True, slots=True)
class Changes:
    """What is to be written, and told with it.

    Attributes:
        renewed, added, dropped: see `store.Writing`.
        rows, reread: see `notes.Bell`.
    """

    renewed: Mapping[Key, bytes]
    added: Mapping[Key, bytes]
    dropped: Sequence[Key]
    rows: Sequence[BellRow]
    reread: Sequence[Key]


class CandleNews:
    """See above.

    Args:
        candles: the feed's.
    """

    def __init__(self, candles: CandleFeed) -> None:
        self._candles = candles
        self._closed: dict[Key, None] = {}
        self._told: dict[Key, _Seen] = {}
        self._written: dict[Key, _Seen] = {}

    def forget(self) -> None:
        """Readers know nothing."""
        self._told.clear()
        self._written.clear()

    def hear(self, symbol: str, interval: str, close_ms: int) -> None:  # noqa: ARG002 (as the feed tells it)
        """A candle has closed."""
        self._closed[symbol, interval] = None

    def rows(self) -> list[BellRow]:
        """The candles that have closed since this was last asked, for a bell; none of rings that changed otherwise."""
        closed, self._closed = self._closed, {}
        rows = []
        for key in closed:
            ring, told = self._candles.rings.get(key), self._told.get(key)
            if ring is not None and told is not None and (row := _told_row(key, told, ring)) is not None:
                rows.append(row)
        return rows

    def changes(self) -> Changes:
        """What is to be written now. It counts as written and told."""
        rings = self._candles.rings
        dropped = [key for key in self._written if key not in rings]
        for key in dropped:
            del self._written[key]
            self._told.pop(key, None)
        renewed: dict[Key, bytes] = {}
        added: dict[Key, bytes] = {}
        for key, ring in rings.items():
            written = self._written.get(key)
            new = None if written is None else written.new_of(ring)
            if new == 0 or not self._candles.is_complete(key):
                continue
            has_place = len(renewed) < _WHOLE_AT_ONCE
            is_long = written is not None and new is not None and written.added + new > ring.capacity * _ADDED_SHARE
            if written is not None and new and not (is_long and has_place):
                added[key] = _last(ring.window(), new)
                written.changes, written.added = ring.changes, written.added + new
            elif has_place:
                renewed[key] = rows_of(ring.window())
                self._written[key] = _Seen.of(ring)
        rows, reread = self._untold([*renewed, *added])
        return Changes(renewed, added, dropped, rows, reread)

    def _untold(self, keys: Sequence[Key]) -> tuple[list[BellRow], list[Key]]:
        rows, reread = [], []
        for key in keys:
            ring, told = self._candles.rings[key], self._told.get(key)
            if told is None or told.new_of(ring) is None:
                reread.append(key)
                self._told[key] = _Seen.of(ring)
            elif (row := _told_row(key, told, ring)) is not None:
                rows.append(row)
        return rows, reread


def _told_row(key: Key, told: _Seen, ring: CandleRing) -> BellRow | None:
    """The new candles of a ring, which count as told from here on."""
    new = told.new_of(ring)
    if not new:
        return None
    told.changes = ring.changes
    return (*key, _last(ring.window(), new))


def _last(window: CandleWindow, count: int) -> bytes:
    return rows_of(window[-count:])

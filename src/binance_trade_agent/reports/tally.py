"""Running sums over all fills of an epoch, by day, symbol and strategy, kept in memory by who reads.

A ledger of a million fills takes seconds to add up, so it is added up once, in slices, and from there on only what has
come since. Until then what is shown says how far it is. Each sum equals what `trade-agent analyze` works out
(reports/trades.py): what a sale realised is at average cost, and an order counts on the UTC day of its last fill.
"""

import sqlite3
from collections.abc import Iterator, Mapping
from functools import cached_property
from threading import Lock

from binance_trade_agent.ledger import queries
from binance_trade_agent.ledger.reader import LedgerReader
from binance_trade_agent.reports.order_strategies import orders_by_hand
from binance_trade_agent.reports.tally_lane import Lane
from binance_trade_agent.reports.tally_sums import Group, Part, Sums, grouped

SLICE_FILLS = 2_000


class TallyView:
    """The sums as they were at one moment; it does not change any more.

    Attributes:
        epoch: which they are of; 0 before the first one.
        counted, total: fills that are in them, and fills that there are.
        assets: base and quote asset of each symbol.
        parts: by symbol, what each day and strategy adds up to.
    """

    def __init__(
        self,
        epoch: int,
        counted: int,
        total: int,
        assets: Mapping[str, tuple[str, str]],
        parts: Mapping[str, Mapping[Part, Sums]],
    ) -> None:
        self.epoch = epoch
        self.counted = counted
        self.total = total
        self.assets = assets
        self.parts = parts

    @property
    def is_whole(self) -> bool:
        """Whether all fills are counted."""
        return self.counted == self.total

    @cached_property
    def in_all(self) -> list[Group[str]]:
        """All symbols of each quote asset: amounts in different assets do not add up."""
        return grouped((quote, quote, sums) for quote, _, _, sums in self._each())

    @cached_property
    def by_symbol(self) -> list[Group[str]]:
        """Each symbol, by name."""
        return grouped((symbol, quote, sums) for quote, symbol, _, sums in self._each())

    @cached_property
    def by_strategy(self) -> list[Group[str]]:
        """Each strategy, by name, once for each quote asset."""
        return grouped((part.strategy, quote, sums) for quote, _, part, sums in self._each())

    @cached_property
    def by_day(self) -> list[Group[int]]:
        """Each UTC day on which something was traded, as days since 1970, the latest first."""
        return grouped((part.day, quote, sums) for quote, _, part, sums in self._each())[::-1]

    def days_of(self, strategy: str) -> frozenset[int]:
        """The days on which there are fills of a strategy."""
        return frozenset(part.day for parts in self.parts.values() for part in parts if part.strategy == strategy)

    def _each(self) -> Iterator[tuple[str, str, Part, Sums]]:
        for symbol, parts in self.parts.items():
            for part, sums in parts.items():
                yield self.assets[symbol][1], symbol, part, sums


class Tally:
    """Counts the fills of an epoch, or of whichever is the current one; `advance` on one thread, `view` on any."""

    def __init__(self, reader: LedgerReader, epoch: int | None = None) -> None:
        self._reader = reader
        self._only = epoch
        self._epoch = 0
        self._lanes: dict[str, Lane] = {}
        self._shown: dict[str, dict[Part, Sums]] = {}
        self._lock = Lock()
        self._view: TallyView | None = TallyView(0, 0, 0, {}, {})

    def advance(self, most_fills: int = SLICE_FILLS) -> bool:
        """Count up to so many fills; True when all were counted. 2,000 take some 15 ms.

        Raises:
            LedgerError: the ledger could not be read.
        """
        return self._reader.snapshot(lambda connection: self._advance(connection, most_fills))

    def view(self) -> TallyView:
        """The sums as they are now; the same object until they change."""
        with self._lock:
            if self._view is None:
                self._view = TallyView(
                    self._epoch,
                    sum(lane.counted for lane in self._lanes.values()),
                    sum(lane.total for lane in self._lanes.values()),
                    {symbol: lane.assets for symbol, lane in self._lanes.items()},
                    {symbol: dict(parts) for symbol, parts in self._shown.items()},
                )
            return self._view

    def _advance(self, connection: sqlite3.Connection, most_fills: int) -> bool:
        epoch = queries.epoch_number(connection) if self._only is None else self._only
        if epoch != self._epoch:
            with self._lock:
                self._epoch, self._view = epoch, None
                self._lanes, self._shown = {}, {}
        by_hand: frozenset[str] | None = None
        rows = connection.execute("SELECT * FROM positions WHERE epoch = ? ORDER BY symbol", (epoch,)).fetchall()
        for lane, row in [(self._lane(connection, row), row) for row in rows]:
            if lane.is_at(row):  # nothing has filled since
                continue
            if most_fills <= 0:
                return False
            by_hand = orders_by_hand(connection) if by_hand is None else by_hand
            most_fills -= self._count(connection, lane, row, most_fills, by_hand)
            if not lane.is_at(row):
                return False
        return True

    def _lane(self, connection: sqlite3.Connection, row: sqlite3.Row) -> Lane:
        symbol = row["symbol"]
        if symbol not in self._lanes:
            lane = Lane(connection, self._epoch, symbol, (row["base_asset"], row["quote_asset"]))
            with self._lock:
                self._lanes[symbol], self._view = lane, None
        return self._lanes[symbol]

    def _count(
        self, connection: sqlite3.Connection, lane: Lane, row: sqlite3.Row, most_fills: int, by_hand: frozenset[str]
    ) -> int:
        """Count a slice of one symbol; how many fills it took.

        When fills were put in between those that were counted, the symbol is counted anew, and what it added up to
        before is shown until that is done.
        """
        taken, changed = lane.count(connection, most_fills, by_hand)
        is_at_end = taken < most_fills
        if lane.has_missed or (is_at_end and not lane.is_complete(connection)):
            again = Lane(connection, self._epoch, lane.symbol, lane.assets)
            again.is_again = True
            with self._lock:
                self._lanes[lane.symbol], self._view = again, None
            return taken
        with self._lock:
            if not lane.is_again:
                self._shown.setdefault(lane.symbol, {}).update(changed)
            elif is_at_end:
                self._shown[lane.symbol], lane.is_again = dict(lane.sums), False
            self._view = None
        if is_at_end:
            lane.seen(row)
        return taken

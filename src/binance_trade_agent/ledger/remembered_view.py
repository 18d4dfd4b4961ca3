"""RememberedView: a SqlView that asks the file each question once, until something is written."""

import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterator
from decimal import Decimal
from itertools import islice
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

from binance_trade_agent.domain.holdings import Holding
from binance_trade_agent.domain.positions import Position
from binance_trade_agent.domain.symbols import SymbolRules
from binance_trade_agent.ledger import queries
from binance_trade_agent.ledger.records import OrderEntry
from binance_trade_agent.ledger.rows import balance_from, order_entry_from, position_from
from binance_trade_agent.ledger.sql_view import SqlView
from binance_trade_agent.risk.state import ExitResult

T = TypeVar("T")
C = TypeVar("C")
P = ParamSpec("P")

_FIRST_EXITS = 4  # that are worked out at once: mostly one is asked for as far as the last that made a profit


class _Read(Generic[T, C]):
    """What was made of rows when they were read last; of those that are found again nothing is made anew.

    While all of them are as they were the very same collection is given: who keeps it sees that nothing has changed.
    """

    def __init__(self, make: Callable[[sqlite3.Row], T], gather: Callable[[list[T]], C]) -> None:
        self._make = make
        self._gather = gather
        self._made: dict[tuple[Any, ...], T] = {}
        self._gathered = gather([])

    def of(self, cursor: sqlite3.Cursor) -> C:
        """The collection of what the rows say, each of which has its key in it."""
        rows = {tuple(row): row for row in cursor}
        if list(rows) != list(self._made):
            known = self._made
            made = {key: known[key] if key in known else self._make(row) for key, row in rows.items()}
            self._made, self._gathered = made, self._gather(list(made.values()))
        return self._gathered


_Orders = tuple[list[OrderEntry], dict[str, list[OrderEntry]]]


def _by_symbol(entries: list[OrderEntry]) -> _Orders:
    """All of them, and those of each symbol."""
    found: dict[str, list[OrderEntry]] = {}
    for entry in entries:
        found.setdefault(entry.order.symbol, []).append(entry)
    return entries, found


def _positions(found: list[Position]) -> dict[str, Position]:
    return {position.symbol: position for position in found}


class Reading:
    """What was read of that which grows with the number of symbols. Views come and go with each write."""

    def __init__(self) -> None:
        self.orders: _Read[OrderEntry, _Orders] = _Read(order_entry_from, _by_symbol)
        self.wallet: _Read[tuple[str, Decimal], dict[str, Decimal]] = _Read(balance_from, dict)
        self.positions: defaultdict[str | None, _Read[Position, dict[str, Position]]] = defaultdict(
            lambda: _Read(position_from, _positions)
        )


def _once(ask: Callable[Concatenate[SqlView, P], T]) -> Callable[Concatenate["RememberedView", P], T]:
    """Ask a question of SqlView the first time only."""

    def answer(view: "RememberedView", /, *arguments: P.args, **named: P.kwargs) -> T:
        key = ask, repr((arguments, named))  # as a text: amounts that are equal may have other digits
        if key not in view.answers:
            view.answers[key] = ask(view, *arguments, **named)
        return view.answers[key]  # type: ignore[no-any-return]

    answer.__doc__ = "See SqlView."
    return answer


class RememberedView(SqlView):
    """Says what it has said before, as long as it lives: until something is written."""

    def __init__(self, connection: sqlite3.Connection, reading: Reading) -> None:
        super().__init__(connection)
        self.answers: dict[tuple[Any, ...], Any] = {}
        self._reading = reading
        self._positions: dict[str | None, dict[str, Position]] = {}
        self._wallet: dict[str, Decimal] | None = None
        self._orders: _Orders | None = None
        self._holdings: dict[str, tuple[SymbolRules, Holding | None]] = {}
        self._exits: list[ExitResult] = []
        self._are_all_exits = False

    def positions(self, quote_asset: str | None = None) -> dict[str, Position]:
        """See SqlView."""
        if quote_asset not in self._positions:
            rows = queries.position_rows(self._connection, self._epoch, quote_asset)
            self._positions[quote_asset] = self._reading.positions[quote_asset].of(rows)
        return self._positions[quote_asset]

    def position(self, symbol: str) -> Position:
        """See SqlView."""
        found = self._positions.get(None)  # one is read faster than all of them
        return super().position(symbol) if found is None else found.get(symbol) or Position(symbol)

    def holding(self, symbol: str, rules: SymbolRules) -> Holding | None:
        """See SqlView."""
        known = self._holdings.get(symbol)
        if known is None or known[0] is not rules:
            known = self._holdings[symbol] = rules, super().holding(symbol, rules)
        return known[1]

    def wallet(self) -> dict[str, Decimal]:
        """See SqlView."""
        if self._wallet is None:
            self._wallet = self._reading.wallet.of(queries.wallet_rows(self._connection, self._epoch))
        return self._wallet

    def unsettled_orders(self, symbol: str | None = None) -> list[OrderEntry]:
        """See SqlView."""
        if self._orders is None:
            self._orders = self._reading.orders.of(queries.unsettled_rows(self._connection, self._epoch))
        entries, by_symbol = self._orders
        return entries if symbol is None else by_symbol.get(symbol, [])

    def exits_backwards(self) -> Iterator[ExitResult]:
        """See SqlView. None of the file's statements is left open: behind one nobody else's writes would be seen."""
        place = 0
        while place < len(self._exits) or not self._are_all_exits:
            if place == len(self._exits):
                wanted = max(_FIRST_EXITS, 2 * place)
                self._exits = list(islice(super().exits_backwards(), wanted))
                self._are_all_exits = len(self._exits) < wanted
            else:
                yield self._exits[place]
                place += 1

    def last_entry_fill_ms(self, symbol: str) -> int | None:
        """See SqlView."""
        found = self._positions.get(None)
        if found is not None and symbol not in found:  # it never traded
            return None
        return self._last_entry_fill_ms(symbol)

    # What is asked for each symbol that is to be entered.
    _last_entry_fill_ms = _once(SqlView.last_entry_fill_ms)
    entries_since = _once(SqlView.entries_since)
    external_sum = _once(SqlView.external_sum)
    peak_now = _once(SqlView.peak_now)
    day_start = _once(SqlView.day_start)
    active_pauses = _once(SqlView.active_pauses)
    last_pause_end_ms = _once(SqlView.last_pause_end_ms)
    is_paused = _once(SqlView.is_paused)
    pause_scope = _once(SqlView.pause_scope)
    is_killed = _once(SqlView.is_killed)


class LatestView:
    """Gives the view of now: the last one while nothing was written, by this connection or by another process."""

    def __init__(self) -> None:
        self._view: RememberedView | None = None
        self._reading = Reading()
        self._as_of = (-1, -1)

    def of(self, connection: sqlite3.Connection) -> RememberedView:
        """To be called outside transactions, in the connection's thread."""
        (version,) = connection.execute("PRAGMA data_version").fetchone()
        as_of = connection.total_changes, version
        if self._view is None or as_of != self._as_of:
            self._view, self._as_of = RememberedView(connection, self._reading), as_of
        return self._view

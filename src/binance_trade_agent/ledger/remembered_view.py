"""RememberedView: a SqlView that reads what grows with the number of symbols once, until something is written."""

import sqlite3
from collections import defaultdict
from decimal import Decimal

from binance_trade_agent.domain.positions import Position
from binance_trade_agent.ledger.records import OrderEntry
from binance_trade_agent.ledger.sql_view import SqlView


class RememberedView(SqlView):
    """Positions, wallet and unsettled orders as they were when they were first asked for."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        super().__init__(connection)
        self._positions: dict[str | None, dict[str, Position]] = {}
        self._wallet: dict[str, Decimal] | None = None
        self._unsettled: list[OrderEntry] | None = None
        self._unsettled_of: defaultdict[str, list[OrderEntry]] = defaultdict(list)

    def positions(self, quote_asset: str | None = None) -> dict[str, Position]:
        """See SqlView."""
        if quote_asset not in self._positions:
            self._positions[quote_asset] = super().positions(quote_asset)
        return self._positions[quote_asset]

    def position(self, symbol: str) -> Position:
        """See SqlView."""
        found = self._positions.get(None)  # one is read faster than all of them
        return super().position(symbol) if found is None else found.get(symbol) or Position(symbol)

    def wallet(self) -> dict[str, Decimal]:
        """See SqlView."""
        if self._wallet is None:
            self._wallet = super().wallet()
        return self._wallet

    def unsettled_orders(self, symbol: str | None = None) -> list[OrderEntry]:
        """See SqlView."""
        if self._unsettled is None:
            self._unsettled = super().unsettled_orders()
            for entry in self._unsettled:
                self._unsettled_of[entry.order.symbol].append(entry)
        return self._unsettled if symbol is None else self._unsettled_of.get(symbol, [])


class LatestView:
    """Gives the view of now: the last one while nothing was written, by this connection or by another process."""

    def __init__(self) -> None:
        self._view: RememberedView | None = None
        self._as_of = (-1, -1)

    def of(self, connection: sqlite3.Connection) -> RememberedView:
        """To be called outside transactions, in the connection's thread."""
        (version,) = connection.execute("PRAGMA data_version").fetchone()
        as_of = connection.total_changes, version
        if self._view is None or as_of != self._as_of:
            self._view, self._as_of = RememberedView(connection), as_of
        return self._view

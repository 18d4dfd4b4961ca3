"""Finding orders by what they have in common: the decision or command that they come of, the list that they are in."""

import sqlite3

from binance_trade_agent.ledger.records import OrderEntry
from binance_trade_agent.ledger.rows import order_entry_from


def order_of_decision(connection: sqlite3.Connection, decision_key: str) -> OrderEntry | None:
    """The order of a decision (domain/order_ids.py), whichever generation of the daemon has made it."""
    row = connection.execute("SELECT * FROM orders WHERE decision_key = ?", (decision_key,)).fetchone()
    return order_entry_from(row) if row else None


def orders_of_list(connection: sqlite3.Connection, entry: OrderEntry) -> list[OrderEntry]:
    """The order alone, or the two of its list, of which one cancels the other: the one without a stop first.

    They were committed together, so they are found by when.
    """
    order = entry.order
    if order.list_id is None:
        return [entry]
    rows = connection.execute(
        "SELECT * FROM orders WHERE epoch = ? AND created_ms = ? AND list_id = ? ORDER BY stop_price IS NOT NULL",
        (entry.epoch, order.created_ms, order.list_id),
    )
    return [order_entry_from(row) for row in rows]

"""Which strategy an order is owed to: the one that decided on it, or a person, or the entry that it protected.

A stop, a target, and whatever else no decision led to belong to what the symbol's last purchase before it belongs to.
"""

import sqlite3

from binance_trade_agent.domain.exits import ExitKind

BY_HAND = "by hand"  # a person asked for it
UNKNOWN = ""  # a purchase that neither a decision nor a command speaks of

_AFTER_ALL = 2**63 - 1

DECIDED_BY = (
    f"CASE WHEN orders.exit IN ('{ExitKind.MANUAL}', '{ExitKind.EMERGENCY}') THEN '{BY_HAND}' ELSE"  # noqa: S608 (ours)
    " (SELECT strategy FROM decisions WHERE decisions.run_id = orders.run_id AND decisions.tick_ms = orders.tick_ms"
    " AND decisions.symbol = orders.symbol AND decisions.client_order_id = orders.client_order_id) END"
)
"""SQL: whose a row of `orders` is by its decision, or by what made it sell; NULL where neither says it."""

# A command names the first order of a list that it asked for; the others were made with it.
_BY_HAND = (
    "SELECT asked.client_order_id FROM commands CROSS JOIN orders AS named USING (client_order_id)"
    " CROSS JOIN orders AS asked ON asked.epoch = named.epoch AND asked.created_ms = named.created_ms"
    " AND (asked.client_order_id = named.client_order_id OR asked.list_id = named.list_id)"
    " WHERE commands.client_order_id IS NOT NULL"
)


def orders_by_hand(connection: sqlite3.Connection) -> frozenset[str]:
    """Client ids of the orders that people asked for."""
    rows = connection.execute(_BY_HAND)
    return frozenset(row[0] for row in rows)


def is_by_hand(connection: sqlite3.Connection, client_order_id: str) -> bool:
    """Whether a person asked for an order."""
    row = connection.execute(
        "SELECT 1 FROM orders AS asked CROSS JOIN orders AS named"
        " ON named.epoch = asked.epoch AND named.created_ms = asked.created_ms"
        " AND (named.client_order_id = asked.client_order_id OR named.list_id = asked.list_id)"
        " CROSS JOIN commands ON commands.client_order_id = named.client_order_id"
        " WHERE asked.client_order_id = ? LIMIT 1",
        (client_order_id,),
    )
    return row.fetchone() is not None


def decided_by(connection: sqlite3.Connection, client_order_id: str) -> str | None:
    """Whose decision led to an order: a strategy's, or BY_HAND; None where nobody's did."""
    row = connection.execute(
        f"SELECT {DECIDED_BY} FROM orders WHERE client_order_id = ?",  # noqa: S608 (ours)
        (client_order_id,),
    ).fetchone()
    if row and row[0]:
        return str(row[0])
    return BY_HAND if is_by_hand(connection, client_order_id) else None


def last_purchase(connection: sqlite3.Connection, epoch: int, symbol: str, before: int | None = None) -> str | None:
    """Client id of the order of the symbol's last purchase, before a trade id where one is given; None without one."""
    row = connection.execute(
        "SELECT client_order_id FROM fills WHERE epoch = ? AND symbol = ? AND trade_id < ? AND side = 'BUY'"
        " ORDER BY trade_id DESC LIMIT 1",
        (epoch, symbol, _AFTER_ALL if before is None else before),
    ).fetchone()
    return row[0] if row else None

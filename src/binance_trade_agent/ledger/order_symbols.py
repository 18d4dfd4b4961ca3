"""On which symbols the ledger has orders."""

import sqlite3

from binance_trade_agent.domain.orders import OrderState


def has_order(connection: sqlite3.Connection, epoch: int, symbol: str) -> bool:
    """Whether the ledger has any order on the symbol in the epoch, whatever became of it."""
    row = connection.execute(
        "SELECT 1 FROM orders INDEXED BY orders_by_exchange_id WHERE epoch = ? AND symbol = ? LIMIT 1", (epoch, symbol)
    ).fetchone()
    return row is not None


def given_up(connection: sqlite3.Connection, epoch: int) -> set[str]:
    """The symbols with an order that was proved absent: the exchange may have it after all."""
    rows = connection.execute(
        "SELECT DISTINCT symbol FROM orders WHERE epoch = ? AND state = ?", (epoch, OrderState.NOT_PLACED)
    )
    return {row["symbol"] for row in rows}


def ordered_since(connection: sqlite3.Connection, epoch: int, since_ms: int) -> set[str]:
    """The symbols with an order that was made since then, in ms of market time."""
    rows = connection.execute(
        "SELECT DISTINCT symbol FROM orders INDEXED BY orders_by_creation WHERE epoch = ? AND created_ms >= ?",
        (epoch, since_ms),
    )
    return {row["symbol"] for row in rows}

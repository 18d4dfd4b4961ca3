"""Orders as rows of the ledger, for the two modules that write them: `orders.py` and `fills.py`."""

import sqlite3
from typing import Any

from binance_trade_agent.domain.order_ids import decision_digest
from binance_trade_agent.domain.orders import Order
from binance_trade_agent.ledger import queries
from binance_trade_agent.ledger.errors import UnknownOrder
from binance_trade_agent.ledger.records import OrderEntry
from binance_trade_agent.ledger.rows import columns, stored


def required_order(connection: sqlite3.Connection, client_order_id: str) -> OrderEntry:
    """The order with this client order id.

    Raises:
        UnknownOrder: there is none.
    """
    entry = queries.order_entry(connection, client_order_id)
    if entry is None:
        raise UnknownOrder(f"order {client_order_id} is not in the ledger")
    return entry


def update_order(connection: sqlite3.Connection, entry: OrderEntry) -> None:
    """Write what can change of an order."""
    connection.execute(
        "UPDATE orders SET state = :state, detail = :detail, exchange_order_id = :exchange_order_id,"
        " executed_base = :executed_base, executed_quote = :executed_quote, filled_base = :filled_base,"
        " filled_quote = :filled_quote, settled = :settled, updated_ms = :updated_ms, owner = :owner,"
        " deadline_ms = :deadline_ms, cancel_requested_ms = :cancel_requested_ms"
        " WHERE client_order_id = :client_order_id",
        _columns(entry),
    )


def insert_order(connection: sqlite3.Connection, entry: OrderEntry) -> None:
    """Write a new order."""
    connection.execute(
        "INSERT INTO orders VALUES (:client_order_id, :epoch, :run_id, :symbol, :side, :type, :quantity, :price,"
        " :reference_price, :tick_ms, :candle_open_ms, :state, :detail, :exchange_order_id, :executed_base,"
        " :executed_quote, :filled_base, :filled_quote, :settled, :created_ms, :updated_ms, :role, :stop_price,"
        " :list_id, :owner, :deadline_ms, :cancel_requested_ms, :decision_key, :exit, :atr_quote)",
        {**_columns(entry), "decision_key": decision_digest(entry.order.client_order_id)},
    )


def add_event(connection: sqlite3.Connection, order: Order) -> None:
    """Write the order's present state as the next step of its life."""
    connection.execute(
        "INSERT INTO order_events SELECT :client_order_id, count(*) + 1, :state, :updated_ms, :executed_base, :detail"
        " FROM order_events WHERE client_order_id = :client_order_id",
        columns(order),
    )


def _columns(entry: OrderEntry) -> dict[str, Any]:
    ledger_only = {
        "epoch": entry.epoch,
        "run_id": entry.run_id,
        "filled_base": stored(entry.filled_base),
        "filled_quote": stored(entry.filled_quote),
        "settled": stored(entry.is_settled),
    }
    return {**columns(entry.order), **ledger_only}

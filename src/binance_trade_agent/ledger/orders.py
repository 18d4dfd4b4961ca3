"""Writing what happened to orders: the intent, its states, and what the exchange reports of it.

The functions take the SQLite connection inside a transaction; `ledger.py` provides both.
"""

import sqlite3
from dataclasses import replace
from decimal import Decimal

from binance_trade_agent.domain.decisions import Decision
from binance_trade_agent.domain.money import ZERO
from binance_trade_agent.domain.orders import (
    STATE_OF_STATUS,
    TRANSITIONS,
    Order,
    OrderIntent,
    OrderReport,
    OrderState,
)
from binance_trade_agent.ledger import queries
from binance_trade_agent.ledger.errors import DuplicateIntent
from binance_trade_agent.ledger.fills import book_fill
from binance_trade_agent.ledger.journal import record_decisions, required_epoch
from binance_trade_agent.ledger.order_rows import add_event, insert_order, required_order, update_order
from binance_trade_agent.ledger.records import AppliedReport, OrderEntry


def commit_intent(connection: sqlite3.Connection, decision: Decision, intent: OrderIntent, at_ms: int) -> Order:
    """Keep the decision and the order that it leads to, before anything is sent.

    Raises:
        DuplicateIntent: the client order id is known.
    """
    if queries.order_entry(connection, intent.client_order_id):
        raise DuplicateIntent(f"order {intent.client_order_id} is in the ledger already; it is not sent again")
    order = Order(
        client_order_id=intent.client_order_id,
        symbol=intent.symbol,
        side=intent.side,
        type=intent.type,
        quantity=intent.quantity,
        state=OrderState.INTENT,
        created_ms=at_ms,
        updated_ms=at_ms,
        tick_ms=intent.tick_ms,
        candle_open_ms=intent.candle_open_ms,
        reference_price=intent.reference_price,
        price=intent.price,
        detail=intent.reason,
    )
    record_decisions(connection, [decision])
    insert_order(connection, OrderEntry(order, required_epoch(connection).epoch, decision.run_id, ZERO, ZERO))
    add_event(connection, order)
    return order


def transition(
    connection: sqlite3.Connection,
    client_order_id: str,
    state: OrderState,
    at_ms: int,
    *,
    detail: str = "",
    exchange_order_id: int | None = None,
    executed_base: Decimal | None = None,
    executed_quote: Decimal | None = None,
) -> bool:
    """Move an order; what is late or repeated changes nothing.

    The state moves only along domain TRANSITIONS, and executed quantities only rise.

    Returns:
        Whether anything changed.

    Raises:
        UnknownOrder: no such order.
    """
    entry = required_order(connection, client_order_id)
    order = entry.order
    news = replace(
        order,
        state=state if state in TRANSITIONS[order.state] else order.state,
        exchange_order_id=order.exchange_order_id if exchange_order_id is None else exchange_order_id,
        executed_base=max(order.executed_base, executed_base or ZERO),
        executed_quote=max(order.executed_quote, executed_quote or ZERO),
    )
    if news == order:
        return False
    news = replace(news, updated_ms=at_ms, detail=detail or order.detail)
    update_order(connection, replace(entry, order=news))
    add_event(connection, replace(news, detail=detail))
    return True


def apply_report(
    connection: sqlite3.Connection, report: OrderReport, *, base_asset: str, quote_asset: str
) -> AppliedReport:
    """Book what the exchange says of an order: its fills through the one door, then its state.

    Raises:
        UnknownOrder: no order with the report's client order id.
        ContradictoryFill: see book_fill.
    """
    before = required_order(connection, report.client_order_id)
    new_fills = tuple(
        fill
        for fill in report.fills
        if book_fill(connection, before.epoch, fill, base_asset=base_asset, quote_asset=quote_asset)
    )
    if before.order.state is OrderState.INTENT:
        # Killed between the commit and the note that it was sent: the report proves that it was.
        transition(connection, report.client_order_id, OrderState.SENT, report.at_ms)
    is_changed = transition(
        connection,
        report.client_order_id,
        # A status that the exchange invents later must not keep its fills out of the books.
        STATE_OF_STATUS.get(report.status, before.order.state),
        report.at_ms,
        detail=report.detail,
        exchange_order_id=report.exchange_order_id,
        executed_base=report.executed_base,
        executed_quote=report.executed_quote,
    )
    after = required_order(connection, report.client_order_id)
    return AppliedReport(
        order=after.order,
        new_fills=new_fills,
        is_changed=is_changed or bool(new_fills),
        is_settled=after.is_settled,
        is_after_end=bool(new_fills) and before.is_settled,
    )

"""Writing what happened to orders: the intent, its states, and what the exchange reports of it.

The functions take the SQLite connection inside a transaction; `ledger.py` provides both.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from decimal import Decimal

from binance_trade_agent.domain.decisions import Decision
from binance_trade_agent.domain.money import ZERO
from binance_trade_agent.domain.order_ids import decision_digest
from binance_trade_agent.domain.order_states import GIVEN_UP_STATES, STATE_OF_STATUS, TRANSITIONS, OrderState
from binance_trade_agent.domain.orders import Order, OrderIntent, OrderReport
from binance_trade_agent.domain.values import replace
from binance_trade_agent.domain.words import words_of
from binance_trade_agent.ledger import queries
from binance_trade_agent.ledger.errors import DuplicateIntent
from binance_trade_agent.ledger.fills import book_fill
from binance_trade_agent.ledger.journal import record_decisions, required_epoch
from binance_trade_agent.ledger.order_rows import add_event, insert_order, required_order, update_order
from binance_trade_agent.ledger.records import AppliedReport, OrderEntry

# An outcome that is still unknown after so long (market time) is an alarm: the quiet time is long over by then.
UNKNOWN_DEADLINE_MS = 120_000
_INTENT, _SENT = OrderState.INTENT, OrderState.SENT


def commit_intent(
    connection: sqlite3.Connection, decision: Decision, intent: OrderIntent, at_ms: int, *, is_sending: bool = False
) -> Order:
    """Keep the decision and the order that it leads to, before anything is sent.

    With `is_sending` it is sent next, so that it is SENT: from this moment on it may be on the exchange.

    Raises:
        DuplicateIntent: the decision has its order already, under this id or that of an earlier generation.
    """
    record_decisions(connection, [decision])
    return _insert_intent(connection, decision.run_id, intent, at_ms, is_sending=is_sending)


def commit_protection(
    connection: sqlite3.Connection,
    run_id: str,
    intents: Sequence[OrderIntent],
    at_ms: int,
    command_id: int | None = None,
    *,
    is_sending: bool = False,
) -> list[Order]:
    """Keep the orders that are to protect or close a position, or that a person wants, before anything is sent.

    All of them or none; the first is noted as the order of the command `command_id`. `is_sending`: see commit_intent.

    Raises:
        DuplicateIntent: see commit_intent.
    """
    orders = [_insert_intent(connection, run_id, intent, at_ms, is_sending=is_sending) for intent in intents]
    if command_id is not None:
        connection.execute(
            "UPDATE commands SET client_order_id = coalesce(client_order_id, ?) WHERE command_id = ?",
            (orders[0].client_order_id, command_id),
        )
    return orders


def commit_replacement(
    connection: sqlite3.Connection,
    run_id: str,
    cancelled_ids: Iterable[str],
    intents: Sequence[OrderIntent],
    at_ms: int,
    *,
    is_sending: bool = False,
) -> list[Order]:
    """Keep that `intents` are to take the place of orders, which are to be cancelled, before anything is sent.

    `is_sending`: see commit_intent.

    Raises:
        DuplicateIntent: see commit_intent.
        UnknownOrder: see request_cancel.
    """
    request_cancel(connection, cancelled_ids, at_ms)
    return commit_protection(connection, run_id, intents, at_ms, is_sending=is_sending)


def _insert_intent(
    connection: sqlite3.Connection, run_id: str, intent: OrderIntent, at_ms: int, *, is_sending: bool
) -> Order:
    if queries.has_decision(connection, decision_digest(intent.client_order_id)):
        raise DuplicateIntent(f"order {intent.client_order_id} is in the ledger already; it is not sent again")
    order = order_of(run_id, intent, at_ms, is_sending=is_sending)
    insert_order(connection, OrderEntry(order, required_epoch(connection).epoch, run_id, ZERO, ZERO))
    add_event(connection, replace(order, state=_INTENT) if is_sending else order)
    if is_sending:
        add_event(connection, replace(order, detail=""))
    return order


def order_of(run_id: str, intent: OrderIntent, at_ms: int, *, is_sending: bool = False) -> Order:
    """The order that an intent begins as; `run_id` answers for it. `is_sending`: see commit_intent."""
    # By place: naming two dozen fields takes as long as making them.
    return Order(
        intent.client_order_id,
        intent.symbol,
        intent.side,
        intent.type,
        intent.quantity,
        _SENT if is_sending else _INTENT,
        at_ms,
        at_ms,
        intent.tick_ms,
        intent.candle_open_ms,
        intent.reference_price,
        intent.price,
        detail=words_of(intent, "reason"),
        role=intent.role,
        stop_price=intent.stop_price,
        list_id=intent.list_id,
        owner=run_id,
        exit=intent.exit,
        atr_quote=intent.atr_quote,
    )


def request_cancel(connection: sqlite3.Connection, client_order_ids: Iterable[str], at_ms: int) -> None:
    """Note that these orders are to be cancelled, before anything is sent.

    Raises:
        UnknownOrder: one of them is not in the ledger.
    """
    for client_order_id in client_order_ids:
        entry = required_order(connection, client_order_id)
        if entry.order.cancel_requested_ms is None:
            update_order(connection, replace(entry, order=replace(entry.order, cancel_requested_ms=at_ms)))


def withdraw_cancel(connection: sqlite3.Connection, client_order_id: str) -> None:
    """Take the wish back that this order be cancelled: the exchange surely did not do it.

    Raises:
        UnknownOrder: it is not in the ledger.
    """
    entry = required_order(connection, client_order_id)
    update_order(connection, replace(entry, order=replace(entry.order, cancel_requested_ms=None)))


def take_over(connection: sqlite3.Connection, run_id: str) -> list[str]:
    """Let `run_id` answer for every order of the epoch that is not settled; returns the ids of those it did not own."""
    epoch = required_epoch(connection).epoch
    taken = [entry for entry in queries.unsettled_orders(connection, epoch) if entry.order.owner != run_id]
    for entry in taken:
        update_order(connection, replace(entry, order=replace(entry.order, owner=run_id)))
    return [entry.order.client_order_id for entry in taken]


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
    moved = _moved(
        connection,
        entry,
        state,
        at_ms,
        detail=detail,
        exchange_order_id=exchange_order_id,
        executed_base=executed_base,
        executed_quote=executed_quote,
    )
    return moved is not entry


def _moved(
    connection: sqlite3.Connection,
    entry: OrderEntry,
    state: OrderState,
    at_ms: int,
    *,
    detail: str = "",
    exchange_order_id: int | None = None,
    executed_base: Decimal | None = None,
    executed_quote: Decimal | None = None,
) -> OrderEntry:
    """The same of an entry as it is in the ledger; returns what it is then, the very same when nothing changed."""
    order = entry.order
    news = replace(
        order,
        state=state if state in TRANSITIONS[order.state] else order.state,
        exchange_order_id=order.exchange_order_id if exchange_order_id is None else exchange_order_id,
        executed_base=max(order.executed_base, executed_base or ZERO),
        executed_quote=max(order.executed_quote, executed_quote or ZERO),
    )
    if news == order:
        return entry
    news = replace(
        news, updated_ms=at_ms, detail=detail or order.detail, deadline_ms=deadline_after(order, news.state, at_ms)
    )
    moved = replace(entry, order=news)
    update_order(connection, moved)
    add_event(connection, replace(news, detail=detail))
    return moved


def deadline_after(before: Order, state: OrderState, at_ms: int) -> int | None:
    """Until when an unknown outcome has to be known, once `before` is in `state`; None when nothing is unknown."""
    if state is not OrderState.UNKNOWN:
        return None
    return before.deadline_ms or at_ms + UNKNOWN_DEADLINE_MS


def apply_report(
    connection: sqlite3.Connection, report: OrderReport, *, base_asset: str, quote_asset: str
) -> AppliedReport:
    """Book what the exchange says of an order: its fills through the one door, then its state.

    Raises:
        UnknownOrder: no order with the report's client order id.
        ContradictoryFill: see book_fill.
    """
    before = entry = required_order(connection, report.client_order_id)
    new_fills = tuple(
        fill
        for fill in report.fills
        if book_fill(connection, before.epoch, fill, base_asset=base_asset, quote_asset=quote_asset)
    )
    if new_fills:  # they have moved its sums
        entry = required_order(connection, report.client_order_id)
    if before.order.state is _INTENT:  # what was not to be sent, as the ledger has it: the report proves that it was
        entry = _moved(connection, entry, _SENT, report.at_ms)
    after = _moved(
        connection,
        entry,
        # A status that the exchange invents later must not keep its fills out of the books.
        STATE_OF_STATUS.get(report.status, before.order.state),
        report.at_ms,
        detail=report.detail,
        exchange_order_id=report.exchange_order_id,
        executed_base=report.executed_base,
        executed_quote=report.executed_quote,
    )
    is_changed = after is not entry or bool(new_fills)
    return AppliedReport(
        before=before.order.state,
        order=after.order,
        new_fills=new_fills,
        is_changed=is_changed,
        is_settled=after.is_settled,
        repeated_fills=len(report.fills) - len(new_fills),
        is_after_end=bool(new_fills) and before.is_settled,
        is_revived=before.order.state in GIVEN_UP_STATES and after.order.state is not before.order.state,
        is_number_out_of_order=is_changed and queries.is_number_out_of_order(connection, after.order),
    )

"""Verifying orders: their sums from their fills, their life from its events."""

import sqlite3
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from itertools import pairwise

from binance_trade_agent.domain.money import ZERO, plain
from binance_trade_agent.domain.order_states import TRANSITIONS, OrderState
from binance_trade_agent.ledger import queries
from binance_trade_agent.ledger.integrity import UNREADABLE
from binance_trade_agent.ledger.records import OrderEntry
from binance_trade_agent.ledger.rows import order_entry_from

Say = Callable[[str], None]


def verify_orders(connection: sqlite3.Connection, say: Say, counts: "Counter[str]") -> None:
    """Verify each order, one after the other."""
    for row in connection.execute("SELECT * FROM orders ORDER BY client_order_id"):
        counts["orders"] += 1
        try:
            entry = order_entry_from(row)
            _verify_sums(connection, entry, bool(row["settled"]), say)
            _verify_life(connection, entry, say)
        except UNREADABLE as error:
            say(f"order {row['client_order_id']} cannot be read: {error!r}")


def _verify_sums(connection: sqlite3.Connection, entry: OrderEntry, is_settled: bool, say: Say) -> None:
    what = f"order {entry.order.client_order_id}"
    base = quote = ZERO
    rows = connection.execute(
        "SELECT quantity, quote_quantity FROM fills WHERE client_order_id = ?", (entry.order.client_order_id,)
    )
    for quantity, quote_quantity in rows:
        base += Decimal(quantity)
        quote += Decimal(quote_quantity)
    if (base, quote) != (entry.filled_base, entry.filled_quote):
        noted = f"{plain(entry.filled_base)} for {plain(entry.filled_quote)}"
        say(f"{what} is filled {noted}, and its fills sum to {plain(base)} for {plain(quote)}")
    if entry.filled_base > entry.order.executed_base:
        executed = plain(entry.order.executed_base)
        say(f"{what} is filled {plain(entry.filled_base)} and was executed only {executed}")
    if is_settled != entry.is_settled:
        say(f"{what} is marked {'' if is_settled else 'not '}settled, and its state and fills say otherwise")


def _verify_life(connection: sqlite3.Connection, entry: OrderEntry, say: Say) -> None:
    what = f"order {entry.order.client_order_id}"
    events = queries.order_events(connection, entry.order.client_order_id)
    if [event.sequence for event in events] != list(range(1, len(events) + 1)):
        say(f"{what}: the steps of its life are not numbered 1 to {len(events)}")
    states = [OrderState(event.state) for event in events]
    if not states or states[0] is not OrderState.INTENT:
        say(f"{what}: its life does not begin with INTENT")
    if states and states[-1] is not entry.order.state:
        say(f"{what} is {entry.order.state}, and the last step of its life is {states[-1]}")
    for before, after in pairwise(events):
        if before.state != after.state and OrderState(after.state) not in TRANSITIONS[OrderState(before.state)]:
            say(f"{what}: {after.state} cannot follow {before.state}, and is step {after.sequence} of its life")
        if after.executed_base < before.executed_base:
            say(f"{what}: what was executed falls at step {after.sequence} of its life")

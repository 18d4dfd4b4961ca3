"""The budget that is set apart for assistants: so many orders an hour, purchases of so much a day.

It is counted from the commands in the ledger, so it holds over restarts, and for all assistants and servers together.
An order counts from when it is placed at what it may cost at most, whatever comes of it; only what the trader refused
and never sent does not. Times are the machine's: a market may run faster.
"""

import json
import sqlite3
from collections.abc import Iterator, Mapping
from decimal import Decimal

from binance_trade_agent.control.commands import OF_ASSISTANTS, CommandKind, CommandState
from binance_trade_agent.domain.candles import DAY_MS, MINUTE_MS
from binance_trade_agent.domain.manual_orders import ManualOrder, manual_order
from binance_trade_agent.domain.money import EXACT, ZERO
from binance_trade_agent.domain.orders import Side
from binance_trade_agent.domain.values import Value
from binance_trade_agent.ledger import switches
from binance_trade_agent.reports.wording import duration, money
from binance_trade_agent.settings import Settings

_HOUR_MS = 60 * MINUTE_MS
COMMANDS_PER_HOUR = 60  # of a kind that is no order: each is a row for good


class BudgetError(ValueError):
    """An order is more than is left. One sentence, which names the setting."""


class Budget(Value, frozen=True):
    """What assistants may order, and what they have ordered. Amounts in quote asset.

    Attributes:
        most_orders, most_quote: in any hour, in any 24 hours; 0 for no limit.
        orders: placed in the last hour; quote: what the purchases of the last 24 hours come to at most.
        next_ms: how long until one of the orders of this hour counts no more.
    """

    most_orders: int
    most_quote: Decimal
    orders: int = 0
    quote: Decimal = ZERO
    next_ms: int = 0

    @property
    def orders_left(self) -> int | None:
        """Orders that may still be placed in this hour; None for no limit."""
        return max(0, self.most_orders - self.orders) if self.most_orders else None

    @property
    def quote_left(self) -> Decimal | None:
        """What may still be spent today; None for no limit."""
        return max(ZERO, self.most_quote - self.quote) if self.most_quote else None

    def why_not(self, cost_quote: Decimal) -> str:
        """Why an order that costs so much is more than is left, a sentence; empty when it is not."""
        if self.orders_left == 0:
            return (
                f"assistants have placed {self.orders} orders in the last hour and MCP_MAX_ORDERS_PER_HOUR is "
                f"{self.most_orders}: the next one can be placed in {duration(self.next_ms)}"
            )
        if cost_quote and self.quote_left is not None and cost_quote > self.quote_left:
            return (
                f"it may cost {money(cost_quote)}, and of MCP_MAX_QUOTE_PER_DAY, {money(self.most_quote)}, only "
                f"{money(self.quote_left)} is left: {money(self.quote)} was ordered by assistants in the last 24 hours"
            )
        return ""


def budget(connection: sqlite3.Connection, settings: Settings, wall_ms: int) -> Budget:
    """The budget as of `wall_ms`."""
    placed = list(_placed(connection, wall_ms - DAY_MS))
    hour = [at_ms for at_ms, _ in placed if at_ms > wall_ms - _HOUR_MS]
    most_orders = settings.mcp_max_orders_per_hour
    # The oldest of those that have to be over before there is room for one more.
    leaves = sorted(hour)[len(hour) - most_orders] if most_orders and len(hour) >= most_orders else wall_ms - _HOUR_MS
    spent = ZERO
    for _, cost in placed:
        spent = EXACT.add(spent, cost)
    return Budget(most_orders, settings.mcp_max_quote_per_day, len(hour), spent, leaves + _HOUR_MS - wall_ms)


def check(connection: sqlite3.Connection, settings: Settings, wall_ms: int, order: ManualOrder) -> None:
    """Refuse an order that is more than is left.

    Raises:
        BudgetError: it is.
    """
    if why_not := budget(connection, settings, wall_ms).why_not(cost_quote(order)):
        raise BudgetError(why_not)


def check_pace(connection: sqlite3.Connection, kind: CommandKind, payload: Mapping[str, str], wall_ms: int) -> None:
    """Refuse a command that is no order where assistants have placed too many of its kind within an hour.

    An emergency stop is refused only where it would ask for nothing that is not in force already.

    Raises:
        BudgetError: they have.
    """
    if kind is CommandKind.KILL:
        closes = payload.get("close_positions") != "true" or switches.closes_positions(connection)
        if not (switches.killed(connection) and closes):
            return
    placed = [
        row["requested_wall_ms"]
        for row in connection.execute(
            "SELECT requested_wall_ms FROM commands WHERE kind = ? AND requested_wall_ms > ?"
            " AND substr(requested_by, 1, ?) = ? ORDER BY requested_wall_ms DESC LIMIT ?",
            (kind, wall_ms - _HOUR_MS, len(OF_ASSISTANTS), OF_ASSISTANTS, COMMANDS_PER_HOUR),
        )
    ]
    if len(placed) == COMMANDS_PER_HOUR:
        raise BudgetError(
            f"assistants have asked for {kind.replace('_', ' ')} {COMMANDS_PER_HOUR} times within an hour, and no more "
            f"is taken: the next one in {duration(placed[-1] + _HOUR_MS - wall_ms)}"
        )


def cost_quote(order: ManualOrder) -> Decimal:
    """What a purchase costs at most, in quote asset, without its fee: by its price bound; 0 for a sale.

    Raises:
        ValueError: a market purchase without a price bound, which assistants do not place.
    """
    if order.side is Side.SELL:
        return ZERO
    if order.worst_price is not None:
        return EXACT.multiply(order.quantity, order.worst_price)
    limits = [leg.price for leg in order.legs if leg.price is not None]
    if not limits:
        raise ValueError(f"{order} has no price bound")
    return EXACT.multiply(order.quantity, max(limits))


def _placed(connection: sqlite3.Connection, after_ms: int) -> Iterator[tuple[int, Decimal]]:
    """When assistants placed an order since, machine's time, and what it costs at most."""
    rows = connection.execute(
        "SELECT requested_wall_ms, payload_json FROM commands WHERE kind = ? AND requested_wall_ms > ?"
        " AND substr(requested_by, 1, ?) = ? AND NOT (state = ? AND client_order_id IS NULL) ORDER BY command_id",
        (CommandKind.ORDER, after_ms, len(OF_ASSISTANTS), OF_ASSISTANTS, CommandState.REFUSED),
    )
    for row in rows:
        try:
            cost = cost_quote(manual_order(json.loads(row["payload_json"])))
        except (ValueError, TypeError, AttributeError, RecursionError):
            cost = ZERO  # another program wrote what this one cannot read: its trader refuses that, too
        yield row["requested_wall_ms"], cost

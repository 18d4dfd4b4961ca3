"""The holding of a symbol, worked out from its fills: all that its exits need to know survives a crash."""

import sqlite3
from collections.abc import Callable, Iterable
from decimal import Decimal

from binance_trade_agent.domain.exits import ExitKind
from binance_trade_agent.domain.holdings import Holding
from binance_trade_agent.domain.money import ZERO
from binance_trade_agent.domain.orders import Fill, Order, Side
from binance_trade_agent.ledger import queries
from binance_trade_agent.ledger.rows import fill_from, order_entry_from

__all__ = ["Holding", "holding", "since_dust"]


def holding(
    connection: sqlite3.Connection, epoch: int, symbol: str, is_dust: Callable[[Decimal], bool]
) -> Holding | None:
    """What the bot holds of `symbol` since it last was flat or dust; None when it holds no more than dust now.

    `is_dust` says whether a quantity of base asset is too little to be sold. The fills are read backwards from the
    latest, as far as the one that made the position more than dust: the time at which the position left zero says
    nothing where dust was left of an earlier one.
    """
    position = queries.position(connection, epoch, symbol)
    if position.quantity <= 0 or is_dust(position.quantity):
        return None
    row = connection.execute("SELECT base_asset FROM positions WHERE epoch = ? AND symbol = ?", (epoch, symbol))
    base_asset = row.fetchone()["base_asset"]
    rows = connection.execute(
        "SELECT * FROM fills WHERE epoch = ? AND symbol = ? ORDER BY trade_id DESC", (epoch, symbol)
    )
    first, highest_paid = since_dust(position.quantity, map(fill_from, rows), base_asset, is_dust)
    entry = queries.order_entry(connection, first.client_order_id)
    assert entry is not None, "a fill belongs to an order"
    stop = _last_stop(connection, epoch, symbol, first.exchange_order_id)
    return Holding(
        position,
        first.traded_ms,
        first.client_order_id,
        highest_paid,
        entry.order.atr_quote,
        stop.stop_price if stop else None,
        (stop.exit or ExitKind.STOP_LOSS) if stop else None,
    )


def since_dust(
    quantity: Decimal, newest_first: Iterable[Fill], base_asset: str, is_dust: Callable[[Decimal], bool]
) -> tuple[Fill, Decimal]:
    """The fill that made a position of `quantity` more than dust, and the highest price that was paid since."""
    before, highest_paid, first = quantity, ZERO, None
    for first in newest_first:
        before -= _added(first, base_asset)
        if first.side is Side.BUY:
            highest_paid = max(highest_paid, first.price)
        if is_dust(before):
            break
    assert first is not None, "a position comes of fills"
    return first, highest_paid


def _added(fill: Fill, base_asset: str) -> Decimal:
    """What a fill added to the position, in base asset; negative for a sale."""
    fee = fill.commission if fill.commission_asset == base_asset else ZERO
    return fill.quantity - fee if fill.side is Side.BUY else -(fill.quantity + fee)


def _last_stop(connection: sqlite3.Connection, epoch: int, symbol: str, entered_by: int) -> Order | None:
    """The stop that the exchange took last after the entry: its numbers only rise."""
    row = connection.execute(
        "SELECT * FROM orders WHERE epoch = ? AND symbol = ? AND exchange_order_id > ?"
        " AND role = 'STOP_LOSS' ORDER BY exchange_order_id DESC LIMIT 1",  # in words, for the index of stops
        (epoch, symbol, entered_by),
    ).fetchone()
    return order_entry_from(row).order if row else None

"""The one door for fills: the fill, its postings, the wallet, the position and the order's sums move together, once.

The functions take the SQLite connection inside a transaction; `ledger.py` provides both.
"""

import sqlite3

from binance_trade_agent.domain.orders import Fill
from binance_trade_agent.domain.positions import Position
from binance_trade_agent.domain.values import replace
from binance_trade_agent.ledger import fee_values, position_marks, queries
from binance_trade_agent.ledger.accounting import fill_postings
from binance_trade_agent.ledger.errors import ContradictoryFill
from binance_trade_agent.ledger.journal import post
from binance_trade_agent.ledger.order_rows import required_order, update_order
from binance_trade_agent.ledger.rows import columns


def book_fill(connection: sqlite3.Connection, epoch: int, fill: Fill, *, base_asset: str, quote_asset: str) -> bool:
    """Book a fill of an order of ours, whatever the order's state; False when (epoch, symbol, trade id) is known.

    Raises:
        UnknownOrder: no order with the fill's client order id.
        ContradictoryFill: the trade id is known with another order, price or quantity.
    """
    known = queries.fill(connection, epoch, fill.symbol, fill.trade_id)
    if known:
        refuse_contradiction(known, fill)
        return False
    entry = required_order(connection, fill.client_order_id)
    latest = queries.last_trade_id(connection, epoch, fill.symbol)
    connection.execute(
        "INSERT INTO fills VALUES (:epoch, :symbol, :trade_id, :exchange_order_id, :client_order_id, :side, :price,"
        " :quantity, :quote_quantity, :commission, :commission_asset, :is_maker, :traded_ms)",
        {**columns(fill), "epoch": epoch},
    )
    postings = fill_postings(fill, base_asset=base_asset, quote_asset=quote_asset)
    reference = f"{fill.symbol}:{fill.trade_id}"
    post(connection, epoch, postings, kind="fill", reference=reference, at_ms=fill.traded_ms)
    fee_values.note(connection, epoch, fill, base_asset=base_asset, quote_asset=quote_asset)
    assets = {"base_asset": base_asset, "quote_asset": quote_asset}
    if latest is not None and fill.trade_id < latest:
        position = position_marks.replayed(connection, epoch, fill, **assets)
    else:
        position = queries.position(connection, epoch, fill.symbol)
        position = position_marks.advanced(connection, epoch, position, fill, **assets)
    _save_position(connection, epoch, position, base_asset, quote_asset)
    filled_base, filled_quote = entry.filled_base + fill.quantity, entry.filled_quote + fill.quote_quantity
    order = replace(
        entry.order,
        executed_base=max(entry.order.executed_base, filled_base),
        executed_quote=max(entry.order.executed_quote, filled_quote),
    )
    update_order(connection, replace(entry, order=order, filled_base=filled_base, filled_quote=filled_quote))
    return True


def refuse_contradiction(known: Fill, fill: Fill) -> None:
    """Refuse a fill whose trade id is known with other numbers.

    Raises:
        ContradictoryFill: it is so.
    """
    if (known.client_order_id, known.price, known.quantity) != (fill.client_order_id, fill.price, fill.quantity):
        raise ContradictoryFill(
            f"trade {fill.trade_id} of {fill.symbol} is in the ledger as {known.quantity} @ {known.price} of order"
            f" {known.client_order_id}, and now came as {fill.quantity} @ {fill.price} of {fill.client_order_id};"
            " the exchange was probably reset"
        )


def _save_position(
    connection: sqlite3.Connection, epoch: int, position: Position, base_asset: str, quote_asset: str
) -> None:
    connection.execute(
        "INSERT OR REPLACE INTO positions VALUES (:epoch, :symbol, :base_asset, :quote_asset, :quantity, :cost_quote,"
        " :realised_pnl_quote, :opened_ms, :updated_ms)",
        {**columns(position), "epoch": epoch, "base_asset": base_asset, "quote_asset": quote_asset},
    )

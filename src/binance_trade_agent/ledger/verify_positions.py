"""Verifying fills and positions: each fill has its order and its entry, each position is what its fills leave."""

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable
from decimal import Decimal
from itertools import groupby
from typing import Any

from binance_trade_agent.domain.money import plain
from binance_trade_agent.domain.orders import Fill
from binance_trade_agent.domain.positions import Position, apply_fill
from binance_trade_agent.ledger import queries
from binance_trade_agent.ledger.accounting import fill_postings
from binance_trade_agent.ledger.integrity import UNREADABLE
from binance_trade_agent.ledger.rows import fill_from, position_from

Say = Callable[[str], None]

_SUMS = ("quantity", "cost_quote", "realised_pnl_quote", "opened_ms")
_FILLS = """
SELECT fills.*, orders.epoch AS order_epoch, orders.symbol AS order_symbol, orders.side AS order_side,
    orders.exchange_order_id AS order_number
FROM fills LEFT JOIN orders USING (client_order_id) ORDER BY fills.epoch, fills.symbol, fills.trade_id
"""
_ENTRIES_WITHOUT_FILL = """
SELECT epoch, reference FROM postings WHERE kind = 'fill' AND line = 1 AND NOT EXISTS (
    SELECT 1 FROM fills WHERE fills.epoch = postings.epoch
    AND fills.symbol = substr(reference, 1, instr(reference, ':') - 1)
    AND fills.trade_id = CAST(substr(reference, instr(reference, ':') + 1) AS INTEGER))
"""


def verify_positions(connection: sqlite3.Connection, say: Say, counts: "Counter[str]") -> None:
    """Verify each symbol's fills in the order of their trade ids, one after the other, and what they leave."""
    positions = {(row["epoch"], row["symbol"]): row for row in connection.execute("SELECT * FROM positions")}
    rows = connection.execute(_FILLS)
    for (epoch, symbol), group in groupby(rows, key=lambda row: (row["epoch"], row["symbol"])):
        noted = positions.pop((epoch, symbol), None)
        if noted is None:
            say(f"position {symbol} of epoch {epoch} is missing")
            counts["fills"] += sum(1 for _ in group)
        else:
            counts["fills"] += _verify_symbol(connection, noted, group, say)
    for epoch, symbol in positions:
        say(f"position {symbol} of epoch {epoch} has no fill")
    for epoch, reference in connection.execute(_ENTRIES_WITHOUT_FILL):
        say(f"entry fill {reference} of epoch {epoch} has no fill")


def _verify_symbol(connection: sqlite3.Connection, noted: sqlite3.Row, rows: Iterable[sqlite3.Row], say: Say) -> int:
    """Verify a position, its marks and its fills; returns how many fills there are."""
    epoch, symbol = noted["epoch"], noted["symbol"]
    assets = {"base_asset": noted["base_asset"], "quote_asset": noted["quote_asset"]}
    marks = _marks(connection, epoch, symbol)
    worked_out, count = Position(symbol), 0
    for count, row in enumerate(rows, start=1):  # noqa: B007 (the last one is the answer)
        what = f"fill {symbol}:{row['trade_id']} of epoch {epoch}"
        try:
            fill = fill_from(row)
        except UNREADABLE as error:
            say(f"{what} cannot be read: {error!r}")
            continue
        _verify_order_of_fill(row, fill, what, say)
        worked_out = apply_fill(worked_out, fill, **assets)
        if tuple(queries.entry_of_fill(connection, epoch, fill)) != fill_postings(fill, **assets):
            say(f"{what} does not have the postings that it should have")
        if mark := marks.pop(fill.trade_id, None):
            _compare(mark, worked_out, f"position {symbol} of epoch {epoch} after trade {fill.trade_id}", say)
    _compare(noted, worked_out, f"position {symbol} of epoch {epoch}", say)
    for trade_id in marks:
        say(f"position {symbol} of epoch {epoch} is marked after trade {trade_id}, which has no fill")
    return count


def _marks(connection: sqlite3.Connection, epoch: int, symbol: str) -> dict[int, sqlite3.Row]:
    rows = connection.execute("SELECT * FROM position_marks WHERE epoch = ? AND symbol = ?", (epoch, symbol))
    return {row["trade_id"]: row for row in rows}


def _verify_order_of_fill(row: sqlite3.Row, fill: Fill, what: str, say: Say) -> None:
    if row["order_epoch"] is None:
        say(f"{what} has no order: {fill.client_order_id}")
        return
    of_order = (row["order_epoch"], row["order_symbol"], row["order_side"])
    is_its_number = row["order_number"] in {None, fill.exchange_order_id}
    if of_order != (row["epoch"], fill.symbol, fill.side) or not is_its_number:
        say(f"{what} is not like its order {fill.client_order_id} in epoch, symbol, side or exchange order id")


def _compare(noted: sqlite3.Row, worked_out: Position, what: str, say: Say) -> None:
    try:
        position = position_from(noted)
    except UNREADABLE as error:
        say(f"{what} cannot be read: {error!r}")
        return
    for name in _SUMS:
        ours, sums = getattr(position, name), getattr(worked_out, name)
        if ours != sums:
            say(f"{what}: {name} is {_shown(ours)}, and its fills give {_shown(sums)}")


def _shown(value: Any) -> str:
    return plain(value) if isinstance(value, Decimal) else str(value)

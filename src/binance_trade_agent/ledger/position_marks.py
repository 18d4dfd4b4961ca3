"""Where a position stood after every hundredth fill, so that a late fill costs the same after ten years as after a day.

Average cost depends on the order of the trades. A fill with a lower trade id than the latest is put in its place: the
position is worked out again from the last mark before it. The marks depend on the fills alone, not on the order in
which they came. The functions take the SQLite connection inside a transaction.
"""

import sqlite3
from collections.abc import Iterator

from binance_trade_agent.domain.orders import Fill
from binance_trade_agent.domain.positions import Position, apply_fill
from binance_trade_agent.ledger.rows import columns, fill_from, position_from

MARK_EVERY = 100
_BEFORE_ALL = -(2**63)


def advanced(
    connection: sqlite3.Connection, epoch: int, position: Position, fill: Fill, *, base_asset: str, quote_asset: str
) -> Position:
    """`position` after `fill`, the symbol's latest, which is in the ledger already; marked when it is time."""
    position = apply_fill(position, fill, base_asset=base_asset, quote_asset=quote_asset)
    since = connection.execute(
        "SELECT count(*) FROM (SELECT 1 FROM fills WHERE epoch = :epoch AND symbol = :symbol AND trade_id > coalesce("
        "(SELECT max(trade_id) FROM position_marks WHERE epoch = :epoch AND symbol = :symbol), :before_all)"
        " LIMIT :enough)",
        {"epoch": epoch, "symbol": fill.symbol, "before_all": _BEFORE_ALL, "enough": MARK_EVERY},
    ).fetchone()[0]
    if since >= MARK_EVERY:
        _mark(connection, epoch, position, fill.trade_id)
    return position


def replayed(connection: sqlite3.Connection, epoch: int, late: Fill, *, base_asset: str, quote_asset: str) -> Position:
    """The position after all fills of the symbol, `late` among them; the marks from it on are set anew."""
    place = {"epoch": epoch, "symbol": late.symbol, "trade_id": late.trade_id}
    connection.execute(
        "DELETE FROM position_marks WHERE epoch = :epoch AND symbol = :symbol AND trade_id > :trade_id", place
    )
    position, fills = since_mark(connection, epoch, late.symbol, late.trade_id)
    for number, fill in enumerate(fills, start=1):
        position = apply_fill(position, fill, base_asset=base_asset, quote_asset=quote_asset)
        if number % MARK_EVERY == 0:
            _mark(connection, epoch, position, fill.trade_id)
    return position


def since_mark(
    connection: sqlite3.Connection, epoch: int, symbol: str, trade_id: int
) -> tuple[Position, Iterator[Fill]]:
    """The position at the last mark before `trade_id`, flat without one, and all fills after it by trade id."""
    mark = connection.execute(
        "SELECT * FROM position_marks WHERE epoch = ? AND symbol = ? AND trade_id < ? ORDER BY trade_id DESC LIMIT 1",
        (epoch, symbol, trade_id),
    ).fetchone()
    rows = connection.execute(
        "SELECT * FROM fills WHERE epoch = ? AND symbol = ? AND trade_id > ? ORDER BY trade_id",
        (epoch, symbol, mark["trade_id"] if mark else _BEFORE_ALL),
    )
    return position_from(mark) if mark else Position(symbol), map(fill_from, rows)


def _mark(connection: sqlite3.Connection, epoch: int, position: Position, trade_id: int) -> None:
    connection.execute(
        "INSERT INTO position_marks VALUES (:epoch, :symbol, :trade_id, :quantity, :cost_quote, :realised_pnl_quote,"
        " :opened_ms, :updated_ms)",
        {**columns(position), "epoch": epoch, "trade_id": trade_id},
    )

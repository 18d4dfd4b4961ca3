"""What the ledger knows of having been put back from a backup, and the orders of ours that it then has to adopt.

The functions take the SQLite connection inside a transaction.
"""

import sqlite3
from dataclasses import dataclass

from binance_trade_agent.domain.exits import ExitKind
from binance_trade_agent.domain.money import ZERO
from binance_trade_agent.domain.orders import Order, OrderState, OrderType, Role, Side
from binance_trade_agent.domain.placed_orders import PlacedOrder
from binance_trade_agent.ledger import queries
from binance_trade_agent.ledger.errors import LedgerError
from binance_trade_agent.ledger.journal import required_epoch
from binance_trade_agent.ledger.order_rows import add_event, insert_order
from binance_trade_agent.ledger.orders import apply_report
from binance_trade_agent.ledger.records import OrderEntry

# Every start is a generation: so many may have been given out after the backup was made.
SPARE_FENCES = 10_000

_ADOPTED = "adopted from the exchange, as the ledger was restored from a backup that is older"
_EXITS = {
    Role.EXIT: ExitKind.STRATEGY,
    Role.STOP_LOSS: ExitKind.STOP_LOSS,
    Role.TAKE_PROFIT: ExitKind.TAKE_PROFIT,
}
_STOPS = frozenset({OrderType.STOP_LOSS, OrderType.STOP_LOSS_LIMIT})
_TARGETS = frozenset({OrderType.LIMIT_MAKER, OrderType.TAKE_PROFIT, OrderType.TAKE_PROFIT_LIMIT})


@dataclass(frozen=True, slots=True)
class Restoration:
    """One time that the ledger was put back.

    Attributes:
        number: from 1.
        epoch: the one that was open in the backup, 0 where none was.
        restored_wall_ms: when, the machine's time.
        backup: name of the backup's file.
    """

    number: int
    epoch: int
    restored_wall_ms: int
    backup: str


def note(connection: sqlite3.Connection, *, backup: str, kept: str, last_fence: int, at_wall_ms: int) -> None:
    """Note that the ledger is put back now; what was traded since the backup is adopted at the next start.

    Args:
        connection: inside a transaction on the ledger that is put back.
        backup: name of the backup.
        kept: name of the ledger that was there before, empty where none was.
        last_fence: the latest generation that is known of.
        at_wall_ms: the machine's time.
    """
    connection.execute(
        "INSERT INTO restorations SELECT coalesce(max(number), 0) + 1, ?, ?, ?, ?, ?, NULL, 0 FROM restorations",
        (queries.epoch_number(connection), at_wall_ms, backup, kept, last_fence + SPARE_FENCES),
    )


def to_adopt(connection: sqlite3.Connection) -> Restoration | None:
    """The latest restoration after which the exchange was not asked yet, None when there is none."""
    row = connection.execute(
        "SELECT * FROM restorations WHERE adopted_ms IS NULL ORDER BY number DESC LIMIT 1"
    ).fetchone()
    return Restoration(row["number"], row["epoch"], row["restored_wall_ms"], row["backup"]) if row else None


def symbols_to_ask(connection: sqlite3.Connection) -> set[str]:
    """The symbols that the ledger has ever traded, while it is to be asked what was traded since; else none."""
    if to_adopt(connection) is None:
        return set()
    return {symbol for run in queries.runs(connection) for symbol in run.symbols}


def close(connection: sqlite3.Connection, at_ms: int, orders: int) -> None:
    """Note that all was adopted that was traded since the backup."""
    connection.execute("UPDATE restorations SET adopted_ms = ?, orders = ? WHERE adopted_ms IS NULL", (at_ms, orders))


def last_exchange_order_id(connection: sqlite3.Connection, symbol: str) -> int:
    """The highest number of the exchange that the epoch has of an order on `symbol`, -1 for none."""
    row = connection.execute(
        "SELECT max(exchange_order_id) FROM orders WHERE epoch = ? AND symbol = ?",
        (queries.epoch_number(connection), symbol),
    ).fetchone()
    return -1 if row[0] is None else int(row[0])


def adopt(connection: sqlite3.Connection, placed: PlacedOrder, *, base_asset: str, quote_asset: str) -> bool:
    """Write an order of ours that the exchange has and the ledger lost; its fills are booked when it is asked about.

    One whose answer was not seen yet at the backup is told its number: a cancel may have taken its name from it.

    Returns:
        Whether it was written; False where it is in the ledger.

    Raises:
        LedgerError: no run is in the ledger that could have made it.
    """
    report = placed.report
    if (entry := queries.order_entry(connection, report.client_order_id)) is not None:
        if entry.order.exchange_order_id is None:
            apply_report(connection, report, base_asset=base_asset, quote_asset=quote_asset)
        return False
    run = connection.execute("SELECT run_id FROM runs ORDER BY number DESC LIMIT 1").fetchone()
    if run is None:
        raise LedgerError("the backup is from before the first run: nothing that the exchange did since is its own")
    order = _order(placed, run["run_id"])
    insert_order(connection, OrderEntry(order, required_epoch(connection).epoch, run["run_id"], ZERO, ZERO))
    add_event(connection, order)
    apply_report(connection, report, base_asset=base_asset, quote_asset=quote_asset)
    return True


def _order(placed: PlacedOrder, run_id: str) -> Order:
    report, role = placed.report, _role(placed)
    average = report.executed_quote / report.executed_base if report.executed_base else ZERO
    return Order(
        client_order_id=report.client_order_id,
        symbol=report.symbol,
        side=report.side,
        type=placed.type,
        quantity=report.quantity,
        state=OrderState.INTENT,
        created_ms=placed.placed_ms,
        updated_ms=placed.placed_ms,
        tick_ms=placed.placed_ms,
        candle_open_ms=placed.placed_ms,
        reference_price=placed.price or placed.stop_price or average,
        price=placed.price,
        detail=_ADOPTED,
        role=role,
        stop_price=placed.stop_price,
        list_id=placed.list_id,
        owner=run_id,
        exit=_EXITS.get(role),
    )


def _role(placed: PlacedOrder) -> Role:
    """What an order is for, by what the exchange knows of it: the bot's own protection is told by its type."""
    if placed.report.side is Side.BUY:
        return Role.ENTRY
    if placed.type in _STOPS:
        return Role.STOP_LOSS
    return Role.TAKE_PROFIT if placed.type in _TARGETS else Role.EXIT

"""Whether a ledger is whole, as far as it can be told in the second that a start has for it.

A small file is read from end to end. Of a large one the start reads what it is going to work with: all small tables,
the orders that are not settled, and the newest orders with their events, fills and postings; the past is for
`trade-agent ledger verify`. A file that was cut is found by its length either way.
"""

import sqlite3
from contextlib import closing
from pathlib import Path

from binance_trade_agent.ledger import queries
from binance_trade_agent.ledger.connection import (
    FILE_ERRORS,
    check_integrity,
    damaged,
    explained,
    open_read_only,
    refuse_unless_ok,
)

WHOLE_UP_TO_BYTES = 128_000_000  # quick_check reads about 350 MB a second from memory
NEWEST_ORDERS = 100
# What a value that the disk has changed makes of itself when it is read.
UNREADABLE = (ValueError, ArithmeticError, LookupError, TypeError)
# Those that grow with every tick or trade. The others, and any that a later migration adds, are checked whole.
_LARGE_TABLES = frozenset(
    {
        "decisions",
        "decisions_again",
        "equity",
        "orders",
        "order_events",
        "fills",
        "postings",
        "fee_values",
        "position_marks",
    }
)


def check_at_start(path: Path, *, whole_up_to_bytes: int = WHOLE_UP_TO_BYTES) -> None:
    """Refuse a damaged ledger.

    It is read by a connection that only reads: on one that may write, SQLite tries every CHECK of the schema on every
    row too, and takes five times as long.

    Raises:
        LedgerError: it is damaged, or could not be read.
    """
    with closing(open_read_only(path)) as connection:
        _check(connection, path, whole_up_to_bytes)


def _check(connection: sqlite3.Connection, path: Path, whole_up_to_bytes: int) -> None:
    _refuse_cut_file(connection, path)
    if path.stat().st_size <= whole_up_to_bytes:
        check_integrity(connection, path)
    else:
        for table in _small_tables(connection):
            refuse_unless_ok(connection, path, f"PRAGMA quick_check({table})")
    try:
        _read_what_is_needed(connection)
    except FILE_ERRORS as error:
        raise explained(error, path) from error
    except UNREADABLE as error:
        raise damaged(path, f"a value in it cannot be read: {error}") from error


def _refuse_cut_file(connection: sqlite3.Connection, path: Path) -> None:
    log = path.with_name(f"{path.name}-wal")
    if log.exists() and log.stat().st_size:
        return  # pages that the file lacks may be in the write-ahead log
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    page_bytes = connection.execute("PRAGMA page_size").fetchone()[0]
    if path.stat().st_size < pages * page_bytes:
        raise damaged(path, f"the file has {path.stat().st_size} of {pages * page_bytes} bytes")


def _small_tables(connection: sqlite3.Connection) -> list[str]:
    names = [row[0] for row in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
    return [name for name in names if name not in _LARGE_TABLES]


def _read_what_is_needed(connection: sqlite3.Connection) -> None:
    """Read what the trader begins with; what is damaged raises."""
    queries.epochs(connection)
    queries.runs(connection)
    number = queries.epoch_number(connection)
    queries.positions(connection, number)
    queries.wallet(connection, number)
    newest = queries.latest_orders(connection, number, NEWEST_ORDERS)
    for entry in (*queries.unsettled_orders(connection, number), *newest):
        queries.order_events(connection, entry.order.client_order_id)
        for fill in queries.fills_of_order(connection, entry.order.client_order_id):
            queries.entry_of_fill(connection, number, fill)

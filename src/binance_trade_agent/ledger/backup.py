"""A copy of the ledger while the trader writes it: SQLite's online backup of one moment, checked before it counts."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from binance_trade_agent.ledger.connection import FILE_ERRORS, explained, open_of_any_schema, open_read_only
from binance_trade_agent.ledger.disk import MB, free_bytes
from binance_trade_agent.ledger.errors import LedgerError, LedgerUnavailable
from binance_trade_agent.ledger.files import in_place_when_whole, sync_file

SPARE_BYTES = 10 * MB  # for the trader, which writes on


def back_up(ledger_path: Path, to: Path) -> int:
    """Copy the ledger to `to`, readable by its owner only. The trader may run and is not held up.

    Returns:
        Size of the copy in bytes.

    Raises:
        LedgerError: there is no sound ledger, something is at `to` already, or the disk has too little space.
    """
    with closing(open_read_only(ledger_path)) as source:
        return copy_of_one_moment(source, ledger_path, to)


def copy_of_one_moment(source: sqlite3.Connection, ledger_path: Path, to: Path) -> int:
    """Copy what `source`, a connection to the ledger, sees to `to`, and check the copy. Its schema may be any.

    Returns:
        Size of the copy in bytes.

    Raises:
        LedgerError: the ledger is damaged, or something is at `to` already.
        LedgerUnavailable: the disk has too little space, or a file could not be read or written.
    """
    with in_place_when_whole(to) as unfinished:
        try:
            refuse_without_room(source, to)
            os.close(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            _copy(source, unfinished)
        except sqlite3.Error as error:
            raise explained(error, ledger_path) from error
        sync_file(unfinished)
        return unfinished.stat().st_size


def refuse_without_room(source: sqlite3.Connection, to: Path) -> None:
    """Refuse to copy what `source` sees to the disk of `to`.

    Raises:
        LedgerUnavailable: it has too little space for that.
    """
    pages = source.execute("PRAGMA page_count").fetchone()[0]
    needed = pages * source.execute("PRAGMA page_size").fetchone()[0] + SPARE_BYTES
    free = free_bytes(to.parent)
    if free < needed:
        raise LedgerUnavailable(
            f"the disk of {to.parent} has {free // MB} MB left and the copy needs {needed // MB} MB; free some space, "
            "or give a path on another disk with --to"
        )


def _copy(source: sqlite3.Connection, to: Path) -> None:
    with closing(sqlite3.connect(to)) as copy:
        source.backup(copy)  # in one step, so that it is of one moment; readers do not keep the trader from writing
    # `immutable`: the copy is checked without making files beside it
    with closing(sqlite3.connect(f"{to.absolute().as_uri()}?immutable=1", uri=True)) as copy:
        if found := damage(copy):
            raise LedgerError(
                f"the ledger is damaged ({found}) and was not copied; `trade-agent ledger verify` says more"
            )


def origin(path: Path, *, is_immutable: bool = False) -> str | None:
    """The first run of the ledger at `path`, which its copies have in common with it; None without one."""
    try:
        with closing(open_of_any_schema(path, is_immutable=is_immutable)) as connection:
            row = connection.execute("SELECT run_id FROM runs ORDER BY number LIMIT 1").fetchone()
    except (LedgerError, *FILE_ERRORS):
        return None
    return None if row is None else str(row["run_id"])


def damage(connection: sqlite3.Connection) -> str | None:
    """What SQLite's own checks find in a file, None when it is whole."""
    answer = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
    if answer != "ok":
        return str(answer)
    lost = connection.execute("PRAGMA foreign_key_check").fetchone()
    return "rows refer to others that are not there" if lost else None

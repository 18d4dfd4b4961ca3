"""Opening the ledger's file: for the one writer, for readers, and for a process that leaves a command.

A file that is not a sound ledger is refused with a sentence that says what to do; it is never replaced.
"""

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import aiosqlite

from binance_trade_agent.ledger.errors import LedgerError, LedgerUnavailable
from binance_trade_agent.ledger.migrations import (
    APPLICATION_ID,
    application_id,
    latest_version,
    migrate,
    schema_version,
)

BUSY_TIMEOUT_MS = 5_000

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]


class WriterConnection(aiosqlite.Connection):
    """The writer's connection on its own thread. A transaction is one hop to it: one function, run there whole."""

    async def run(self, work: Work[T]) -> T:
        """Run `work` with the SQLite connection on its thread; it runs to its end even when the caller is cancelled."""
        result: T = await self._execute(work, self._conn)  # type: ignore[no-untyped-call]
        return result


def in_transaction(work: Work[T]) -> Work[T]:
    """`work` as one durable transaction: all of it is on disk when it returns, none of it when it raises."""

    def transaction(connection: sqlite3.Connection) -> T:
        connection.execute("BEGIN IMMEDIATE")
        try:
            result = work(connection)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        return result

    return transaction


def open_or_create(path: Path) -> sqlite3.Connection:
    """Open the ledger at `path` for writing, brought to this program's schema; make it when nothing is there.

    Raises:
        LedgerError: the file or its folder cannot be used; the message says why and what to do.
    """
    try:
        if not path.exists():
            _create(path)
        connection = _connect(path, "rw")
    except OSError as error:
        raise LedgerError(
            f"cannot use {path} as the ledger: {error.strerror}; check LEDGER_PATH and its rights"
        ) from error
    except sqlite3.Error as error:
        raise explained(error, path) from error
    return _prepared(connection, path, bring_up_to_date)


def open_existing(path: Path) -> sqlite3.Connection:
    """Open the ledger at `path` for a short write, such as placing a command; never makes one.

    Raises:
        LedgerError: there is none, or it cannot be used.
    """
    return _prepared(_connect_existing(path, "rw"), path, _refuse_other_schema)


def open_read_only(path: Path) -> sqlite3.Connection:
    """Open the ledger at `path` for reading; never makes or changes one.

    Raises:
        LedgerError: there is none, or it cannot be used.
    """
    return _prepared(_connect_existing(path, "ro"), path, _refuse_other_schema)


def explained(error: sqlite3.Error, path: Path) -> LedgerError:
    """The error for people that an SQLite error stands for."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    if code == sqlite3.SQLITE_NOTADB:
        return LedgerError(f"{path} is not a SQLite file; set LEDGER_PATH to a ledger, or to a new path")
    if code == sqlite3.SQLITE_CORRUPT:
        return _damaged(path, str(error))
    if code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
        return LedgerUnavailable(f"the ledger {path} is locked by another process; end that process, or wait for it")
    if code == sqlite3.SQLITE_FULL:
        return LedgerUnavailable(f"the disk of the ledger {path} is full; free some space")
    return LedgerUnavailable(f"the ledger {path} cannot be read or written: {error}; check its disk and its rights")


def bring_up_to_date(connection: sqlite3.Connection, path: Path) -> None:
    """Migrate the ledger to this program's schema.

    Raises:
        LedgerError: a newer program wrote it.
    """
    if schema_version(connection) > latest_version():
        _refuse_other_schema(connection, path)
    migrate(connection)


def _create(path: Path) -> None:
    """Make an empty ledger under another name, then move it into place: at `path` is a whole ledger or none."""
    if path.with_name(f"{path.name}-wal").exists():
        raise LedgerError(
            f"{path} is gone but its write-ahead log {path.name}-wal is there; put both back from one backup"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}.new")
    unfinished.unlink(missing_ok=True)
    unfinished.touch(mode=0o600)
    connection = _connect(unfinished, "rw")
    try:
        migrate(connection)
        connection.execute("PRAGMA journal_mode = WAL")
    finally:
        connection.close()
    unfinished.replace(path)
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _connect_existing(path: Path, mode: str) -> sqlite3.Connection:
    if not path.exists():
        raise LedgerError(f"there is no ledger at {path}: start `trade-agent run` first, or set LEDGER_PATH")
    return _connect(path, mode)


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    if path.is_dir():
        raise LedgerError(f"{path} is a folder; LEDGER_PATH has to name a file")
    try:
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode={mode}",
            uri=True,
            isolation_level=None,
            timeout=BUSY_TIMEOUT_MS / 1000,
            check_same_thread=False,  # opened on one thread, then used on another, never on two
        )
    except sqlite3.Error as error:
        raise explained(error, path) from error
    connection.row_factory = sqlite3.Row
    return connection


def _prepared(
    connection: sqlite3.Connection, path: Path, check_schema: Callable[[sqlite3.Connection, Path], None]
) -> sqlite3.Connection:
    try:
        _refuse_foreign_file(connection, path)
        check_schema(connection, path)
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA synchronous = FULL")
    except sqlite3.Error as error:
        connection.close()
        raise explained(error, path) from error
    except LedgerError:
        connection.close()
        raise
    return connection


def check_integrity(connection: sqlite3.Connection, path: Path) -> None:
    """Read the whole file and refuse a damaged one (PRAGMA quick_check; about a second for each 500 MB).

    Raises:
        LedgerError: the file is damaged.
    """
    try:
        answer = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    except sqlite3.DatabaseError as error:
        raise explained(error, path) from error
    if answer != "ok":
        raise _damaged(path, answer)


def _refuse_foreign_file(connection: sqlite3.Connection, path: Path) -> None:
    if application_id(connection) != APPLICATION_ID:
        raise LedgerError(f"{path} is not a ledger of this program; set LEDGER_PATH to a ledger, or to a new path")


def _refuse_other_schema(connection: sqlite3.Connection, path: Path) -> None:
    found, needed = schema_version(connection), latest_version()
    if found > needed:
        raise LedgerError(
            f"the ledger {path} has schema {found}, this program knows up to {needed}; use the newer program"
        )
    if found < needed:
        raise LedgerError(f"the ledger {path} has schema {found}, not {needed}; start `trade-agent run` to bring it up")


def _damaged(path: Path, what: str) -> LedgerError:
    return LedgerError(
        f"the ledger {path} is damaged ({what.splitlines()[0]}); move it away with its -wal file and put back a backup"
    )

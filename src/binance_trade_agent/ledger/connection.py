"""Opening the ledger's file: for the one writer, for readers, and for a process that leaves a command.

A file that is not a sound ledger is refused with a sentence that says what to do; it is never replaced.
"""

import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import aiosqlite

from binance_trade_agent.ledger.errors import LedgerError, LedgerUnavailable
from binance_trade_agent.ledger.lock import is_held, named, read_holder
from binance_trade_agent.ledger.migrations import (
    APPLICATION_ID,
    application_id,
    damaged_table,
    latest_version,
    migrate,
    schema_version,
)

BUSY_TIMEOUT_MS = 5_000
HURRIED_TIMEOUT_MS = 300

_LOCKED = "is locked by another process; end that process, or wait for it"
_READ_ONLY = "cannot be used: the file, its folder or its disk is read-only; check its rights"
_READ_ONLY_CODES = frozenset({sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM})
_UNAVAILABLE = {
    sqlite3.SQLITE_BUSY: _LOCKED,
    sqlite3.SQLITE_LOCKED: _LOCKED,
    sqlite3.SQLITE_FULL: "cannot be written: its disk is full; free some space",
    **dict.fromkeys(_READ_ONLY_CODES, _READ_ONLY),
}

# What the file can make a statement raise. The text of SQLite's own error may quote a damaged name, and then Python
# cannot read that text.
FILE_ERRORS = (sqlite3.DatabaseError, UnicodeDecodeError)

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]


class WriterConnection(aiosqlite.Connection):
    """The writer's connection on its own thread. A transaction is one hop to it: one function, run there whole.

    Attributes:
        busy_timeout_ms: how long what begins from now on waits for another process's lock; None changes nothing.
    """

    busy_timeout_ms: int | None = None

    async def run(self, work: Work[T]) -> T:
        """Run `work` with the SQLite connection on its thread; it runs to its end even when the caller is cancelled."""
        result: T = await self._execute(self._run, work)  # type: ignore[no-untyped-call]
        return result

    def _run(self, work: Work[T]) -> T:
        if self.busy_timeout_ms is not None:
            self._conn.execute(f"PRAGMA busy_timeout = {self.busy_timeout_ms}")
        return work(self._conn)


def in_transaction(work: Work[T]) -> Work[T]:
    """`work` as one durable transaction: all of it is on disk when it returns, none of it counts when it raises.

    A commit that the disk refused may still be found whole after a crash, as its frames may have reached the file. So
    what raised is written again, or asked about, by whoever needs it; nothing may be concluded from its absence.
    """

    def transaction(connection: sqlite3.Connection) -> T:
        _roll_back(connection)  # what an earlier rollback that failed has left open
        connection.execute("BEGIN IMMEDIATE")
        try:
            result = work(connection)
            connection.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):  # the first error is the one to be told
                _roll_back(connection)
            raise
        return result

    return transaction


def _roll_back(connection: sqlite3.Connection) -> None:
    if connection.in_transaction:
        connection.execute("ROLLBACK")


def open_or_create(path: Path, *, busy_timeout_ms: int = BUSY_TIMEOUT_MS) -> sqlite3.Connection:
    """Open the ledger at `path` for writing, brought to this program's schema; make it when nothing is there.

    A write waits for `busy_timeout_ms` (machine time) when another process holds the file's lock.

    Raises:
        LedgerError: the file or its folder cannot be used; the message says why and what to do.
    """
    try:
        if not path.exists():
            _create(path)
        connection = _connect(path, "rw", busy_timeout_ms)
    except OSError as error:
        raise LedgerError(
            f"cannot use {path} as the ledger: {error.strerror}; check LEDGER_PATH and its rights"
        ) from error
    except sqlite3.Error as error:
        raise explained(error, path) from error
    return _prepared(connection, path, _ready_to_write)


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


def open_of_any_schema(path: Path, *, is_immutable: bool = False) -> sqlite3.Connection:
    """Open the ledger at `path` for copying it; never makes or changes one, and does not look into its tables.

    With `is_immutable`, of a file that nobody writes and that is all of the ledger, no file is made beside it.

    Raises:
        LedgerError: there is none, it is no ledger, or it cannot be read.
    """
    connection = _connect_existing(path, "ro&immutable=1" if is_immutable else "ro")
    with _closed_when_refused(connection, path):
        _refuse_foreign_file(connection, path)
    return connection


@contextlib.contextmanager
def _closed_when_refused(connection: sqlite3.Connection, path: Path) -> Iterator[None]:
    """What keeps the ledger at `path` from being used is a LedgerError, and `connection` is closed then."""
    try:
        yield
    except FILE_ERRORS as error:
        connection.close()
        raise explained(error, path) from error
    except LedgerError:
        connection.close()
        raise


def identity(path: Path) -> tuple[int, int] | None:
    """Which file lies at `path` (device and inode), by which another one in its place is told; None where none does."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def explained(error: sqlite3.Error | UnicodeDecodeError, path: Path) -> LedgerError:
    """The error for people that one of `FILE_ERRORS` stands for."""
    if isinstance(error, UnicodeDecodeError):
        return damaged(path, "text in it is none")
    code = primary_code(error)
    if code == sqlite3.SQLITE_NOTADB:
        return LedgerError(f"{path} is not a SQLite file; set LEDGER_PATH to a ledger, or to a new path")
    if code == sqlite3.SQLITE_CORRUPT:
        return damaged(path, str(error))
    if code == sqlite3.SQLITE_IOERR:
        return LedgerUnavailable(f"the disk of the ledger {path} failed ({error}); check the disk and its free space")
    if code in _UNAVAILABLE:
        return LedgerUnavailable(f"the ledger {path} {_UNAVAILABLE[code]}")
    return LedgerUnavailable(f"the ledger {path} cannot be read or written: {error}; check its disk and its rights")


def primary_code(error: sqlite3.Error) -> int:
    """The SQLite result code of an error, without its details; SQLITE_ERROR where Python's module raised it itself."""
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF


def is_of_the_file(error: sqlite3.Error | UnicodeDecodeError) -> bool:
    """Whether the file or its disk is to blame, and not the statement."""
    if isinstance(error, UnicodeDecodeError):
        return True
    is_damaged = primary_code(error) in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
    return is_damaged or isinstance(error, sqlite3.OperationalError)


def _ready_to_write(connection: sqlite3.Connection, path: Path) -> None:
    bring_up_to_date(connection, path)
    try:
        connection.execute("BEGIN IMMEDIATE")  # SQLite opens a file that is read-only, and says so at the first write
        connection.execute("ROLLBACK")
    except sqlite3.OperationalError as error:
        if primary_code(error) in _READ_ONLY_CODES:
            raise LedgerError(str(explained(error, path))) from error
        raise


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


def _connect(path: Path, mode: str, busy_timeout_ms: int = BUSY_TIMEOUT_MS) -> sqlite3.Connection:
    if path.is_dir():
        raise LedgerError(f"{path} is a folder; LEDGER_PATH has to name a file")
    try:
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode={mode}",
            uri=True,
            isolation_level=None,
            timeout=busy_timeout_ms / 1000,
            check_same_thread=False,  # opened on one thread, then used on another, never on two
        )
    except sqlite3.Error as error:
        raise explained(error, path) from error
    connection.row_factory = sqlite3.Row
    return connection


def _prepared(
    connection: sqlite3.Connection, path: Path, check_schema: Callable[[sqlite3.Connection, Path], None]
) -> sqlite3.Connection:
    with _closed_when_refused(connection, path):
        _refuse_foreign_file(connection, path)
        check_schema(connection, path)
        if table := damaged_table(connection):
            raise damaged(path, f"its table {table} is not what it has to be")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA synchronous = FULL")
    return connection


def check_integrity(connection: sqlite3.Connection, path: Path) -> None:
    """Read the whole file and refuse a damaged one (PRAGMA quick_check; 3 s for each GB when `connection` only reads).

    Raises:
        LedgerError: the file is damaged.
    """
    refuse_unless_ok(connection, path, "PRAGMA quick_check(1)")


def refuse_unless_ok(connection: sqlite3.Connection, path: Path, check: str) -> None:
    """Run one of SQLite's checks.

    Raises:
        LedgerError: it found something.
    """
    try:
        answer = connection.execute(check).fetchone()[0]
    except FILE_ERRORS as error:
        raise explained(error, path) from error
    if answer != "ok":
        raise damaged(path, answer)


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
        then = "start `trade-agent run` to bring it up"
        if is_held(path):
            then = f"{named(read_holder(path))} of an older version trades on it: end that (SIGTERM), then {then}"
        raise LedgerError(f"the ledger {path} has schema {found}, not {needed}; {then}")


def damaged(path: Path, what: str) -> LedgerError:
    """The refusal of a ledger that is not whole."""
    found = next((line for line in what.splitlines() if not line.startswith("***")), what)  # SQLite begins with a title
    return LedgerError(
        f"the ledger {path} is damaged ({found}); move it away with its -wal file and put back a backup "
        "(`trade-agent ledger restore` does both)"
    )

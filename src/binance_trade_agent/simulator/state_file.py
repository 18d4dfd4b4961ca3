"""The state of an exchange on disk, so that it can stop and go on (option `--state`).

A SQLite file. What a request has changed is one transaction, on disk before the request is answered; the work is
proportional to the change, not to the state.
"""

import fcntl
import os
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from binance_trade_agent.matching.snapshot import EngineSnapshot, take_snapshot
from binance_trade_agent.matching.transactions import Transaction
from binance_trade_agent.ops.private_files import make_sure_of
from binance_trade_agent.simulator.exchange import Exchange
from binance_trade_agent.simulator.state_changes import StateChanges
from binance_trade_agent.simulator.state_tables import (
    FORMAT,
    NewerFormatError,
    create_tables,
    read_engine,
    read_meta,
    write_changes,
    write_engine,
    write_meta,
)

_SQLITE_HEADER = b"SQLite format 3\x00"


class StateInUseError(Exception):
    """Another simulated exchange keeps its state in this file now."""


class StateFileError(Exception):
    """A state file that cannot be used; the message is one sentence for the person who named it."""


@dataclass(frozen=True, slots=True)
class SavedState:
    """What a state file holds.

    Attributes:
        session_id: of the market that it belongs to.
        start_ms: market time at which the session began.
        market_ms: market time until which everything has happened.
    """

    session_id: str
    start_ms: int
    market_ms: int
    engine: EngineSnapshot


class StateFile:
    """One file, for one exchange at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._database: sqlite3.Connection | None = None
        self._changes = StateChanges()
        self._kept: object = None  # the history whose orders are in the file
        self._accounts: set[str] = set()

    def claim(self) -> None:
        """Keep the file for this process until it ends, killed or not: two exchanges would undo each other's state.

        Raises:
            StateInUseError: another process has it.
            StateFileError: its folder cannot be written.
        """
        path = self._path.with_name(f"{self._path.name}.lock")
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # the kernel gives it back when the process ends
        except BlockingIOError:
            raise StateInUseError(f"state file {self._path} is in use by another simulated exchange") from None
        except OSError as error:
            raise StateFileError(f"state file {self._path} cannot be kept: {error.strerror}") from None

    def load(self, session_id: str) -> SavedState | None:
        """The saved state; None when there is no file yet.

        Raises:
            StateFileError: unreadable, not such a file, or of another market.
        """
        if not self._exists():
            return None
        try:
            database = _connected(self._path)
            try:
                return self._read(database, session_id)
            finally:
                database.close()
        except NewerFormatError as error:
            raise StateFileError(f"state file {self._path} has format {error}, this program reads {FORMAT}") from None
        except (sqlite3.Error, ValueError, KeyError) as error:
            raise StateFileError(f"state file {self._path} is not the state of a simulated exchange: {error}") from None

    def follow(self, exchange: Exchange) -> None:
        """Take note of what changes from now on; the file holds what the exchange has begun with, or nothing yet."""
        exchange.listeners.append(self._note)
        if self._exists():
            self._kept = exchange.engine.history
            self._accounts = set(exchange.engine.accounts)

    def save(self, exchange: Exchange) -> None:
        """Write what has changed; when this returns it is on disk.

        Raises:
            OSError: it cannot be written.
        """
        try:
            self._save(exchange)
        except sqlite3.Error as error:
            raise OSError(f"state file {self._path} cannot be written: {error}") from error

    def close(self) -> None:
        """Let go of the file."""
        if self._database is not None:
            self._database.close()
            self._database = None

    def _note(self, transaction: Transaction) -> None:
        self._changes.note(transaction)

    def _exists(self) -> bool:
        """Whether there is a state.

        Raises:
            StateFileError: there is something else.
        """
        try:
            with self._path.open("rb") as file:
                head = file.read(len(_SQLITE_HEADER))
        except FileNotFoundError:
            return False
        except OSError as error:
            raise StateFileError(f"state file {self._path} cannot be read: {error.strerror}") from None
        if not head:
            return False  # its exchange was killed before it had written anything
        if head.startswith(b'{"format":'):
            raise StateFileError(
                f"state file {self._path} was written by an earlier version of this program, which kept it as JSON: "
                "move it away to begin anew"
            )
        if head != _SQLITE_HEADER:
            raise StateFileError(f"state file {self._path} is not the state of a simulated exchange")
        return True

    def _read(self, database: sqlite3.Connection, session_id: str) -> SavedState:
        meta = read_meta(database)
        if meta["session_id"] != session_id:
            raise StateFileError(
                f"state file {self._path} belongs to another market (other seed, files, symbols or start): "
                "name another file or start with the options it was made with"
            )
        return SavedState(session_id, int(meta["start_ms"]), int(meta["market_ms"]), read_engine(database, meta))

    def _save(self, exchange: Exchange) -> None:
        if self._database is None:
            make_sure_of(self._path)
            self._database = _connected(self._path)
        changes, self._changes = self._changes, StateChanges()
        engine = exchange.engine
        is_whole = self._kept is not engine.history  # the first time, and when trading began anew
        try:
            self._database.execute("BEGIN IMMEDIATE")
            if is_whole:
                create_tables(self._database)
                write_engine(self._database, take_snapshot(engine))
            else:
                changes.add_waiting(exchange)
                changes.balances |= _all_balances(exchange, engine.accounts.keys() - self._accounts)
                write_changes(self._database, exchange, changes)
            write_meta(self._database, exchange)
            self._database.execute("COMMIT")
        except sqlite3.Error:
            self._changes = changes
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
            raise
        self._kept, self._accounts = engine.history, set(engine.accounts)


def _all_balances(exchange: Exchange, accounts: Iterable[str]) -> set[tuple[str, str]]:
    return {(name, asset) for name in accounts for asset in exchange.engine.accounts[name].assets}


def _connected(path: Path) -> sqlite3.Connection:
    """A connection whose commits are on disk when they return."""
    database = sqlite3.connect(path, isolation_level=None)
    try:
        # The journal stays in place between commits, which saves half of the waiting for the disk.
        for pragma in ("journal_mode = PERSIST", "synchronous = FULL"):
            database.execute(f"PRAGMA {pragma}")
    except sqlite3.Error:
        database.close()
        raise
    return database

"""The door to the ledger for all processes but the one that writes it."""

import sqlite3
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from binance_trade_agent.ledger.connection import FILE_ERRORS, Work, explained, open_read_only

T = TypeVar("T")


class LedgerReader:
    """A ledger opened for reading by any process, whether the trader runs or not; for the functions of queries.py."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open the ledger at `path`; it is never made or changed.

        Raises:
            LedgerError: there is none, or it cannot be used.
        """
        return cls(path, open_read_only(path))

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def snapshot(self, work: Work[T]) -> T:
        """Run `work` with the connection; all that it reads is of one moment.

        Raises:
            LedgerUnavailable: the file could not be read.
        """
        try:
            self._connection.execute("BEGIN")
            try:
                return work(self._connection)
            finally:
                self._connection.execute("ROLLBACK")
        except FILE_ERRORS as error:
            raise explained(error, self.path) from error

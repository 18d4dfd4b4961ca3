"""Notices that the ledger has changed: SQLite counts the commits of other connections (`PRAGMA data_version`)."""

import sqlite3
from pathlib import Path

from binance_trade_agent.ledger.connection import identity, open_read_only
from binance_trade_agent.ledger.errors import LedgerError


class LedgerWatch:
    """Looks at one ledger, which may not be there yet, or may be replaced. A look costs some microseconds."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None
        self._version = -1

    def has_changed(self) -> bool:
        """Whether anything was committed since the last look; True at the first look at a file."""
        was_open = self._connection is not None
        try:
            now = identity(self._path)
            if self._connection is None or now != self._file:
                self.close()
                self._connection, self._file = open_read_only(self._path), now
            version = int(self._connection.execute("PRAGMA data_version").fetchone()[0])
        except (LedgerError, sqlite3.Error):
            self.close()
            return was_open
        has_changed = version != self._version
        self._version = version
        return has_changed

    def close(self) -> None:
        """Let go of the file."""
        if self._connection is not None:
            self._connection.close()
        self._connection, self._version = None, -1

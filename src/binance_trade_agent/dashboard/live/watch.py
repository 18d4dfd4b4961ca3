"""Notices that the ledger has changed: SQLite counts the commits of other connections (`PRAGMA data_version`)."""

import sqlite3
from pathlib import Path

from binance_trade_agent.ledger.connection import open_read_only
from binance_trade_agent.ledger.errors import LedgerError


class LedgerWatch:
    """Looks at one ledger, which may not be there yet, or may be replaced. A look costs some microseconds."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._inode = 0
        self._version = -1

    def has_changed(self) -> bool:
        """Whether anything was committed since the last look; True at the first look at a file."""
        try:
            inode = self._path.stat().st_ino
            if self._connection is None or inode != self._inode:
                self.close()
                self._connection, self._inode = open_read_only(self._path), inode
            version = int(self._connection.execute("PRAGMA data_version").fetchone()[0])
        except (OSError, LedgerError, sqlite3.Error):
            was_open = self._connection is not None
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

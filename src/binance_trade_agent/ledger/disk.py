"""Watching the space that the ledger's disk has left."""

import os
from pathlib import Path

MB = 1_000_000


def free_bytes(path: Path) -> int:
    """Bytes that this process may still write on the disk of `path`, a file or folder that need not exist yet.

    Raises:
        OSError: the disk cannot be asked.
    """
    path = path.absolute()
    while not path.exists() and path != path.parent:
        path = path.parent
    status = os.statvfs(path)
    return status.f_bavail * status.f_frsize


class DiskWatch:
    """Says when the ledger's disk has too little space for new entries: what is open needs room to be written down.

    Args:
        ledger_path: the ledger.
        least_free_mb: LEDGER_MIN_FREE_MB; 0 never says anything.
    """

    def __init__(self, ledger_path: Path, least_free_mb: int) -> None:
        self._ledger_path = ledger_path
        self._least_free_mb = least_free_mb

    def shortage(self) -> str | None:
        """What is wrong, in a sentence for a person; None while there is space."""
        if not self._least_free_mb:
            return None
        try:
            free = free_bytes(self._ledger_path)
        except OSError as error:
            return f"the disk of the ledger {self._ledger_path} cannot be asked for its space: {error.strerror}"
        if free >= self._least_free_mb * MB:
            return None
        return (
            f"the disk of the ledger {self._ledger_path} has {free // MB} MB left, less than LEDGER_MIN_FREE_MB="
            f"{self._least_free_mb}; free some space"
        )

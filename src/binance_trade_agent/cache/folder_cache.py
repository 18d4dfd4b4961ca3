"""The cache as a folder of small files: what processes of one machine share when there is no Redis."""

import asyncio
import contextlib
import logging
import os
from hashlib import blake2b
from pathlib import Path

from binance_trade_agent.ops.clock import monotonic_seconds, wall_ms

_STAMP_BYTES = 8  # before each value: the wall time in ms at which it expires
_SWEEP_SECONDS = 600.0

log = logging.getLogger(__name__)


class FolderCache:
    """See Cache. A file a key, moved into place when it is whole; several processes may read and write at once.

    A folder that cannot be written keeps nothing, which is said once.

    Args:
        folder: made when the first value comes, for its owner only.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._sweep_due = 0.0
        self._is_failing = False

    async def get(self, key: str) -> bytes | None:
        """See Cache."""
        try:
            content = self._path(key).read_bytes()
        except OSError:
            return None
        return content[_STAMP_BYTES:] if _is_current(content) else None

    async def put(self, key: str, value: bytes, ttl_seconds: float) -> None:
        """See Cache."""
        stamp = (wall_ms() + round(ttl_seconds * 1000)).to_bytes(_STAMP_BYTES)
        path = self._path(key)
        fresh = path.with_name(f"{path.name}.{os.getpid()}")
        try:
            if monotonic_seconds() >= self._sweep_due:
                self._sweep_due = monotonic_seconds() + _SWEEP_SECONDS
                await asyncio.to_thread(self._sweep)  # of many symbols there are many files
            self._write(fresh, stamp + value)
            fresh.replace(path)
        except OSError as failure:
            if not self._is_failing:
                reason = failure.strerror or failure
                log.warning("%s cannot be written (%s); other programs are told nothing there", self._folder, reason)
            self._is_failing = True
        else:
            self._is_failing = False

    async def close(self) -> None:
        """See Cache. The files stay for the others."""

    def _path(self, key: str) -> Path:
        """The key's file: a key may hold what no file name may."""
        return self._folder / f"{blake2b(key.encode(), digest_size=16).hexdigest()}.note"

    def _write(self, path: Path, content: bytes) -> None:
        try:
            path.write_bytes(content)
        except FileNotFoundError:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.write_bytes(content)

    def _sweep(self) -> None:
        """Now and then remove what has expired, and what a process that was killed left half-written.

        A value that another process puts at this moment may go too: it is a cache, and what matters is put again.
        """
        for path in self._folder.glob("*.note*"):
            with contextlib.suppress(FileNotFoundError):  # another process sweeps too
                if not _is_current(path.read_bytes()):
                    path.unlink()


def _is_current(content: bytes) -> bool:
    return len(content) >= _STAMP_BYTES and wall_ms() < int.from_bytes(content[:_STAMP_BYTES])

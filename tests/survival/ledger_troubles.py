"""What keeps a real SQLite file from being written: each `begins` and `ends` when the test says so."""

import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.ledger.tiny_disk import fill_up, tiny_disk

LOCK_HOLDER = Path(__file__).parents[1] / "ledger" / "lock_holder.py"


class LockedByAnotherProcess:
    """A second process holds the write lock."""

    says = "is locked by another process"

    def __init__(self, ledger: Path) -> None:
        self._ledger = ledger
        self._holder: subprocess.Popen[str] | None = None

    def begins(self) -> None:
        command = [sys.executable, str(LOCK_HOLDER), str(self._ledger)]
        self._holder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._holder.stdout is not None
        assert self._holder.stdout.readline() == "locked\n"

    def ends(self) -> None:
        if self._holder is not None:
            self._holder.communicate()
            self._holder = None


class FullDisk:
    """The disk takes nothing more: SQLITE_FULL."""

    says = "its disk is full"

    def __init__(self, ledger: Path) -> None:
        self._folder = ledger.parent
        self._filler: Path | None = None

    def begins(self) -> None:
        self._filler = fill_up(self._folder)

    def ends(self) -> None:
        if self._filler is not None:
            self._filler.unlink()
            self._filler = None


class FailingDisk:
    """Every write that makes the write-ahead log longer fails in the middle of the commit: SQLITE_IOERR_WRITE."""

    says = "the disk of the ledger .* failed"

    def __init__(self, ledger: Path) -> None:
        self._log = ledger.with_name(f"{ledger.name}-wal")
        self._before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def begins(self) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (self._log.stat().st_size, self._before[1]))

    def ends(self) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, self._before)


TROUBLES = (LockedByAnotherProcess, FullDisk, FailingDisk)
every_trouble = pytest.mark.parametrize("kind", TROUBLES)


@contextmanager
def folder_for(kind: type, tmp_path: Path) -> Iterator[Path]:
    """A folder for the ledger in which this trouble can begin."""
    if kind is FullDisk:
        with tiny_disk(tmp_path / "disk", "16m") as disk:
            yield disk
    else:
        yield tmp_path


@contextmanager
def about(kind: type, folder: Path):
    """The trouble, over at the end whatever happened."""
    trouble = kind(folder / "ledger.db")
    try:
        yield trouble
    finally:
        trouble.ends()

"""A disk of a few MB in memory, to be filled and to be mounted read-only. Needs the right to mount (root)."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def tiny_disk(folder: Path, size: str = "4m") -> Iterator[Path]:
    """A file system of its own at `folder`; the test is skipped where it may not be mounted."""
    folder.mkdir()
    mounted = _mount("-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder))
    if mounted.returncode:
        pytest.skip("needs the right to mount a file system")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def make_read_only(folder: Path) -> None:
    """Let nobody write to the disk any more."""
    assert _mount("-o", "remount,ro", str(folder)).returncode == 0


def fill_up(folder: Path) -> Path:
    """Take all the space that the disk has left; delete the file that is returned to give it back."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while file.write(b"x" * 4096):
                pass
        except OSError:
            return filler
    raise AssertionError("the disk takes everything")


def leave_one_mb(filler: Path) -> None:
    """Give some of the space back: SQLite needs a little for its files beside a ledger that is read."""
    os.truncate(filler, filler.stat().st_size - 1_100_000)


def _mount(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(["mount", *arguments], capture_output=True, check=False)
    except FileNotFoundError:
        return subprocess.CompletedProcess(arguments, 127)

"""Making files that are whole or not there: written under another name, synced, then moved into place."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import rmtree

from binance_trade_agent.ledger.errors import LedgerError


@contextmanager
def in_place_when_whole(path: Path) -> Iterator[Path]:
    """A name beside `path` to write a file or a folder to; it is moved to `path` when the context ends well.

    Raises:
        LedgerError: something is at `path` already, or its folder cannot be written.
    """
    _refuse_to_overwrite(path)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.unfinished")
    try:
        yield unfinished
        _refuse_to_overwrite(path)  # nobody else may have come first
        unfinished.rename(path)
        sync_folder(path.parent)
    except OSError as error:
        raise LedgerError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        if unfinished.is_dir():
            rmtree(unfinished, ignore_errors=True)
        else:
            unfinished.unlink(missing_ok=True)


def remove_abandoned(path: Path, beginning: str, *, before_wall_ms: int) -> None:
    """Remove what killed processes have left of files `path`.`beginning`..., where it was last written before that."""
    for file in path.parent.iterdir():
        is_unfinished = file.name.startswith(f".{path.name}.{beginning}") and file.name.endswith(".unfinished")
        if is_unfinished and file.stat().st_mtime_ns < before_wall_ms * 1_000_000:
            file.unlink(missing_ok=True)


def sync_file(path: Path) -> None:
    """Have the disk hold all of a file."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


sync_folder = sync_file  # a folder is synced in the same way: the names in it are on disk then


def _refuse_to_overwrite(path: Path) -> None:
    if path.exists() or path.is_symlink():
        raise LedgerError(f"{path} is there already and is not overwritten; give another path with --to")
    if not path.parent.is_dir():
        raise LedgerError(f"there is no folder {path.parent} to write {path.name} to; make it first")

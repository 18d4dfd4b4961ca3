"""Putting a ledger back from a backup: checked first, then moved into place at once; what was there before is kept.

The next start asks the exchange what happened since the backup (agents/adoption.py).
"""

import contextlib
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from glob import escape
from pathlib import Path

from binance_trade_agent.domain.wording import compact_utc
from binance_trade_agent.ledger import queries, restorations
from binance_trade_agent.ledger.backup import damage, refuse_without_room
from binance_trade_agent.ledger.connection import (
    FILE_ERRORS,
    bring_up_to_date,
    explained,
    in_transaction,
    open_existing,
    open_of_any_schema,
    open_read_only,
)
from binance_trade_agent.ledger.errors import LedgerError, LedgerUnavailable
from binance_trade_agent.ledger.files import sync_file, sync_folder
from binance_trade_agent.ledger.migrations import latest_version, schema_version
from binance_trade_agent.ledger.verify import verify

_BESIDE = ("-wal", "-shm", "-journal")  # what SQLite puts beside a file, by what is added to its name
_SHOWN = 3
_BUSY_SECONDS = 1.0  # of a reader that keeps the log from being written back; it is moved as it is then


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restoration has done.

    Attributes:
        counts: fills, postings and orders that the backup has.
        schema: of the backup; what was put in place has this program's.
        last_tick_ms: market time of the last thing that the backup saw, None where it saw none.
        kept: where the ledger is that was there before, None where none was.
    """

    counts: dict[str, int]
    schema: int
    last_tick_ms: int | None
    kept: Path | None


def restore(ledger_path: Path, backup: Path, at_wall_ms: int, finish: Callable[[Path], None]) -> Restored:
    """Put `backup` in the place of the ledger, whose lock the caller holds. The backup itself stays as it is.

    Whatever goes wrong, the ledger is as it was before. It is never away while this is under way, where its file system
    knows hard links.

    Args:
        ledger_path: where the trader looks for its ledger.
        backup: as `ledger backup` makes it, or a copy of a ledger with its write-ahead log.
        at_wall_ms: the machine's time, which names the ledger that is kept.
        finish: does what is to be in the new ledger before anybody reads it.

    Raises:
        LedgerError: the backup is no sound ledger of this or an earlier schema, or a file could not be written.
    """
    place = ledger_path.resolve()  # beside a symbolic link SQLite puts nothing
    unfinished = place.with_name(f".{place.name}.{os.getpid()}.unfinished")
    kept = place.with_name(f"{place.name}.replaced-{compact_utc(at_wall_ms)}")
    _refuse_itself(place, backup, kept)
    for left in place.parent.glob(
        f".{escape(place.name)}.[0-9]*.unfinished*"
    ):  # by one that was killed: the lock is ours
        left.unlink(missing_ok=True)
    try:
        schema = _copy(backup, unfinished)
        counts = _checked(unfinished, backup)
        there = place.exists()
        last_tick_ms = _noted(unfinished, backup, kept.name if there else "", _last_fence(place), at_wall_ms)
        finish(unfinished)
        sync_file(unfinished)
        _keep(place, kept)
        unfinished.replace(place)
        sync_folder(place.parent)
    except OSError as error:
        raise LedgerError(f"cannot restore {ledger_path}: {error.strerror or error}; it is as it was") from error
    finally:
        for name in ("", *_BESIDE):
            unfinished.with_name(unfinished.name + name).unlink(missing_ok=True)
    return Restored(counts, schema, last_tick_ms, kept if there else None)


def _refuse_itself(place: Path, backup: Path, kept: Path) -> None:
    if not backup.exists():
        raise LedgerError(f"there is no backup at {backup}; `trade-agent ledger backup` makes one")
    if not backup.is_file():
        raise LedgerError(f"{backup} is no file; give a backup as `trade-agent ledger backup` makes it")
    if place.exists() and backup.samefile(place):
        raise LedgerError(f"{backup} is the ledger itself; give a backup of it")
    if not place.parent.is_dir():
        raise LedgerError(f"there is no folder {place.parent} to restore {place.name} to; make it first")
    if kept.exists():
        raise LedgerError(f"{kept} is there already and is not overwritten; try again in a second")


def _copy(backup: Path, to: Path) -> int:
    """Copy the backup; returns its schema."""
    with closing(_open_backup(backup)) as source:
        try:
            schema, known = schema_version(source), latest_version()
            if schema > known:
                raise LedgerError(
                    f"the backup {backup} has schema {schema}, this program knows up to {known}; restore it with the "
                    "newer program"
                )
            refuse_without_room(source, to)
            os.close(os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            with closing(sqlite3.connect(to)) as copy:
                source.backup(copy)
        except LedgerUnavailable as failure:
            raise LedgerUnavailable(str(failure).removesuffix(", or give a path on another disk with --to")) from None
        except FILE_ERRORS as error:
            raise explained(error, backup) from error
    return schema


def _open_backup(backup: Path) -> sqlite3.Connection:
    """A copy of a ledger that was made by other means may have its write-ahead log beside it."""
    log = backup.with_name(f"{backup.name}-wal")
    if log.exists() and log.stat().st_size:
        return open_of_any_schema(backup)
    return open_of_any_schema(backup, is_immutable=True)


def _checked(copy: Path, backup: Path) -> dict[str, int]:
    """Bring the copy to this program's schema and replay it; returns what is in it."""
    found: list[str] = []
    try:
        with closing(sqlite3.connect(copy, isolation_level=None)) as connection:
            connection.row_factory = sqlite3.Row
            if trouble := damage(connection):
                raise LedgerError(f"the backup {backup} is damaged ({trouble}); restore an earlier one")
            bring_up_to_date(connection, copy)
        with closing(open_read_only(copy)) as connection:
            counts = verify(connection, found.append)
    except FILE_ERRORS as error:
        raise LedgerError(f"the backup {backup} is damaged ({error}); restore an earlier one") from error
    if found:
        shown = "; ".join(found[:_SHOWN])
        raise LedgerError(f"the backup {backup} has {len(found)} differences ({shown}); restore an earlier one")
    return counts


def _noted(copy: Path, backup: Path, kept: str, last_fence: int, at_wall_ms: int) -> int | None:
    """Note in the copy what it is; returns the market time of its last tick."""

    def write(connection: sqlite3.Connection) -> int | None:
        last = max(last_fence, queries.next_fence(connection) - 1)
        restorations.note(connection, backup=backup.name, kept=kept, last_fence=last, at_wall_ms=at_wall_ms)
        last_tick_ms: int | None = connection.execute("SELECT max(tick_ms) FROM equity").fetchone()[0]
        return last_tick_ms

    with closing(open_existing(copy)) as connection:
        return in_transaction(write)(connection)


def _last_fence(place: Path) -> int:
    """The latest generation that the ledger knows which is to be replaced; 0 where it cannot be read."""
    if not place.exists():
        return 0
    with contextlib.suppress(LedgerError, *FILE_ERRORS), closing(open_read_only(place)) as connection:
        return queries.next_fence(connection) - 1
    return 0


def _keep(place: Path, kept: Path) -> None:
    """Give the ledger its other name, with all that SQLite has put beside it.

    Nothing of that may stay: SQLite would take an old write-ahead log for the new ledger's. Who reads the old ledger
    now goes on reading it.
    """
    if place.exists():
        _write_back(place)
        try:
            kept.hardlink_to(place)
        except OSError:  # a file system without hard links
            place.rename(kept)
    for name in _BESIDE:
        beside = place.with_name(place.name + name)
        if beside.exists():
            beside.rename(kept.with_name(kept.name + name))


def _write_back(place: Path) -> None:
    """Let SQLite bring what is in the write-ahead log into the file, where both are sound.

    Of a file that is none SQLite would delete the log.
    """
    with contextlib.suppress(LedgerError, *FILE_ERRORS):
        open_of_any_schema(place).close()
        with closing(sqlite3.connect(place, isolation_level=None, timeout=_BUSY_SECONDS)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

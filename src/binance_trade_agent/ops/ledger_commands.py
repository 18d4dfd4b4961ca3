"""`trade-agent ledger`: verify, back up and export the ledger, whether a trader runs or not; restore it."""

import contextlib
import json
import os
import re
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from binance_trade_agent import exit_codes
from binance_trade_agent.control import commands
from binance_trade_agent.control.commands import CommandKind
from binance_trade_agent.domain.pause_scope import PauseScope
from binance_trade_agent.domain.strategy_choice import StrategyChoice
from binance_trade_agent.domain.wording import compact_utc, iso_second
from binance_trade_agent.ledger import backup, risk_changes, strategy_changes, switches, tables
from binance_trade_agent.ledger.errors import LedgerError
from binance_trade_agent.ledger.files import remove_abandoned
from binance_trade_agent.ledger.lock import Holder, LedgerInUse, LedgerLock, named
from binance_trade_agent.ledger.reader import LedgerReader
from binance_trade_agent.ledger.restore import Restored, restore
from binance_trade_agent.ledger.verify import Say, verify
from binance_trade_agent.ops.clock import wall_ms
from binance_trade_agent.ops.terminal import complain

_LONGEST_BACKUP_MS = 24 * 3_600_000  # what is unfinished for longer is nobody's


def verify_ledger(path: Path, *, as_json: bool) -> int:
    """Print each difference, then `N differences`. Returns 0 for none, 1 for some, 2 without a ledger to read."""
    found: list[str] = []

    def say(difference: str) -> None:
        found.append(difference)
        if not as_json:
            print(difference, flush=True)

    try:
        counts = _verified(path, say)
    except LedgerError as failure:
        return complain(failure, exit_codes.WRONG_CONFIGURATION)
    if as_json:
        print(json.dumps({"ledger": str(path), "read": counts, "differences": found, "count": len(found)}, indent=2))
    else:
        print(", ".join(f"{count} {what}" for what, count in counts.items()) + " read")
        print(f"{len(found)} differences")
    return exit_codes.FAILURE if found else exit_codes.OK


def _verified(path: Path, say: Say) -> dict[str, int]:
    def work(connection: sqlite3.Connection) -> dict[str, int]:
        return verify(connection, say)

    with LedgerReader.open(path) as reader:
        return reader.snapshot(work)


def back_up_ledger(path: Path, to: Path | None, keep: int | None = None) -> int:
    """Copy the ledger and print where to, and how large it is. Returns 0, or 2 when it could not be done.

    With `keep` only so many of the ledger's dated backups stay in the same folder; the oldest go, once the new one is.
    """
    if keep is not None and to is not None and not to.is_dir():
        what = f"--keep counts the dated backups of a folder, and {to} is none; make it first, or leave --keep away"
        return complain(what, exit_codes.WRONG_CONFIGURATION)
    target = _target(path, to, "backup")
    try:
        size = backup.back_up(path, target)
    except LedgerError as failure:
        return complain(failure, exit_codes.WRONG_CONFIGURATION)
    print(f"{target}  {size} bytes")
    if keep is None:
        return exit_codes.OK
    try:
        _delete_beyond(keep, path, target)
    except OSError as error:
        what = f"the backup is made, but the oldest cannot be deleted: {error.filename}: {error.strerror}"
        return complain(what, exit_codes.WRONG_CONFIGURATION)
    return exit_codes.OK


def _delete_beyond(keep: int, path: Path, newest: Path) -> None:
    """Leave `newest`, which was made just now, whatever the clock said when the others were, and so many in all."""
    others = [file for file in _dated_backups(path, newest.parent) if file != newest]
    for old in others[: max(0, len(others) + 1 - keep)]:
        for name in ("", "-wal", "-shm"):  # left by who has looked into it
            old.with_name(old.name + name).unlink(missing_ok=True)
        print(f"{old}  deleted, as --keep {keep} says")
    remove_abandoned(newest.with_name(path.name), "backup-", before_wall_ms=wall_ms() - _LONGEST_BACKUP_MS)


def _dated_backups(path: Path, folder: Path) -> list[Path]:
    """Those of this ledger that are named for their time, the oldest first; what is of another or damaged is not."""
    name, ours = re.compile(rf"{re.escape(path.name)}\.backup-\d{{8}}T\d{{6}}Z"), backup.origin(path)
    named = sorted(file for file in folder.iterdir() if name.fullmatch(file.name) and file.is_file())
    return [file for file in named if ours is not None and backup.origin(file, is_immutable=True) == ours]


@dataclass(frozen=True, slots=True)
class _Switches:
    """What a person has thrown: the reason of the kill switch, None while it is off, and what a pause keeps back.

    `limits` are the values that limits were given by command, by setting; `strategy` is the last in use.
    """

    kill_reason: str | None
    closes_positions: bool
    pause: PauseScope | None
    limits: dict[str, str]
    strategy: StrategyChoice | None


def restore_ledger(path: Path, from_: Path) -> int:
    """Put a backup in the ledger's place, and print what came of it. Returns 0, or 2 when it could not be done."""
    try:
        with _held_while_none_trades(path):
            before = _switches(path)
            of_backup: list[_Switches | None] = []
            restored = restore(path, from_, wall_ms(), lambda fresh: of_backup.append(_throw_again(fresh, before)))
    except LedgerError as failure:
        return complain(failure, exit_codes.WRONG_CONFIGURATION)
    for line in _told(path, from_, restored, before, *of_backup):
        print(line)
    return exit_codes.OK


@contextlib.contextmanager
def _held_while_none_trades(path: Path) -> Iterator[None]:
    try:
        lock = LedgerLock.acquire(path, Holder(os.getpid(), "ledger restore", wall_ms()))
    except LedgerInUse as refusal:
        raise LedgerError(
            f"a trader runs: {named(refusal.holder)} owns the ledger {path}. End it with `trade-agent stop`, and see "
            "that nothing starts it again (`systemctl stop trade-agent`; in Docker start the container with "
            "TRADING_AUTOSTART=false), then restore. Nothing was changed."
        ) from None
    try:
        yield
    finally:
        lock.hand_back()


def _switches(path: Path) -> _Switches | None:
    """Where the switches of the present ledger stand; None where there is none that can be read."""

    def read(connection: sqlite3.Connection) -> _Switches:
        reason = switches.kill_reason(connection) if switches.killed(connection) else None
        limits = {setting: change.new for setting, change in risk_changes.latest_by_setting(connection).items()}
        last = strategy_changes.latest(connection)
        closes = switches.closes_positions(connection)
        return _Switches(reason, closes, _pause(connection), limits, last.choice if last else None)

    try:
        with LedgerReader.open(path) as reader:
            return reader.snapshot(read)
    except LedgerError:
        return None


def _pause(connection: sqlite3.Connection) -> PauseScope | None:
    """What the pause keeps back; one that no trader has taken yet counts, a resume that none has does not."""
    asked = [command for command in commands.waiting(connection) if command.kind is CommandKind.PAUSE]
    if not asked:
        return switches.pause_scope(connection)
    is_all = asked[-1].payload.get("scope") == PauseScope.EVERYTHING
    return PauseScope.EVERYTHING if is_all else PauseScope.ENTRIES


def _throw_again(fresh: Path, before: _Switches | None) -> _Switches | None:
    """A switch that is thrown stays thrown: the backup does not know of it, or has an end of it that nobody took yet.

    Returns how they stood in the backup.
    """
    now = _switches(fresh)
    if before is None:
        return now
    at_ms = wall_ms()
    if before.kill_reason is not None:
        closing = {"close_positions": "true"} if before.closes_positions else {}
        wanted = {"reason": before.kill_reason, **closing}
        commands.place(fresh, CommandKind.KILL, requested_by="restore", requested_wall_ms=at_ms, payload=wanted)
    if before.pause is not None:
        wanted = {"scope": before.pause.value}
        commands.place(fresh, CommandKind.PAUSE, requested_by="restore", requested_wall_ms=at_ms, payload=wanted)
    return now


def _told(
    path: Path, from_: Path, restored: Restored, before: _Switches | None, after: _Switches | None
) -> Iterator[str]:
    counts = ", ".join(f"{count} {what}" for what, count in restored.counts.items())
    last = "" if restored.last_tick_ms is None else f", as of {iso_second(restored.last_tick_ms)} (its last tick)"
    yield f"{from_} was checked: {counts}, 0 differences{last}."
    yield f"It is the ledger {path} now, with this program's schema (the backup has schema {restored.schema})."
    if restored.kept is None:
        yield "There was no ledger before."
    else:
        yield f"The ledger that was there is kept as {restored.kept}."
    if restored.kept is not None and before is None:
        yield "It could not be read: if it was killed or paused, say `trade-agent kill` or `trade-agent pause` again."
    elif before is not None and (before.kill_reason is not None or before.pause is not None):
        thrown = ["the kill switch"] * (before.kill_reason is not None) + ["the pause"] * (before.pause is not None)
        yield f"{' and '.join(thrown)} of that ledger holds in this one too.".capitalize()
    if before and after and (before.limits, before.strategy) != (after.limits, after.strategy):
        yield "Limits or the strategy were changed since the backup: look at them after the next start."
    yield "The next start (`trade-agent run`) takes what was traded since from the exchange, before it decides."


def export_ledger(path: Path, to: Path | None, form: str) -> int:
    """Write each table to a file and print how many rows it has. Returns 0, or 2 when it could not be done."""
    target = _target(path, to, "export")
    try:
        counts = tables.export_tables(path, target, form)
    except LedgerError as failure:
        return complain(failure, exit_codes.WRONG_CONFIGURATION)
    for table, count in counts.items():
        print(f"{target / table}.{form}  {count} rows")
    return exit_codes.OK


def _target(path: Path, to: Path | None, what: str) -> Path:
    """Where it goes: to a new path as it was given; into a folder that is there, and beside the ledger, by its time."""
    if to is not None and not to.is_dir():
        return to
    name = f"{path.name}.{what}-{compact_utc(wall_ms())}"
    return path.with_name(name) if to is None else to / name

"""Taking a ledger from the trader that holds it: only when a person has said `--takeover`, never by removing a file."""

import contextlib
import logging
import os
import signal
from collections.abc import Iterator
from pathlib import Path

from binance_trade_agent.ledger.errors import LedgerError
from binance_trade_agent.ledger.lock import Holder, LedgerInUse, LedgerLock, lock_path, named, read_holder
from binance_trade_agent.ops.clock import monotonic_seconds, sleep_seconds

END_SECONDS = 12.0  # a trader that is asked to end does so within 10 s
_KILLED_SECONDS = 5.0
_NAME_SECONDS = 2.0  # a holder writes its name right after it has taken the lock
_ASK_EVERY_SECONDS = 0.05

log = logging.getLogger(__name__)


async def take_over(ledger_path: Path, holder: Holder) -> LedgerLock:
    """The lock of the ledger for `holder`; a trader that has it is asked to end, then killed.

    Raises:
        LedgerInUse: the process named in the lock does not hold it as far as this machine can see (it runs in another
            container or belongs to another user), or it could not be ended.
        LedgerError: the lock file cannot be made.
    """
    try:
        return LedgerLock.acquire(ledger_path, holder)
    except LedgerInUse as refusal:
        other = refusal.holder or await _name(ledger_path)
        if other is None:
            raise
        log.warning("--takeover: %s owns the ledger and is asked to end (SIGTERM)", named(other))
    with _found(other, ledger_path) as process:
        signal.pidfd_send_signal(process, signal.SIGTERM)
        if lock := await _lock_within(END_SECONDS, ledger_path, holder):
            log.warning("--takeover: %s has ended; its ledger is taken", named(other))
            return lock
        log.warning("--takeover: %s has not ended in %d s and is killed (SIGKILL)", named(other), END_SECONDS)
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(process, signal.SIGKILL)
        if lock := await _lock_within(_KILLED_SECONDS, ledger_path, holder):
            log.warning("--takeover: %s was killed; its ledger is taken", named(other))
            return lock
    raise LedgerInUse(ledger_path, other)


@contextlib.contextmanager
def _found(holder: Holder, ledger_path: Path) -> Iterator[int]:
    """A descriptor of the holder's process, which stays that process's even when its number is given to another."""
    try:
        process = os.pidfd_open(holder.pid)
    except (OSError, AttributeError):  # it is not there, or this system has no such descriptors
        raise _refusal(holder, ledger_path) from None
    try:
        if not holds(holder.pid, lock_path(ledger_path)):
            raise _refusal(holder, ledger_path)
        yield process
    except PermissionError:
        raise _refusal(holder, ledger_path) from None
    finally:
        os.close(process)


def _refusal(holder: Holder, ledger_path: Path) -> LedgerError:
    return LedgerError(
        f"--takeover cannot end {named(holder)}, which the lock of {ledger_path} names: no process of this number that "
        "holds the lock is to be seen from here. End it where it runs (its container, its user), then start again."
    )


def holds(pid: int, path: Path) -> bool:
    """Whether the process `pid` has the exclusive lock of the file at `path`, by what the kernel says in /proc."""
    wanted = path.stat()
    try:
        descriptors = list(Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return False
    for descriptor in descriptors:
        with contextlib.suppress(OSError):
            found = descriptor.stat()
            if (found.st_dev, found.st_ino) == (wanted.st_dev, wanted.st_ino):
                told = Path(f"/proc/{pid}/fdinfo/{descriptor.name}").read_text(encoding="utf-8")
                if any({"FLOCK", "WRITE"} <= set(line.split()) for line in told.splitlines()):
                    return True
    return False


async def _name(ledger_path: Path) -> Holder | None:
    deadline = monotonic_seconds() + _NAME_SECONDS
    while (holder := read_holder(ledger_path)) is None and monotonic_seconds() < deadline:
        await sleep_seconds(_ASK_EVERY_SECONDS)
    return holder


async def _lock_within(seconds: float, ledger_path: Path, holder: Holder) -> LedgerLock | None:
    deadline = monotonic_seconds() + seconds
    while True:
        try:
            return LedgerLock.acquire(ledger_path, holder)
        except LedgerInUse:
            if monotonic_seconds() >= deadline:
                return None
        await sleep_seconds(_ASK_EVERY_SECONDS)

"""One writer: a lock beside the ledger, held by the kernel for as long as the process lives, killed or not."""

import fcntl
import json
import os
import threading
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from binance_trade_agent.ledger.errors import LedgerError, LedgerUnavailable

_LONGEST_NAME = 4096
_LOOKS, _LOOK_SECONDS = 20, 0.01


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds the lock. `started_wall_ms` is the machine's time in ms UTC."""

    pid: int
    run_id: str
    started_wall_ms: int


class LedgerInUse(LedgerError):  # noqa: N818 - named for the situation
    """Another process owns the ledger. `holder` is None when it has not written its name yet."""

    def __init__(self, path: Path, holder: Holder | None) -> None:
        super().__init__(
            f"the trader already runs: {named(holder)} owns the ledger {path}; end it with `trade-agent stop`, in "
            "Docker start the container with TRADING_AUTOSTART=false, set another LEDGER_PATH for this one, or take "
            "over with `trade-agent run --takeover`"
        )
        self.holder = holder


class LedgerLock:
    """The exclusive right to write a ledger; a context manager.

    The file `<ledger>.lock` stays when the lock is released: to remove it could take it from under the next holder.

    Attributes:
        killed: who held this very file before and did not give it back: that process has ended without an end.
    """

    def __init__(self, path: Path, descriptor: int, killed: Holder | None = None) -> None:
        self.path = path
        self.killed = killed
        self._descriptor = descriptor

    @classmethod
    def acquire(cls, ledger_path: Path, holder: Holder) -> Self:
        """Take the lock of the ledger at `ledger_path` for this process.

        Raises:
            LedgerInUse: another process has it.
            LedgerError: the lock file cannot be made or written.
        """
        path = lock_path(ledger_path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise LedgerError(f"cannot write {path}: {error.strerror}; check LEDGER_PATH and its rights") from error
        if not _lock_soon(descriptor):
            os.close(descriptor)
            raise LedgerInUse(ledger_path, read_holder(ledger_path))
        killed = _holder_in(os.pread(descriptor, _LONGEST_NAME, 0), inode=os.fstat(descriptor).st_ino)
        lock = cls(path, descriptor, killed)
        try:
            lock._write(holder)
        except OSError as error:  # a full disk: no place to trade on
            os.close(descriptor)
            raise LedgerUnavailable(f"cannot write {path}: {error.strerror}; free some space") from error
        return lock

    def _write(self, holder: Holder) -> None:
        # A copy of the folder has another inode, and its lock says nothing of the process that runs on the original.
        name = {**asdict(holder), "inode": os.fstat(self._descriptor).st_ino}
        os.truncate(self._descriptor, 0)
        os.pwrite(self._descriptor, json.dumps(name).encode(), 0)

    def release(self) -> None:
        """Give the lock back."""
        os.truncate(self._descriptor, 0)
        os.close(self._descriptor)

    def hand_back(self) -> None:
        """Give it back as it was found, for who was no trader: the next one has to know whom a kill has ended."""
        if self.killed is None:
            self.release()
        else:
            self._write(self.killed)
            os.close(self._descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def lock_path(ledger_path: Path) -> Path:
    """Where the lock of a ledger is: beside the file itself, whatever symbolic link it is named by."""
    place = ledger_path.resolve()
    return place.with_name(f"{place.name}.lock")


def is_held(ledger_path: Path) -> bool:
    """Whether some process owns the ledger now."""
    try:
        descriptor = os.open(lock_path(ledger_path), os.O_RDONLY)
    except OSError:
        return False
    try:
        return not _try_lock(descriptor, fcntl.LOCK_SH)
    finally:
        os.close(descriptor)


def _try_lock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _lock_soon(descriptor: int) -> bool:
    """Whether the lock could be taken; who only looks whether it is held (`is_held`) has it for some microseconds."""
    for _ in range(_LOOKS):
        if _try_lock(descriptor, fcntl.LOCK_EX):
            return True
        threading.Event().wait(_LOOK_SECONDS)
    return False


def read_holder(ledger_path: Path) -> Holder | None:
    """Who has written its name into the lock, None when nobody has."""
    try:
        return _holder_in(lock_path(ledger_path).read_bytes())
    except OSError:
        return None


def named(holder: Holder | None) -> str:
    """The holder in words."""
    return f"process {holder.pid} (run {holder.run_id})" if holder else "another process"


def _holder_in(text: bytes, *, inode: int | None = None) -> Holder | None:
    """The holder that a lock file names; None when it names none, or the name was not written into the file `inode`."""
    try:
        fields = json.loads(text)
        written_into = fields.pop("inode", None)
        holder = Holder(**fields)
    except (ValueError, TypeError, AttributeError):
        return None
    return holder if inode in {None, written_into} else None

"""The log as files beside the ledger: one JSON object a line, in numbered files that take a bounded space in all.

`<ledger>.logs/trader-00000001.jsonl` is the oldest that is left, the one with the highest number is written to. A file
is never renamed, so a place in the log (file number and offset) stays what it is while the log grows. Within a file the
lines are in the order of time: when the machine's clock is set back, a new file begins.

Lines are written by a thread of their own. A disk that is full, slow or read-only stops nobody: lines wait in a bounded
space, the oldest of them are lost then, and how many were is written down once the disk takes lines again. Only who
owns the ledger may read them.
"""

import contextlib
import json
import logging
import os
import re
import threading
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from binance_trade_agent.domain.wording import iso_utc
from binance_trade_agent.ops.clock import wall_ms

MB = 1_000_000
TRADER, DASHBOARD = "trader", "dashboard"

_FILES = 10  # so many are kept; the oldest goes when a new one begins
_TEXT_CHARACTERS = 64_000  # of one value; a log line is for people
_WAITING_BYTES = 4 * MB
_AGAIN_SECONDS = 5.0
_FAREWELL_SECONDS = 2.0
_SET_BACK_MS = 1_000
_BEGINNING = ("timestamp", "level", "event")  # time first, so that it is found without parsing


def log_folder(ledger_path: Path) -> Path:
    """Where the logs of a ledger's processes are."""
    return ledger_path.with_name(f"{ledger_path.name}.logs")


def log_files(folder: Path, name: str = TRADER) -> dict[int, Path]:
    """The files of the log `name` by number, the oldest first; none where nothing was ever written."""
    pattern = re.compile(rf"{re.escape(name)}-(\d{{8,}})\.jsonl")
    found = {}
    with contextlib.suppress(OSError):
        for path in folder.iterdir():
            if match := pattern.fullmatch(path.name):
                found[int(match[1])] = path
    return dict(sorted(found.items()))


def file_path(folder: Path, name: str, number: int) -> Path:
    """Where the file of this number is, or was."""
    return folder / f"{name}-{number:08}.jsonl"


def json_line(event: Mapping[str, Any]) -> str:
    """An event as one line: time, level and text first, then what else it has to say; nothing that is None.

    What JSON has no form for is written as its text, and a value that is too long is cut and says so.
    """
    ordered = {name: event[name] for name in _BEGINNING if name in event} | dict(event)
    said = {str(name): _bounded(value) for name, value in ordered.items() if value is not None}
    return json.dumps(said, ensure_ascii=False, separators=(",", ":"), default=str)


def _bounded(value: Any) -> Any:
    if isinstance(value, str) and len(value) > _TEXT_CHARACTERS:
        return f"{value[:_TEXT_CHARACTERS]}… ({len(value) - _TEXT_CHARACTERS} more characters)"
    return value


class LogFile:
    """Writes lines to the log `name` in `folder`, by a thread that begins with the first line. `close` it.

    Args:
        keep_mb: MB that all of its files may take, at least 1.
        write: writes to a file descriptor as `os.write` does; a test lets it fail.

    Attributes:
        lost: lines that were given up since the start, because the disk did not take them.
        trouble: why nothing can be written now, None while it can.
    """

    def __init__(self, folder: Path, name: str, keep_mb: int, *, write: Callable[[int, bytes], int] = os.write) -> None:
        self.lost = 0
        self.trouble: str | None = None
        self._folder = folder
        self._name = name
        self._file_bytes = keep_mb * MB // _FILES
        self._write = write
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._unsaid = 0  # lost, and not written down yet
        self._lock = threading.Lock()
        self._has_news = threading.Event()
        self._is_closing = threading.Event()
        self._thread: threading.Thread | None = None
        self._descriptor: int | None = None
        self._number = 0
        self._is_torn = False
        self._written_ms = 0

    def put(self, text: str) -> None:
        """Have a line written soon. Never waits for the disk, never raises."""
        line = _as_line(text)
        with self._lock:
            self._waiting.append(line)
            self._waiting_bytes += len(line)
            while self._waiting_bytes > _WAITING_BYTES and len(self._waiting) > 1:
                self._waiting_bytes -= len(self._waiting.popleft())
                self.lost += 1
                self._unsaid += 1
            if self._thread is None and not self._is_closing.is_set():
                self._thread = threading.Thread(target=self._run, name=f"log file {self._name}", daemon=True)
                self._thread.start()
        self._has_news.set()

    def close(self) -> None:
        """Write what waits, for 2 s at most: a disk that hangs must not hold up the end of the process."""
        self._is_closing.set()
        self._has_news.set()
        if self._thread is not None:
            self._thread.join(_FAREWELL_SECONDS)

    def _run(self) -> None:
        while True:
            self._has_news.wait()
            self._has_news.clear()
            is_last = self._is_closing.is_set()
            self._write_waiting()
            if is_last:
                break
            if self.trouble is not None:
                self._is_closing.wait(_AGAIN_SECONDS)
                self._has_news.set()
        self._let_go()

    def _write_waiting(self) -> None:
        while lines := self._taken():
            confession = None
            with self._lock:
                unsaid, self._unsaid = self._unsaid, 0
            if unsaid:
                confession = _confession(unsaid, self.trouble)
                lines.appendleft(confession)
            try:
                self._append(lines)
            except OSError as failure:
                self.trouble = failure.strerror or str(failure)
                self._let_go()
                if lines and lines[0] is confession:
                    lines.popleft()
                    self._unsaid += unsaid
                self._put_back(lines)
                return
            self.trouble = None

    def _taken(self) -> deque[bytes]:
        """The oldest waiting lines, as many as one file holds."""
        lines: deque[bytes] = deque()
        size = 0
        with self._lock:
            while self._waiting and (not lines or size + len(self._waiting[0]) <= self._file_bytes):
                lines.append(self._waiting.popleft())
                size += len(lines[-1])
            self._waiting_bytes -= size
        return lines

    def _put_back(self, lines: deque[bytes]) -> None:
        with self._lock:
            self._waiting.extendleft(reversed(lines))
            self._waiting_bytes += sum(map(len, lines))

    def _append(self, lines: deque[bytes]) -> None:
        """Write `lines`, and take out of them what was written whole.

        Raises:
            OSError: not all were written. A line that was written in part stays among them, to be written again.
        """
        text = b"".join(lines)
        descriptor = self._open_for(len(text))
        written = 0
        try:
            if self._is_torn:
                self._write(descriptor, b"\n")
            while written < len(text):
                written += self._write(descriptor, text[written:])
        finally:
            while lines and written >= len(lines[0]):
                written -= len(lines.popleft())
            self._is_torn = written > 0

    def _open_for(self, size: int) -> int:
        """Descriptor of the file that so many bytes belong into: the newest, or the next when that has no room."""
        now_ms = wall_ms()
        was_set_back = now_ms < self._written_ms - _SET_BACK_MS
        self._written_ms = now_ms
        if self._descriptor is not None:
            status = os.fstat(self._descriptor)
            if status.st_size + size <= self._file_bytes and status.st_nlink and not was_set_back:
                return self._descriptor
            self._let_go()
            return self._open(self._number + 1)
        number, path = next(reversed(log_files(self._folder, self._name).items()), (1, None))
        if path is not None:
            status = path.stat()
            is_later = status.st_mtime_ns // 1_000_000 > now_ms + _SET_BACK_MS
            if is_later or (status.st_size and status.st_size + size > self._file_bytes):
                number += 1
        return self._open(number)

    def _open(self, number: int) -> int:
        self._folder.parent.mkdir(parents=True, exist_ok=True)
        self._folder.mkdir(mode=0o700, exist_ok=True)
        path = file_path(self._folder, self._name, number)
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._number = number
        size = os.fstat(self._descriptor).st_size
        self._is_torn = size > 0 and os.pread(self._descriptor, 1, size - 1) != b"\n"
        for old in list(log_files(self._folder, self._name).values())[:-_FILES]:
            with contextlib.suppress(OSError):
                old.unlink()
        return self._descriptor

    def _let_go(self) -> None:
        if self._descriptor is not None:
            with contextlib.suppress(OSError):
                os.close(self._descriptor)
            self._descriptor = None


def _confession(lost: int, trouble: str | None) -> bytes:
    why = f": {trouble}" if trouble else ""
    text = f"{lost} lines of the log were lost before this one, while it could not be written{why}"
    return _as_line(json_line({"timestamp": iso_utc(wall_ms()), "level": "warning", "event": text, "logger": __name__}))


def _as_line(text: str) -> bytes:
    return text.encode("utf-8", "backslashreplace") + b"\n"


class LogFileHandler(logging.Handler):
    """Hands each record, formatted as one JSON object, to a LogFile; closed with it."""

    def __init__(self, file: LogFile) -> None:
        super().__init__()
        self._file = file

    def emit(self, record: logging.LogRecord) -> None:
        """See logging.Handler. The formatter gives the text of one line."""
        try:
            self._file.put(self.format(record))
        except Exception:  # noqa: BLE001 (what cannot be said must not end who says it)
            self.handleError(record)

    def close(self) -> None:
        """See logging.Handler."""
        self._file.close()
        super().close()

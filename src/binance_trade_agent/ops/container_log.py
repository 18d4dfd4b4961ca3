"""The container's log: programs that write to it together, and processes of `docker exec`, whose output ends there."""

import atexit
import io
import sys
import threading
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import TextIO

_WITHOUT_PREFIX = "trader"  # its lines are what people read and search
_program = ""


def program() -> str:
    """The name of this process among the container's programs; empty elsewhere."""
    return _program


def speak_as_program(environment: MutableMapping[str, str]) -> None:
    """Write whole lines that begin with the program's name, where supervisord.conf has set PROGRAM_NAME.

    The trader's lines, and JSON, which names the program in a field, have no such beginning. The variable is removed:
    a process that this one starts, and whose output it reads, is no program of the container.
    """
    global _program  # noqa: PLW0603 (the process has one name)
    _program = environment.pop("PROGRAM_NAME", "")
    if _program:
        beginning = "" if _program == _WITHOUT_PREFIX else f"{_program} | "
        sys.stdout, sys.stderr = _Lines(sys.stdout, beginning), _Lines(sys.stderr, beginning)


def copy_output(environment: Mapping[str, str]) -> None:
    """Write whatever this process prints to the file CONTAINER_LOG as well, where that is set.

    The image sets it to the standard output of its first process, which `docker logs` shows; supervisord clears it for
    its own programs, whose output arrives there anyway. When the file cannot be written, everything stays as it is.
    """
    path = environment.get("CONTAINER_LOG")
    if not path:
        return
    try:
        log = Path(path).open("a", encoding="utf-8", buffering=1)  # noqa: SIM115 (stays open until the process ends)
    except OSError:
        return
    sys.stdout, sys.stderr = _Both(sys.stdout, log), _Both(sys.stderr, log)


class _Both(io.TextIOBase):
    """A text stream that writes to the process's own stream and to the container's log."""

    encoding = "utf-8"

    def __init__(self, own: TextIO, log: TextIO) -> None:
        self._own = own
        self._log = log

    def write(self, text: str) -> int:
        self._log.write(text)
        return self._own.write(text)

    def flush(self) -> None:
        self._log.flush()
        self._own.flush()

    def fileno(self) -> int:
        return self._own.fileno()

    def isatty(self) -> bool:
        return self._own.isatty()


class _Lines(io.TextIOBase):
    """A text stream that writes whole lines to another, each with the same beginning, so that none is torn."""

    encoding = "utf-8"

    def __init__(self, own: TextIO, beginning: str) -> None:
        self._own = own
        self._beginning = beginning
        self._rest = ""
        self._lock = threading.RLock()  # a signal's handler may write while a line is being written
        atexit.register(self._end)

    def write(self, text: str) -> int:
        with self._lock:
            whole, newline, self._rest = f"{self._rest}{text}".rpartition("\n")
            if newline:
                self._own.write("".join(f"{self._begun(line)}\n" for line in whole.split("\n")))
        return len(text)

    def flush(self) -> None:
        self._own.flush()

    def fileno(self) -> int:
        return self._own.fileno()

    def isatty(self) -> bool:
        return self._own.isatty()

    def _begun(self, line: str) -> str:
        return line if line.startswith("{") else f"{self._beginning}{line}"

    def _end(self) -> None:
        if self._rest:
            self.write("\n")
        self._own.flush()

"""The container's log for a process that `docker exec` starts: its own output ends at `exec`, with `-d` nowhere."""

import io
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TextIO


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

"""Who listens on a port of this machine, as far as this user may see (Linux's /proc)."""

import contextlib
import errno
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_LISTENS = "0A"  # TCP_LISTEN in /proc/net/tcp (include/net/tcp_states.h)
_CHARACTERS = 60
_WORDS = 3  # of a command line: the program and what it is to do, not all that it was told


@dataclass(frozen=True, slots=True)
class PortHolder:
    """A process that listens. `command` is how it was started, without the folders."""

    pid: int
    command: str


def is_taken(host: str, port: int) -> bool:
    """Whether a server could not listen there now.

    Raises:
        OSError: the host is none of this machine's.
    """
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except OSError as failure:
            if failure.errno == errno.EADDRINUSE:
                return True
            raise
    return False


def holder_of(port: int) -> PortHolder | None:
    """The process that listens on `port`, on whatever address; None when none of this user's does."""
    inodes = {f"socket:[{inode}]" for inode in _listening_inodes(port)}
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # another user's, or it has ended
            if any(_is_one_of(inodes, file) for file in (process / "fd").iterdir()):
                return PortHolder(int(process.name), _command(process))
    return None


def _is_one_of(inodes: set[str], file: Path) -> bool:
    try:
        return str(file.readlink()) in inodes
    except OSError:  # it was closed meanwhile
        return False


def _listening_inodes(port: int) -> Iterator[str]:
    for table in ("tcp", "tcp6"):
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/net/{table}").read_text(encoding="ascii").splitlines()[1:]:
                _, local, _, state, *rest = line.split()
                if state == _LISTENS and int(local.rpartition(":")[2], 16) == port:
                    yield rest[5]


def _command(process: Path) -> str:
    words = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
    named = [word.rpartition("/")[2] for word in words[: _WORDS + 1] if word]
    if named and named[0].startswith("python"):  # a script that is run by its interpreter
        named = named[1:]
    return " ".join(" ".join(named[:_WORDS]).split())[:_CHARACTERS]

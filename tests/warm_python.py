"""Processes of Python that need not import anew what takes a second: forks of one that has imported it.

process = await start("binance_trade_agent.cli", "health", folder=tmp_path, environment={})
out, errors = await process.communicate()

Such a process has an id, signals, files, a folder and an environment of its own, and ends as any program does. What an
interpreter settles when it starts is the same for all: the seed of hashes, the encoding of its output. A test of one of
these, or of what happens during the imports, needs a cold one.
"""

import asyncio
import atexit
import contextlib
import functools
import json
import os
import resource
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

_ROOT = Path(__file__).parents[1]


class WarmProcess:
    """As much of `asyncio.subprocess.Process` as the tests ask of one.

    Attributes:
        pid: its process id.
        stdout, stderr: what it says.
    """

    def __init__(self, stdout: asyncio.StreamReader, stderr: asyncio.StreamReader, told: asyncio.StreamReader) -> None:
        self.stdout = stdout
        self.stderr = stderr
        self.pid = 0
        self._told = told
        self._ended: asyncio.Future[int]

    async def begin(self) -> None:
        """Return when it runs."""
        pid = await self._told.readline()
        assert pid, "the process that has imported everything is gone: `python -m tests.warm_python_server` says why"
        self.pid = int(pid)
        self._ended = asyncio.ensure_future(self._end())

    async def _end(self) -> int:
        return int(await self._told.read())

    @property
    def returncode(self) -> int | None:
        """The exit code, -N when signal N has ended it; None while it runs."""
        return self._ended.result() if self._ended.done() else None

    async def wait(self) -> int:
        """The exit code, when it has ended."""
        return await asyncio.shield(self._ended)

    async def communicate(self) -> tuple[bytes, bytes]:
        """All that it says, when it has ended."""
        out, errors, _ = await asyncio.gather(self.stdout.read(), self.stderr.read(), self.wait())
        return out, errors

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it is known to have ended; one that ended a moment ago does not mind."""
        if self.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask it to end, with SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it with SIGKILL."""
        self.send_signal(signal.SIGKILL)


async def start(module: str, *arguments: str, folder: Path, environment: Mapping[str, str]) -> WarmProcess:
    """`python -m MODULE` in `folder`, with this environment, our limits and nothing on its standard input."""
    request = {
        "module": module,
        "arguments": arguments,
        "folder": str(folder),
        "environment": dict(environment),
        "limits": [(each, resource.getrlimit(each)) for each in (resource.RLIMIT_NOFILE, resource.RLIMIT_FSIZE)],
    }
    pipes = [os.pipe() for _ in ("standard output", "standard error", "what is told of it")]
    try:
        message = json.dumps(request).encode() + b"\n"
        sent = socket.send_fds(_server(), [message], [theirs for _, theirs in pipes])
        _server().sendall(message[sent:])
    finally:
        for _, theirs in pipes:
            os.close(theirs)
    process = WarmProcess(*[await _reader(ours) for ours, _ in pipes])
    await process.begin()
    return process


async def start_cold(
    module: str, *arguments: str, folder: Path, environment: Mapping[str, str]
) -> asyncio.subprocess.Process:
    """The same in an interpreter of its own, which imports everything first."""
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        module,
        *arguments,
        cwd=folder,
        env=environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def _reader(descriptor: int) -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, os.fdopen(descriptor, "rb"))
    return reader


@functools.cache
def _server() -> socket.socket:
    """Where the process that has imported everything is asked for forks; it ends with this one."""
    ours, theirs = socket.socketpair()
    with theirs:
        command = [sys.executable, "-m", "tests.warm_python_server", str(theirs.fileno())]
        # Its output is a pipe as that of its forks is: Python makes its streams for what they lead to.
        server = subprocess.Popen(
            command,
            cwd=_ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=[theirs.fileno()],
        )

    def end() -> None:
        ours.close()
        server.communicate()

    atexit.register(end)
    return ours

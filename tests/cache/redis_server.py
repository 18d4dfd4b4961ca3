"""A real redis-server on a free port, without persistence, that can be killed and started again."""

import shutil
import socket
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from binance_trade_agent.ops.clock import monotonic_seconds, sleep_seconds
from tests.free_ports import free_port

REDIS_SERVER = shutil.which("redis-server")
_READY_SECONDS = 10

needs_redis = [
    pytest.mark.redis,
    pytest.mark.skipif(REDIS_SERVER is None, reason="there is no redis-server on this machine"),
]


class RedisServer:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"redis://127.0.0.1:{self._port}/0"

    async def start(self) -> None:
        process = self._process = self._spawned()
        deadline = monotonic_seconds() + _READY_SECONDS
        while not self._accepts():
            assert process.poll() is None, "redis-server did not start"
            assert monotonic_seconds() < deadline
            await sleep_seconds(0.02)

    def _spawned(self) -> subprocess.Popen[bytes]:
        assert REDIS_SERVER is not None
        options = ["--port", str(self._port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        return subprocess.Popen([REDIS_SERVER, *options], cwd=self._folder, stdout=subprocess.DEVNULL)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _accepts(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self._port)) == 0


@asynccontextmanager
async def running_redis(folder: Path) -> AsyncIterator[RedisServer]:
    """A server that accepts connections, until the end of the context."""
    server = RedisServer(folder)
    await server.start()
    try:
        yield server
    finally:
        server.kill()

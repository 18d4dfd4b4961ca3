"""A backtest whose client goes, in whatever way, ends too: no process is left behind, and the next one may begin."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import httpx2
import pytest

from binance_trade_agent.ops.tasks import stop
from tests.mcp_server.endless import BUSY, ENDLESS, endless_candles
from tests.mcp_server.served import GENERATIONS, ServedMcp, served_mcp
from tests.mcp_server.stack import refused
from tests.sessions.daemon_process import CLEAN_ENVIRONMENT

_AT_MOST_SECONDS = 60
ABOUT = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "by hand", "version": "1"}}
CALL = {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "run_backtest", "arguments": ENDLESS}}
MESSAGES = [
    {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": ABOUT},
    {"jsonrpc": "2.0", "method": "notifications/initialized"},
    CALL,
]


@pytest.fixture
def pipe(tmp_path):
    with endless_candles(tmp_path / "endless") as pipe:
        yield pipe


@pytest.fixture
def server(tmp_path, pipe):
    with served_mcp(tmp_path, HISTORY_PATH=str(tmp_path / "endless")) as running:
        yield running


@pytest.mark.parametrize("generation", GENERATIONS)
async def test_the_call_is_cancelled(server, pipe, generation):
    async with asyncio.timeout(_AT_MOST_SECONDS), server.client(mode=generation) as client:
        running = asyncio.ensure_future(client.call_tool("run_backtest", ENDLESS))
        await pipe.has_reader()
        assert await refused(client, "run_backtest", **ENDLESS) == BUSY
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        await pipe.has_no_reader()


async def test_the_connection_of_the_call_is_closed(server, pipe):
    async with asyncio.timeout(_AT_MOST_SECONDS):
        async with legacy_session(server) as ask:
            running = asyncio.ensure_future(ask("POST", CALL))
            await pipe.has_reader()
            await stop(running)
            await pipe.has_no_reader()
        pipe.put_a_file_there()
        while (said := await refused(server, "run_backtest", **ENDLESS)) == BUSY:
            pass
        assert said.startswith("The backtest has no result: ")


async def test_its_session_is_deleted(server, pipe):
    async with asyncio.timeout(_AT_MOST_SECONDS), legacy_session(server) as ask:
        running = asyncio.ensure_future(ask("POST", CALL))
        await pipe.has_reader()
        assert (await ask("DELETE")).status_code == 200
        await pipe.has_no_reader()
        assert b"result" not in (await running).content
        assert (await ask("POST", CALL)).status_code == 404


@asynccontextmanager
async def legacy_session(server: ServedMcp) -> AsyncIterator[Callable[..., Awaitable[httpx2.Response]]]:
    """ask(method, message): by hand, in a session that has begun."""
    headers = {"Accept": "application/json, text/event-stream"}
    async with httpx2.AsyncClient(timeout=_AT_MOST_SECONDS) as http:
        begun = await http.post(f"{server.base}/mcp", headers=headers, json=MESSAGES[0])
        headers["Mcp-Session-Id"] = begun.headers["mcp-session-id"]
        yield lambda method, message=None: http.request(method, f"{server.base}/mcp", headers=headers, json=message)


async def test_the_server_that_it_started_is_killed(tmp_path, pipe):
    """See test_command.py for one whose standard input ends."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "binance_trade_agent.cli", "mcp", "--stdio"),
        cwd=tmp_path,
        env={
            **CLEAN_ENVIRONMENT,
            "LEDGER_PATH": str(tmp_path / "ledger.db"),
            "HISTORY_PATH": str(tmp_path / "endless"),
        },
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    process.stdin.writelines(f"{json.dumps(message)}\n".encode() for message in MESSAGES)
    async with asyncio.timeout(_AT_MOST_SECONDS):
        await pipe.has_reader()
        process.kill()
        await pipe.has_no_reader()
        _, log = await process.communicate()
    assert b"Traceback" not in log

"""`trade-agent mcp` as a process: where it listens, what it says on which stream, how it ends."""

import asyncio
import json
import signal
import socket
import sys
from pathlib import Path

import pytest
from mcp import Client

from binance_trade_agent.mcp_server.command import serve
from tests.free_ports import free_port
from tests.mcp_server.endless import ENDLESS, Pipe, endless_candles
from tests.mcp_server.served import configuration
from tests.mcp_server.stack import mcp_process
from tests.sessions.daemon_process import CLEAN_ENVIRONMENT
from tests.warm_python import start


async def test_it_serves_on_the_port_that_is_set(tmp_path):
    port = free_port()
    async with mcp_process(tmp_path, MCP_PORT=str(port)) as address:
        assert address == f"http://127.0.0.1:{port}/mcp"
        async with Client(address) as client:
            assert (await client.list_tools()).tools
        with pytest.raises(OSError, match="refused"):
            socket.create_connection(("127.0.0.2", port), 5)


def test_a_port_that_is_taken_is_named(tmp_path, caplog):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert serve(configuration(tmp_path, MCP_PORT=str(port))) == 1
    assert f"MCP_HOST=127.0.0.1, MCP_PORT={port}: it cannot listen there: Address already in use" in caplog.text


async def test_standard_output_holds_nothing_but_the_protocol(tmp_path):
    """A client that speaks by itself, with everything logged: each line of standard output is a message to it.

    It goes in the midst of a backtest, which ends then.
    """
    with endless_candles(tmp_path / "endless") as pipe:
        await speak_by_hand(tmp_path, pipe)


async def speak_by_hand(tmp_path: Path, pipe: Pipe) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "binance_trade_agent.cli",
        "mcp",
        "--stdio",
        cwd=tmp_path,
        env={
            **CLEAN_ENVIRONMENT,
            "LEDGER_PATH": str(tmp_path / "ledger.db"),
            "HISTORY_PATH": str(tmp_path / "endless"),
            "LOG_LEVEL": "DEBUG",
        },
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    messages = [
        {
            "id": 1,
            "method": "initialize",
            "params": {
                "protocolVersion": "2025-06-18",
                "capabilities": {},
                "clientInfo": {"name": "by hand", "version": "1"},
            },
        },
        {"method": "notifications/initialized"},
        {"id": 2, "method": "tools/call", "params": {"name": "get_system_status", "arguments": {}}},
        {"id": 3, "method": "tools/call", "params": {"name": "get_logs", "arguments": {"limit": 1_000_000}}},
        {"id": 4, "method": "no/such"},
        {"id": 5, "method": "tools/call", "params": {"name": "run_backtest", "arguments": ENDLESS}},
    ]
    lines = [json.dumps({"jsonrpc": "2.0", **message}) for message in messages]
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(("\n".join(lines) + "\nnot a message\n").encode())
    await process.stdin.drain()
    answers = []
    while {answer.get("id") for answer in answers} < {1, 2, 3, 4}:
        answers.append(json.loads(await asyncio.wait_for(process.stdout.readline(), 30)))
    await asyncio.wait_for(pipe.has_reader(), 30)
    process.stdin.close()
    await asyncio.wait_for(pipe.has_no_reader(), 30)
    rest, log = await asyncio.wait_for(process.communicate(), 30)
    answers += [json.loads(line) for line in rest.splitlines()]
    assert all(answer["jsonrpc"] == "2.0" for answer in answers)
    by_id = {answer["id"]: answer for answer in answers if "id" in answer}
    assert by_id[2]["result"]["structuredContent"]["state"] == "never ran"
    assert by_id[3]["result"]["content"][0]["text"] == "limit: input should be less than or equal to 200."
    assert by_id[4]["error"]["code"] == -32601
    assert process.returncode == 0
    assert b"Traceback" not in log


async def test_in_a_container_it_serves_a_notice_instead(tmp_path):
    environment = {
        **CLEAN_ENVIRONMENT,
        "LEDGER_PATH": str(tmp_path / "ledger.db"),
        "MCP_HOST": "0.0.0.0",
        "MCP_PORT": str(port := free_port()),
    }
    arguments = ("mcp", "--locked-without-token")
    process = await start("binance_trade_agent.cli", *arguments, folder=tmp_path, environment=environment)
    said = b""
    while b"MCP server on" not in said:
        line = await asyncio.wait_for(process.stderr.readline(), 30)
        assert line, said
        said += line
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
    answer = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"Set MCP_AUTH_TOKEN" in answer
    process.send_signal(signal.SIGTERM)
    await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 0

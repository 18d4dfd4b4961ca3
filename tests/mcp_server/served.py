"""The MCP server as `trade-agent mcp` serves it over HTTP, in a thread of this process with a loop of its own."""

import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import CallToolResult

from binance_trade_agent.configuration import Configuration, load
from binance_trade_agent.desk.addresses import listening, url_of
from binance_trade_agent.mcp_server.access import PATH
from binance_trade_agent.mcp_server.command import application, desk_of, web_server
from binance_trade_agent.mcp_server.server import trading_server

GENERATIONS = ("legacy", "auto")  # with a session that `initialize` begins, and with all that is needed in each request


@dataclass(frozen=True)
class ServedMcp:
    """A server that answers at `base`."""

    base: str
    configuration: Configuration

    @asynccontextmanager
    async def client(self, *, headers: dict[str, str] | None = None, mode: str = "auto") -> AsyncIterator[Client]:
        """The official client, with the token where there is one."""
        token = self.configuration.settings.mcp_auth_token
        known = {} if token is None else {"Authorization": f"Bearer {token.get_secret_value()}"}
        async with (
            httpx2.AsyncClient(headers={**known, **(headers or {})}, timeout=30) as http,
            Client(streamable_http_client(self.base + PATH, http_client=http), mode=mode) as client,
        ):
            yield client

    async def call_tool(self, name: str, arguments: dict[str, Any], **more: Any) -> CallToolResult:
        """What a client of its own is answered."""
        async with self.client() as client:
            return await client.call_tool(name, arguments, **more)

    async def post(self, **headers: str) -> httpx2.Response:
        """What a client that begins is answered."""
        asked: dict[str, Any] = {
            "jsonrpc": "2.0",
            "id": 1,
            "method": "initialize",
            "params": {
                "protocolVersion": "2025-06-18",
                "capabilities": {},
                "clientInfo": {"name": "somebody", "version": "1"},
            },
        }
        accept = {"Accept": "application/json, text/event-stream"}
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        async with httpx2.AsyncClient(timeout=10) as http:
            return await http.post(self.base + PATH, json=asked, headers={**accept, **given})


def configuration(folder: Path, **settings: str) -> Configuration:
    """Settings of a server on `ledger.db` in `folder`."""
    known = {"LEDGER_PATH": str(folder / "ledger.db"), "HISTORY_PATH": str(folder / "history")}
    return load(environment={**known, **settings}, folder=folder)


@contextmanager
def served_mcp(folder: Path, *, is_locked: bool = False, port: int = 0, **settings: str) -> Iterator[ServedMcp]:
    """Serve the ledger in `folder` until the end of the block; on a free port unless one is named."""
    known = configuration(folder, **settings)
    running = web_server(application(trading_server(desk_of(known)), known.settings, is_locked=is_locked))
    ended: list[BaseException] = []

    def run() -> None:
        try:
            running.run(sockets=[made])
        except BaseException as failure:
            ended.append(failure)
            raise

    with listening("127.0.0.1", port) as made:
        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        try:
            yield ServedMcp(url_of(made), known)
        finally:
            running.should_exit = True
            thread.join(10)
    assert not thread.is_alive()
    assert ended == []

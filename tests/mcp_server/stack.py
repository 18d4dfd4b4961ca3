"""What an assistant works with, as a user starts it: a trader on the simulated exchange at speed, and the MCP server."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from mcp import Client
from mcp_types import Implementation

from tests.dashboard.stack import AT_SPEED
from tests.sessions.daemon_process import CLEAN_ENVIRONMENT, Daemon, daemon
from tests.warm_python import start

_END_SECONDS = 30


@asynccontextmanager
async def mcp_process(folder: Path, **settings: str) -> AsyncIterator[str]:
    """`trade-agent mcp` on the ledger in `folder`; the address that it gives out."""
    environment = {**CLEAN_ENVIRONMENT, "LEDGER_PATH": str(folder / "ledger.db"), "MCP_PORT": "0", **settings}
    process = await start("binance_trade_agent.cli", "mcp", folder=folder, environment=environment)
    said: list[str] = []

    async def address() -> str:
        async for line in process.stderr:
            said.append(line.decode())
            if found := re.search(r"MCP server on (http://[^\s;]+)", said[-1]):
                return found[1]
        raise AssertionError(f"it has ended: {said}")

    reading = None
    try:
        base = await asyncio.wait_for(address(), _END_SECONDS)
        reading = asyncio.ensure_future(process.stderr.read())
        yield base
    finally:
        process.terminate()
        await asyncio.wait_for(process.wait(), _END_SECONDS)
        if reading is not None:
            text = (await reading).decode()
            assert "Traceback" not in text, text


class Stack:
    """A trader and a server that may be restarted. Attributes: url: of the server."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.folder = folder
        self.settings = {**AT_SPEED, "MCP_ALLOW_TRADING": "true", **settings}
        self.url = ""
        self._trader, self._server = AsyncExitStack(), AsyncExitStack()

    async def start_trader(self) -> Daemon:
        trader = await self._trader.enter_async_context(daemon(self.folder, **self.settings))
        await trader.until_logged("Trading Cycle #")
        return trader

    async def start_server(self) -> None:
        self.url = await self._server.enter_async_context(mcp_process(self.folder, **self.settings))

    async def stop(self) -> None:
        await self._server.aclose()
        await self._trader.aclose()

    def client(self, name: str = "claude", **more: Any) -> Client:
        """An assistant's client, of the first generation (with sessions) unless `mode` says otherwise."""
        return Client(self.url, client_info=Implementation(name=name, version="1.0"), **{"mode": "legacy", **more})


@asynccontextmanager
async def running_stack(folder: Path, **settings: str) -> AsyncIterator[Stack]:
    """Both run."""
    stack = Stack(folder, **settings)
    try:
        await asyncio.gather(stack.start_trader(), stack.start_server())
        yield stack
    finally:
        await stack.stop()


async def said(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    """What a tool answers; it does not refuse."""
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content
    assert result.structured_content is not None
    return result.structured_content


async def refused(client: Client, tool: str, **arguments: Any) -> str:
    """The sentence that a tool refuses with."""
    result = await client.call_tool(tool, arguments)
    assert result.is_error, result.structured_content
    (content,) = result.content
    return content.text

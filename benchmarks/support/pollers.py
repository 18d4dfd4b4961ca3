"""Clients that ask whether all is well: `python -m support.pollers CLIENTS EVERY_SECONDS MCP_URL HEALTH_URL`.

Each has a session of its own with the MCP server and asks it for get_system_status, and the dashboard for /health, once
in EVERY_SECONDS while it is told to: a line `poll` on standard input begins, `rest` ends. They are one process at nice
value 19, so that it is not their own processor time that a trader is made to wait for. At the end of the input it
prints how long each answer took, in ms, as JSON.
"""

import asyncio
import json
import os
import sys

import aiohttp

from binance_trade_agent.ops.clock import monotonic_seconds, sleep_seconds
from binance_trade_agent.ops.tasks import spawn, stop

_HEADERS = {"Accept": "application/json, text/event-stream"}
_CLIENT = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "benchmark", "version": "1"}}
_ASK = {"name": "get_system_status", "arguments": {}}


class Client:
    """One client and its session."""

    def __init__(self, web: aiohttp.ClientSession, mcp_url: str, health_url: str) -> None:
        self._web, self._mcp_url, self._health_url = web, mcp_url, health_url
        self._headers = dict(_HEADERS)
        self.answers_ms: dict[str, list[float]] = {"MCP": [], "health": []}

    async def begin(self) -> None:
        """Open the session."""
        begin = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": _CLIENT}
        async with self._web.post(self._mcp_url, json=begin, headers=self._headers) as answer:
            self._headers["Mcp-Session-Id"] = answer.headers["Mcp-Session-Id"]
            await answer.read()
        ready = {"jsonrpc": "2.0", "method": "notifications/initialized"}
        async with self._web.post(self._mcp_url, json=ready, headers=self._headers) as answer:
            await answer.read()

    async def poll(self, offset_seconds: float, every_seconds: float) -> None:
        """Ask both again and again, from `offset_seconds` on."""
        await sleep_seconds(offset_seconds)
        while True:
            begun = monotonic_seconds()
            await self._ask()
            await sleep_seconds(max(0.0, every_seconds - (monotonic_seconds() - begun)))

    async def _ask(self) -> None:
        begun = monotonic_seconds()
        ask = {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": _ASK}
        async with self._web.post(self._mcp_url, json=ask, headers=self._headers) as answer:
            said = await answer.read()
        if answer.status != 200 or b'"isError":true' in said:
            raise RuntimeError(f"the MCP server answered {answer.status}, {said[:200]!r}")
        self.answers_ms["MCP"].append(1000 * (monotonic_seconds() - begun))
        begun = monotonic_seconds()
        async with self._web.get(self._health_url) as answer:
            await answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{self._health_url} answered {answer.status}")
        self.answers_ms["health"].append(1000 * (monotonic_seconds() - begun))


async def main(count: int, every_seconds: float, mcp_url: str, health_url: str) -> None:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as web:
        clients = [Client(web, mcp_url, health_url) for _ in range(count)]
        for client in clients:
            await client.begin()
        print("ready", flush=True)
        polling: list[asyncio.Task[None]] = []
        while order := await asyncio.to_thread(sys.stdin.readline):
            for task in polling:
                await stop(task)
            polling = []
            if order.strip() == "poll":
                offsets = [number * every_seconds / count for number in range(count)]
                polling = [
                    spawn(client.poll(offset, every_seconds), name="client")
                    for client, offset in zip(clients, offsets, strict=True)
                ]
            print("done", flush=True)
    said = {kind: [took for client in clients for took in client.answers_ms[kind]] for kind in ("MCP", "health")}
    print(json.dumps(said), flush=True)


if __name__ == "__main__":
    os.nice(19)
    asyncio.run(main(int(sys.argv[1]), float(sys.argv[2]), *sys.argv[3:5]))

"""A WebSocket API, and market streams, that behave as a test wants: silent, refusing, saying goodbye."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

Behaviour = Callable[["Peer", web.WebSocketResponse, dict[str, Any]], Awaitable[None]]


@dataclass
class Peer:
    """What has come: one list of requests for each connection, in order."""

    behave: Behaviour
    url: str = ""
    streams_url: str = ""
    connections: list[list[dict[str, Any]]] = field(default_factory=list)

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        requests: list[dict[str, Any]] = []
        self.connections.append(requests)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            requests.append(json.loads(message.data))
            await self.behave(self, socket, requests[-1])
        return socket


async def agree(peer: Peer, socket: web.WebSocketResponse, request: dict[str, Any]) -> None:
    """Answer every request."""
    await socket.send_json({"id": request["id"], "status": 200, "result": {}})


@asynccontextmanager
async def websocket_peer(behave: Behaviour = agree) -> AsyncIterator[Peer]:
    peer = Peer(behave)
    app = web.Application()
    app.router.add_get("/ws-api/v3", peer.serve)
    app.router.add_get("/stream", peer.serve)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    peer.streams_url = f"ws://127.0.0.1:{runner.addresses[0][1]}"
    peer.url = f"{peer.streams_url}/ws-api/v3"
    try:
        yield peer
    finally:
        await asyncio.wait_for(runner.cleanup(), 5)

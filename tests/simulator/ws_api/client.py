"""A client of the WebSocket API that signs for itself."""

import itertools
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from binance_trade_agent.ops.clock import wall_ms
from tests.exchange_process import API_KEY
from tests.simulator.signing import sign

Json = dict[str, Any]
EVENTS = "userDataStream.subscribe.signature"


class WsClient:
    """One connection; what is no answer to a request is kept in `events`."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self._ids = itertools.count(1)

    async def receive(self) -> Json:
        return await self.socket.receive_json(timeout=20)

    async def ask(self, method: str, **params: Any) -> Json:
        """Send a request and return the next frame, which must be its answer."""
        request_id = next(self._ids)
        await self.socket.send_json({"id": request_id, "method": method, "params": params})
        answer = await self.receive()
        assert answer["id"] == request_id, answer
        return answer

    async def signed(
        self, method: str, *, key: str = API_KEY, signer: Callable[[str], str] = sign, **params: Any
    ) -> Json:
        """Ask with apiKey, timestamp and signature; a `timestamp` of its own stays."""
        return await self.ask(method, **signed_params(key, signer, **params))


def signed_params(key: str = API_KEY, signer: Callable[[str], str] = sign, **params: Any) -> Json:
    named = {"timestamp": wall_ms(), **params, "apiKey": key}
    payload = "&".join(f"{name}={_literal(named[name])}" for name in sorted(named))
    return {**named, "signature": signer(payload)}


def _literal(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


@asynccontextmanager
async def ws_client(url: str, query: str = "") -> AsyncIterator[WsClient]:
    async with aiohttp.ClientSession() as session, session.ws_connect(f"{url}/ws-api/v3{query}") as socket:
        yield WsClient(socket)

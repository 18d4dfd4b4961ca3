"""Messages on their way out of one WebSocket connection, in order and without making the sender wait."""

import asyncio

from aiohttp import web

from binance_trade_agent.ops import tasks

_MOST_WAITING = 20_000
_POLICY_VIOLATION = 1008


class Outbox:
    """Sends texts on a WebSocket. A client that does not keep up is disconnected, as Binance does."""

    def __init__(self, socket: web.WebSocketResponse) -> None:
        self._socket = socket
        self._texts: asyncio.Queue[str] = asyncio.Queue(_MOST_WAITING)
        self._writer = tasks.spawn(self._write(), name="websocket writer")

    def put(self, text: str) -> None:
        """Send `text` after all that was put before it."""
        try:
            self._texts.put_nowait(text)
        except asyncio.QueueFull:
            tasks.spawn(self._socket.close(code=_POLICY_VIOLATION), name="close a slow websocket")

    async def disconnect(self, code: int) -> None:
        """Close the connection from our side."""
        await self._socket.close(code=code)

    async def stop(self) -> None:
        """Stop sending; the connection is gone."""
        await tasks.stop(self._writer)

    async def _write(self) -> None:
        while True:
            text = await self._texts.get()
            try:
                await self._socket.send_str(text)
            except ConnectionError:
                return

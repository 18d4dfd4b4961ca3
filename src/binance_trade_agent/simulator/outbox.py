"""Messages on their way out of one WebSocket connection, in order and without making the sender wait."""

import asyncio
import os
import socket
import struct
from enum import Enum, auto
from typing import cast

from aiohttp import WSMsgType

from binance_trade_agent.ops import tasks

POLICY_VIOLATION = 1008
GOING_AWAY = 1001

_MOST_WAITING_FRAMES = 1_000
_MOST_WAITING_BYTES = 16 * 1024 * 1024
_CLOSE_SECONDS = 5.0
_FINAL = 0x80


class Freeze(Enum):
    """What a connection does not do any more (binance-protocol.md Appendix A, ws_freeze_data and ws_freeze_all)."""

    NO = auto()
    DATA = auto()
    ALL = auto()


def text_frame(payload: bytes) -> bytes:
    """A whole text message as one unmasked WebSocket frame (RFC 6455, 5.2); made once, it serves any connection."""
    return _frame(WSMsgType.TEXT, payload)


class Outbox:
    """Sends frames on a WebSocket. A client that does not keep up is disconnected, as Binance does.

    Frames of one turn of the event loop leave in one write. They wait in the transport's buffer, which is bounded: by
    `_MOST_WAITING_FRAMES` before a write, by `_MOST_WAITING_BYTES` behind it. So a sender neither waits nor fails, and
    one client's slowness costs the others nothing.
    """

    def __init__(self, transport: asyncio.BaseTransport | None) -> None:
        """Send on the WebSocket that has this transport and is prepared; None: it is gone already."""
        # A request's transport reads and writes; uvloop's is one by its methods, not by its class.
        self._transport = cast("asyncio.Transport | None", transport)
        self._loop = asyncio.get_running_loop()
        self._waiting: list[bytes] = []
        self._is_closed = transport is None
        self._is_gone = asyncio.Event()
        self._freeze = Freeze.NO

    def put(self, text: str) -> None:
        """Send `text` after all that was put before it."""
        self.put_frame(text_frame(text.encode()))

    def put_frame(self, frame: bytes) -> None:
        """Send a frame of `text_frame` after all that was put before it."""
        if self._freeze is Freeze.NO:
            self._put(frame)

    def ping(self, payload: bytes) -> None:
        """Send a ping frame."""
        self._put(_frame(WSMsgType.PING, payload))

    def pong(self, payload: bytes) -> None:
        """Send a pong frame."""
        self._put(_frame(WSMsgType.PONG, payload))

    async def disconnect(self, code: int, reason: str = "") -> None:
        """Close the connection from our side. A client that does not answer the close within seconds is cut off."""
        if not self._is_closed and self._transport is not None:
            self._flush()
            # Not by way of aiohttp's close: while somebody reads, that drops the connection right behind the frame.
            self._transport.write(_frame(WSMsgType.CLOSE, struct.pack("!H", code) + reason.encode()))
        self._is_closed = True
        try:
            await asyncio.wait_for(self._is_gone.wait(), _CLOSE_SECONDS)
        except TimeoutError:
            self.abort()

    def abort(self) -> None:
        """Cut the connection off without a word; what waits is lost."""
        self.stop()
        if self._transport is not None:
            self._transport.abort()

    def reset(self) -> None:
        """Cut the connection off with a TCP reset."""
        if self._transport is not None and (own := self._transport.get_extra_info("socket")) is not None:
            with socket.socket(fileno=os.dup(own.fileno())) as shared:  # uvloop's own object has no setsockopt
                shared.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.abort()

    def freeze(self, freeze: Freeze) -> None:
        """Send no data from now on, or neither send nor read anything; what is due meanwhile is lost."""
        was, self._freeze = self._freeze, freeze
        if self._transport is None or self._is_closed:
            return
        if freeze is Freeze.ALL:
            self._transport.pause_reading()
        elif was is Freeze.ALL:
            self._transport.resume_reading()

    def stop(self) -> None:
        """Send no more; the connection is gone."""
        self._is_closed = True
        self._is_gone.set()
        self._waiting.clear()

    def _put(self, frame: bytes) -> None:
        if self._is_closed or self._freeze is Freeze.ALL:
            return
        if not self._waiting:
            self._loop.call_soon(self._flush)
        self._waiting.append(frame)
        if len(self._waiting) >= _MOST_WAITING_FRAMES:
            self._flush()

    def _flush(self) -> None:
        if self._transport is None or self._is_closed or self._transport.is_closing() or not self._waiting:
            return
        frames = b"".join(self._waiting)
        self._waiting.clear()
        self._transport.write(frames)
        if self._transport.get_write_buffer_size() > _MOST_WAITING_BYTES:
            self._is_closed = True
            tasks.spawn(self.disconnect(POLICY_VIOLATION, "too slow"), name="close a slow websocket")


def _frame(kind: WSMsgType, payload: bytes) -> bytes:
    length = len(payload)
    if length < 126:
        return bytes((_FINAL | kind, length)) + payload
    if length < 1 << 16:
        return struct.pack("!BBH", _FINAL | kind, 126, length) + payload
    return struct.pack("!BBQ", _FINAL | kind, 127, length) + payload

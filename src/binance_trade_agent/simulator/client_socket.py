"""A client's WebSocket and its life: pings, the longest age, the most messages a second (binance-protocol.md 5.1).

aiohttp's own heartbeat is not used: it pings only after a silence, without a payload, and takes any data for a pong.
"""

from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import WSMsgType, web

from binance_trade_agent.ops import tasks
from binance_trade_agent.ops.clock import monotonic_seconds, sleep_seconds, wall_ms
from binance_trade_agent.simulator.outbox import GOING_AWAY, POLICY_VIOLATION, Outbox

_MOST_MESSAGE_BYTES = 128 * 1024
_AVERAGED_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class SocketRules:
    """What a connection must keep to; all in real time, whatever the market's speed (binance-protocol.md 2.8, 5.1).

    Attributes:
        ping_seconds: from one ping of ours to the next.
        pong_seconds: how long a client may take to answer a ping with its payload.
        age_seconds: when a connection is closed at the latest.
        messages_a_second: most messages a client may send, pings and pongs counted; None: any number. It is the average
            of two seconds: Binance names the rate, not how a burst is counted, and a client that subscribes, lists
            and unsubscribes at once means no harm.
        message_bytes: the largest message a client may send.
    """

    ping_seconds: float = 20.0
    pong_seconds: float = 60.0
    age_seconds: float = 86_400.0
    messages_a_second: int | None = None
    message_bytes: int = _MOST_MESSAGE_BYTES


class ClientSocket:
    """An accepted connection.

    Attributes:
        outbox: what is sent to the client.
        response: what the request's handler returns in the end.
    """

    def __init__(self, response: web.WebSocketResponse, outbox: Outbox, rules: SocketRules) -> None:
        self.response = response
        self.outbox = outbox
        self._rules = rules
        self._is_refused = False
        self._unanswered: dict[bytes, float] = {}  # payloads of pings, and when they were sent
        self._received_seconds: deque[float] = deque(maxlen=round((rules.messages_a_second or 0) * _AVERAGED_SECONDS))

    @classmethod
    async def accept(cls, request: web.Request, rules: SocketRules) -> "ClientSocket":
        """Complete the handshake.

        Raises:
            aiohttp.web.HTTPBadRequest: the request is none for a WebSocket.
        """
        response = web.WebSocketResponse(
            autoping=False, autoclose=False, compress=False, max_msg_size=rules.message_bytes
        )
        await response.prepare(request)
        return cls(response, Outbox(request.transport), rules)

    async def serve(self, receive: Callable[[str], Awaitable[None]]) -> None:
        """Give the client's messages to `receive` until the connection ends; apply the rules meanwhile."""
        keeper = tasks.spawn(self._keep(), name="websocket pings")
        try:
            async for message in self.response:
                if self._is_too_fast():
                    tasks.spawn(self.outbox.disconnect(POLICY_VIOLATION, "too many messages"), name="close a websocket")
                    self._is_refused = True
                elif self._is_refused:
                    continue
                elif message.type is WSMsgType.PING:
                    self.outbox.pong(bytes(message.data))
                elif message.type is WSMsgType.PONG:
                    self._note_pong(bytes(message.data))
                elif message.type is WSMsgType.TEXT:
                    await receive(message.data)
                elif message.type is WSMsgType.BINARY:
                    await receive(message.data.decode("utf-8", "replace"))
        finally:
            self.outbox.stop()
            await tasks.stop(keeper)

    async def _keep(self) -> None:
        """Ping the client, and end the connection of one that does not answer or is too old."""
        rules = self._rules
        now = monotonic_seconds()
        next_ping, end = now + rules.ping_seconds, now + rules.age_seconds
        while now < end:
            overdue = next(iter(self._unanswered.values()), now) + rules.pong_seconds
            if now >= overdue:
                await self.outbox.disconnect(POLICY_VIOLATION, "pong timeout")
                return
            if now >= next_ping:
                payload = str(wall_ms()).encode()
                self._unanswered.setdefault(payload, now)
                self.outbox.ping(payload)
                next_ping += rules.ping_seconds
            await sleep_seconds(min(next_ping, overdue, end) - now)
            now = monotonic_seconds()
        await self.outbox.disconnect(GOING_AWAY, "connected for too long")

    def _note_pong(self, payload: bytes) -> None:
        """A pong answers its ping and all before it (RFC 6455, 5.5.3); one that answers nothing is allowed."""
        if payload in self._unanswered:
            for sent in list(self._unanswered):
                del self._unanswered[sent]
                if sent == payload:
                    return

    def _is_too_fast(self) -> bool:
        """Count a message; whether the client has sent more of them lately than it may."""
        if self._rules.messages_a_second is None:
            return False
        now = monotonic_seconds()
        is_full = len(self._received_seconds) == self._received_seconds.maxlen
        is_over = is_full and now - self._received_seconds[0] < _AVERAGED_SECONDS
        self._received_seconds.append(now)
        return is_over

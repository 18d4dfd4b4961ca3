"""The user data stream: execution reports and balance changes, over a WebSocket API connection of our own.

python-binance's user_socket does not survive a reconnect, loses early events and hangs on an unsolicited error frame
(binance-protocol.md section 6, P1 to P7), so this speaks `userDataStream.subscribe.signature` (5.3) itself. Every
trouble has one remedy: a fresh connection, and a reconciliation before the first event is handled.
"""

import asyncio
import contextlib
import hashlib
import hmac
import random
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import aiohttp

from binance_trade_agent.exchange.sockets import RENEW_SECONDS, TROUBLES, Conversation, StreamError, Supervisor, opened
from binance_trade_agent.ledger.errors import LedgerUnavailable
from binance_trade_agent.ops.clock import MarketClock, monotonic_seconds, wall_ms
from binance_trade_agent.ops.tasks import spawn, stop
from binance_trade_agent.ops.vitals import StreamVitals

_PROBE_SECONDS = 30.0
_HANDLED_SECONDS = 10.0

EventHandler = Callable[[Mapping[str, Any]], Awaitable[None]]


class UserStream:
    """Keeps one subscription alive until cancelled.

    Args:
        url: of the WebSocket API.
        on_connected: called after each subscription, before its first event is handled; reconciles what was missed.
            Whatever it raises leads to a fresh connection and another call.
        on_event: called with each event, one at a time, in the order of the exchange. Whatever it raises leads to a
            fresh connection, and so to a reconciliation that finds what was not booked.
        jitter: spreads the reconnections of many daemons.
        before_connecting: raises an ExchangeError while the exchange has asked us to be silent.
        connector: opens the connections instead of TCP, as a simulation of the network does; stays open.
    """

    def __init__(
        self,
        url: str,
        api_key: str,
        api_secret: str,
        clock: MarketClock,
        *,
        on_connected: Callable[[], Awaitable[None]],
        on_event: EventHandler,
        jitter: random.Random,
        before_connecting: Callable[[], None] = lambda: None,
        connector: aiohttp.BaseConnector | None = None,
    ) -> None:
        self._url = url
        self._api_key = api_key
        self._api_secret = api_secret
        self._clock = clock
        self._on_connected = on_connected
        self._on_event = on_event
        self._before_connecting = before_connecting
        self._connector = connector
        self._connection: _Connection | None = None
        self._supervisor = Supervisor("user stream", jitter)

    @property
    def is_live(self) -> asyncio.Event:
        """Set while events are handed on."""
        return self._supervisor.is_live

    async def run(self) -> None:
        """Subscribe, reconcile, hand on events; on any trouble back off and start over, for ever."""
        await self._supervisor.run(self._session)

    def vitals(self) -> StreamVitals:
        """How the stream is."""
        return self._supervisor.vitals()

    async def catch_up(self) -> None:
        """Return when every event that the exchange had sent before this call is handled.

        The WebSocket keeps the order, so the answer to a question asked now comes behind those events. Without a
        connection there is nothing to wait for.
        """
        if self._connection is not None and self.is_live.is_set():
            with contextlib.suppress(*TROUBLES):
                await self._connection.ask("session.subscriptions", {})
                await self._connection.handled()

    async def _session(self) -> None:
        self._before_connecting()
        async with opened(self._url, self._connector) as socket:
            connection = _Connection(socket)
            reader = spawn(connection.read(), name="user stream reader")
            try:
                await connection.ask("userDataStream.subscribe.signature", self._signed())
                await self._on_connected()
                self._connection = connection
                self._supervisor.works()
                await self._hand_on(connection, reader)
            finally:
                self._connection = None
                await stop(reader)

    async def _hand_on(self, connection: "_Connection", reader: "asyncio.Task[None]") -> None:
        """Handle events until the connection ends; probe it when it is quiet."""
        worker = spawn(connection.handle(self._hear), name="user stream events")
        renew_at = monotonic_seconds() + RENEW_SECONDS
        try:
            while monotonic_seconds() < renew_at:
                done, _ = await asyncio.wait(
                    {reader, worker}, timeout=_PROBE_SECONDS, return_when=asyncio.FIRST_COMPLETED
                )
                if worker in done:
                    raise StreamError("an event could not be handled" if worker.exception() else worker.result())
                if done:
                    raise StreamError(connection.ended_because)
                await connection.ask("session.subscriptions", {})
        finally:
            await stop(worker)

    async def _hear(self, event: Mapping[str, Any]) -> None:
        self._supervisor.heard_wall_ms = wall_ms()
        await self._on_event(event)

    def _signed(self) -> dict[str, Any]:
        parameters = {"apiKey": self._api_key, "timestamp": self._clock.now_ms()}
        payload = "&".join(f"{name}={value}" for name, value in sorted(parameters.items()))
        signature = hmac.new(self._api_secret.encode(), payload.encode(), hashlib.sha256).hexdigest()
        return {**parameters, "signature": signature}


class _Connection(Conversation):
    """A conversation whose events wait in a queue until they are handled."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        super().__init__(socket, self._queue)
        self._events: asyncio.Queue[Mapping[str, Any]] = asyncio.Queue()

    async def handle(self, on_event: EventHandler) -> str:
        """Hand on events, one at a time, until one cannot be written; says why."""
        while True:
            event = await self._events.get()
            try:
                await on_event(event)
            except LedgerUnavailable as failure:  # a fresh connection asks for what it told
                return f"an event could not be written: {failure}"
            finally:
                self._events.task_done()

    async def handled(self) -> None:
        """Return when all events received so far are handled."""
        await asyncio.wait_for(self._events.join(), _HANDLED_SECONDS)

    def _queue(self, message: Mapping[str, Any]) -> bool:
        if "event" not in message:
            return False
        event = message["event"]
        if event["e"] in {"eventStreamTerminated", "serverShutdown"}:
            raise StreamError(f"the exchange sent {event['e']}")
        self._events.put_nowait(event)
        return True

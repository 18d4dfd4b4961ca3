"""The user data stream: execution reports and balance changes, over a WebSocket API connection of our own.

python-binance's user_socket does not survive a reconnect, loses early events and hangs on an unsolicited error frame
(binance-protocol.md section 6, P1 to P7), so this speaks `userDataStream.subscribe.signature` (5.3) itself. Every
trouble has one remedy: a fresh connection, and a reconciliation before the first event is handled.
"""

import asyncio
import contextlib
import hashlib
import hmac
import itertools
import logging
import random
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import aiohttp
import orjson

from binance_trade_agent.exchange.errors import ExchangeError
from binance_trade_agent.ledger.errors import LedgerUnavailable
from binance_trade_agent.ops.clock import MarketClock, monotonic_seconds, sleep_seconds
from binance_trade_agent.ops.tasks import spawn, stop

_PROBE_SECONDS = 30.0
_ANSWER_SECONDS = 10.0
_FIRST_BACK_OFF_SECONDS, _LAST_BACK_OFF_SECONDS = 0.2, 30.0
_CLOSE_SECONDS = 2.0  # a dead peer never answers the goodbye
_RENEW_SECONDS = 12 * 3600.0  # connections are cut after 24 h; ours is renewed before (P6)

log = logging.getLogger(__name__)

_HANDSHAKE = aiohttp.ClientTimeout(total=None, sock_connect=_ANSWER_SECONDS, sock_read=_ANSWER_SECONDS)

EventHandler = Callable[[Mapping[str, Any]], Awaitable[None]]


class StreamError(Exception):
    """The connection is not usable any more. The text says why."""


_TROUBLES = (StreamError, aiohttp.ClientError, OSError)  # a timeout is an OSError


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
        self._jitter = jitter
        self._before_connecting = before_connecting
        self._connector = connector
        self._connection: _Connection | None = None
        self._is_lost = False
        self.is_live = asyncio.Event()

    async def run(self) -> None:
        """Subscribe, reconcile, hand on events; on any trouble back off and start over, for ever."""
        back_off = _FIRST_BACK_OFF_SECONDS
        while True:
            try:
                await self._session()
            except Exception as failure:  # noqa: BLE001 (whatever it was, a fresh connection is the remedy)
                self._say_lost(failure)
            finally:
                if self.is_live.is_set():
                    back_off = _FIRST_BACK_OFF_SECONDS
                self.is_live.clear()
                self._connection = None
            await sleep_seconds(back_off * self._jitter.uniform(0.5, 1.0))
            back_off = min(back_off * 2, _LAST_BACK_OFF_SECONDS)

    def _say_lost(self, failure: Exception) -> None:
        """An outage is said once, whatever keeps the stream from coming back; a mistake of ours with its trace."""
        is_foreseen = isinstance(failure, (ExchangeError, LedgerUnavailable, *_TROUBLES))
        reason = str(failure) or type(failure).__name__
        if not self._is_lost or not is_foreseen:
            log.warning("the user stream is lost, connecting again: %s", reason, exc_info=not is_foreseen)
        self._is_lost = True

    async def catch_up(self) -> None:
        """Return when every event that the exchange had sent before this call is handled.

        The WebSocket keeps the order, so the answer to a question asked now comes behind those events. Without a
        connection there is nothing to wait for.
        """
        if self._connection is not None and self.is_live.is_set():
            with contextlib.suppress(*_TROUBLES):
                await self._connection.ask("session.subscriptions", {})
                await self._connection.handled()

    async def _session(self) -> None:
        self._before_connecting()
        async with (
            aiohttp.ClientSession(
                timeout=_HANDSHAKE, connector=self._connector, connector_owner=self._connector is None
            ) as http,
            await self._connected(http) as socket,
        ):
            connection = _Connection(socket)
            reader = spawn(connection.read(), name="user stream reader")
            try:
                await connection.ask("userDataStream.subscribe.signature", self._signed())
                await self._on_connected()
                self._connection = connection
                self.is_live.set()
                if self._is_lost:
                    self._is_lost = False
                    log.warning("the user stream is back")
                await self._hand_on(connection, reader)
            finally:
                await stop(reader)

    async def _connected(self, http: aiohttp.ClientSession) -> aiohttp.ClientWebSocketResponse:
        timeout = aiohttp.ClientWSTimeout(ws_close=_CLOSE_SECONDS)
        try:
            return await http.ws_connect(self._url, heartbeat=20, max_msg_size=0, timeout=timeout)
        except AssertionError:  # what aiohttp makes of a connection that is gone right behind the answer
            raise StreamError("the connection was lost while it was made") from None

    async def _hand_on(self, connection: "_Connection", reader: "asyncio.Task[None]") -> None:
        """Handle events until the connection ends; probe it when it is quiet."""
        worker = spawn(connection.handle(self._on_event), name="user stream events")
        renew_at = monotonic_seconds() + _RENEW_SECONDS
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

    def _signed(self) -> dict[str, Any]:
        parameters = {"apiKey": self._api_key, "timestamp": self._clock.now_ms()}
        payload = "&".join(f"{name}={value}" for name, value in sorted(parameters.items()))
        signature = hmac.new(self._api_secret.encode(), payload.encode(), hashlib.sha256).hexdigest()
        return {**parameters, "signature": signature}


class _Connection:
    """One WebSocket: questions and their answers by id, events in a queue."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.ended_because = "the connection was closed"
        self._has_ended = False
        self._socket = socket
        self._ids = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Mapping[str, Any]]] = {}
        self._events: asyncio.Queue[Mapping[str, Any]] = asyncio.Queue()

    async def ask(self, method: str, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
        """The answer to one request.

        Raises:
            StreamError: it was refused, no answer came in 10 s, or the connection has ended.
            ConnectionError: the connection has just been lost.
        """
        if self._has_ended:
            raise StreamError(self.ended_because)
        request_id = next(self._ids)
        answer = self._waiting[request_id] = asyncio.get_running_loop().create_future()
        try:
            request = {"id": request_id, "method": method, "params": parameters}
            await self._socket.send_str(orjson.dumps(request).decode())
            return await asyncio.wait_for(answer, _ANSWER_SECONDS)
        except TimeoutError:
            raise StreamError(f"{method} was not answered in {_ANSWER_SECONDS:g} s") from None
        finally:
            del self._waiting[request_id]

    async def read(self) -> None:
        """Sort incoming messages into answers and events until the connection ends or says something unexpected."""
        try:
            async for message in self._socket:
                if message.type is not aiohttp.WSMsgType.TEXT:
                    continue
                self._sort(orjson.loads(message.data))
        except (StreamError, orjson.JSONDecodeError) as failure:
            self.ended_because = str(failure)
        finally:
            self._has_ended = True
            for answer in self._waiting.values():
                if not answer.done():
                    answer.set_exception(StreamError(self.ended_because))

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
        await asyncio.wait_for(self._events.join(), _ANSWER_SECONDS)

    def _sort(self, message: Mapping[str, Any]) -> None:
        if "event" in message:
            event = message["event"]
            if event["e"] in {"eventStreamTerminated", "serverShutdown"}:
                raise StreamError(f"the exchange sent {event['e']}")
            self._events.put_nowait(event)
            return
        error = message.get("error")
        answer = self._waiting.get(message.get("id") or 0)
        if answer is None:
            if error:  # such as the 401 with id null after a key was revoked (P4)
                raise StreamError(f"{error.get('msg')} ({error.get('code')})")
        elif not answer.done():
            if error:
                answer.set_exception(StreamError(f"{error.get('msg')} ({error.get('code')})"))
            else:
                answer.set_result(message)

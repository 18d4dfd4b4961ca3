"""What both streams need: a WebSocket that is always there again, and questions over it that are answered.

Every trouble has one remedy: a fresh connection. What was missed meanwhile is the business of whoever listens.
"""

import asyncio
import contextlib
import itertools
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

import aiohttp
import orjson

from binance_trade_agent.exchange.errors import ExchangeError
from binance_trade_agent.ledger.errors import LedgerUnavailable
from binance_trade_agent.ops.clock import sleep_seconds, wall_ms
from binance_trade_agent.ops.vitals import StreamVitals

RENEW_SECONDS = 12 * 3600.0  # connections are cut after 24 h; ours is renewed before (P6)

_ANSWER_SECONDS = 10.0
_FIRST_BACK_OFF_SECONDS, _LAST_BACK_OFF_SECONDS = 0.2, 30.0
_CLOSE_SECONDS = 2.0  # a dead peer never answers the goodbye

log = logging.getLogger(__name__)


class StreamError(Exception):
    """The connection is not usable any more. The text says why."""


TROUBLES = (StreamError, aiohttp.ClientError, OSError)  # a timeout is an OSError


class Supervisor:
    """Runs one session after the other, with growing pauses while none of them works.

    Args:
        name: of the stream, in the log.
        jitter: spreads the reconnections of many daemons.

    Attributes:
        is_live: set while the stream works.
        heard_wall_ms: when its last event came, as the session notes it.
    """

    def __init__(self, name: str, jitter: random.Random) -> None:
        self.is_live = asyncio.Event()
        self.heard_wall_ms: int | None = None
        self._connections = 0
        self._changed_wall_ms: int | None = None
        self._trouble = ""
        self._name = name
        self._jitter = jitter
        self._is_lost = False

    async def run(self, session: Callable[[], Awaitable[None]]) -> None:
        """Run sessions for ever. One ends by its own choice, or with whatever it raises."""
        back_off = _FIRST_BACK_OFF_SECONDS
        while True:
            try:
                await session()
            except Exception as failure:  # noqa: BLE001 (whatever it was, a fresh connection is the remedy)
                self._say_lost(failure)
            finally:
                if self.is_live.is_set():
                    back_off = _FIRST_BACK_OFF_SECONDS
                    self._changed_wall_ms = wall_ms()
                self.is_live.clear()
            await sleep_seconds(back_off * self._jitter.uniform(0.5, 1.0))
            back_off = min(back_off * 2, _LAST_BACK_OFF_SECONDS)

    def works(self) -> None:
        """Say that the session has come to where it hands on what the exchange says."""
        if not self.is_live.is_set():
            self._connections += 1
            self._changed_wall_ms = wall_ms()
            self._trouble = ""
        self.is_live.set()
        if self._is_lost:
            self._is_lost = False
            log.warning("the %s is back", self._name)

    def vitals(self, *, is_wanted: bool = True) -> StreamVitals:
        """How the stream is."""
        return StreamVitals(
            is_live=self.is_live.is_set(),
            is_wanted=is_wanted,
            changed_wall_ms=self._changed_wall_ms,
            connections=self._connections,
            heard_wall_ms=self.heard_wall_ms,
            trouble=self._trouble,
        )

    def _say_lost(self, failure: Exception) -> None:
        """An outage is said once, whatever keeps the stream from coming back; a mistake of ours with its trace."""
        is_foreseen = isinstance(failure, (ExchangeError, LedgerUnavailable, *TROUBLES))
        reason = self._trouble = str(failure) or type(failure).__name__
        if not self._is_lost or not is_foreseen:
            log.warning("the %s is lost, connecting again: %s", self._name, reason, exc_info=not is_foreseen)
        self._is_lost = True


@contextlib.asynccontextmanager
async def opened(
    url: str, connector: aiohttp.BaseConnector | None = None
) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    """A WebSocket to `url`, closed at the end; `connector` opens it instead of TCP and stays open.

    Raises:
        StreamError, aiohttp.ClientError, OSError: it cannot be opened.
    """
    handshake = aiohttp.ClientTimeout(total=None, sock_connect=_ANSWER_SECONDS, sock_read=_ANSWER_SECONDS)
    async with (
        aiohttp.ClientSession(timeout=handshake, connector=connector, connector_owner=connector is None) as http,
        await _connected(http, url) as socket,
    ):
        yield socket


async def _connected(http: aiohttp.ClientSession, url: str) -> aiohttp.ClientWebSocketResponse:
    timeout = aiohttp.ClientWSTimeout(ws_close=_CLOSE_SECONDS)
    try:
        return await http.ws_connect(url, heartbeat=20, max_msg_size=0, timeout=timeout)
    except AssertionError:  # what aiohttp makes of a connection that is gone right behind the answer
        raise StreamError("the connection was lost while it was made") from None


class Conversation:
    """Questions over one WebSocket and their answers by id; what else comes goes to `hear`.

    Args:
        hear: takes what the exchange says unasked; False when a message is an answer.

    Attributes:
        ended_because: why nothing comes any more, once `read` has returned.
    """

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, hear: Callable[[Mapping[str, Any]], bool]) -> None:
        self.ended_because = "the connection was closed"
        self._has_ended = False
        self._socket = socket
        self._hear = hear
        self._ids = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Mapping[str, Any]]] = {}

    async def ask(self, method: str, parameters: Any) -> Mapping[str, Any]:
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
        """Sort incoming messages until the connection ends or says something unexpected."""
        try:
            async for message in self._socket:
                if message.type is aiohttp.WSMsgType.TEXT:
                    self._sort(orjson.loads(message.data))
        except (StreamError, orjson.JSONDecodeError) as failure:
            self.ended_because = str(failure)
        finally:
            self._has_ended = True
            for answer in self._waiting.values():
                if not answer.done():
                    answer.set_exception(StreamError(self.ended_because))

    def _sort(self, message: Mapping[str, Any]) -> None:
        if self._hear(message):
            return
        # The WebSocket API puts its errors in an object of their own, market streams do not (5.1, 5.2).
        error = message.get("error") or (message if "code" in message else None)
        answer = self._waiting.get(message.get("id") or 0)
        if answer is None:
            if error:  # such as the 401 with id null after a key was revoked (P4)
                raise StreamError(f"{error.get('msg')} ({error.get('code')})")
        elif not answer.done():
            if error:
                answer.set_exception(StreamError(f"{error.get('msg')} ({error.get('code')})"))
            else:
                answer.set_result(message)

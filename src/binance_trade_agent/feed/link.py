"""One connection to the market streams: what it carries, and how it is always there (binance-protocol.md 5.1).

Up to 1,024 streams share a connection. They are asked for in a few messages, as the exchange takes five a second, and
may change while it lives. It is cut after 24 hours: a connection is followed by the next one before that, and ends only
when the next one works.
"""

import asyncio
import random
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any

import aiohttp

from binance_trade_agent.exchange.errors import ExchangeError
from binance_trade_agent.exchange.sockets import TROUBLES, Conversation, StreamError, Supervisor, opened
from binance_trade_agent.feed.one_question import OneQuestion
from binance_trade_agent.ops.clock import monotonic_seconds, sleep_seconds, wall_ms
from binance_trade_agent.ops.tasks import spawn, stop, wait_for_any
from binance_trade_agent.ops.vitals import StreamVitals

MOST_STREAMS = 1_024

_STREAMS_A_MESSAGE = 200
_SPACING_SECONDS = 0.25  # between messages to the exchange: it takes five a second, and pings count
_PROBE_SECONDS = 10.0
_RENEW_SECONDS = (16 * 3600.0, 22 * 3600.0)  # spread over hours, so that not all connections are renewed at once
_RENEW_AGAIN_SECONDS = 60.0
_SHUTDOWN = "!serverShutdown"

Hear = Callable[[Mapping[str, Any]], None]


class StreamLink:
    """Keeps a connection with these streams until cancelled.

    Args:
        name: in the log.
        url: base address of the market streams, without a path.
        streams: their names, at most MOST_STREAMS.
        hear: called with the payload of each event, in their order. While one connection follows the other both are
            there, and events come twice.
        jitter: spreads reconnections and renewals.
        before_connecting: raises an ExchangeError while the exchange has asked us to be silent.
        connector: opens the connections instead of TCP, as a simulation of the network does; stays open.

    Attributes:
        name: as given.
        opened: called with the streams that a connection has just begun to carry: what came before may have gaps.
        heard_seconds: monotonic time of the last message: what was told before it still held then. -inf before any.
    """

    def __init__(
        self,
        name: str,
        url: str,
        streams: Sequence[str],
        hear: Hear,
        *,
        jitter: random.Random,
        before_connecting: Callable[[], None] = lambda: None,
        connector: aiohttp.BaseConnector | None = None,
    ) -> None:
        self.opened: list[Callable[[Collection[str]], None]] = []
        self.heard_seconds = float("-inf")
        self.name = name
        self._url = f"{url}/stream"
        self._streams = _fitting(streams)
        self._carried: frozenset[str] = frozenset()
        self._hear = hear
        self._jitter = jitter
        self._before_connecting = before_connecting
        self._connector = connector
        self._supervisor = Supervisor(name, jitter)
        self._conversation: Conversation | None = None
        self._proof = OneQuestion(f"{name} proof", self._ask_for_proof)
        self._pace = asyncio.Lock()
        self._may_say_seconds = float("-inf")
        self._nudge = asyncio.Event()
        self._doubt_because = ""

    @property
    def is_live(self) -> bool:
        """Whether a connection is there; it carries all streams but those that have just been added."""
        return self._supervisor.is_live.is_set()

    @property
    def streams(self) -> tuple[str, ...]:
        """Names of the streams that it is to carry."""
        return self._streams

    @property
    def carried(self) -> frozenset[str]:
        """Names of the streams that a connection carries now."""
        return self._carried if self.is_live else frozenset()

    def carries(self, stream: str) -> bool:
        """Whether a connection carries this stream now."""
        return self.is_live and stream in self._carried

    def follow(self, streams: Sequence[str]) -> None:
        """Carry these from now on, in place of those so far; a connection that lives is told what has changed."""
        self._streams = _fitting(streams)
        self._nudge.set()

    def vitals(self) -> StreamVitals:
        """How the connection is."""
        return self._supervisor.vitals()

    def doubt(self, why: str) -> None:
        """Let a fresh connection take the place of one that works as far as it can know, and yet brings nothing."""
        self._doubt_because = why
        self._nudge.set()

    async def prove(self) -> bool:
        """Let the exchange say something now, as it has been quiet for a while. Returns whether it did."""
        return await self._proof.answer()

    async def run(self) -> None:
        """Follow the streams; on any trouble back off and start over, for ever."""
        await self._supervisor.run(self._session)

    async def _session(self) -> None:
        self._doubt_because = ""
        self._nudge.clear()
        async with AsyncExitStack() as connections:
            conversation, reader, ends = await self._connected(connections)
            renew_at = self._time_to_renew()
            while True:
                while monotonic_seconds() < renew_at:
                    await self._change(conversation)
                    await self._wait(conversation, reader)
                    await self._say(conversation, "LIST_SUBSCRIPTIONS", [])
                following = AsyncExitStack()
                try:
                    successor = await self._connected(following)
                except (ExchangeError, *TROUBLES):  # the old one still works, and is followed until the next try
                    await following.aclose()
                    renew_at = monotonic_seconds() + _RENEW_AGAIN_SECONDS
                    continue
                connections.push_async_exit(following)
                await ends.aclose()
                conversation, reader, ends = successor
                renew_at = self._time_to_renew()

    def _time_to_renew(self) -> float:
        return monotonic_seconds() + self._jitter.uniform(*_RENEW_SECONDS)

    async def _connected(
        self, connections: AsyncExitStack
    ) -> tuple[Conversation, "asyncio.Task[None]", AsyncExitStack]:
        """A connection that carries all streams, and what ends it; `connections` ends it at the latest."""
        self._before_connecting()
        ends = await connections.enter_async_context(AsyncExitStack())
        socket = await ends.enter_async_context(opened(self._url, self._connector))
        conversation = Conversation(socket, self._sort)
        reader = spawn(conversation.read(), name="market stream reader")
        ends.push_async_callback(stop, reader)
        streams = self._streams
        await self._say_in_parts(conversation, "SUBSCRIBE", streams)
        self._conversation = conversation
        self._carried = frozenset(streams)
        self._supervisor.works()
        self._tell_opened(streams)
        return conversation, reader, ends

    async def _change(self, conversation: Conversation) -> None:
        """Bring what the connection carries up to what it is to carry."""
        while (wanted := frozenset(streams := self._streams)) != self._carried:
            dropped, added = sorted(self._carried - wanted), [name for name in streams if name not in self._carried]
            self._carried &= wanted
            await self._say_in_parts(conversation, "UNSUBSCRIBE", dropped)
            await self._say_in_parts(conversation, "SUBSCRIBE", added)
            self._carried = wanted
            self._tell_opened(added)

    async def _say_in_parts(self, conversation: Conversation, method: str, streams: Sequence[str]) -> None:
        for first in range(0, len(streams), _STREAMS_A_MESSAGE):
            await self._say(conversation, method, list(streams[first : first + _STREAMS_A_MESSAGE]))

    async def _say(self, conversation: Conversation, method: str, parameters: Sequence[str]) -> None:
        """Ask, as soon as the exchange takes another message of us."""
        async with self._pace:
            await sleep_seconds(max(0.0, self._may_say_seconds - monotonic_seconds()))
            self._may_say_seconds = monotonic_seconds() + _SPACING_SECONDS
        await conversation.ask(method, parameters)

    def _tell_opened(self, streams: Collection[str]) -> None:
        for tell in self.opened:
            tell(streams)

    async def _wait(self, conversation: Conversation, reader: "asyncio.Task[None]") -> None:
        """Until it is time to probe the connection, or its streams are to change.

        Raises:
            StreamError: it has ended, or is doubted.
        """
        await wait_for_any([reader], _PROBE_SECONDS, self._nudge)
        self._nudge.clear()
        if self._doubt_because:
            raise StreamError(self._doubt_because)
        if reader.done():
            raise StreamError(conversation.ended_because)

    async def _ask_for_proof(self) -> bool:
        if self._conversation is None or not self.is_live:
            return False
        try:
            await self._say(self._conversation, "GET_PROPERTY", ["combined"])
        except TROUBLES:
            return False
        self.heard_seconds = monotonic_seconds()
        return True

    def _sort(self, message: Mapping[str, Any]) -> bool:
        if "stream" not in message:
            return False
        if message["stream"] == _SHUTDOWN:
            raise StreamError("the exchange sent serverShutdown")
        self.heard_seconds = monotonic_seconds()
        self._supervisor.heard_wall_ms = wall_ms()
        self._hear(message["data"])
        return True


def _fitting(streams: Sequence[str]) -> tuple[str, ...]:
    if len(streams) > MOST_STREAMS:
        raise ValueError(f"{len(streams)} streams for one connection, which carries {MOST_STREAMS}")
    return tuple(streams)

"""One connection to the market streams: what it carries, and how it is always there (binance-protocol.md 5.1).

Up to 1,024 streams share a connection. They are asked for in a few messages, as the exchange takes five a second, and
cut after 24 hours: a connection is followed by the next one before that, and ends only when the next one works.
"""

import asyncio
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any

import aiohttp

from binance_trade_agent.exchange.sockets import TROUBLES, Conversation, StreamError, Supervisor, opened
from binance_trade_agent.feed.one_question import OneQuestion
from binance_trade_agent.ops.clock import monotonic_seconds, sleep_seconds, wall_ms
from binance_trade_agent.ops.tasks import spawn, stop
from binance_trade_agent.ops.vitals import StreamVitals

MOST_STREAMS = 1_024

_STREAMS_A_MESSAGE = 200
_SPACING_SECONDS = 0.4
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
        opened: called when a connection carries all streams: what came before may have gaps.
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
        if len(streams) > MOST_STREAMS:
            raise ValueError(f"{len(streams)} streams for one connection, which carries {MOST_STREAMS}")
        self.opened: list[Callable[[], None]] = []
        self.heard_seconds = float("-inf")
        self.name = name
        self._url = f"{url}/stream"
        self._streams = tuple(streams)
        self._hear = hear
        self._jitter = jitter
        self._before_connecting = before_connecting
        self._connector = connector
        self._supervisor = Supervisor(name, jitter)
        self._conversation: Conversation | None = None
        self._proof = OneQuestion(f"{name} proof", self._ask_for_proof)
        self._doubt = asyncio.Event()
        self._doubt_because = ""

    @property
    def is_live(self) -> bool:
        """Whether a connection carries all streams."""
        return self._supervisor.is_live.is_set()

    def vitals(self) -> StreamVitals:
        """How the connection is."""
        return self._supervisor.vitals()

    def doubt(self, why: str) -> None:
        """Let a fresh connection take the place of one that works as far as it can know, and yet brings nothing."""
        self._doubt_because = why
        self._doubt.set()

    async def prove(self) -> bool:
        """Let the exchange say something now, as it has been quiet for a while. Returns whether it did."""
        return await self._proof.answer()

    async def run(self) -> None:
        """Follow the streams; on any trouble back off and start over, for ever."""
        await self._supervisor.run(self._session)

    async def _session(self) -> None:
        self._doubt.clear()
        async with AsyncExitStack() as connections:
            conversation, reader, ends = await self._connected(connections)
            while True:
                renew_at = monotonic_seconds() + self._jitter.uniform(*_RENEW_SECONDS)
                while monotonic_seconds() < renew_at:
                    await self._wait(conversation, reader)
                    await conversation.ask("LIST_SUBSCRIPTIONS", [])
                following = AsyncExitStack()
                try:
                    successor = await self._connected(following)
                except TROUBLES:  # the old one still works
                    await following.aclose()
                    await sleep_seconds(_RENEW_AGAIN_SECONDS)
                    continue
                connections.push_async_exit(following)
                await ends.aclose()
                conversation, reader, ends = successor

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
        for number, names in enumerate(self._messages()):
            if number:
                await sleep_seconds(_SPACING_SECONDS)
            await conversation.ask("SUBSCRIBE", names)
        self._conversation = conversation
        self._supervisor.works()
        for tell in self.opened:
            tell()
        return conversation, reader, ends

    def _messages(self) -> Iterator[list[str]]:
        for first in range(0, len(self._streams), _STREAMS_A_MESSAGE):
            yield list(self._streams[first : first + _STREAMS_A_MESSAGE])

    async def _wait(self, conversation: Conversation, reader: "asyncio.Task[None]") -> None:
        """Until it is time to probe the connection.

        Raises:
            StreamError: it has ended, or is doubted.
        """
        doubted = spawn(self._doubt.wait(), name="market stream doubt")
        try:
            await asyncio.wait({reader, doubted}, timeout=_PROBE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await stop(doubted)
        if self._doubt.is_set():
            raise StreamError(self._doubt_because)
        if reader.done():
            raise StreamError(conversation.ended_because)

    async def _ask_for_proof(self) -> bool:
        if self._conversation is None or not self.is_live:
            return False
        try:
            await self._conversation.ask("GET_PROPERTY", ["combined"])
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


def shared_out(symbols: Sequence[str], most: int) -> list[Sequence[str]]:
    """Symbols over as few connections as carry them, evenly; a connection carries those of `most` symbols."""
    connections = -(-len(symbols) // most)
    return [symbols[number::connections] for number in range(connections)]

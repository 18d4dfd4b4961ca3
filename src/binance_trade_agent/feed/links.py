"""Links: many streams over as few connections as carry them; the streams may change while they are followed."""

import asyncio
from collections.abc import Callable, Collection, Sequence

from binance_trade_agent.feed.link import MOST_STREAMS, Hear, StreamLink
from binance_trade_agent.feed.streams import Streams
from binance_trade_agent.ops.tasks import spawn, stop


class Links:
    """The connections of one kind of streams.

    A stream stays on its connection as long as it is followed. Others that come are shared out evenly.

    Args:
        kind: names them in the log, followed by a number.
        hear: called with the payload of each event.

    Attributes:
        opened: called with the streams that a connection has just begun to carry.
    """

    def __init__(self, kind: str, streams: Streams, hear: Hear) -> None:
        self.links: list[StreamLink] = []
        self.opened: list[Callable[[Collection[str]], None]] = []
        self._kind = kind
        self._streams = streams
        self._hear = hear
        self._link_of: dict[str, StreamLink] = {}
        self._tasks: dict[StreamLink, asyncio.Task[None]] | None = None

    def follow(self, names: Sequence[str]) -> None:
        """Carry the streams of these names from now on, and no others; each name once."""
        wanted = frozenset(names)
        carried = {link: [name for name in link.streams if name in wanted] for link in self.links}
        new = [name for name in names if name not in self._link_of]
        while len(names) > MOST_STREAMS * len(carried):
            carried[self._new_link(len(carried) + 1)] = []
        for name in new:
            min(carried.values(), key=len).append(name)
        self._link_of = {name: link for link, share in carried.items() for name in share}
        for link, share in carried.items():
            if tuple(share) != link.streams:
                link.follow(share)
            if self._tasks is not None and link not in self._tasks:
                self._tasks[link] = spawn(link.run(), name=link.name)

    def of(self, name: str) -> StreamLink | None:
        """The connection that is to carry a stream."""
        return self._link_of.get(name)

    async def run(self) -> None:
        """Keep the connections until cancelled."""
        self._tasks = {link: spawn(link.run(), name=link.name) for link in self.links}
        try:
            await asyncio.Event().wait()
        finally:
            tasks, self._tasks = self._tasks, None
            for task in tasks.values():
                await stop(task)

    def _new_link(self, number: int) -> StreamLink:
        link = self._streams.link(f"{self._kind} {number}", self._hear)
        link.opened.append(self._tell_opened)
        self.links.append(link)
        return link

    def _tell_opened(self, names: Collection[str]) -> None:
        for tell in self.opened:
            tell(names)

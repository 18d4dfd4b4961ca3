"""Where the market streams are, and how to get there."""

import random
from collections.abc import Callable
from dataclasses import dataclass

import aiohttp

from binance_trade_agent.feed.link import Hear, StreamLink


@dataclass(frozen=True, slots=True)
class Streams:
    """What each connection to the market streams needs.

    Attributes:
        url: base address, without a path.
        jitter: spreads reconnections.
        before_connecting: raises an ExchangeError while the exchange has asked us to be silent.
        connector: opens the connections instead of TCP; stays open.
    """

    url: str
    jitter: random.Random
    before_connecting: Callable[[], None] = lambda: None
    connector: aiohttp.BaseConnector | None = None

    def link(self, name: str, hear: Hear) -> StreamLink:
        """A connection without streams yet."""
        return StreamLink(
            name,
            self.url,
            (),
            hear,
            jitter=self.jitter,
            before_connecting=self.before_connecting,
            connector=self.connector,
        )

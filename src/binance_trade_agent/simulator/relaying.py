"""A relay beside the exchange that it feeds: followed while the exchange runs, closed while nothing is seen."""

import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from random import Random

from binance_trade_agent.ops.tasks import spawn, stop
from binance_trade_agent.simulator.exchange import Exchange
from binance_trade_agent.simulator.market.relay.feed import RelayFeed
from binance_trade_agent.simulator.market.relay.follower import Follower
from binance_trade_agent.simulator.market.relay.upstream import place_of

_CLOSED = "BREAK"


@asynccontextmanager
async def following(exchange: Exchange, relay: str | None) -> AsyncIterator[None]:
    """Follow the exchange that is relayed, if one is, until the end of the context."""
    feed = exchange.feed
    if relay is None or not isinstance(feed, RelayFeed):
        yield
        return
    jitter = Random(os.getpid())  # noqa: S311 (spreads reconnections)
    follower = Follower(place_of(relay), feed, jitter, _opening_and_closing(exchange))
    task = spawn(follower.run(), name="relay")
    try:
        yield
    finally:
        await stop(task)


def _opening_and_closing(exchange: Exchange) -> Callable[[bool], None]:
    """Closes every symbol, and opens it again as it was."""
    statuses = {symbol: str(listing["status"]) for symbol, listing in exchange.listings.items()}

    def switch(is_open: bool) -> None:
        for symbol, status in statuses.items():
            exchange.set_status(symbol, status if is_open else _CLOSED)

    return switch

"""A stream of the daemon that runs for a test, whichever it is."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

from binance_trade_agent.exchange.price_stream import PriceStream
from binance_trade_agent.exchange.user_stream import UserStream
from binance_trade_agent.ops.clock import monotonic_seconds, sleep_seconds
from binance_trade_agent.ops.tasks import spawn, stop

S = TypeVar("S", PriceStream, UserStream)


@asynccontextmanager
async def running(stream: S) -> AsyncIterator[S]:
    """The stream, followed; that it has not died is part of every test."""
    task = spawn(stream.run(), name="stream under test")
    try:
        yield stream
        assert not task.done(), "the stream goes on for ever"
    finally:
        await stop(task)


async def live(stream: PriceStream | UserStream) -> None:
    """Wait until the stream delivers."""
    await asyncio.wait_for(stream.is_live.wait(), 20)


async def until(condition: Callable[[], bool]) -> None:
    """Wait until `condition` holds."""
    deadline = monotonic_seconds() + 20
    while not condition():
        assert monotonic_seconds() < deadline, "it did not happen in time"
        await sleep_seconds(0.01)

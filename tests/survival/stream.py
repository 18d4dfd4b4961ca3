"""The real user stream on a desk, connected as the daemon connects it, and what watches the account beside it."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from binance_trade_agent.agents.account_watch import AccountWatch
from binance_trade_agent.exchange.endpoints import simulated
from binance_trade_agent.exchange.user_stream import UserStream
from binance_trade_agent.ops.clock import monotonic_seconds, sleep_seconds
from binance_trade_agent.ops.tasks import spawn, stop
from tests.agents.desk import Desk
from tests.exchange_process import API_KEY, API_SECRET

_PATIENCE_SECONDS = 20


class Following:
    """A user stream that reconciles with each new connection.

    Attributes:
        reconciliations: how often it has done so.
        events: what was handed on.
        meanwhile: awaited in each reconciliation, before the exchange is asked.
    """

    def __init__(self, ready: Desk) -> None:
        self.reconciliations = 0
        self.events: list[Mapping[str, Any]] = []
        self.meanwhile: Callable[[], Awaitable[None]] | None = None
        self._desk = ready
        self.stream = UserStream(
            simulated(ready.exchange.url).websocket_api,
            API_KEY,
            API_SECRET,
            ready.clock,
            on_connected=self._connected,
            on_event=self._event,
            jitter=random.Random(1),
        )

    @property
    def is_live(self) -> bool:
        """Whether it delivers."""
        return self.stream.is_live.is_set()

    async def comes(self) -> None:
        """Wait until it delivers."""
        await asyncio.wait_for(self.stream.is_live.wait(), _PATIENCE_SECONDS)

    async def goes(self) -> None:
        """Wait until it does not deliver any more."""
        await until(lambda: not self.is_live)

    async def _connected(self) -> None:
        if self.meanwhile is not None:
            await self.meanwhile()
        await self._desk.reconciler.run("the user stream is connected")
        self.reconciliations += 1

    async def _event(self, event: Mapping[str, Any]) -> None:
        self.events.append(event)
        await self._desk.keeper.on_event(event)


@asynccontextmanager
async def following(ready: Desk, *, wait: bool = True) -> AsyncIterator[Following]:
    """A running stream on `ready`; it never ends by itself, and ends at once when it is told to."""
    followed = Following(ready)
    task = spawn(followed.stream.run(), name="user stream")
    try:
        if wait:
            await followed.comes()
        yield followed
        assert not task.done(), "the stream goes on for ever"
    finally:
        began = monotonic_seconds()
        await stop(task)
        assert monotonic_seconds() - began < 10, "nothing hangs"


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something that a task is about to do."""
    deadline = monotonic_seconds() + _PATIENCE_SECONDS
    while not condition():
        assert monotonic_seconds() < deadline, "it did not happen in time"
        await sleep_seconds(0.005)


def watching(ready: Desk, stream_is_live: Callable[[], bool], *, protection=None) -> AccountWatch:
    """What watches the account of `ready`; market time moves only when a test moves it."""
    return AccountWatch(
        ready.gateway,
        ready.ledger,
        ready.clock,
        ready.rules,
        ready.reconciler,
        ready.recovery,
        protection or ready.protection("0", "0"),
        ready.gate,
        ready.alarms,
        stream_is_live=stream_is_live,
        exchange_trouble=lambda: None,
        keys_trouble=lambda: None,
        disk_trouble=lambda: None,
        is_stepped=False,
    )

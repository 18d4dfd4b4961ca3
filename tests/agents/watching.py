"""A desk that is watched as a daemon watches its account, with the real user stream where events matter."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal

from binance_trade_agent.agents.account_watch import AccountWatch
from binance_trade_agent.agents.execution import TradeExecutionAgent
from binance_trade_agent.agents.protection import Protection
from binance_trade_agent.exchange.connect import SIMULATED_KEY, SIMULATED_SECRET
from binance_trade_agent.exchange.endpoints import simulated
from binance_trade_agent.exchange.user_stream import UserStream
from binance_trade_agent.ops.tasks import spawn, stop
from tests.agents.desk import RUN_ID, Desk


@dataclass
class Watched:
    """The watch over a desk. The attributes say what the daemon's other parts would.

    Attributes:
        stream: the user stream, once `streaming` has connected it.
    """

    desk: Desk
    protection: Protection
    is_live: bool = True
    disk: str | None = None
    exchange: str | None = None
    keys: str | None = None
    stream: UserStream | None = None

    def __post_init__(self) -> None:
        ready = self.desk
        self.watch = AccountWatch(
            ready.gateway,
            ready.ledger,
            ready.clock,
            ready.rules,
            ready.reconciler,
            ready.recovery,
            self.protection,
            ready.gate,
            ready.alarms,
            stream_is_live=lambda: self.is_live if self.stream is None else self.stream.is_live.is_set(),
            exchange_trouble=lambda: self.exchange,
            keys_trouble=lambda: self.keys,
            disk_trouble=lambda: self.disk,
            is_stepped=True,
        )

        async def refused(_, refusal) -> None:
            ready.refusals.append(str(refusal))
            self.watch.reconcile_soon(f"an order was refused: {refusal}")

        ready.execution = TradeExecutionAgent(
            ready.gateway,
            ready.ledger,
            ready.clock,
            ready.keeper,
            run_id=RUN_ID,
            may_send=lambda: None,
            refused=refused,
        )
        self.protection._execution = ready.execution

    async def tick(self, after_ms: int = 60_000) -> None:
        """What happens at a tick before anything is decided."""
        await self.desk.wait(after_ms)
        if self.stream is not None:
            await self.stream.catch_up()
        await self.watch.before_tick()

    @asynccontextmanager
    async def streaming(self) -> AsyncIterator[UserStream]:
        """The real user stream, connected and reconciled."""
        ready = self.desk

        async def recover() -> None:
            await ready.reconciler.run("the user stream is connected")

        self.stream = UserStream(
            simulated(ready.exchange.url).websocket_api,
            SIMULATED_KEY,
            SIMULATED_SECRET,
            ready.clock,
            on_connected=recover,
            on_event=ready.keeper.on_event,
            jitter=random.Random(1),
        )
        running = spawn(self.stream.run(), name="user stream")
        try:
            await self.stream.is_live.wait()
            yield self.stream
        finally:
            await stop(running)
            self.stream = None


def watched(ready: Desk, stop_pct: str = "0", target_pct: str = "0", *, fence: int = 1) -> Watched:
    """The desk under watch, its positions protected at these distances in percent."""
    return Watched(ready, ready.protection(stop_pct, target_pct, fence=fence))


async def deposit(ready: Desk, asset: str, amount: str | Decimal) -> None:
    """Money that comes from outside, or goes there when negative."""
    await ready.exchange.control("config", deposit={"asset": asset, "amount": str(amount)})

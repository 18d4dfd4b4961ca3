"""The whole of it as a user starts it: Redis, a trader on the simulated exchange at 60 times the speed, the dashboard."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from tests.cache.redis_server import REDIS_SERVER, RedisServer
from tests.dashboard.process import dashboard_process
from tests.dashboard.served import WITH_PASSWORDS
from tests.sessions.daemon_process import Daemon, daemon

# Ticks about each second. The strategy waits for signals that do not come, so that only people trade.
AT_SPEED = {
    "SIMULATION_SPEED": "60",
    "TRADING_INTERVAL_SECONDS": "60",
    "TRADING_DURATION_MINUTES": "0",
    "TRADING_INSTANCE": "desk-7",
    "STRATEGY_NAME": "rsi_momentum",
    "STRATEGY_PARAMS": "rsi_oversold=1,rsi_overbought=99",
    "RISK_STOP_LOSS_PCT": "3",
    "RISK_TAKE_PROFIT_PCT": "5",
}


class Stack:
    """Attributes: base: address of the dashboard, the same after each restart."""

    def __init__(self, folder: Path, settings: dict[str, str]) -> None:
        self.folder = folder
        self.settings = {**AT_SPEED, **WITH_PASSWORDS, **settings}
        self.base = ""
        self._port = "0"
        self._trader: AsyncExitStack | None = None
        self._dashboard: AsyncExitStack | None = None

    async def start_trader(self) -> Daemon:
        self._trader = AsyncExitStack()
        trader = await self._trader.enter_async_context(daemon(self.folder, **self.settings))
        await trader.until_logged("Trading Cycle #")
        return trader

    async def stop_trader(self) -> None:
        if self._trader is not None:
            await self._trader.aclose()
            self._trader = None

    async def start_dashboard(self) -> None:
        self._dashboard = AsyncExitStack()
        serving = dashboard_process(self.folder, **{**self.settings, "DASHBOARD_PORT": self._port})
        _, self.base = await self._dashboard.enter_async_context(serving)
        self._port = self.base.rpartition(":")[2]

    async def stop_dashboard(self) -> None:
        if self._dashboard is not None:
            await self._dashboard.aclose()
            self._dashboard = None

    async def close(self) -> None:
        await self.stop_dashboard()
        await self.stop_trader()


@asynccontextmanager
async def running_stack(folder: Path, **settings: str) -> AsyncIterator[Stack]:
    """Everything runs, with Redis where this machine has one."""
    redis = RedisServer(folder) if REDIS_SERVER else None
    if redis is not None:
        await redis.start()
        settings["REDIS_URL"] = redis.url
    stack = Stack(folder, settings)
    try:
        await asyncio.gather(stack.start_trader(), stack.start_dashboard())
        yield stack
    finally:
        await stack.close()
        if redis is not None:
            redis.kill()

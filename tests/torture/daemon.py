"""One life of the daemon in a simulated world: the real parts, put together as daemon.py does."""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable, Mapping
from contextvars import copy_context
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from binance_trade_agent.agents.account_share import SharedAccount
from binance_trade_agent.assembly import Assembly
from binance_trade_agent.configuration import load
from binance_trade_agent.control.claims import ClaimsAwayError
from binance_trade_agent.domain.strategy_choice import StrategyChoice
from binance_trade_agent.exchange.binance_gateway import BinanceGateway
from binance_trade_agent.exchange.connect import SIMULATED_KEY, SIMULATED_SECRET, Connection, until_reached
from binance_trade_agent.exchange.errors import ExchangeError
from binance_trade_agent.exchange.limits_store import LimitsFile, place_of
from binance_trade_agent.exchange.rate_budget import RateBudget
from binance_trade_agent.ground import RunName
from binance_trade_agent.ledger.errors import LedgerUnavailable
from binance_trade_agent.ledger.records import RunRecord
from binance_trade_agent.ops.clock import ScaledClock, monotonic_seconds, wall_ms
from binance_trade_agent.settings import Settings
from binance_trade_agent.strategies.base import Strategy
from binance_trade_agent.strategies.in_use import StrategiesInUse
from binance_trade_agent.strategies.registry import create_strategy
from tests.torture.exchange import WorldExchange
from tests.torture.ledger import DiskFaults, open_inline
from tests.torture.machine import Machine

EAGER = {
    "TRADING_MODE": "simulated",
    "TRADING_SYMBOLS": "BTCUSDT,ETHUSDT",
    "TRADING_INTERVAL_SECONDS": "10",
    "TRADING_DURATION_MINUTES": "0",
    "STRATEGY_NAME": "rsi_momentum",
    "STRATEGY_PARAMS": "rsi_period=2,rsi_oversold=45,rsi_overbought=55",
    "RISK_COOLDOWN_SECONDS": "0",
    "RISK_MAX_UNKNOWN_ORDERS": "100",
    **dict.fromkeys(
        (
            "RISK_MAX_TRADES_PER_HOUR",
            "RISK_MAX_TRADES_PER_DAY",
            "RISK_MAX_SYMBOL_TRADES_PER_HOUR",
            "RISK_MAX_SYMBOL_TRADES_PER_DAY",
            "RISK_MAX_CONSECUTIVE_LOSSES",
        ),
        "0",
    ),
    "RISK_MAX_POSITION_QUOTE": "5000",
    "EXCHANGE_STARTUP_SECONDS": "30",
}


def settings_of(folder: Path, **changes: str) -> Settings:
    """Settings of a daemon that trades a lot, with its ledger in `folder`."""
    return load({**EAGER, "LEDGER_PATH": str(folder / "ledger.db"), **changes}, environment={}, folder=folder).settings


@dataclass
class Daemon:
    """A life, from start to end.

    Attributes:
        machine: on which it lives; kill it there.
        share: makes its part of the account; None: it has all of it.
        began_at, traded_at, ended_at: virtual seconds; None: not yet, or never.
        assembly: its running parts, once recovered.
        end: `killed`, the reason of a stop, or None while it lives; of a failed start the failure's text.
        failure: what ended it otherwise.
    """

    machine: Machine
    exchange: WorldExchange
    settings: Settings
    run_id: str
    chance: random.Random
    disk: Callable[[], DiskFaults]
    strategy: Strategy[Any] | None = None
    share: Callable[["Daemon", contextlib.AsyncExitStack], Awaitable[SharedAccount]] | None = None
    ledger_hooks: dict[str, Any] = field(default_factory=dict)
    began_at: float = 0.0
    traded_at: float | None = None
    ended_at: float | None = None
    assembly: Assembly | None = None
    ledger: Any = None
    connection: Connection | None = None
    end: str | None = None
    failure: BaseException | None = None
    task: "asyncio.Task[None] | None" = None

    def start(self) -> None:
        """Begin to live, on its own machine."""
        context = copy_context()
        context.run(self.machine.enter)
        self.began_at = monotonic_seconds()
        self.task = asyncio.get_running_loop().create_task(self._live(), context=context)

    async def kill(self) -> None:
        """kill -9; returns when nothing of it runs any more."""
        self.machine.kill()
        await self.ended()

    async def stop(self, reason: str = "SIGTERM") -> None:
        """Ask it to end, as a signal does; a start is interrupted."""
        if self.assembly is not None and self.traded_at is not None:  # from when on the signals know the loop
            self.assembly.loop.request_stop(reason)
        elif self.task is not None:
            self.task.cancel()
        await self.ended()

    async def ended(self) -> None:
        """Return when it has ended, of itself or killed."""
        assert self.task is not None
        await asyncio.wait({self.task})
        if self.machine.is_dead:
            await self.machine.buried()

    @property
    def is_alive(self) -> bool:
        """Whether it runs."""
        return self.task is not None and not self.task.done()

    async def _live(self) -> None:
        try:
            self.end = await self._trade()
        except asyncio.CancelledError:
            self.end = "killed" if self.machine.is_dead else "interrupted"
        except (ExchangeError, LedgerUnavailable, ClaimsAwayError) as failure:  # the supervisor starts it again
            self.end = f"not started: {failure}"
        except BaseException as failure:  # noqa: BLE001 (looked at by the world)
            if self.machine.is_dead:
                self.end = "killed"
            else:
                self.end, self.failure = f"failed: {failure!r}", failure
        finally:
            self.ended_at = monotonic_seconds()

    async def _trade(self) -> str:
        settings = self.settings
        async with contextlib.AsyncExitStack() as stack:
            choice = StrategyChoice(settings.strategy_name, settings.strategy_params)
            strategies = StrategiesInUse(choice, settings.trading_symbols, self._strategy)
            ledger = self.ledger = open_inline(
                settings.ledger_path, self.machine, self.chance, faults=self.disk, **self.ledger_hooks
            )
            stack.push_async_callback(ledger.close)
            connection = self.connection = await self._connected(stack)
            fence = await ledger.next_fence()
            share = None if self.share is None else await self.share(self, stack)
            name = RunName(self.run_id, fence, share=share)
            self.assembly = await Assembly.of(stack, settings, strategies, ledger, connection, name)
            self.assembly.loop.on_beat.clear()  # its vitals: a file a virtual second that nobody reads
            async with self.assembly.following_the_stream():
                await ledger.begin_run(self._record(connection, strategies.name, fence))
                self.traded_at = monotonic_seconds()
                reason = await self.assembly.loop.run()
            await ledger.end_run(self.run_id, connection.clock.now_ms(), wall_ms(), reason)
            return reason

    def _strategy(self, name: str, params: Mapping[str, str]) -> Strategy[Any]:
        return self.strategy or create_strategy(name, params)

    async def _connected(self, stack: contextlib.AsyncExitStack) -> Connection:
        network, endpoints, clock = self.exchange.network, self.exchange.endpoints, ScaledClock()
        key, secret = SIMULATED_KEY, SIMULATED_SECRET
        limits = LimitsFile(self.settings.ledger_path.parent, place_of(endpoints.rest))
        budget = RateBudget(clock, file=limits)
        stack.push_async_callback(budget.close)
        connector = network.connector(self.machine)
        gateway = await stack.enter_async_context(
            BinanceGateway(endpoints, key, secret, clock, budget=budget, connector=connector)
        )
        await until_reached(self.settings, gateway.synchronise)
        for_stream = await stack.enter_async_context(network.connector(self.machine))
        return Connection(
            endpoints, key, secret, clock, gateway, self.exchange.market, is_stepped=False, connector=for_stream
        )

    def _record(self, connection: Connection, strategy: str, fence: int) -> RunRecord:
        return RunRecord(
            run_id=self.run_id,
            mode=self.settings.mode,
            strategy=strategy,
            symbols=self.settings.trading_symbols,
            settings_json="{}",
            exchange=connection.endpoints.rest,
            started_ms=connection.clock.now_ms(),
            started_wall_ms=wall_ms(),
            pid=1,
            fence=fence,
        )

"""Puts the parts of a daemon together: from settings and an open ledger to a loop that may trade."""

import asyncio
import contextlib
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from binance_trade_agent.agents.execution import TradeExecutionAgent
from binance_trade_agent.agents.market_data import MarketDataAgent
from binance_trade_agent.agents.recovery import Recovery
from binance_trade_agent.agents.risk import Identity, RiskManagementAgent
from binance_trade_agent.agents.signal import SignalAgent
from binance_trade_agent.agents.symbols import rules_of_books, tradable_rules
from binance_trade_agent.agents.valuation import Valuation
from binance_trade_agent.autonomous_trading_loop import AutonomousTradingLoop, RunIdentity, Schedule
from binance_trade_agent.cache.cache import Cache, InProcessCache
from binance_trade_agent.control.commands import refuse_stale_stops
from binance_trade_agent.domain.candles import MINUTE_MS
from binance_trade_agent.domain.symbols import SymbolRules
from binance_trade_agent.exchange.connect import Connection, on_the_exchanges_time, until_reached
from binance_trade_agent.exchange.errors import AuthError
from binance_trade_agent.exchange.user_stream import UserStream
from binance_trade_agent.ledger.ledger import Ledger
from binance_trade_agent.ledger.records import Epoch
from binance_trade_agent.ops import heartbeat
from binance_trade_agent.ops.clock import monotonic_seconds
from binance_trade_agent.ops.tasks import spawn, stop
from binance_trade_agent.orchestrator import TradingOrchestrator
from binance_trade_agent.risk.policy import RiskPolicy
from binance_trade_agent.risk.settings import RiskSettings
from binance_trade_agent.settings import Settings
from binance_trade_agent.strategies.base import Strategy

_STREAM_SECONDS = 10.0
_SYNCHRONISE_SECONDS = 600.0

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Ground:
    """What trading begins from: the rules of what is traded, and a ledger that says what the exchange says."""

    rules: Mapping[str, SymbolRules]
    execution: TradeExecutionAgent
    recovery: Recovery
    epoch: Epoch


async def _recovered(settings: Settings, ledger: Ledger, connection: Connection) -> _Ground:
    """Check symbols and keys, and bring the ledger up to date. May be done again when it failed half-way.

    Raises:
        ConfigError: symbols or order size do not fit the exchange.
        AuthError: the keys do not.
        CannotReconcileError: the ledger contradicts the exchange.
        ExchangeError: the exchange could not be asked.
    """
    gateway, clock = connection.gateway, connection.clock
    rules = await tradable_rules(gateway, settings)
    account = await on_the_exchanges_time(clock, gateway.account)
    if not account.can_trade:
        raise AuthError("these API keys may not trade: enable spot trading for them")
    known_rules = await rules_of_books(gateway, ledger, rules)
    execution = TradeExecutionAgent(gateway, ledger, clock, known_rules)
    recovery = Recovery(
        gateway, ledger, execution, clock, known_rules, may_reset=settings.mode != "live", market=connection.market
    )
    epoch = await recovery.epoch()
    await recovery.catch_up()
    await recovery.settle_balances()
    return _Ground(rules, execution, recovery, epoch)


class Assembly:
    """The running parts of one run: the loop that decides, the stream that reports."""

    def __init__(self, stream: UserStream, loop: AutonomousTradingLoop) -> None:
        self.loop = loop
        self._stream = stream

    @classmethod
    async def of(
        cls,
        stack: contextlib.AsyncExitStack,
        settings: Settings,
        strategy: Strategy[Any],
        ledger: Ledger,
        connection: Connection,
        run_id: str,
    ) -> "Assembly":
        """Everything built and recovered, nothing traded yet.

        Raises:
            ConfigError: symbols or order size do not fit the exchange.
            AuthError: the keys do not.
            CannotReconcileError: the ledger contradicts the exchange.
            ExchangeError: the exchange could not be asked for EXCHANGE_STARTUP_SECONDS.
        """
        gateway, clock = connection.gateway, connection.clock
        ground = await until_reached(settings, lambda: _recovered(settings, ledger, connection))
        await refuse_stale_stops(ledger, clock.now_ms())
        cache = await _cache(stack, settings)
        market_data = MarketDataAgent(
            gateway,
            cache,
            clock,
            namespace=_namespace(settings, run_id),
            interval=settings.trading_candle_interval,
            warm_up=strategy.warm_up,
        )
        identity = Identity(settings.trading_instance, ground.epoch.epoch, strategy.name)
        orchestrator = TradingOrchestrator(
            market_data,
            SignalAgent(strategy),
            RiskManagementAgent(RiskPolicy(_risk_settings(settings)), ledger, identity),
            ground.execution,
            ledger,
        )
        stream = UserStream(
            connection.endpoints.websocket_api,
            connection.api_key,
            connection.api_secret,
            clock,
            on_connected=_after_a_gap(connection, ground.recovery),
            on_event=ground.execution.on_event,
            jitter=random.Random(run_id),  # noqa: S311 (spreads reconnections)
            connector=connection.connector,
        )
        loop = AutonomousTradingLoop(
            _schedule(settings),
            settings.trading_symbols,
            orchestrator,
            Valuation(market_data, ledger, settings.trading_symbols),
            ground.recovery,
            ledger,
            clock,
            RunIdentity(run_id, heartbeat.heartbeat_path(settings.ledger_path)),
            before_tick=stream.catch_up if connection.is_stepped else _nothing,
            periodically=_Resynchronisation(connection),
        )
        _say_what_trades(settings, strategy, ground.rules, connection)
        return cls(stream, loop)

    @contextlib.asynccontextmanager
    async def following_the_stream(self) -> AsyncIterator[None]:
        """The user stream, followed from when it is there until the end of the context."""
        streaming = spawn(self._stream.run(), name="user stream")
        try:
            await self._wait_for_stream()
            yield
        finally:
            await stop(streaming)

    async def _wait_for_stream(self) -> None:
        try:
            await asyncio.wait_for(self._stream.is_live.wait(), _STREAM_SECONDS)
        except TimeoutError:
            log.warning("the user stream is not there yet; fills come from answers and queries until it is")


def _after_a_gap(connection: Connection, recovery: Recovery) -> Callable[[], Awaitable[None]]:
    """What a new connection of the stream asks for: an exchange that was away may be back with another time."""

    async def recover() -> None:
        if not connection.is_stepped:
            await connection.gateway.synchronise()
        await recovery.catch_up()

    return recover


class _Resynchronisation:
    """Takes over the exchange's clock again every ten minutes."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._due = monotonic_seconds() + _SYNCHRONISE_SECONDS

    async def __call__(self) -> None:
        if not self._connection.is_stepped and monotonic_seconds() >= self._due:
            self._due = monotonic_seconds() + _SYNCHRONISE_SECONDS
            await self._connection.gateway.synchronise()


async def _nothing() -> None:
    """A real exchange goes on while the daemon works: there is no moment at which everything has arrived."""


async def _cache(stack: contextlib.AsyncExitStack, settings: Settings) -> Cache:
    cache: Cache
    if settings.redis_url is None:
        cache = InProcessCache()
    else:
        from binance_trade_agent.cache.redis_cache import RedisCache

        cache = RedisCache(settings.redis_url.get_secret_value())
    stack.push_async_callback(cache.close)
    return cache


def _namespace(settings: Settings, run_id: str) -> str:
    """Where the cache keeps this market. A simulated one is only itself within a run: seeds and files change."""
    market = f"{settings.mode}:{run_id}" if settings.is_simulated else settings.mode
    return f"binance-trading-agent:{market}"


def _schedule(settings: Settings) -> Schedule:
    minutes = settings.trading_duration_minutes
    return Schedule(settings.trading_interval_seconds * 1000, round(minutes * MINUTE_MS) if minutes else None)


def _risk_settings(settings: Settings) -> RiskSettings:
    fraction = settings.trading_order_fraction
    return RiskSettings(
        max_position_quote=settings.risk_max_position_quote,
        max_open_positions=settings.risk_max_open_positions,
        cooldown_seconds=settings.risk_cooldown_seconds,
        order_quote=settings.trading_order_quote if fraction is None else None,
        order_fraction=fraction,
    )


def _say_what_trades(
    settings: Settings, strategy: Strategy[Any], rules: Mapping[str, SymbolRules], connection: Connection
) -> None:
    minutes = settings.trading_duration_minutes
    log.info(
        "Trading %s with %s on %s (%s), every %d s, %s",
        " ".join(rules),
        strategy.name,
        settings.mode,
        connection.endpoints.rest,
        settings.trading_interval_seconds,
        f"for {minutes} min" if minutes else "until stopped",
    )

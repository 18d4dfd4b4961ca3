"""The daemon put together: settings in, a trading loop running on real parts, an exit code out."""

import asyncio
import contextlib
import json
import logging
import os
import random
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from binance_trade_agent import exit_codes
from binance_trade_agent.agents.execution import TradeExecutionAgent
from binance_trade_agent.agents.market_data import MarketDataAgent
from binance_trade_agent.agents.recovery import CannotReconcileError, Recovery
from binance_trade_agent.agents.risk import Identity, RiskManagementAgent
from binance_trade_agent.agents.signal import SignalAgent
from binance_trade_agent.agents.symbols import rules_of_books, tradable_rules
from binance_trade_agent.agents.valuation import Valuation
from binance_trade_agent.autonomous_trading_loop import AutonomousTradingLoop, RunIdentity, Schedule
from binance_trade_agent.cache.cache import Cache, InProcessCache
from binance_trade_agent.configuration import ConfigError, Configuration
from binance_trade_agent.control.commands import refuse_stale_stops
from binance_trade_agent.domain.candles import MINUTE_MS
from binance_trade_agent.domain.symbols import SymbolRules
from binance_trade_agent.exchange.connect import Connection, connected, until_reached
from binance_trade_agent.exchange.embedded import ExchangeStartError
from binance_trade_agent.exchange.errors import AuthError, ExchangeError
from binance_trade_agent.exchange.user_stream import UserStream
from binance_trade_agent.ledger.errors import LedgerError
from binance_trade_agent.ledger.ledger import Ledger, LedgerReader
from binance_trade_agent.ledger.lock import Holder, LedgerLock
from binance_trade_agent.ledger.records import Epoch, RunRecord
from binance_trade_agent.ops import heartbeat
from binance_trade_agent.ops.clock import MarketGoneError, monotonic_seconds, wall_ms
from binance_trade_agent.ops.tasks import spawn, stop
from binance_trade_agent.orchestrator import TradingOrchestrator
from binance_trade_agent.reports.session import render, session_report
from binance_trade_agent.risk.policy import RiskPolicy
from binance_trade_agent.risk.settings import RiskSettings
from binance_trade_agent.settings import Settings
from binance_trade_agent.strategies.base import Strategy
from binance_trade_agent.strategies.registry import StrategyError, create_strategy

_STREAM_SECONDS = 10.0
_SYNCHRONISE_SECONDS = 600.0

log = logging.getLogger(__name__)


def run(configuration: Configuration) -> int:
    """Trade until the duration is over or a signal comes. Returns the exit code; failures are said in one sentence."""
    try:
        return asyncio.run(_run(configuration))
    except (ConfigError, StrategyError, LedgerError, AuthError) as failure:
        log.error("%s", failure)  # noqa: TRY400 (a sentence for the user, not a trace)
        return exit_codes.WRONG_CONFIGURATION
    except CannotReconcileError as failure:
        log.error("%s", failure)  # noqa: TRY400
        return exit_codes.NOT_RECONCILED
    except (ExchangeError, ExchangeStartError, MarketGoneError) as failure:
        log.error("%s", failure)  # noqa: TRY400
        return exit_codes.FAILURE
    except (KeyboardInterrupt, asyncio.CancelledError):
        log.error("stopped by force; what was under way is asked about at the next start")  # noqa: TRY400
        return exit_codes.FAILURE


async def _run(configuration: Configuration) -> int:
    with _stop_signals() as signals:
        try:
            return await _trade(configuration, signals)
        except asyncio.CancelledError:
            if not signals.has_ended_start:
                raise
            log.info("Stopped before trading began")
            return exit_codes.OK


async def _trade(configuration: Configuration, signals: "_StopSignals") -> int:
    settings = configuration.settings
    started_wall_ms = wall_ms()
    run_id = _run_id(started_wall_ms)
    async with contextlib.AsyncExitStack() as stack:
        stack.enter_context(LedgerLock.acquire(settings.ledger_path, Holder(os.getpid(), run_id, started_wall_ms)))
        beat_path = heartbeat.heartbeat_path(settings.ledger_path)
        heartbeat.beat(
            beat_path, run_id=run_id, state="starting", cycle=0, next_within_seconds=settings.exchange_startup_seconds
        )
        strategy = create_strategy(settings.strategy_name, settings.strategy_params)
        ledger = await stack.enter_async_context(await Ledger.open(settings.ledger_path))
        connection = await stack.enter_async_context(connected(settings, is_trader=True))
        daemon = await _Daemon.assembled(stack, settings, strategy, ledger, connection, run_id)
        record = RunRecord(
            run_id=run_id,
            mode=settings.mode,
            strategy=strategy.name,
            symbols=settings.trading_symbols,
            settings_json=json.dumps({name: value for name, value, _ in configuration.rows()}),
            exchange=connection.endpoints.rest,
            started_ms=connection.clock.now_ms(),
            started_wall_ms=started_wall_ms,
            pid=os.getpid(),
        )
        async with daemon.following_the_stream():
            await ledger.begin_run(record)
            signals.loop = daemon.loop
            reason = await daemon.loop.run()
        await ledger.end_run(run_id, connection.clock.now_ms(), wall_ms(), reason)
        log.info("Stopped: %s", reason)
    with LedgerReader.open(settings.ledger_path) as reader:
        print(render(session_report(reader, run_id)))
    return exit_codes.OK


def _run_id(started_wall_ms: int) -> str:
    """`20260105T143600.123-4711`: to the millisecond, since a container's processes get the same number each time."""
    started = datetime.fromtimestamp(started_wall_ms // 1000, UTC)
    return f"{started:%Y%m%dT%H%M%S}.{started_wall_ms % 1000:03}-{os.getpid()}"


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
    account = await gateway.account()
    if not account.can_trade:
        raise AuthError("these API keys may not trade: enable spot trading for them")
    known_rules = await rules_of_books(gateway, ledger, rules)
    execution = TradeExecutionAgent(gateway, ledger, clock, known_rules)
    recovery = Recovery(gateway, ledger, execution, clock, known_rules, may_reset=settings.mode != "live")
    epoch = await recovery.epoch()
    await recovery.catch_up()
    await recovery.settle_balances()
    return _Ground(rules, execution, recovery, epoch)


class _Daemon:
    """The running parts of one run: the loop that decides, the stream that reports."""

    def __init__(self, stream: UserStream, loop: AutonomousTradingLoop) -> None:
        self.loop = loop
        self._stream = stream

    @classmethod
    async def assembled(
        cls,
        stack: contextlib.AsyncExitStack,
        settings: Settings,
        strategy: Strategy[Any],
        ledger: Ledger,
        connection: Connection,
        run_id: str,
    ) -> "_Daemon":
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
    market = f"simulated:{run_id}" if settings.mode == "simulated" else settings.mode
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


class _StopSignals:
    """The first SIGTERM or SIGINT ends the run in good order, the second at once.

    Attributes:
        loop: the loop that the first one stops; while there is none it cancels the start.
        has_ended_start: whether it did.
    """

    def __init__(self, main: "asyncio.Task[Any] | None") -> None:
        self.loop: AutonomousTradingLoop | None = None
        self.has_ended_start = False
        self._main = main
        self._is_first = True

    def receive(self, number: signal.Signals) -> None:
        """Handle one signal."""
        if self._is_first and self.loop is not None:
            log.info("%s: ending; a second signal ends at once", number.name)
            self.loop.request_stop(number.name)
        elif self._main is not None:
            self.has_ended_start = self.loop is None
            self._main.cancel()
        self._is_first = False


@contextlib.contextmanager
def _stop_signals() -> Iterator[_StopSignals]:
    running = asyncio.get_running_loop()
    handled = (signal.SIGTERM, signal.SIGINT)
    signals = _StopSignals(asyncio.current_task())
    for number in handled:
        running.add_signal_handler(number, signals.receive, number)
    try:
        yield signals
    finally:
        for number in handled:
            running.remove_signal_handler(number)

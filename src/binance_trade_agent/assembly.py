"""Puts the parts of a daemon together: from settings and an open ledger to a loop that may trade."""

import asyncio
import contextlib
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from decimal import Decimal

from binance_trade_agent.agents.account_share import SharedAccount
from binance_trade_agent.agents.account_watch import AccountWatch
from binance_trade_agent.agents.breakers import Breakers
from binance_trade_agent.agents.closing import Closer, Emergency
from binance_trade_agent.agents.entry_gate import EntryGate, orders_of_entry
from binance_trade_agent.agents.execution import TradeExecutionAgent
from binance_trade_agent.agents.indicator_reader import IndicatorReader
from binance_trade_agent.agents.manual_orders import ManualOrders
from binance_trade_agent.agents.market_data import LEAST_HISTORY, MarketDataAgent
from binance_trade_agent.agents.market_publisher import MarketPublisher
from binance_trade_agent.agents.protection import Protection
from binance_trade_agent.agents.reconciler import Reconciler
from binance_trade_agent.agents.recorder import EPOCH, LOCKED_BY_OTHERS, Witness, recording
from binance_trade_agent.agents.risk import Identity, RiskManagementAgent
from binance_trade_agent.agents.risk_context import FollowedMarket
from binance_trade_agent.agents.signal import SignalAgent
from binance_trade_agent.agents.suspension import Suspensions
from binance_trade_agent.agents.valuation import Valuation
from binance_trade_agent.autonomous_trading_loop import AutonomousTradingLoop, RunIdentity, Schedule
from binance_trade_agent.cache.cache import Cache, InProcessCache
from binance_trade_agent.cache.market_board import MarketBoard
from binance_trade_agent.cache.shared import board_namespace, shared_cache
from binance_trade_agent.control.commands import CommandKind, refuse_stale
from binance_trade_agent.control.risk_switch import RiskSwitch
from binance_trade_agent.control.strategy_switch import StrategySwitch
from binance_trade_agent.control.switch_carriers import SwitchCarriers
from binance_trade_agent.domain.candles import MINUTE_MS
from binance_trade_agent.domain.orders import OrderIntent
from binance_trade_agent.domain.symbols import SymbolRules
from binance_trade_agent.exchange.connect import Connection, until_reached
from binance_trade_agent.exchange.errors import RejectedError
from binance_trade_agent.exchange.price_stream import PriceHandler, PriceStream
from binance_trade_agent.exchange.rate_budget import RateBudget
from binance_trade_agent.exchange.user_stream import UserStream
from binance_trade_agent.feed.choice import AnyFeed, feed_of
from binance_trade_agent.feed.closings import Closings
from binance_trade_agent.ground import Ground, RunName, recovered
from binance_trade_agent.history.recording import RecordingWriter, recordings_folder
from binance_trade_agent.ledger.disk import DiskWatch
from binance_trade_agent.ledger.ledger import Ledger
from binance_trade_agent.ledger.thinning import Thinning
from binance_trade_agent.limits import exit_settings
from binance_trade_agent.ops import heartbeat
from binance_trade_agent.ops.clock import monotonic_seconds, wall_ms
from binance_trade_agent.ops.reactions import Reactions
from binance_trade_agent.ops.tasks import spawn, stop
from binance_trade_agent.ops.vitals import RedisVitals
from binance_trade_agent.orchestrator import TradingOrchestrator
from binance_trade_agent.reports.idle import IdleTalk
from binance_trade_agent.risk.exits import ExitSettings
from binance_trade_agent.settings import Settings
from binance_trade_agent.strategies.in_use import StrategiesInUse
from binance_trade_agent.trader_vitals import Parts, TraderVitals

_STREAM_SECONDS = 10.0
_OTHERS_FIRST_SECONDS = 0.05  # at most: what has filled is to be protected too
_SYNCHRONISE_SECONDS = 600.0

log = logging.getLogger(__name__)


class Assembly:
    """The running parts of one run: the loop that decides, the streams that report."""

    def __init__(
        self,
        stream: UserStream,
        loop: AutonomousTradingLoop,
        prices: PriceStream | None,
        publisher: MarketPublisher,
        vitals: TraderVitals,
        feed: AnyFeed | None,
        share: SharedAccount | None,
    ) -> None:
        self.loop = loop
        self._share = share
        self._feed = feed
        self._stream = stream
        self._prices = prices
        self._publisher = publisher
        self._vitals = vitals

    @classmethod
    async def of(
        cls,
        stack: contextlib.AsyncExitStack,
        settings: Settings,
        strategies: StrategiesInUse,
        ledger: Ledger,
        connection: Connection,
        name: RunName,
    ) -> "Assembly":
        """Everything built and recovered, nothing traded yet.

        Raises:
            ConfigError: symbols or order size do not fit the exchange.
            AuthError: the keys do not.
            CannotReconcileError: the ledger contradicts the exchange.
            ExchangeError: the exchange could not be asked for EXCHANGE_STARTUP_SECONDS.
        """
        gateway, clock = connection.gateway, connection.clock
        ground = await until_reached(settings, lambda: recovered(settings, ledger, connection, name), connection.tell)
        await refuse_stale(ledger, clock.now_ms(), began_wall_ms=name.started_wall_ms)
        switch, risk_switch = StrategySwitch(strategies, ledger), RiskSwitch(settings, ledger)
        await switch.restore()
        await risk_switch.restore()
        witness = stack.enter_context(_witness(settings, strategies, risk_switch, name.run_id))
        decided_by, books = witness.clock(clock), witness.books(ledger)
        shared = shared_cache(settings)
        stack.push_async_callback(shared.close)
        feed = _feed(stack, settings, strategies, connection, name)
        market_data = MarketDataAgent(
            gateway,
            shared if settings.redis_url else InProcessCache(),
            decided_by,
            namespace=_namespace(settings, name.run_id),
            interval=settings.trading_candle_interval,
            warm_up=strategies.warm_up,
            larger_interval=settings.trading_confirm_interval,
            feed=feed,
        )
        watch_holder: list[AccountWatch] = []

        async def refused(intent: OrderIntent, refusal: RejectedError) -> None:
            await market_data.forget_rules(intent.symbol)
            watch_holder[0].reconcile_soon(f"an order was refused: {refusal}")

        reactions = Reactions()
        execution = TradeExecutionAgent(
            gateway,
            books,
            clock,
            ground.keeper,
            run_id=name.run_id,
            may_send=name.may_send,
            refused=refused,
            begin=lambda symbol: ground.recovery.begin(symbol, None if feed is None else feed.last_trade_id(symbol)),
            others_first=lambda: reactions.over(_OTHERS_FIRST_SECONDS),
            reservations=name.share,
        )
        identity = Identity(settings.trading_instance, strategies.name, name.fence)
        exits = exit_settings(settings)

        async def on_price(symbol: str, bid: Decimal, ask: Decimal) -> None:
            await protection.on_price(symbol, bid, ask)

        prices = _prices(connection, name, on_price)
        protection = Protection(
            exits, gateway, books, decided_by, ground.keeper, execution, ground.alarms, identity, prices, feed
        )
        stream = UserStream(
            connection.endpoints.websocket_api,
            connection.api_key,
            connection.api_secret,
            clock,
            on_connected=_after_a_gap(connection, ground.reconciler),
            on_event=ground.keeper.on_event,
            jitter=random.Random(name.run_id),  # noqa: S311 (spreads reconnections)
            before_connecting=gateway.refuse_while_silent,
            connector=connection.connector,
        )
        watch = AccountWatch(
            gateway,
            ledger,
            clock,
            ground.known_rules,
            ground.reconciler,
            ground.recovery,
            protection,
            ground.gate,
            ground.alarms,
            stream_is_live=stream.is_live.is_set,
            exchange_trouble=lambda: gateway.breaker.reason or None,
            keys_trouble=lambda: gateway.auth_halt.reason,
            disk_trouble=DiskWatch(settings.ledger_path, settings.ledger_min_free_mb).shortage,
            is_stepped=connection.is_stepped,
        )
        watch_holder.append(watch)
        gateway.breaker.on_closed.append(lambda: watch.reconcile_soon("the exchange answers again"))
        risk = RiskManagementAgent(
            risk_switch.limits,
            exits,
            witness.market(FollowedMarket(gateway, feed)),
            books,
            decided_by,
            identity,
            witness.gate(ground.gate),
            atr_period=settings.risk_atr_period,
            epoch=witness.asking(EPOCH, ground.epoch),
            locked_by_others=witness.asking(LOCKED_BY_OTHERS, lambda: ground.reconciler.foreign_locked),
            promise=_room_for_orders(ground.gate, gateway.budget, exits),
        )
        suspensions = Suspensions(settings.risk_suspend_after_failures, settings.risk_suspend_ticks)
        signals = SignalAgent(strategies.of)
        orchestrator = TradingOrchestrator(
            market_data,
            signals,
            risk,
            execution,
            protection,
            books,
            suspensions,
            witness,
            reactions=reactions,
            side_by_side=not connection.is_stepped,
        )
        closer = Closer(market_data, risk, execution, protection, ground.keeper, ledger, clock, ground.known_rules)
        emergency = Emergency(ledger, watch, closer, clock, identity, ground.alarms)
        manual = ManualOrders(
            market_data,
            risk,
            execution,
            protection,
            ground.keeper,
            ledger,
            closer,
            identity,
            settings.trading_symbols,
            wall_ms=wall_ms,
            is_stopping=lambda: orchestrator.is_stopping,
        )
        breakers = Breakers(ledger, clock, risk_switch.limits, next(iter(ground.rules.values())).quote_asset)
        risk_switch.takers += [risk.use, breakers.use]
        await breakers.look()
        loop = AutonomousTradingLoop(
            _schedule(settings),
            settings.trading_symbols,
            orchestrator,
            Valuation(market_data, ledger, settings.trading_symbols),
            breakers,
            watch,
            emergency,
            ledger,
            clock,
            RunIdentity(
                name.run_id, heartbeat.heartbeat_path(settings.ledger_path), instance=settings.trading_instance
            ),
            {CommandKind.SET_STRATEGY: switch, CommandKind.SET_RISK: risk_switch},
            {
                **SwitchCarriers(ledger, settings.trading_instance, emergency.obey_and_tell, name.share).by_kind,
                **manual.by_kind,
            },
            before_tick=stream.catch_up if connection.is_stepped else _nothing,
            periodically=_in_turn(
                _Resynchronisation(connection), Thinning(ledger, clock, settings.ledger_keep_decisions_days).look
            ),
            closings=_closings(settings, feed),
        )
        loop.after_tick.append(IdleTalk(ledger).look)
        _say_what_trades(settings, strategies.name, ground.rules, connection)
        publisher = MarketPublisher(
            MarketBoard(shared, board_namespace(settings)),
            gateway,
            clock,
            settings.trading_symbols,
            settings.trading_candle_interval,
            orchestrator.views,
            IndicatorReader(strategies.of),
            lambda: orchestrator.held,
        )
        redis = _redis_vitals(shared, name) if settings.redis_url else None
        parts = Parts(connection, loop, stream, prices, ground.gate, suspensions, market_data, feed, redis, name.share)
        vitals = TraderVitals(settings, name.run_id, name.started_wall_ms, parts)
        _serve_metrics(stack, settings, parts, vitals, ledger, ground, orchestrator)
        _trace(stack, settings, orchestrator, market_data, signals, risk, execution)
        if name.share is not None:
            name.share.bids = lambda: {symbol: view.book.bid for symbol, view in orchestrator.views.items()}
        return cls(stream, loop, prices, publisher, vitals, feed, name.share)

    @contextlib.asynccontextmanager
    async def following_the_stream(self) -> AsyncIterator[None]:
        """The user stream, followed from when it is there until the end of the context; and the prices of positions."""
        streams = [spawn(self._stream.run(), name="user stream"), spawn(self._publisher.run(), name="market board")]
        if self._feed is not None:
            streams.append(spawn(self._feed.run(), name="market feed"))
        if self._share is not None:
            streams.append(spawn(self._share.run(), name="shared account"))
        if self._prices is not None:
            streams.append(spawn(self._prices.run(), name="price stream"))
        try:
            with self._vitals.running():
                await self._wait_for_stream()
                yield
        finally:
            for stream in streams:
                await stop(stream)

    async def _wait_for_stream(self) -> None:
        try:
            await asyncio.wait_for(self._stream.is_live.wait(), _STREAM_SECONDS)
        except TimeoutError:
            log.warning("the user stream is not there yet; fills come from answers and queries until it is")


def _room_for_orders(gate: EntryGate, budget: RateBudget, exits: ExitSettings) -> Callable[[], None]:
    """Shut the gate while the exchange takes no more orders; returns what keeps those of an entry free for it."""
    orders = orders_of_entry(exits)
    gate.asked.append(lambda: budget.entry_refusal(orders))
    return lambda: budget.promise(orders)


def _prices(connection: Connection, name: RunName, on_price: PriceHandler) -> PriceStream | None:
    """Prices between ticks; none of a stepped market, which stands still between them."""
    if connection.is_stepped:
        return None
    return PriceStream(
        connection.endpoints.market_streams,
        on_price=on_price,
        jitter=random.Random(f"prices {name.run_id}"),  # noqa: S311 (spreads reconnections)
        before_connecting=connection.gateway.refuse_while_silent,
        connector=connection.connector,
    )


def _feed(
    stack: contextlib.AsyncExitStack,
    settings: Settings,
    strategies: StrategiesInUse,
    connection: Connection,
    name: RunName,
) -> AnyFeed | None:
    """Candles and prices by streams; none of a stepped market, which stands still while nobody waits."""
    if connection.is_stepped:
        return None

    history = max(LEAST_HISTORY, *(strategies.warm_up(symbol) for symbol in settings.trading_symbols))
    return feed_of(stack, settings, connection, name.run_id, history)


def _closings(settings: Settings, feed: AnyFeed | None) -> Closings | None:
    """What tells the loop that candles have closed."""
    if feed is None:
        return None
    closings = Closings(settings.trading_candle_interval)
    feed.on_closed.append(closings.hear)
    return closings


def _after_a_gap(connection: Connection, reconciler: Reconciler) -> Callable[[], Awaitable[None]]:
    """What a new connection of the stream asks for: an exchange that was away may be back with another time."""

    async def recover() -> None:
        if not connection.is_stepped:
            await connection.gateway.synchronise()
        await reconciler.run("the user stream is connected")

    return recover


def _in_turn(*looks: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
    async def look() -> None:
        for each in looks:
            await each()

    return look


class _Resynchronisation:
    """Takes over the exchange's clock again every ten minutes."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._due = monotonic_seconds() + _SYNCHRONISE_SECONDS

    async def __call__(self) -> None:
        if not self._connection.is_stepped and monotonic_seconds() >= self._due:
            self._due = monotonic_seconds() + _SYNCHRONISE_SECONDS
            await self._connection.gateway.synchronise()


def _redis_vitals(cache: Cache, name: RunName) -> Callable[[], RedisVitals]:
    return lambda: RedisVitals(
        cache_away_since_wall_ms=getattr(cache, "away_since_wall_ms", None),  # what serves instead has no such time
        lease_away_since_wall_ms=name.lease_away_since(),
    )


def _serve_metrics(
    stack: contextlib.AsyncExitStack,
    settings: Settings,
    parts: Parts,
    vitals: TraderVitals,
    ledger: Ledger,
    ground: Ground,
    orchestrator: TradingOrchestrator,
) -> None:
    """Until the end of `stack`, where METRICS_PORT is set; imported then only."""
    if settings.metrics_port:
        from binance_trade_agent.ops.metrics.serving import serving
        from binance_trade_agent.ops.metrics.sources import Sources

        sources = Sources(settings, parts, vitals, ledger.counts, ground.reconciler, ground.rules, orchestrator.views)
        stack.enter_context(serving(sources))


def _trace(
    stack: contextlib.AsyncExitStack,
    settings: Settings,
    orchestrator: TradingOrchestrator,
    market_data: MarketDataAgent,
    signals: SignalAgent,
    risk: RiskManagementAgent,
    execution: TradeExecutionAgent,
) -> None:
    """Until the end of `stack`, where TRACING_ENDPOINT is set; imported then only."""
    if settings.tracing_endpoint:
        from binance_trade_agent.ops.tracing import traced

        stack.enter_context(traced(settings, orchestrator, market_data, signals, risk, execution))


async def _nothing() -> None:
    """A real exchange goes on while the daemon works: there is no moment at which everything has arrived."""


def _witness(
    settings: Settings, strategies: StrategiesInUse, limits: RiskSwitch, run_id: str
) -> contextlib.AbstractContextManager[Witness]:
    """What records the run beside the ledger, where it is to be recorded."""
    if not settings.record_keep_mb:
        return contextlib.nullcontext(Witness())
    folder = recordings_folder(settings.ledger_path)
    return recording(
        lambda: RecordingWriter(folder, run_id, settings.record_keep_mb * 1_000_000),
        lambda: strategies.choice,
        limits.changed,
    )


def _namespace(settings: Settings, run_id: str) -> str:
    """Where the cache keeps this market. A simulated one is only itself within a run: seeds and files change."""
    market = f"{settings.mode}:{run_id}" if settings.is_simulated else settings.mode
    return f"binance-trading-agent:{market}"


def _schedule(settings: Settings) -> Schedule:
    minutes = settings.trading_duration_minutes
    return Schedule(
        settings.trading_interval_seconds * 1000,
        round(minutes * MINUTE_MS) if minutes else None,
        settings.trading_orders_on_stop,
    )


def _say_what_trades(
    settings: Settings, strategy: str, rules: Mapping[str, SymbolRules], connection: Connection
) -> None:
    minutes = settings.trading_duration_minutes
    log.info(
        "Trading %s with %s on %s (%s), every %d s, %s",
        " ".join(rules),
        strategy,
        settings.mode,
        connection.endpoints.rest,
        settings.trading_interval_seconds,
        f"for {minutes} min" if minutes else "until stopped",
    )
    exits = exit_settings(settings)
    if not (exits.is_on or exits.time_stop_minutes or exits.strategy_exit):
        log.warning(
            "what is bought will never be sold: RISK_STRATEGY_EXIT is false, and no stop-loss, take-profit, trailing "
            "stop or time stop is set"
        )

"""The live orchestrator and agents, on tapes: nothing is asked of the outside, and no order is placed."""

from collections.abc import Callable, Collection, Mapping
from typing import cast

from binance_trade_agent.agents.alarms import Alarms
from binance_trade_agent.agents.execution import TradeExecutionAgent
from binance_trade_agent.agents.exit_plan import Exit
from binance_trade_agent.agents.exit_watch import ExitWatch
from binance_trade_agent.agents.market_data import MarketDataAgent, MarketDataError
from binance_trade_agent.agents.order_keeper import OrderKeeper
from binance_trade_agent.agents.protection import Protection
from binance_trade_agent.agents.recorder import EPOCH, LOCKED_BY_OTHERS, SILENT
from binance_trade_agent.agents.risk import Identity, RiskManagementAgent
from binance_trade_agent.agents.signal import SignalAgent, StrategySilentError
from binance_trade_agent.agents.suspension import Suspensions
from binance_trade_agent.backtest.replay.tape import (
    Tape,
    TapeClock,
    TapeGate,
    TapeWitness,
    current,
    tape_books,
    tape_market,
)
from binance_trade_agent.cache.cache import InProcessCache
from binance_trade_agent.control.risk_switch import with_values
from binance_trade_agent.domain.decisions import Decision, Outcome
from binance_trade_agent.domain.market import MarketView
from binance_trade_agent.domain.orders import OrderIntent, Side
from binance_trade_agent.domain.signals import Signal
from binance_trade_agent.domain.symbols import SymbolRules
from binance_trade_agent.domain.values import replace
from binance_trade_agent.history.recording import RecordedTick
from binance_trade_agent.ledger.books import Books
from binance_trade_agent.ledger.records import RunRecord
from binance_trade_agent.limits import exit_settings, risk_settings
from binance_trade_agent.ops.runner import inline
from binance_trade_agent.orchestrator import Tick, TradingOrchestrator
from binance_trade_agent.risk.exits import ExitSettings
from binance_trade_agent.settings import Settings
from binance_trade_agent.strategies.in_use import StrategiesInUse


class Rehearsal:
    """Decides the ticks of one run again, in their order.

    Args:
        run: whose decisions; its identity goes into the order ids.
        settings: of the run.
        strategies: those that the run began with.
    """

    def __init__(self, run: RunRecord, settings: Settings, strategies: StrategiesInUse) -> None:
        self._run = run
        self._settings = settings
        self._limits: dict[str, str] = {}
        self._strategies = strategies
        self._witness = TapeWitness()
        self._execution = _Execution()
        clock, books, exits = TapeClock(), tape_books(), exit_settings(settings)
        identity = Identity(settings.trading_instance, run.strategy, run.fence)
        self._risk = RiskManagementAgent(
            risk_settings(settings),
            exits,
            tape_market(),
            books,
            clock,
            identity,
            TapeGate(),
            atr_period=settings.risk_atr_period,
            epoch=self._witness.asking(EPOCH, lambda: run.epoch),
            locked_by_others=self._witness.asking(LOCKED_BY_OTHERS, dict),
        )
        self._orchestrator = TradingOrchestrator(
            _MarketData(clock, settings.trading_candle_interval),
            _Signals(strategies.of, inline),
            self._risk,
            self._execution,
            _Protection(exits, books, clock, identity, self._execution),
            books,
            _Rests(self._witness),
            self._witness,
        )

    def know(self, views: Mapping[str, MarketView]) -> None:
        """Take these for what the tick before has seen."""
        self._orchestrator.views.update(views)

    async def decide(self, tick: RecordedTick, wanted: Collection[str]) -> list[tuple[Decision, OrderIntent | None]]:
        """The decisions of a tick on those of its symbols that are wanted, each with the order that was approved.

        Raises:
            StrategyError: the strategy that was in use cannot be made.
            ConfigError: the limits that held are not allowed.
        """
        self._witness.tapes = {symbol: Tape(recorded) for symbol, recorded in tick.looks.items()}
        self._execution.approved.clear()
        look = next(iter(tick.looks.values())).look
        if look.choice != self._strategies.choice:
            self._strategies.change(look.choice)
        if look.limits != self._limits:
            self._risk.use(risk_settings(with_values(self._settings, look.limits)))
            self._limits = look.limits
        decisions = await self._orchestrator.decide_all(
            Tick(self._run.run_id, tick.tick_ms, tick.cycle),
            [symbol for symbol in self._run.symbols if symbol in tick.looks and symbol in wanted],
        )
        return [(decision, self._execution.approved.get(decision.symbol)) for decision in decisions]


class _MarketData(MarketDataAgent):
    """Shows what was seen."""

    def __init__(self, clock: TapeClock, interval: str) -> None:
        nowhere = tape_market()
        super().__init__(nowhere, InProcessCache(), clock, namespace="replay", interval=interval, warm_up=lambda _: 0)

    async def observe(self, symbol: str) -> MarketView:  # noqa: ARG002 (the tape is the symbol's)
        look = current().look
        if look.timed_out:
            raise TimeoutError
        if look.trouble is not None or look.view is None:
            raise MarketDataError(look.trouble or "")
        return look.view

    async def glance(self, symbol: str) -> MarketView:  # noqa: ARG002
        look = current().look
        if look.view is None:
            raise MarketDataError(look.trouble or "")
        return look.view


class _Signals(SignalAgent):
    """Asks the strategy, unless it was the machine that gave no answer in time."""

    async def evaluate(self, view: MarketView) -> Signal:
        if current().holds(SILENT):
            raise StrategySilentError(current().answer(SILENT))
        return await super().evaluate(view)


class _Protection(Protection):
    """Says when a position is due; what rests on the exchange is as the run had it."""

    def __init__(
        self, exits: ExitSettings, books: Books, clock: TapeClock, identity: Identity, execution: TradeExecutionAgent
    ) -> None:
        # Who keeps orders and sounds alarms has no part in what is decided.
        keeper, alarms = cast(OrderKeeper, None), cast(Alarms, None)
        super().__init__(exits, tape_market(), books, clock, keeper, execution, alarms, identity)
        self._parts = exits, tape_market(), books, clock

    async def due(self, symbol: str, view: MarketView) -> Exit | None:
        """As of what the run remembered of the holding: prices between ticks are not recorded, the highest is."""
        self._watch = ExitWatch(*self._parts, None)
        if seen := current().look.seen:
            holding = await self._watch.look(symbol, view.rules)
            if holding is not None and holding.entry_order_id == seen.entry_order_id:
                self._watch.note_price(symbol, seen.highest)
                self._watch.note_on_sale(symbol, seen.on_sale_base)
                if seen.target_refused is not None:
                    self._watch.watch_target(symbol, seen.target_refused)
        return await super().due(symbol, view)

    async def release(self, symbol: str, sides: Collection[Side] = ()) -> bool:  # noqa: ARG002 (as Protection has it)
        return True

    async def ensure(self, symbol: str, rules: SymbolRules) -> str:  # noqa: ARG002
        return ""


class _Execution(TradeExecutionAgent):
    """Keeps what was approved, by symbol; nothing is sent."""

    def __init__(self) -> None:
        self.approved: dict[str, OrderIntent] = {}

    async def execute(
        self,
        decision: Decision,
        intent: OrderIntent,
        committed: Callable[[], None] | None = None,  # noqa: ARG002 (as TradeExecutionAgent has it)
    ) -> Decision:
        self.approved[intent.symbol] = intent
        return replace(decision, outcome=Outcome.ORDERED, client_order_id=intent.client_order_id)


class _Rests(Suspensions):
    """Which symbols took no part in a cycle is on the tapes."""

    def __init__(self, witness: TapeWitness) -> None:
        super().__init__(1, 0)
        self._witness = witness

    def resting(self, symbol: str, cycle: int) -> str | None:  # noqa: ARG002 (the tapes are the cycle's)
        return self._witness.tapes[symbol].look.rests

    def note(self, symbol: str, cycle: int, *, failed: bool) -> None:
        """It is on the tapes."""

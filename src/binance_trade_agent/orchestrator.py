"""TradingOrchestrator: one symbol's way through the four agents, read top to bottom, and the decision it leaves."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto

from binance_trade_agent.agents.execution import TradeExecutionAgent
from binance_trade_agent.agents.exit_plan import Exit
from binance_trade_agent.agents.market_data import MarketDataAgent, MarketDataError
from binance_trade_agent.agents.pipeline import Pipeline
from binance_trade_agent.agents.protection import Protection
from binance_trade_agent.agents.recorder import IS_STOPPING, Witness
from binance_trade_agent.agents.risk import RiskManagementAgent
from binance_trade_agent.agents.signal import SignalAgent, StrategyFailedError, StrategySilentError
from binance_trade_agent.agents.suspension import Suspensions
from binance_trade_agent.agents.turns import Crowd, Entrance, Row, Turn
from binance_trade_agent.domain.decisions import Decision, Outcome
from binance_trade_agent.domain.market import MarketView
from binance_trade_agent.domain.signals import Action, Signal
from binance_trade_agent.domain.values import replace
from binance_trade_agent.domain.words import words_of
from binance_trade_agent.exchange.errors import ExchangeError
from binance_trade_agent.ledger.books import Books
from binance_trade_agent.ledger.errors import LedgerError
from binance_trade_agent.ops.clock import give_way
from binance_trade_agent.ops.reactions import Reactions
from binance_trade_agent.ops.tasks import spawn, stop

OBSERVE_SECONDS = 15.0
_SYMBOLS_AT_ONCE = 8
_FORESEEN_AT_ONCE = 4  # symbols in one turn of the event loop, some 50 us each
_HEAD_START_SECONDS = 0.25  # of those who want something new: what leads to nothing takes their event loop from them
_STARTED_AT_ONCE = 2  # symbols in one turn of the event loop, which is held up by all that they do until they wait
_CANDLES_KEPT = 3  # with each decision, so that a crossing can be seen

log = logging.getLogger(__name__)

Begun = dict[str, "asyncio.Task[Decision]"]


@dataclass(frozen=True, slots=True)
class Tick:
    """One beat of the schedule: its run, its scheduled market time, and its number within the run from 1.

    Attributes:
        closed_seconds: of symbols that are decided on because a candle has closed, when that was told (monotonic).
    """

    run_id: str
    tick_ms: int
    cycle: int
    closed_seconds: Mapping[str, float] = field(default_factory=dict)


class TradingOrchestrator:
    """Runs the agents for one symbol at a tick. Nothing that one symbol does wrong reaches another.

    Args:
        side_by_side: symbols do not act in their order (agents/turns.py), as the market goes on meanwhile.

    Attributes:
        views: what the market looked like when each symbol was last decided on.
        reactions: how long it takes from a candle's end to its order.
        is_stopping: set when the daemon is to end: signals are still given, no order is decided on.
    """

    def __init__(
        self,
        market_data: MarketDataAgent,
        signals: SignalAgent,
        risk: RiskManagementAgent,
        execution: TradeExecutionAgent,
        protection: Protection,
        books: Books,
        suspensions: Suspensions,
        witness: Witness | None = None,
        *,
        reactions: Reactions | None = None,
        side_by_side: bool = False,
    ) -> None:
        self._market_data = market_data
        self._witness = witness or Witness()
        stopping = self._witness.asking(IS_STOPPING, lambda: self.is_stopping)
        self._signals = signals
        self._risk = risk
        self._pipeline = Pipeline(signals, risk, execution, protection, books, is_stopping=stopping)
        self._looking = asyncio.Semaphore(_SYMBOLS_AT_ONCE)
        self._suspensions = suspensions
        self._entrance = Entrance() if side_by_side else None
        self._marked_ms: int | None = None
        self.views: dict[str, MarketView] = {}
        self.reactions = reactions or Reactions()
        self.is_stopping = False

    @property
    def held(self) -> set[str]:
        """Symbols with a position, as far as they were looked at."""
        return self._pipeline.protection.held

    async def decide_all(self, tick: Tick, symbols: Sequence[str]) -> list[Decision]:
        """One decision for each symbol, side by side; a decision is there for each, whatever goes wrong."""
        tasks = await self.begin_all(tick, symbols)
        try:
            return [await tasks[symbol] for symbol in symbols]
        finally:
            await _cut_off(tasks.values())

    async def begin_all(self, tick: Tick, symbols: Iterable[str]) -> "Begun":
        """The same by symbol, until each verdict is final. What follows from some may go on: those are not done yet.

        To be called anew only when this has returned, and not on a symbol whose last decision is not done.

        Args:
            tick: which it is.
            symbols: is asked for the next one when the one before was looked at, so more may come meanwhile.
        """
        if tick.tick_ms != self._marked_ms:  # the recording knows ticks by that (history/recording.py)
            self._risk.marks, self._marked_ms = dict(self.views), tick.tick_ms
        row = Row() if self._entrance is None else Crowd(self._entrance, self._witness.approved)
        tasks: Begun = {}

        def begin(symbol: str) -> None:
            tasks[symbol] = spawn(self.decide(tick, symbol, row.turn()), name=f"decide {symbol}")

        try:
            if self._entrance is not None:
                symbols = await self._begin_urgent(symbols, begin)
            for number, symbol in enumerate(symbols):
                if number and number % _STARTED_AT_ONCE == 0:
                    await give_way()
                begin(symbol)
            await row.over()
        except BaseException:
            await _cut_off(tasks.values())
            raise
        return tasks

    async def _begin_urgent(self, symbols: Iterable[str], begin: Callable[[str], None]) -> list[str]:
        """Begin those at once whose strategy wants something new. Returns the others, the most urgent first.

        A decision that leads to nothing takes ten times as long as the strategy's answer, and most do.
        """
        others: dict[_Haste, list[str]] = {haste: [] for haste in _Haste}
        for number, symbol in enumerate(symbols, 1):
            haste = self._haste(symbol)
            if haste is _Haste.NEW:
                begin(symbol)
            else:
                others[haste].append(symbol)
            if haste is _Haste.NEW or number % _FORESEEN_AT_ONCE == 0:
                await give_way()
        await self.reactions.over(_HEAD_START_SECONDS)
        return [symbol for those in others.values() for symbol in those]

    def _haste(self, symbol: str) -> "_Haste":
        candles = self._market_data.candles(symbol)
        foreseen = None if candles is None else self._signals.foresee(candles)
        if foreseen is None:  # it will have to be waited for
            return _Haste.NEW
        action, before = foreseen
        is_held = self._pipeline.protection.holds(symbol)
        if action is not Action.HOLD and is_held is (action is Action.SELL):
            return _Haste.STANDING if action is before else _Haste.NEW
        return _Haste.STANDING if is_held else _Haste.NONE

    async def decide(self, tick: Tick, symbol: str, turn: Turn) -> Decision:
        """Look, judge, and act on `symbol`; whatever goes wrong becomes the decision's outcome."""
        decision = Decision(tick.run_id, tick.tick_ms, tick.cycle, symbol, Outcome.FAILED, "")
        async with turn:
            rests = self._suspensions.resting(symbol, tick.cycle)
            with self.reactions.to(tick.closed_seconds.get(symbol)):
                decision = await self._survive(decision, turn, rests)
            if not rests:
                self._suspensions.note(symbol, tick.cycle, failed=decision.outcome is Outcome.FAILED)
            return decision

    async def _survive(self, decision: Decision, turn: Turn, rests: str | None) -> Decision:
        try:
            with self._witness.deciding(decision, rests):
                return await self._decide(decision, turn, rests)
        except TimeoutError:
            return replace(decision, outcome=Outcome.NO_DATA, detail=f"no market data in {OBSERVE_SECONDS:g} s")
        except (MarketDataError, ExchangeError) as failure:
            return replace(decision, outcome=Outcome.NO_DATA, detail=str(failure))
        except Exception as failure:
            log.exception("%s: this tick's step failed", decision.symbol)
            return replace(decision, detail=f"{type(failure).__name__}: {failure}")

    async def _decide(self, decision: Decision, turn: Turn, rests: str | None) -> Decision:
        """Decide on a symbol. Of one that `rests` only what makes a position be left is looked at."""
        async with self._looking, asyncio.timeout(OBSERVE_SECONDS):
            view, trouble = await self._look(decision.symbol)
        self.views[decision.symbol] = view
        self._witness.looked(view, trouble, self._pipeline.protection.seen(view.symbol))
        signal, failure = (None, None) if rests or trouble else await self._opinion(view)
        decision = _seen(decision, signal, view)
        wants_in = signal is not None and signal.action is Action.BUY
        await turn.looked(may_act=wants_in or self._pipeline.protection.holds(view.symbol))
        try:
            leave = await self._pipeline.protection.due(view.symbol, view)
            if leave is None and trouble is not None:
                return replace(decision, outcome=Outcome.NO_DATA, detail=str(trouble))
            if leave is None and rests:
                return replace(decision, rule="suspended", detail=rests)
            if leave is None and failure is not None:
                return replace(decision, detail=str(failure))
            if leave is None and signal is not None and signal.action is Action.HOLD:
                return replace(decision, outcome=Outcome.HELD, detail=words_of(signal, "reason"))
            return await self._decide_on_money(decision, view, turn, leave)
        except LedgerError as trouble:  # it could not be read, or the intent not be written: nothing was sent
            return replace(decision, outcome=Outcome.REFUSED, rule="ledger", detail=str(trouble))

    async def _look(self, symbol: str) -> tuple[MarketView, MarketDataError | None]:
        """The market, and why only an exit may be decided on it: a position has to be left on bad candles too."""
        try:
            return await self._market_data.observe(symbol), None
        except MarketDataError as trouble:
            return await self._market_data.glance(symbol), trouble

    async def _opinion(self, view: MarketView) -> tuple[Signal | None, StrategyFailedError | None]:
        """The strategy's signal, or why there is none: a position has to be left though the strategy is broken."""
        try:
            return await self._signals.evaluate(view), None
        except StrategyFailedError as failure:
            if isinstance(failure, StrategySilentError):
                self._witness.silent(failure)
            log.debug("%s: %s", view.symbol, failure, exc_info=failure.__cause__)
            return None, failure

    async def _decide_on_money(self, decision: Decision, view: MarketView, turn: Turn, leave: Exit | None) -> Decision:
        """Decide on an order when it is the symbol's turn."""
        await turn.comes()
        self._market_data.refuse_old(view)
        return await self._pipeline.act_on(decision, view, leave, turn)


def _seen(decision: Decision, signal: Signal | None, view: MarketView) -> Decision:
    """The decision with all that was looked at."""
    return replace(
        decision,
        signal=signal,
        bid=view.book.bid,
        ask=view.book.ask,
        candle_age_ms=view.candle_age_ms,
        book_age_ms=view.book_age_ms,
        candles=tuple(view.candles[place] for place in range(-min(_CANDLES_KEPT, len(view.candles)), 0)),
        candle_count=len(view.candles),
    )


class _Haste(Enum):
    """How urgent a symbol is: a new wish, one that stood before or a position to look after, or nothing."""

    NEW = auto()
    STANDING = auto()
    NONE = auto()


async def _cut_off(tasks: Iterable["asyncio.Task[Decision]"]) -> None:
    for task in tasks:
        if not task.done():
            await stop(task)

"""TradingOrchestrator: one symbol's way through the four agents, read top to bottom, and the decision it leaves."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from binance_trade_agent.agents.execution import TradeExecutionAgent
from binance_trade_agent.agents.exit_plan import Exit
from binance_trade_agent.agents.market_data import MarketDataAgent, MarketDataError
from binance_trade_agent.agents.pipeline import Pipeline
from binance_trade_agent.agents.protection import Protection
from binance_trade_agent.agents.recorder import IS_STOPPING, Witness
from binance_trade_agent.agents.risk import RiskManagementAgent
from binance_trade_agent.agents.signal import SignalAgent, StrategyFailedError, StrategySilentError
from binance_trade_agent.agents.suspension import Suspensions
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

OBSERVE_SECONDS = 15.0
_SYMBOLS_AT_ONCE = 8
_STARTED_AT_ONCE = 8  # symbols in one turn of the event loop, which is held up by all that they do until they wait
_CANDLES_KEPT = 3  # with each decision, so that a crossing can be seen

log = logging.getLogger(__name__)


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
    ) -> None:
        self._market_data = market_data
        self._witness = witness or Witness()
        stopping = self._witness.asking(IS_STOPPING, lambda: self.is_stopping)
        self._signals = signals
        self._risk = risk
        self._pipeline = Pipeline(signals, risk, execution, protection, books, is_stopping=stopping)
        self._looking = asyncio.Semaphore(_SYMBOLS_AT_ONCE)
        self._suspensions = suspensions
        self.views: dict[str, MarketView] = {}
        self.reactions = Reactions()
        self.is_stopping = False

    @property
    def held(self) -> set[str]:
        """Symbols with a position, as far as they were looked at."""
        return self._pipeline.protection.held

    async def decide_all(self, tick: Tick, symbols: Sequence[str]) -> list[Decision]:
        """One decision for each symbol, side by side; a decision is there for each, whatever goes wrong."""
        self._risk.marks = dict(self.views)
        tasks: list[asyncio.Task[Decision]] = []
        async with asyncio.TaskGroup() as group:
            for symbol, turn in turns(symbols).items():
                if tasks and len(tasks) % _STARTED_AT_ONCE == 0:
                    await give_way()
                tasks.append(group.create_task(self.decide(tick, symbol, turn)))
        return [task.result() for task in tasks]

    async def decide(self, tick: Tick, symbol: str, turn: "Turn") -> Decision:
        """Look, judge, and act on `symbol`; whatever goes wrong becomes the decision's outcome."""
        decision = Decision(tick.run_id, tick.tick_ms, tick.cycle, symbol, Outcome.FAILED, "")
        async with turn:
            rests = self._suspensions.resting(symbol, tick.cycle)
            with self.reactions.to(tick.closed_seconds.get(symbol)):
                decision = await self._survive(decision, turn, rests)
            if not rests:
                self._suspensions.note(symbol, tick.cycle, failed=decision.outcome is Outcome.FAILED)
            return decision

    async def _survive(self, decision: Decision, turn: "Turn", rests: str | None) -> Decision:
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

    async def _decide(self, decision: Decision, turn: "Turn", rests: str | None) -> Decision:
        """Decide on a symbol. Of one that `rests` only what makes a position be left is looked at."""
        async with self._looking, asyncio.timeout(OBSERVE_SECONDS):
            view, trouble = await self._look(decision.symbol)
        self.views[decision.symbol] = view
        self._witness.looked(view, trouble, self._pipeline.protection.seen(view.symbol))
        signal, failure = (None, None) if rests or trouble else await self._opinion(view)
        decision = _seen(decision, signal, view)
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

    async def _decide_on_money(
        self, decision: Decision, view: MarketView, turn: "Turn", leave: Exit | None
    ) -> Decision:
        """Decide on an order in the symbols' order, so that the same seed decides the same."""
        await turn.comes()
        self._market_data.refuse_old(view)
        return await self._pipeline.act_on(decision, view, leave)


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


class Row:
    """A row of turns. Who has left is passed over, so that a turn comes when all before it have left."""

    def __init__(self) -> None:
        self._turns: list[Turn] = []
        self._first = 0  # that has not left

    def turn(self) -> "Turn":
        """The next place in the row."""
        self._turns.append(Turn(self, len(self._turns)))
        return self._turns[-1]

    def is_first(self, place: int) -> bool:
        """Whether all before this place have left."""
        return self._first >= place

    def close_up(self) -> None:
        """Let the first that has not left come."""
        while self._first < len(self._turns) and self._turns[self._first].has_left:
            self._first += 1
        if self._first < len(self._turns):
            self._turns[self._first].is_first.set()


class Turn:
    """A place in a row: `comes` returns when everybody before has left. Leaving the context passes the turn on."""

    def __init__(self, row: Row, place: int) -> None:
        self.has_left = False
        self.is_first = asyncio.Event()
        self._row = row
        self._place = place

    async def comes(self) -> None:
        """Wait until all earlier turns are over."""
        if not self._row.is_first(self._place):
            await self.is_first.wait()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.has_left = True
        self._row.close_up()


def turns(symbols: Sequence[str]) -> dict[str, Turn]:
    """A turn for each symbol, in their order."""
    row = Row()
    return {symbol: row.turn() for symbol in symbols}

"""The engine: takes the agents to the ticks and candles at which something can happen, in the order of time.

Between those nothing changes but prices: what is held, what rests and what the rules say stays as it is. So the equity
is valued as an array, and where the next visit is, is found by searching arrays. `every_candle` visits all of them
instead; both lead to the same orders, fills, refusals and pauses (tests/backtest/test_every_candle.py).
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from heapq import heapify, heapreplace

from binance_trade_agent.agents.exit_plan import Exit
from binance_trade_agent.agents.order_keeper import OrderKeeper
from binance_trade_agent.agents.pipeline import Pipeline
from binance_trade_agent.agents.protection import Protection
from binance_trade_agent.agents.risk import RiskManagementAgent
from binance_trade_agent.backtest.books import MemoryBooks
from binance_trade_agent.backtest.clock import BacktestClock
from binance_trade_agent.backtest.drive import run_now
from binance_trade_agent.backtest.equity import EquityCurve
from binance_trade_agent.backtest.gateway import BacktestGateway
from binance_trade_agent.backtest.lane import NEVER, Lane
from binance_trade_agent.backtest.plan import BacktestError
from binance_trade_agent.backtest.timeline import Timeline
from binance_trade_agent.domain.decisions import Decision, Outcome
from binance_trade_agent.domain.market import MarketView
from binance_trade_agent.ledger.errors import LedgerError
from binance_trade_agent.risk.exits import ExitSettings

RUN_ID = "backtest"


@dataclass(slots=True)
class Tally:
    """What came of the decisions: how many ended so, by Outcome, and by the rule that refused.

    Attributes:
        decided: ticks at which an order was considered, by action and blindness (TickSignals); what came of the others
            follows from those.
        visited: ticks and candles to which the engine went.
        decisions: those in which something was to be decided, where they are kept.
    """

    outcomes: Counter[str] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)
    decided: Counter[tuple[int, bool]] = field(default_factory=Counter)
    visited: int = 0
    decisions: list[Decision] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Agents:
    """The live agents, given the books, the exchange and the clock of a backtest."""

    pipeline: Pipeline
    risk: RiskManagementAgent
    protection: Protection
    keeper: OrderKeeper


class Engine:
    """Runs one backtest; used once.

    Args:
        lanes: a symbol each, in the order in which symbols act at one tick.
        timeline: the ticks of all lanes.
        exits: what positions are left by besides the strategy.
        looks_after_fills: whether a limit hangs on what fills bring: then the breakers look after each.
        keeps_decisions: whether the tally keeps them: for tests and comparisons.
    """

    def __init__(
        self,
        lanes: Sequence[Lane],
        timeline: Timeline,
        agents: Agents,
        books: MemoryBooks,
        gateway: BacktestGateway,
        clock: BacktestClock,
        curve: EquityCurve,
        *,
        quote_asset: str,
        exits: ExitSettings,
        looks_after_fills: bool,
        keeps_decisions: bool = False,
    ) -> None:
        self.tally = Tally()
        self._lanes = lanes
        self._timeline = timeline
        self._agents = agents
        self._books = books
        self._gateway = gateway
        self._clock = clock
        self._curve = curve
        self._exits = exits
        self._looks_after_fills = looks_after_fills
        self._has_exits = exits.is_on or bool(exits.time_stop_minutes)
        self._quote_asset = quote_asset
        self._keeps = keeps_decisions
        self._fills_seen = 0

    def run(self, progress: Callable[[int], None] | None = None) -> None:
        """Go through all visits; `progress` is told the market time now and then."""
        heap = [lane.next_visit() for lane in self._lanes]
        heapify(heap)
        while (visit := heap[0]).at_ms < NEVER:
            lane = self._lanes[visit.lane]
            self._curve.mark_until(self._timeline.index(visit.at_ms))
            self._clock.at_ms = visit.at_ms
            lane.place.row = visit.row
            run_now(self._tick(lane, visit.row) if visit.is_tick else self._candle(lane))
            lane.passed(visit)
            self._settle(lane, is_tick=visit.is_tick)
            heapreplace(heap, lane.next_visit())
            if progress is not None:
                progress(visit.at_ms)
        self._curve.mark_until(len(self._timeline))

    async def _tick(self, lane: Lane, row: int) -> None:
        """One tick of one symbol, as the live orchestrator has it."""
        protection, symbol = self._agents.protection, lane.symbol
        action, is_blind = int(lane.signals.action[row]), bool(lane.signals.is_blind[row])
        view = lane.view(row)
        leave = None
        if lane.is_protected:
            leave = await protection.due(symbol, view)
            # Before anything is decided, as live: a target that moves at this tick has moved when the position is sold.
            await protection.ensure(symbol, lane.place.rules)
        if action or leave is not None:
            self.tally.decided[action, is_blind] += 1
            await self._decide(lane, row, view, action, leave)

    async def _decide(self, lane: Lane, row: int, view: MarketView, action: int, leave: Exit | None) -> None:
        signal = lane.signal(row) if action else None
        decision = Decision(
            RUN_ID,
            self._clock.at_ms,
            row,
            lane.symbol,
            Outcome.FAILED,
            "",
            signal,
            bid=view.book.bid,
            ask=view.book.ask,
        )
        self._agents.risk.marks = self._timeline.views_before(self._clock.at_ms)
        try:
            decision = await self._agents.pipeline.act_on(decision, view, leave)
        except LedgerError as trouble:
            raise BacktestError(f"the books of the backtest contradict each other: {trouble}") from trouble
        self.tally.outcomes[decision.outcome] += 1
        if decision.outcome is Outcome.REFUSED:
            self.tally.refusals[decision.rule or ""] += 1
        if self._keeps:
            self.tally.decisions.append(decision)

    async def _candle(self, lane: Lane) -> None:
        """What the candle that has just passed did to what rests on the exchange."""
        for report in self._gateway.let_candle_pass(lane.symbol):
            await self._agents.keeper.apply(report)

    def _settle(self, lane: Lane, *, is_tick: bool) -> None:
        """What the lane has to look out for after a visit."""
        self.tally.visited += 1
        count = len(self._books.fills)
        has_filled = count != self._fills_seen
        # A stop that found no volume has ended without a fill, and nothing rests any more.
        has_ended = not is_tick and not lane.place.resting
        if not (has_filled or ((is_tick or has_ended) and lane.is_protected)):
            return
        position = self._books.position(lane.symbol)
        if has_filled:
            self._fills_seen = count
            self._curve.hold(self._books.wallet()[self._quote_asset], lane.symbol, position.quantity)
            if self._looks_after_fills:
                self._curve.look_soon()
            lane.can_sell = bool(lane.place.rules.round_market_quantity(position.quantity))
        lane.is_protected = self._has_exits and (lane.can_sell or bool(lane.place.resting))
        outlook = self._agents.protection.outlook(lane.symbol) if lane.is_protected else None
        if outlook is None:
            # Something rests, or is held, that nothing is known of: the next tick looks at it.
            lane.highest, lane.timer_ms, lane.each_tick = None, None, lane.is_protected
        else:
            lane.highest = None if outlook.highest is None else float(outlook.highest)
            lane.timer_ms = outlook.changes_ms
            # What has filled in part, or has nothing resting for it, is protected anew at the next tick.
            is_bare = self._exits.is_on and not lane.place.resting
            lane.each_tick = outlook.each_price or is_bare or (has_filled and not is_tick)

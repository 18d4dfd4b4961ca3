"""Running one backtest: candles and a plan in, a result out."""

import gc
import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from binance_trade_agent import agents
from binance_trade_agent.agents.alarms import Alarms
from binance_trade_agent.agents.breakers import Breakers
from binance_trade_agent.agents.entry_gate import EntryGate
from binance_trade_agent.agents.execution import TradeExecutionAgent
from binance_trade_agent.agents.market_data import LEAST_HISTORY
from binance_trade_agent.agents.order_keeper import OrderKeeper
from binance_trade_agent.agents.pipeline import Pipeline
from binance_trade_agent.agents.protection import Protection
from binance_trade_agent.agents.risk import Identity, RiskManagementAgent
from binance_trade_agent.agents.signal import SignalAgent, raised
from binance_trade_agent.backtest.books import MemoryBooks
from binance_trade_agent.backtest.clock import BacktestClock
from binance_trade_agent.backtest.drive import run_now
from binance_trade_agent.backtest.engine import RUN_ID, Agents, Engine, Tally
from binance_trade_agent.backtest.equity import EquityCurve, LossLimits
from binance_trade_agent.backtest.gateway import BacktestGateway, Place
from binance_trade_agent.backtest.lane import Lane
from binance_trade_agent.backtest.plan import BacktestError, BacktestPlan
from binance_trade_agent.backtest.result import BacktestResult, BacktestSetup
from binance_trade_agent.backtest.setup import changed_settings, parameters_of
from binance_trade_agent.backtest.signals import tick_signals
from binance_trade_agent.backtest.simulated_fills import fill_rules
from binance_trade_agent.backtest.timeline import Timeline
from binance_trade_agent.backtest.warnings import warnings
from binance_trade_agent.domain.decisions import Outcome
from binance_trade_agent.domain.orders import OrderIntent
from binance_trade_agent.domain.wording import iso_second
from binance_trade_agent.exchange.errors import RejectedError
from binance_trade_agent.history.table import CandleTable
from binance_trade_agent.limits import exit_settings, measures_range, risk_settings
from binance_trade_agent.strategies.in_use import Create, StrategiesInUse
from binance_trade_agent.strategies.registry import create_strategy

Progress = Callable[[int, int], None]
"""Told now and then: market ms that are over, and of how many."""


def run_backtest(
    plan: BacktestPlan,
    candles: Mapping[str, CandleTable],
    *,
    details: Mapping[str, CandleTable] | None = None,
    every_candle: bool = False,
    progress: Progress | None = None,
    create: Create = create_strategy,
    keeps_decisions: bool = False,
) -> BacktestResult:
    """Run the live agents over candles.

    Args:
        plan: what is to be done.
        candles: by symbol, in the order in which symbols act at one tick.
        details: candles of a shorter interval, by symbol, that say which of two barriers within a candle came first.
        every_candle: visit every tick and candle instead of those at which something can happen; the same, slower.
        progress: told how far it is.
        create: makes a strategy by its name and parameters.
        keeps_decisions: whether the result has the decisions, of which there may be very many.

    Raises:
        BacktestError: there is nothing to test on: no candles in the period, or none before it to warm up on.
        StrategyError: the strategy or its parameters are not allowed.
    """
    strategies = StrategiesInUse(plan.choice, tuple(candles), create)
    with _quiet():
        made = _Backtest(
            plan, candles, details or {}, strategies, every_candle=every_candle, keeps_decisions=keeps_decisions
        )
        return made.result(progress)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep from the log what agents say while they trade the past: the report tells it.

    The garbage collector rests meanwhile: the values of a run are in no cycles, and looking through them again and
    again takes up to a fifth of the time.
    """
    log = logging.getLogger(agents.__name__)
    level, collects = log.level, gc.isenabled()
    log.setLevel(logging.CRITICAL)
    gc.disable()
    try:
        yield
    finally:
        log.setLevel(level)
        if collects:
            gc.enable()


class _Backtest:
    """One run: everything built, then driven."""

    def __init__(
        self,
        plan: BacktestPlan,
        candles: Mapping[str, CandleTable],
        details: Mapping[str, CandleTable],
        strategies: StrategiesInUse,
        *,
        every_candle: bool,
        keeps_decisions: bool,
    ) -> None:
        self._plan = plan
        self._strategies = strategies
        self._keeps_decisions = keeps_decisions
        self._quote_asset = _quote_asset(plan, tuple(candles))
        self._exits = exit_settings(plan.settings)
        self._warnings: list[str] = []
        self._clock = BacktestClock(0)
        self._every_candle = every_candle
        tables = {symbol: _until(table, plan.end_ms) for symbol, table in candles.items()}
        start_ms = self._start_ms(tables)
        self._lanes = [
            self._lane(number, table, details.get(symbol), start_ms)
            for number, (symbol, table) in enumerate(tables.items())
        ]
        self._timeline = Timeline(self._lanes)
        self._build()

    def _start_ms(self, tables: Mapping[str, CandleTable]) -> int:
        """When the first tick is: as asked, or when every symbol's strategy has warmed up."""
        if self._plan.start_ms is not None:
            return self._plan.start_ms
        warm = []
        for symbol, table in tables.items():
            wanted = max(LEAST_HISTORY, self._strategies.warm_up(symbol))
            if len(table) <= wanted:
                text = (
                    f"{symbol} has {len(table)} {table.interval} candles, and strategy {self._plan.choice.name} needs"
                )
                raise BacktestError(f"{text} {wanted} before the first tick: give it more, or --start")
            warm.append(int(table.open_times_ms[wanted]))
        return max(warm)

    def _lane(self, number: int, table: CandleTable, detail: CandleTable | None, start_ms: int) -> Lane:
        symbol, settings = table.symbol, self._plan.settings
        first_row = max(1, table.row_from(start_ms))
        if first_row >= len(table):
            until = "on" if self._plan.end_ms is None else f"to {iso_second(self._plan.end_ms)}"
            last = f"the last before that opens at {iso_second(int(table.open_times_ms[-1]))}" if len(table) else ""
            raise BacktestError(
                f"{symbol} has no whole {table.interval} candle from {iso_second(start_ms)} {until}"
                + (f"; {last}" if last else "")
            )
        strategy = self._strategies.of(symbol)
        self._warnings.extend(warnings(table, first_row, strategy, detail))
        rules = self._plan.rules[symbol]
        try:
            fills = fill_rules(table, rules, self._plan.fills, detail)
            fills.bid(first_row)  # where nobody has traded until the first tick there is no price to begin at
        except ValueError as failure:
            raise BacktestError(str(failure)) from None
        place = Place(rules, fills, first_row, {})
        try:
            signals = tick_signals(table, strategy, settings.trading_confirm_interval)
        except Exception as failure:
            raise BacktestError(raised(strategy, failure)) from failure
        return Lane(number, table, place, strategy, signals, first_row, every_candle=self._every_candle)

    def _build(self) -> None:
        plan, clock, settings = self._plan, self._clock, self._plan.settings
        clock.at_ms = int(self._timeline.times_ms[0])
        opening = {self._quote_asset: plan.opening_quote}
        places = {lane.symbol: lane.place for lane in self._lanes}
        rules = {symbol: place.rules for symbol, place in places.items()}
        self._gateway = gateway = BacktestGateway(places, opening, clock, plan.fills.fee_pct / 100)
        self._books = books = MemoryBooks(self._quote_asset, opening)
        gate, limits = EntryGate(), risk_settings(settings)
        alarms = Alarms(books, clock, gate)
        keeper = OrderKeeper(gateway, books, clock, rules, alarms, instance=settings.trading_instance)
        execution = TradeExecutionAgent(
            gateway, books, clock, keeper, run_id=RUN_ID, may_send=lambda: None, refused=_nothing
        )
        identity = Identity(settings.trading_instance, plan.choice.name)
        protection = Protection(self._exits, gateway, books, clock, keeper, execution, alarms, identity)
        risk = RiskManagementAgent(
            limits,
            self._exits,
            gateway,
            books,
            clock,
            identity,
            gate,
            atr_period=settings.risk_atr_period if measures_range(limits, self._exits) else None,
            epoch=lambda: 1,
            locked_by_others=dict,
        )
        pipeline = Pipeline(SignalAgent(self._strategies.of), risk, execution, protection, books)
        breakers = Breakers(books, clock, limits, self._quote_asset)

        def look(index: int) -> None:
            clock.at_ms = int(self._timeline.times_ms[index])
            run_now(breakers.look())

        curve = EquityCurve(
            self._timeline.times_ms,
            self._timeline.bids(),
            self._timeline.bid,
            books,
            LossLimits(limits.max_drawdown_pct, limits.max_daily_loss_pct),
            look,
            quote_asset=self._quote_asset,
            looks_always=self._every_candle,
        )
        curve.hold(plan.opening_quote)
        self._curve = curve
        self.engine = Engine(
            self._lanes,
            self._timeline,
            Agents(pipeline, risk, protection, keeper),
            books,
            gateway,
            clock,
            curve,
            quote_asset=self._quote_asset,
            exits=self._exits,
            looks_after_fills=bool(limits.max_consecutive_losses),
            keeps_decisions=self._keeps_decisions,
        )

    def result(self, progress: Progress | None) -> BacktestResult:
        """Run, and put together what came of it."""
        times_ms = self._timeline.times_ms
        begin_ms, end_ms = int(times_ms[0]), int(times_ms[-1])
        tell = None if progress is None else lambda at_ms: progress(at_ms - begin_ms, end_ms - begin_ms)
        self.engine.run(tell)
        equity, exposure = self._curve.whole()
        return BacktestResult(
            setup=self._setup(begin_ms, end_ms),
            final_quote=self._curve.exact(len(times_ms) - 1),
            orders=self._books.orders,
            fills=self._books.fills,
            positions=self._books.positions(),
            tick_times_ms=times_ms[:-1],
            equity_quote=equity[:-1],
            exposure_quote=exposure[:-1],
            last_bids={lane.symbol: lane.place.fills.last_bid() for lane in self._lanes},
            candles={lane.symbol: lane.table.rows(lane.first_row, len(lane.table)) for lane in self._lanes},
            outcomes=_outcomes(self._lanes, self.engine.tally),
            refusals=self.engine.tally.refusals,
            pauses=self._books.pauses,
            slippage_quote=self._gateway.slippage_quote,
            visited=self.engine.tally.visited,
            ticks=sum(len(lane.tick_times_ms) for lane in self._lanes),
            warnings=tuple(self._warnings),
            decisions=self.engine.tally.decisions,
        )

    def _setup(self, begin_ms: int, end_ms: int) -> BacktestSetup:
        plan, table = self._plan, self._lanes[0].table
        return BacktestSetup(
            strategy=plan.choice.name,
            parameters=parameters_of({lane.symbol: lane.strategy for lane in self._lanes}),
            symbols=tuple(lane.symbol for lane in self._lanes),
            interval=table.interval,
            quote_asset=self._quote_asset,
            start_ms=begin_ms,
            end_ms=end_ms,
            opening_quote=plan.opening_quote,
            settings=changed_settings(plan.settings),
            fills=str(plan.fills),
        )


async def _nothing(intent: OrderIntent, refusal: RejectedError) -> None:
    """Nothing is read anew when an order is refused: the rules of a recorded market stay as they are."""


def _outcomes(lanes: Sequence[Lane], tally: Tally) -> dict[str, int]:
    """How many decisions ended so: those that were made, and those that could end in one way only.

    A tick without a signal is HELD, one on candles that say nothing NO_DATA, and a SELL without a position SKIPPED.
    """
    outcomes = Counter(tally.outcomes)
    said: Counter[tuple[int, bool]] = Counter()
    for lane in lanes:
        action, is_blind = lane.signals.action[lane.first_row :], lane.signals.is_blind[lane.first_row :]
        blind = int(is_blind.sum())
        said[0, True] += blind
        said[0, False] += int((action == 0).sum()) - blind
        said[-1, False] += int((action < 0).sum())
    ends = {(0, True): Outcome.NO_DATA, (0, False): Outcome.HELD, (-1, False): Outcome.SKIPPED}
    for category, outcome in ends.items():
        outcomes[outcome] += said[category] - tally.decided[category]
    return {str(outcome): count for outcome, count in sorted(outcomes.items()) if count}


def _until(table: CandleTable, end_ms: int | None) -> CandleTable:
    """The candles that have closed by then."""
    return table if end_ms is None else table.rows(0, table.row_from(end_ms - table.interval_ms + 1))


def _quote_asset(plan: BacktestPlan, symbols: tuple[str, ...]) -> str:
    if not symbols:
        raise BacktestError("no symbol is given to test on")
    if missing := [symbol for symbol in symbols if symbol not in plan.rules]:
        raise BacktestError(f"the filters of {missing[0]} are not known")
    assets = {plan.rules[symbol].quote_asset for symbol in symbols}
    if len(assets) > 1:
        raise BacktestError(
            f"{', '.join(symbols)} are counted in {', '.join(sorted(assets))}: give symbols of one quote asset"
        )
    return assets.pop()

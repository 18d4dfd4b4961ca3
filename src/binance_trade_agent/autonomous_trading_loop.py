"""AutonomousTradingLoop: the schedule, the duration, the stop. `python -m` on this module starts the daemon."""

import sys

if __name__ == "__main__":
    # Before the imports below: they take a second, in which a signal has to be listened to already.
    from binance_trade_agent.cli import main

    main(["run", *sys.argv[1:]])

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from binance_trade_agent.agents.account_watch import AccountWatch
from binance_trade_agent.agents.breakers import Breakers
from binance_trade_agent.agents.closing import Emergency
from binance_trade_agent.agents.valuation import Valuation
from binance_trade_agent.control import commands
from binance_trade_agent.control.carriers import Carried, Carrier, Moment, Switch, refused
from binance_trade_agent.control.commands import Command, CommandKind, CommandState
from binance_trade_agent.control.persons_pause import why_not_by_assistant
from binance_trade_agent.decision_book import DecisionBook
from binance_trade_agent.domain.clock import Clock
from binance_trade_agent.domain.decisions import Decision
from binance_trade_agent.domain.many import FEW_SYMBOLS
from binance_trade_agent.domain.wording import clock_time, iso_utc
from binance_trade_agent.exchange.errors import ExchangeError, RateLimitedError
from binance_trade_agent.feed.closings import Closings
from binance_trade_agent.ledger.errors import LedgerError
from binance_trade_agent.ledger.ledger import Ledger
from binance_trade_agent.ops import heartbeat
from binance_trade_agent.ops.clock import monotonic_seconds
from binance_trade_agent.ops.reactions import Reactions
from binance_trade_agent.ops.tasks import spawn, stop, wait_for_any
from binance_trade_agent.ops.tick_times import TickTimes
from binance_trade_agent.orchestrator import Tick, TradingOrchestrator

_LOOK_AROUND_SECONDS = 1.0
_LONGEST_WORK_LOOKS = 120  # a tick that takes longer is no sign of life any more
# A stop is over within 10 s: so long it waits for what is under way. An order cut off is asked about later.
_LAST_CALL_SECONDS = 4.0
_LAST_LOOK_SECONDS = 1.0
_LAST_EQUITY_SECONDS = 1.0
_LAST_CANCEL_SECONDS = 2.0
_GAP_INTERVALS = 2
_SYMBOLS_IN_A_PIECE = 20  # of a tick: between two of them what has just closed is decided on

log = logging.getLogger(__name__)
trading_log = structlog.get_logger("trading")


@dataclass(frozen=True, slots=True)
class Schedule:
    """When it ticks (market time): beat k is due k intervals after the start.

    Attributes:
        duration_ms: None means for ever.
        orders_on_stop: what becomes of open orders at the end, see AccountWatch.close_down.
    """

    interval_ms: int
    duration_ms: int | None
    orders_on_stop: str = "cancel_entries"

    def is_over(self, beat: int) -> bool:
        """Whether the run ends before this beat."""
        return self.duration_ms is not None and beat * self.interval_ms >= self.duration_ms


@dataclass(frozen=True, slots=True)
class RunIdentity:
    """What identifies the run, and where its heartbeat goes.

    Attributes:
        instance: the trader's name, by which the kill switch is released.
    """

    run_id: str
    heartbeat_path: Path
    instance: str = "default"


class AutonomousTradingLoop:
    """Ticks on a fixed schedule until the duration is over or somebody says stop.

    Args:
        emergency: does what the kill switch asks for.
        switches: change the strategies, and the limits, when a command of their kind asks for it.
        carriers: carry out the other commands, by kind; `stop` is the loop's own.
        before_tick: awaited at the beginning of each tick; brings in what the exchange has sent.
        periodically: awaited about every second between ticks, beside the loop's own looking around.
        closings: the symbols of which a candle has just closed; they are decided on at once and not at the next tick.

    Attributes:
        missed_ticks: beats that were over before they could be run, and were left out.
        ticks: how long they take.
        on_beat: called with each heartbeat.
        after_tick: awaited at the end of each tick, with its time.
    """

    def __init__(
        self,
        schedule: Schedule,
        symbols: Sequence[str],
        orchestrator: TradingOrchestrator,
        valuation: Valuation,
        breakers: Breakers,
        watch: AccountWatch,
        emergency: Emergency,
        ledger: Ledger,
        clock: Clock,
        identity: RunIdentity,
        switches: Mapping[CommandKind, Switch],
        carriers: Mapping[CommandKind, Carrier],
        *,
        before_tick: Callable[[], Awaitable[None]],
        periodically: Callable[[], Awaitable[None]],
        closings: Closings | None = None,
    ) -> None:
        self._schedule = schedule
        self._symbols = tuple(symbols)
        self._orchestrator = orchestrator
        self._valuation = valuation
        self._breakers = breakers
        self._watch = watch
        self._emergency = emergency
        self._ledger = ledger
        self._clock = clock
        self._identity = identity
        self._switches = switches
        self._carriers: Mapping[CommandKind, Carrier] = {
            CommandKind.STOP: self._stop_when_asked,
            **{kind: switch.carry_out for kind, switch in switches.items()},
            **carriers,
        }
        self._before_tick = before_tick
        self._periodically = periodically
        self._closings = closings
        self._stop = asyncio.Event()
        self._stop_reason = ""
        self._cycle = 0
        self._next_tick_ms = clock.now_ms()
        self._last_trouble = ""
        self._book = DecisionBook(ledger, lambda: orchestrator.held, is_wide=len(self._symbols) > FEW_SYMBOLS)
        self._under_way: dict[str, asyncio.Task[Decision]] = {}  # by symbol, what a verdict has led to
        self._put_off: dict[str, float] = {}  # closings of symbols under way
        self.missed_ticks = 0
        self.ticks = TickTimes()
        self.on_beat: list[Callable[[], None]] = []
        self.after_tick: list[Callable[[int], Awaitable[None]]] = []

    @property
    def reactions(self) -> Reactions:
        """How long it takes from a candle's end to its order."""
        return self._orchestrator.reactions

    @property
    def decided(self) -> Counter[tuple[str, str, str]]:
        """Decisions of this run, by (symbol, outcome, rule that refused or empty)."""
        return self._book.decided

    def request_stop(self, reason: str) -> None:
        """End after what is under way; no new order is decided on from now."""
        self._ledger.hurry()
        self._stop_reason = self._stop_reason or reason
        self._orchestrator.is_stopping = True
        self._stop.set()

    async def run(self) -> str:
        """Trade until the end, and say why it ended.

        Raises:
            MarketGoneError: the simulated exchange that moves the market has ended.
            CannotReconcileError: ledger and exchange contradict each other in a way that nothing explains.
        """
        started, started_ms = self._clock.monotonic_ms(), self._clock.now_ms()
        await self._until_done_or_stopped(self._record_equity(started_ms), _LAST_EQUITY_SECONDS)
        for switch in self._switches.values():
            await self._survive(switch.begin_run(self._identity.run_id, started_ms))
        await self._survive(self._tell_switches())
        try:
            await self._keep_time(started, started_ms)
            await self._until_done_or_stopped(self._all_ended(), _LAST_CALL_SECONDS)
        finally:
            for task in self._under_way.values():
                await stop(task)
        closing = self._survive(self._watch.close_down(self._schedule.orders_on_stop))
        await self._until_done_or_stopped(closing, _LAST_CANCEL_SECONDS)
        await self._until_done_or_stopped(self._record_equity(self._clock.now_ms()), _LAST_EQUITY_SECONDS)
        self.request_stop(heartbeat.DURATION_OVER)  # unless it was asked to before
        if self.missed_ticks:
            log.warning("%d ticks were missed in this run", self.missed_ticks)
        self._beat("stopped")
        return self._stop_reason

    async def _keep_time(self, started: float, started_ms: int) -> None:
        """Tick from then on (monotonic and market time), until the duration is over or somebody says stop."""
        interval_ms, beat = self._schedule.interval_ms, 0
        while not self._stop.is_set():
            self._next_tick_ms = started_ms + beat * interval_ms
            if self._schedule.is_over(beat):
                await self._wait_until(started + (self._schedule.duration_ms or 0))
                break
            due = started + beat * interval_ms
            await self._wait_until(due)
            if missed := max(0, int((self._clock.monotonic_ms() - due) // interval_ms)):
                await self._note_missed(missed)
                beat += missed
            if not self._stop.is_set() and not self._schedule.is_over(beat):
                self.ticks.begin(self._cycle + 1, self._clock.monotonic_ms() - started - beat * interval_ms)
                await self._until_done_or_stopped(self._tick(started_ms + beat * interval_ms), _LAST_CALL_SECONDS)
                beat += 1

    async def _tick(self, tick_ms: int) -> None:
        self._cycle += 1
        tick = Tick(self._identity.run_id, tick_ms, self._cycle)
        with structlog.contextvars.bound_contextvars(run=tick.run_id, tick=iso_utc(tick_ms), cycle=tick.cycle):
            self._book.say_sums("decided as their candles closed")
            header = f"Trading Cycle #{tick.cycle} - {clock_time(tick_ms)}"
            trading_log.info("cycle_started", line=header)
            await self._all_ended()
            await self._survive(self._before_tick())
            await self._survive(self._watch.before_tick())
            await self._survive(self._obey_kill_switch())
            decisions = await self._decide_on_all(tick)
            self._book.say_sums("more of this tick")
            await self._record_equity(tick_ms, decisions)
            for look in self.after_tick:
                await self._survive(look(tick_ms))
        self.ticks.end()
        self._beat("trading")

    async def _decide_on_all(self, tick: Tick) -> list[Decision]:
        """Decide on all symbols. What closes meanwhile does not wait for the last of them."""
        if self._closings is None:
            decided = await self._decide(tick, self._symbols)
            await self._survive(self._book.keep(decided))
            return decided
        decided, kept = [], 0
        for first in range(0, len(self._symbols), _SYMBOLS_IN_A_PIECE):
            if self._closings:
                await self._decide_closed(self._closings, decided[kept:])
                kept = len(decided)
            decided += await self._decide(tick, self._symbols[first : first + _SYMBOLS_IN_A_PIECE])
        await self._survive(self._book.keep(decided[kept:]))
        return decided + await self._all_ended()

    async def _decide(self, tick: Tick, symbols: Sequence[str]) -> list[Decision]:
        """Decide on symbols; the decisions from which nothing follows that still goes on."""
        for symbol in symbols:
            while symbol in self._under_way:
                await self._some_ended()
        return await self._begin(tick, symbols)

    async def _begin(self, tick: Tick, symbols: Iterable[str]) -> list[Decision]:
        """The same of symbols with none under way."""
        tasks = await self._orchestrator.begin_all(tick, symbols)
        self._under_way |= {symbol: task for symbol, task in tasks.items() if not task.done()}
        return self._book.note([task.result() for task in tasks.values() if task.done()])

    async def _some_ended(self) -> list[Decision]:
        """Wait for decisions that are under way, and keep them; of those that ended all."""
        if self._under_way:
            await asyncio.wait(self._under_way.values(), return_when=asyncio.FIRST_COMPLETED)
        return await self._ended()

    async def _all_ended(self) -> list[Decision]:
        """Wait for all decisions that are under way, and keep them."""
        decisions = []
        while self._under_way:
            decisions += await self._some_ended()
        return decisions

    async def _ended(self) -> list[Decision]:
        """Keep the decisions that were under way and have ended."""
        ended = {symbol: task for symbol, task in self._under_way.items() if task.done()}
        for symbol in ended:
            del self._under_way[symbol]
            if self._closings is not None and (closed_seconds := self._put_off.pop(symbol, None)) is not None:
                self._closings.put_back(symbol, closed_seconds)
        decisions = [task.result() for task in ended.values()]
        for decision in decisions:
            tick_time = iso_utc(decision.tick_ms)
            with structlog.contextvars.bound_contextvars(run=decision.run_id, tick=tick_time, cycle=decision.cycle):
                self._book.note([decision])
        if decisions:
            await self._survive(self._book.keep(decisions))
        return decisions

    async def _decide_closed(self, closings: Closings, before: Sequence[Decision] = ()) -> None:
        """Decide on the symbols of which a candle has closed since the tick, whose number they bear.

        Decisions from `before` are written only then, which takes longer.
        """
        closed: dict[str, float] = {}
        tick = Tick(self._identity.run_id, self._clock.now_ms(), self._cycle, closed)
        with structlog.contextvars.bound_contextvars(run=tick.run_id, tick=iso_utc(tick.tick_ms), cycle=tick.cycle):
            decided = await self._begin(tick, self._as_they_close(closings, closed))
            for decisions in (before, decided):
                await self._survive(self._book.keep(decisions))

    def _as_they_close(self, closings: Closings, closed: dict[str, float]) -> Iterator[str]:
        """The symbols, for as long as more close while those before are looked at; `closed` is told when.

        One whose last order is still under way comes back when that has ended.
        """
        while taken := closings.take(without=closed):
            for symbol, closed_seconds in taken.items():
                if symbol in self._under_way:
                    self._put_off[symbol] = closed_seconds
                else:
                    closed[symbol] = closed_seconds
                    yield symbol

    async def _wait_until(self, monotonic_ms: float) -> None:
        """Wait for the beat or the stop; look around every second and decide on candles that close meanwhile."""
        beat = asyncio.ensure_future(self._clock.sleep_until(monotonic_ms))
        stopped = spawn(self._stop.wait(), name="stop")
        closings = self._closings if self._cycle else None  # the first tick decides on everything
        look_at = monotonic_seconds() + _LOOK_AROUND_SECONDS
        try:
            while not beat.done() and not self._stop.is_set():
                sooner = () if closings is None else (closings.has_some,)
                futures = (beat, stopped, *self._under_way.values())
                await wait_for_any(futures, max(0.0, look_at - monotonic_seconds()), *sooner)
                if self._under_way:
                    await self._ended()
                if closings and not self._stop.is_set():
                    await self._until_done_or_stopped(self._decide_closed(closings), _LAST_CALL_SECONDS)
                if not self._stop.is_set() and (monotonic_seconds() >= look_at or beat.done()):
                    if self._under_way:  # nothing else is done beside orders that are
                        self._beat("trading")
                    else:
                        await self._until_done_or_stopped(self._survive(self._look_around()), _LAST_LOOK_SECONDS)
                    look_at = monotonic_seconds() + _LOOK_AROUND_SECONDS
            if beat.done():
                beat.result()  # a clock that failed (the simulated exchange is gone) ends the run
        finally:
            await stop(beat)
            await stop(stopped)

    async def _until_done_or_stopped(self, work: Coroutine[Any, Any, object], last_call_seconds: float) -> None:
        """Let `work` end; from a stop on it has `last_call_seconds` left, then it is cut off.

        While it is at work, as with a slow exchange, there are signs of life, for two minutes.
        """
        task = asyncio.ensure_future(work)
        stopped = spawn(self._stop.wait(), name="stop")
        try:
            for _ in range(_LONGEST_WORK_LOOKS):
                await asyncio.wait({task, stopped}, timeout=_LOOK_AROUND_SECONDS, return_when=asyncio.FIRST_COMPLETED)
                if task.done() or stopped.done():
                    break
                self._beat("trading")
            await asyncio.wait({task, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                await asyncio.wait({task}, timeout=last_call_seconds)
        finally:
            await stop(stopped)
            if not task.done():
                log.warning("the stop cut off what was under way; an order without an end is asked about later")
                await stop(task)
        if not task.cancelled():
            task.result()

    async def _look_around(self) -> None:
        for command in await commands.pending(self._ledger):
            await self._survive(self._carry_out(command))
        await self._survive(self._watch.between_ticks())
        await self._survive(self._obey_kill_switch())
        await self._periodically()
        self._beat("trading")

    async def _carry_out(self, command: Command) -> None:
        """Carry a command out and answer it; one that fails is answered too, so that it is not tried for ever.

        Raises:
            ExchangeError, LedgerError: it could not be done now, or its answer not be written; the command waits.
        """
        moment = Moment(self._identity.run_id, self._clock.now_ms(), self._next_tick_ms)
        try:
            carried = await self._carried(command, moment)
        except (ExchangeError, LedgerError):
            raise
        except Exception as failure:
            log.exception("command %s by %s failed", command.kind, command.requested_by)
            carried = refused(f"it failed: {type(failure).__name__}: {failure}")
        if carried is None:
            return
        await commands.answer(
            self._ledger,
            command.command_id,
            carried.state,
            carried.answer,
            self._clock.now_ms(),
            beside=carried.beside,
            client_order_id=carried.client_order_id,
        )
        log.info("command %s by %s: %s", command.kind.replace("_", "-"), command.requested_by, carried.answer)
        if carried.afterwards:
            carried.afterwards()

    async def _carried(self, command: Command, moment: Moment) -> Carried | None:
        if command.is_by_assistant and (
            why_not := await self._ledger.read(
                lambda connection: why_not_by_assistant(connection, command.kind, command.payload)
            )
        ):
            return refused(why_not)
        carrier = self._carriers.get(command.kind)
        return await carrier(command, moment) if carrier else refused(f"this trader takes no {command.kind}")

    async def _stop_when_asked(self, command: Command, moment: Moment) -> Carried:  # noqa: ARG002 (a Carrier)
        reason = f"stop, asked by {command.requested_by}"
        return Carried(CommandState.DONE, "stopping", afterwards=lambda: self.request_stop(reason))

    async def _tell_switches(self) -> None:
        """At the start: what was thrown in an earlier run, and holds."""
        if await commands.is_killed(self._ledger):
            log.warning(
                "the kill switch is on: nothing is entered until `trade-agent release %s`", self._identity.instance
            )
        if scope := await commands.scope_of_pause(self._ledger):
            log.warning("%s paused until `trade-agent resume`", scope.held_back)

    async def _obey_kill_switch(self) -> None:
        """While it is on, no entry is left to fill: not one of before, nor one whose outcome was not known then."""
        await self._emergency.obey_or_alarm()

    async def _note_missed(self, missed: int) -> None:
        """Late ticks are never made up for; after a long gap what happened meanwhile is asked for first."""
        self.missed_ticks += missed
        log.warning("%d ticks were missed and are not made up for", missed)
        if missed >= _GAP_INTERVALS:
            self._watch.reconcile_soon("ticks were missed")

    async def _record_equity(self, at_ms: int, decisions: Sequence[Decision] = ()) -> None:
        bids = {decision.symbol: decision.bid for decision in decisions if decision.bid is not None}
        await self._survive(self._valuation.record(self._identity.run_id, at_ms, self._cycle, bids))
        await self._survive(self._breakers.look())

    async def _survive(self, work: Awaitable[None]) -> None:
        """What fails beside the decisions is said and tried again later; it does not end the run."""
        try:
            await work
        except (ExchangeError, LedgerError) as failure:
            # The same trouble is said once, not at each tick; a ban's sentence holds the seconds that are left.
            trouble = type(failure).__name__ if isinstance(failure, RateLimitedError) else str(failure)
            if trouble != self._last_trouble:
                log.warning("%s", failure)
            self._last_trouble = trouble

    def _beat(self, state: str) -> None:
        reasons, stream_is_live, news_age_seconds = self._watch.health()
        killed = f"the kill switch is on, until `trade-agent release {self._identity.instance}`"
        switch = [killed, self._emergency.progress] if self._emergency.is_on else []
        detail = "; ".join(filter(None, [*switch, reasons]))
        heartbeat.beat(
            self._identity.heartbeat_path,
            run_id=self._identity.run_id,
            state=state,
            cycle=self._cycle,
            next_within_seconds=_LOOK_AROUND_SECONDS,
            detail=self._stop_reason if state == "stopped" else detail,
            stream_is_live=stream_is_live,
            news_age_seconds=round(news_age_seconds, 3),
        )
        for call in self.on_beat:
            call()

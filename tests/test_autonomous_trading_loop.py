"""The loop on virtual time: when it ticks, what it does between ticks, and how it ends."""

import asyncio
import sqlite3
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

import pytest

from binance_trade_agent import autonomous_trading_loop
from binance_trade_agent.agents.alarms import Alarms
from binance_trade_agent.agents.breakers import Breakers
from binance_trade_agent.agents.closing import Emergency
from binance_trade_agent.agents.entry_gate import EntryGate
from binance_trade_agent.agents.risk import Identity
from binance_trade_agent.autonomous_trading_loop import AutonomousTradingLoop, RunIdentity, Schedule
from binance_trade_agent.control import commands
from binance_trade_agent.control.carriers import Carried
from binance_trade_agent.control.commands import CommandKind, CommandState
from binance_trade_agent.control.risk_switch import RiskSwitch
from binance_trade_agent.control.strategy_switch import StrategySwitch
from binance_trade_agent.control.switch_carriers import SwitchCarriers
from binance_trade_agent.domain.decisions import Decision, Outcome
from binance_trade_agent.domain.pause_scope import PauseScope
from binance_trade_agent.domain.strategy_choice import StrategyChoice
from binance_trade_agent.exchange.errors import BannedError, UnavailableError
from binance_trade_agent.feed.closings import Closings
from binance_trade_agent.ledger import queries
from binance_trade_agent.ledger.ledger import Ledger
from binance_trade_agent.ledger.risk_changes import latest_changes
from binance_trade_agent.ledger.strategy_changes import in_use_at
from binance_trade_agent.ops import heartbeat
from binance_trade_agent.ops.clock import MarketGoneError, give_way, monotonic_seconds, sleep_seconds
from binance_trade_agent.ops.tasks import spawn
from binance_trade_agent.orchestrator import Tick
from binance_trade_agent.risk.settings import RiskSettings
from binance_trade_agent.settings import Settings
from binance_trade_agent.strategies.in_use import StrategiesInUse
from tests.ledger.bookkeeping import trading_ledger
from tests.virtual_clock import VirtualClock

START_MS = 1_000_000
INTERVAL_MS = 10_000
SYMBOLS = ("BTCUSDT", "ETHUSDT")


class Orchestrator:
    """Holds on every symbol, and takes as long as the test says."""

    def __init__(self, clock: VirtualClock) -> None:
        self.ticks: list[Tick] = []
        self.is_stopping = False
        self.takes_ms: list[int] = []
        self.hangs = False
        self.under_way: dict[str, asyncio.Event] = {}  # by symbol, what its next decision waits for
        self.decided: list[tuple[str, ...]] = []
        self._clock = clock

    async def begin_all(self, tick: Tick, symbols) -> dict[str, asyncio.Task[Decision]]:
        if symbols := tuple(symbols):
            self.ticks.append(tick)
            self.decided.append(symbols)
        if self.takes_ms:
            self._clock.pass_by(self.takes_ms.pop(0))
        if self.hangs:
            await asyncio.Event().wait()
        tasks = {
            symbol: spawn(self._decided(tick, symbol, self.under_way.pop(symbol, None)), name=symbol)
            for symbol in symbols
        }
        await give_way()
        return tasks

    async def _decided(self, tick: Tick, symbol: str, until: asyncio.Event | None) -> Decision:
        if until is not None:
            await until.wait()
        return Decision(tick.run_id, tick.tick_ms, tick.cycle, symbol, Outcome.HELD, "quiet", bid=Decimal(5))


class Valuation:
    """Counts its points."""

    def __init__(self) -> None:
        self.points: list[tuple[int, int]] = []
        self.fails = False

    async def record(self, _run_id, tick_ms, cycle, _bids) -> None:
        if self.fails:
            raise UnavailableError("the exchange cannot be reached")
        self.points.append((tick_ms, cycle))


class Watch:
    """Keeps what was asked of it."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.reasons: list[str] = []

    async def before_tick(self) -> None:
        self.asked.append("before tick")

    async def between_ticks(self) -> None:
        self.asked.append("between ticks")

    def reconcile_soon(self, reason: str) -> None:
        self.reasons.append(reason)

    def health(self) -> tuple[str, bool, float]:
        return "", True, 0.0

    async def cancel_unprotective(self, why: str) -> int:
        self.asked.append(f"cancel what protects nothing: {why}")
        return 0

    async def close_down(self, orders_on_stop: str) -> None:
        self.asked.append(orders_on_stop)


@dataclass
class Rig:
    """A loop with its parts."""

    clock: VirtualClock
    orchestrator: Orchestrator
    valuation: Valuation
    watch: Watch
    ledger: Ledger
    strategies: StrategiesInUse
    limits: RiskSwitch
    loop: AutonomousTradingLoop
    beat_path: Path
    gate: EntryGate
    chores: list[str] = field(default_factory=list)

    @property
    def ticks(self) -> list[tuple[int, int]]:
        """(cycle, seconds since the start) of each tick."""
        return [(tick.cycle, (tick.tick_ms - START_MS) // 1000) for tick in self.orchestrator.ticks]


@asynccontextmanager
async def rig(tmp_path: Path, *, duration_ms: int | None = None, closings: Closings | None = None):
    clock = VirtualClock(START_MS)
    orchestrator, valuation, watch = Orchestrator(clock), Valuation(), Watch()
    beat_path = tmp_path / "heartbeat"
    chores: list[str] = []

    async def before_tick() -> None:
        chores.append("before tick")

    async def periodically() -> None:
        chores.append("periodically")

    async with trading_ledger(tmp_path / "ledger.db") as ledger:
        strategies = StrategiesInUse(StrategyChoice("rsi_momentum"), SYMBOLS)
        limits = RiskSwitch(Settings(), ledger)
        gate = EntryGate()
        alarms = Alarms(ledger, clock, gate)
        emergency = Emergency(ledger, watch, None, clock, Identity("mine", "rsi_momentum"), alarms)
        loop = AutonomousTradingLoop(
            Schedule(INTERVAL_MS, duration_ms),
            SYMBOLS,
            orchestrator,
            valuation,
            Breakers(ledger, clock, RiskSettings(), "USDT"),
            watch,
            emergency,
            ledger,
            clock,
            RunIdentity("run-a", beat_path, "mine"),
            {CommandKind.SET_STRATEGY: StrategySwitch(strategies, ledger), CommandKind.SET_RISK: limits},
            SwitchCarriers(ledger, "mine", emergency.obey_and_tell).by_kind,
            before_tick=before_tick,
            periodically=periodically,
            closings=closings,
        )
        yield Rig(clock, orchestrator, valuation, watch, ledger, strategies, limits, loop, beat_path, gate, chores)


async def until(condition) -> None:
    """Return when `condition()` holds; fails after 10 s."""
    deadline = monotonic_seconds() + 10
    while not condition():
        assert monotonic_seconds() < deadline
        await sleep_seconds(0.005)


async def test_ticks_come_at_the_start_and_every_interval_until_the_duration_is_over(tmp_path):
    async with rig(tmp_path, duration_ms=35_000) as ready:
        assert await ready.loop.run() == "the duration is over"
        assert ready.ticks == [(1, 0), (2, 10), (3, 20), (4, 30)]
        assert ready.clock.now_ms() == START_MS + 35_000
        assert ready.orchestrator.is_stopping
        assert ready.loop.missed_ticks == 0


async def test_tick_that_falls_on_the_end_is_not_run(tmp_path):
    async with rig(tmp_path, duration_ms=20_000) as ready:
        await ready.loop.run()
        assert ready.ticks == [(1, 0), (2, 10)]


async def test_equity_is_kept_at_the_start_at_each_tick_and_at_the_end(tmp_path):
    async with rig(tmp_path, duration_ms=15_000) as ready:
        await ready.loop.run()
        assert ready.valuation.points == [
            (START_MS, 0),
            (START_MS, 1),
            (START_MS + 10_000, 2),
            (START_MS + 15_000, 2),
        ]


async def test_every_tick_leaves_a_decision_for_every_symbol(tmp_path):
    async with rig(tmp_path, duration_ms=30_000) as ready:
        await ready.loop.run()
        kept = await ready.ledger.read(lambda connection: queries.decisions(connection, "run-a"))
        assert sorted((decision.cycle, decision.symbol) for decision in kept) == [
            (cycle, symbol) for cycle in (1, 2, 3) for symbol in SYMBOLS
        ]


async def test_what_the_exchange_sent_is_brought_in_before_each_tick(tmp_path):
    async with rig(tmp_path, duration_ms=20_000) as ready:
        await ready.loop.run()
        assert ready.chores.count("before tick") == 2
        assert "periodically" in ready.chores[: ready.chores.index("before tick")]


async def kept_by(ready: Rig) -> list[tuple[int, str]]:
    kept = await ready.ledger.read(lambda connection: queries.decisions(connection, "run-a"))
    return sorted((decision.cycle, decision.symbol) for decision in kept)


async def test_candle_that_closes_is_decided_on_while_an_order_of_another_symbol_is_under_way(tmp_path):
    closings = Closings("1m")
    async with rig(tmp_path, closings=closings) as ready:
        first = ready.orchestrator.under_way["BTCUSDT"] = asyncio.Event()
        running = spawn(ready.loop.run(), name="loop")
        await until(lambda: ready.orchestrator.decided)
        ready.clock.is_held = True  # from the first tick on
        first.set()
        answered = ready.orchestrator.under_way["BTCUSDT"] = asyncio.Event()
        ready.clock.pass_by(1)  # each decision has its time
        closings.hear("BTCUSDT", "1m", 0)
        await until(lambda: ready.orchestrator.decided[1:] == [("BTCUSDT",)])
        ready.clock.pass_by(1)
        closings.hear("ETHUSDT", "1m", 0)
        await until(lambda: ready.orchestrator.decided[2:] == [("ETHUSDT",)])
        looks = len(ready.watch.asked)
        ready.clock.pass_by(1)
        closings.hear("BTCUSDT", "1m", 0)  # it is not decided on twice at a time
        await until(lambda: not closings)
        assert ready.orchestrator.decided[3:] == []
        assert ready.watch.asked[looks:] == [], "nothing else is done meanwhile"
        answered.set()
        await until(lambda: ready.orchestrator.decided[3:] == [("BTCUSDT",)])
        ready.loop.request_stop("enough")
        assert await running == "enough"
        assert await kept_by(ready) == sorted([*((1, symbol) for symbol in SYMBOLS)] * 2 + [(1, "BTCUSDT")])


async def test_tick_and_stop_wait_for_what_is_under_way_and_keep_it(tmp_path):
    closings = Closings("1m")
    async with rig(tmp_path, duration_ms=15_000, closings=closings) as ready:
        first = ready.orchestrator.under_way["BTCUSDT"] = asyncio.Event()
        running = spawn(ready.loop.run(), name="loop")
        await until(lambda: ready.orchestrator.decided)
        await sleep_seconds(0)
        assert len(ready.orchestrator.decided) == 1, "it does not end before"
        first.set()
        await running
        assert await kept_by(ready) == [(cycle, symbol) for cycle in (1, 2) for symbol in SYMBOLS]


async def test_stop_cuts_off_an_order_that_does_not_end(tmp_path, monkeypatch):
    monkeypatch.setattr(autonomous_trading_loop, "_LAST_CALL_SECONDS", 0.01)
    async with rig(tmp_path, closings=Closings("1m")) as ready:
        ready.orchestrator.under_way["BTCUSDT"] = asyncio.Event()
        running = spawn(ready.loop.run(), name="loop")
        await until(lambda: ready.orchestrator.decided)
        ready.loop.request_stop("SIGTERM")
        assert await asyncio.wait_for(running, 10) == "SIGTERM"
        assert ready.watch.asked[-1] == "cancel_entries"


async def test_slow_tick_within_the_interval_delays_none(tmp_path):
    async with rig(tmp_path, duration_ms=40_000) as ready:
        ready.orchestrator.takes_ms = [9_999, 0, 5_000]
        await ready.loop.run()
        assert ready.ticks == [(1, 0), (2, 10), (3, 20), (4, 30)]
        assert ready.loop.missed_ticks == 0


async def test_late_tick_is_run_once_and_counted_and_the_schedule_stays(tmp_path):
    async with rig(tmp_path, duration_ms=60_000) as ready:
        ready.orchestrator.takes_ms = [0, 25_000]
        await ready.loop.run()
        assert ready.ticks == [(1, 0), (2, 10), (3, 30), (4, 40), (5, 50)]
        assert ready.loop.missed_ticks == 1
        assert ready.watch.reasons == []


async def test_machine_that_slept_runs_one_tick_after_a_recovery(tmp_path, caplog):
    async with rig(tmp_path, duration_ms=7_200_000) as ready:
        ready.clock.overslept_ms = [0, 3_600_000]
        await ready.loop.run()
        assert ready.ticks[:3] == [(1, 0), (2, 3610), (3, 3620)]
        assert ready.loop.missed_ticks == 360
        assert ready.watch.reasons == ["ticks were missed"]
        assert "360 ticks were missed and are not made up for" in caplog.text


async def test_gap_beyond_the_duration_ends_the_run_without_another_tick(tmp_path):
    async with rig(tmp_path, duration_ms=30_000) as ready:
        ready.clock.overslept_ms = [0, 100_000]
        assert await ready.loop.run() == "the duration is over"
        assert ready.ticks == [(1, 0)]


async def test_run_without_duration_ends_when_it_is_told(tmp_path):
    async with rig(tmp_path) as ready:
        running = spawn(ready.loop.run(), name="loop")
        await until(lambda: len(ready.ticks) >= 5)
        ready.loop.request_stop("SIGTERM")
        ready.loop.request_stop("SIGINT")
        assert await running == "SIGTERM"
        assert ready.ticks[:3] == [(1, 0), (2, 10), (3, 20)]
        assert ready.loop.missed_ticks == 0


async def test_stop_during_the_wait_ends_at_once_without_a_tick(tmp_path):
    async with rig(tmp_path) as ready:
        ready.clock.is_held = True
        running = spawn(ready.loop.run(), name="loop")
        await until(lambda: ready.valuation.points)
        ready.loop.request_stop("SIGTERM")
        assert await asyncio.wait_for(running, 1) == "SIGTERM"
        assert ready.ticks == []
        assert heartbeat.read(ready.beat_path).state == "stopped"


async def test_stop_during_a_tick_lets_it_end(tmp_path):
    async with rig(tmp_path) as ready:
        release = asyncio.Event()
        begin_all = ready.orchestrator.begin_all

        async def slow(tick, symbols):
            await release.wait()
            return await begin_all(tick, symbols)

        ready.orchestrator.begin_all = slow
        running = spawn(ready.loop.run(), name="loop")
        await until(lambda: "before tick" in ready.chores)
        ready.loop.request_stop("SIGTERM")
        release.set()
        assert await running == "SIGTERM"
        assert ready.ticks == [(1, 0)]
        assert len(await ready.ledger.read(lambda connection: queries.decisions(connection, "run-a"))) == len(SYMBOLS)


async def test_tick_that_hangs_is_cut_off_some_time_after_the_stop(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(autonomous_trading_loop, "_LAST_CALL_SECONDS", 0.1)
    async with rig(tmp_path) as ready:
        ready.orchestrator.hangs = True
        running = spawn(ready.loop.run(), name="loop")
        await until(lambda: ready.ticks)
        ready.loop.request_stop("SIGTERM")
        assert await asyncio.wait_for(running, 2) == "SIGTERM"
        assert "the stop cut off what was under way" in caplog.text


async def test_a_tick_that_takes_long_gives_signs_of_life_for_a_while_and_no_longer(tmp_path, monkeypatch):
    monkeypatch.setattr(autonomous_trading_loop, "_LOOK_AROUND_SECONDS", 0.01)
    monkeypatch.setattr(autonomous_trading_loop, "_LONGEST_WORK_LOOKS", 3)
    async with rig(tmp_path) as ready:
        ready.orchestrator.hangs = True
        beats = []
        ready.loop.on_beat.append(lambda: ready.ticks and beats.append(heartbeat.read(ready.beat_path).state))
        running = spawn(ready.loop.run(), name="loop")
        await until(lambda: len(beats) >= 3)
        await sleep_seconds(0.05)  # time for one too many
        monkeypatch.setattr(autonomous_trading_loop, "_LAST_CALL_SECONDS", 0.1)
        ready.loop.request_stop("SIGTERM")
        await running
        assert beats == ["trading"] * 3 + ["stopped"]


async def test_looking_around_that_hangs_does_not_keep_the_stop(tmp_path, monkeypatch):
    monkeypatch.setattr(autonomous_trading_loop, "_LAST_LOOK_SECONDS", 0.1)
    async with rig(tmp_path) as ready:

        async def hang() -> None:
            ready.chores.append("hanging")
            await asyncio.Event().wait()

        ready.loop._periodically = hang
        running = spawn(ready.loop.run(), name="loop")
        await until(lambda: "hanging" in ready.chores)
        ready.loop.request_stop("SIGTERM")
        assert await asyncio.wait_for(running, 2) == "SIGTERM"


async def test_account_is_looked_after_before_each_tick_and_between_ticks(tmp_path):
    async with rig(tmp_path, duration_ms=30_000) as ready:
        await ready.loop.run()
        assert ready.watch.asked.count("before tick") == len(ready.ticks)
        assert "between ticks" in ready.watch.asked


async def test_trouble_beside_the_decisions_is_said_and_survived(tmp_path, caplog):
    async with rig(tmp_path, duration_ms=20_000) as ready:
        ready.valuation.fails = True
        assert await ready.loop.run() == "the duration is over"
        assert len(ready.ticks) == 2
        assert "the exchange cannot be reached" in caplog.text


async def test_a_ban_is_said_once_though_its_seconds_go_down(tmp_path, caplog):
    async with rig(tmp_path, duration_ms=50_000) as ready:
        left = iter(range(90, 0, -10))

        async def banned(*_) -> None:
            raise BannedError(next(left), "The exchange has banned this address.")

        ready.valuation.record = banned
        await ready.loop.run()
        assert len(ready.ticks) == 5
        assert [each for each in caplog.messages if "banned" in each] == [
            "The exchange has banned this address. Retry after 90 s."
        ]


async def test_clock_that_fails_ends_the_run(tmp_path):
    async with rig(tmp_path) as ready:

        async def gone(_: float) -> None:
            raise MarketGoneError("the simulated exchange is gone")

        ready.clock.sleep_until = gone
        with pytest.raises(MarketGoneError, match="is gone"):
            await ready.loop.run()


@pytest.mark.parametrize(
    ("kind", "answer"),
    [(CommandKind.PAUSE, "entries are paused"), (CommandKind.RESUME, "entries are allowed again")],
)
async def test_switch_is_carried_out_answered_and_kept(tmp_path, kind, answer):
    async with rig(tmp_path, duration_ms=10_000) as ready:
        number = commands.place(ready.ledger.path, kind, requested_by="test", requested_wall_ms=1)
        await ready.loop.run()
        command = await ready.ledger.read(lambda connection: commands.command(connection, number))
        assert (command.state, command.answer) == (CommandState.DONE, answer)
        assert await commands.is_paused(ready.ledger) is (kind is CommandKind.PAUSE)


async def answered(ready: Rig, number: int) -> tuple[CommandState, str]:
    command = await ready.ledger.read(lambda connection: commands.command(connection, number))
    return command.state, command.answer


async def test_strategy_is_changed_between_two_ticks_and_from_the_next_one_on(tmp_path):
    async with rig(tmp_path, duration_ms=30_000) as ready:
        decided_by: list[str] = []
        placed: list[int] = []
        begin_all = ready.orchestrator.begin_all

        async def asked_for_meanwhile(tick, symbols):
            if tick.cycle == 2:  # in the middle of a tick
                payload = {"name": "macd_crossover"}
                placed.append(
                    commands.place(
                        ready.ledger.path,
                        CommandKind.SET_STRATEGY,
                        requested_by="cli",
                        requested_wall_ms=1,
                        payload=payload,
                    )
                )
            decided = await begin_all(tick, symbols)
            decided_by.append(ready.strategies.of("BTCUSDT").name)
            return decided

        ready.orchestrator.begin_all = asked_for_meanwhile
        await ready.loop.run()
        assert decided_by == ["rsi_momentum", "rsi_momentum", "macd_crossover"]
        state, said = await answered(ready, placed[0])
        assert (state, said) == (
            CommandState.DONE,
            "from the tick at 00:17:00 UTC on: rsi_momentum -> macd_crossover",
        )
        for tick, name in zip(ready.orchestrator.ticks, decided_by, strict=True):
            used = await ready.ledger.read(lambda connection, at=tick.tick_ms: in_use_at(connection, "run-a", at))
            assert used.choice.name == name


async def test_strategy_asked_for_after_the_last_tick_has_decided_on_none_of_this_run(tmp_path):
    async with rig(tmp_path, duration_ms=10_000) as ready:
        begin_all = ready.orchestrator.begin_all

        async def asked_for_meanwhile(tick, symbols):
            payload = {"name": "macd_crossover"}
            commands.place(
                ready.ledger.path, CommandKind.SET_STRATEGY, requested_by="cli", requested_wall_ms=1, payload=payload
            )
            return await begin_all(tick, symbols)

        ready.orchestrator.begin_all = asked_for_meanwhile
        await ready.loop.run()
        assert (ready.ticks, ready.strategies.name) == ([(1, 0)], "macd_crossover")
        used = await ready.ledger.read(lambda connection: in_use_at(connection, "run-a", START_MS))
        assert used.choice.name == "rsi_momentum"


async def test_strategy_asked_for_before_the_start_decides_at_the_first_tick(tmp_path):
    async with rig(tmp_path, duration_ms=10_000) as ready:
        payload = {"name": "macd_crossover"}
        commands.place(
            ready.ledger.path, CommandKind.SET_STRATEGY, requested_by="cli", requested_wall_ms=1, payload=payload
        )
        await ready.loop.run()
        used = await ready.ledger.read(lambda connection: in_use_at(connection, "run-a", START_MS))
        assert used.choice.name == "macd_crossover"
        assert ready.ticks == [(1, 0)]


async def test_limits_are_changed_between_two_ticks_for_all_who_go_by_them(tmp_path):
    async with rig(tmp_path, duration_ms=30_000) as ready:
        in_use = [ready.limits.limits]
        ready.limits.takers.append(in_use.append)
        at_ticks: list[Decimal] = []
        placed: list[int] = []
        begin_all = ready.orchestrator.begin_all

        async def asked_for_meanwhile(tick, symbols):
            if tick.cycle == 2:  # in the middle of a tick
                placed.append(ask_for_limits(ready, RISK_MAX_ORDER_QUOTE="200"))
            decided = await begin_all(tick, symbols)
            at_ticks.append(in_use[-1].max_order_quote)
            return decided

        ready.orchestrator.begin_all = asked_for_meanwhile
        await ready.loop.run()
        assert at_ticks == [500, 500, 200]
        assert await answered(ready, placed[0]) == (
            CommandState.DONE,
            "from now on: RISK_MAX_ORDER_QUOTE 500 -> 200",
        )
        (change,) = await ready.ledger.read(lambda connection: latest_changes(connection, 10))
        assert (change.run_id, change.command_id) == ("run-a", placed[0])
        assert START_MS + 10_000 <= change.at_ms <= START_MS + 20_000


async def test_limits_that_cannot_be_are_refused_and_the_loop_goes_on(tmp_path):
    async with rig(tmp_path, duration_ms=20_000) as ready:
        number = ask_for_limits(ready, RISK_MAX_ORDER_QUOTE="20")
        await ready.loop.run()
        state, said = await answered(ready, number)
        assert state is CommandState.REFUSED
        assert said.startswith("TRADING_ORDER_QUOTE is 100: RISK_MAX_ORDER_QUOTE allows no more than 20")
        assert len(ready.ticks) == 2


def ask_for_limits(ready: Rig, **wanted: str) -> int:
    return commands.place(
        ready.ledger.path, CommandKind.SET_RISK, requested_by="dashboard", requested_wall_ms=1, payload=wanted
    )


async def test_a_second_pause_changes_the_scope_and_resume_ends_both(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(autonomous_trading_loop, "_LOOK_AROUND_SECONDS", 0.01)
    async with rig(tmp_path, duration_ms=10_000) as ready:
        scopes = []
        for payload in ({}, {"scope": "everything"}, {"scope": "entries"}, {"scope": "all"}):
            number = commands.place(
                ready.ledger.path, CommandKind.PAUSE, requested_by="cli", requested_wall_ms=1, payload=payload
            )
            await ready.loop._look_around()
            scopes.append((await commands.scope_of_pause(ready.ledger), (await answered(ready, number))[0]))
        assert scopes == [
            (PauseScope.ENTRIES, CommandState.DONE),
            (PauseScope.EVERYTHING, CommandState.DONE),
            (PauseScope.ENTRIES, CommandState.DONE),
            (PauseScope.ENTRIES, CommandState.REFUSED),
        ]
        commands.place(
            ready.ledger.path,
            CommandKind.PAUSE,
            requested_by="cli",
            requested_wall_ms=1,
            payload={"scope": "everything"},
        )
        await ready.loop._look_around()
        await ready.loop._tell_switches()
        assert "everything but what protects positions is paused until `trade-agent resume`" in caplog.text
        commands.place(ready.ledger.path, CommandKind.RESUME, requested_by="cli", requested_wall_ms=1)
        await ready.loop._look_around()
        assert await commands.scope_of_pause(ready.ledger) is None


async def test_kill_switch_cancels_entries_at_each_look_until_it_is_released_by_name(tmp_path, monkeypatch):
    monkeypatch.setattr(autonomous_trading_loop, "_LOOK_AROUND_SECONDS", 0.01)
    async with rig(tmp_path) as ready:
        ready.clock.is_held = True
        running = spawn(ready.loop.run(), name="loop")

        async def carried_out(kind: CommandKind, **payload: str) -> tuple[CommandState, str]:
            number = commands.place(ready.ledger.path, kind, requested_by="cli", requested_wall_ms=1, payload=payload)
            deadline = monotonic_seconds() + 10
            while (found := await answered(ready, number))[0] is CommandState.PENDING:
                assert monotonic_seconds() < deadline
                await sleep_seconds(0.005)
            return found

        on = "the kill switch is on: nothing is entered until `trade-agent release mine`"
        assert await carried_out(CommandKind.KILL) == (CommandState.DONE, on)
        await until(lambda: "cancel what protects nothing: the kill switch is on" in ready.watch.asked)
        await until(lambda: heartbeat.read(ready.beat_path) is not None)  # the first one may come after the answer
        await until(lambda: "the kill switch is on" in heartbeat.read(ready.beat_path).detail)
        assert await carried_out(CommandKind.RELEASE, name="yours") == (
            CommandState.REFUSED,
            "this trader is mine, not yours: `trade-agent release mine`",
        )
        still_on = "entries are no longer paused, but the kill switch is on until `trade-agent release mine`"
        assert await carried_out(CommandKind.RESUME) == (CommandState.DONE, still_on)
        assert await commands.is_killed(ready.ledger), "resume ends a pause only"
        assert await carried_out(CommandKind.PAUSE) == (CommandState.DONE, "entries are paused")
        still_paused = "the kill switch is off, but entries are paused until `trade-agent resume`"
        assert await carried_out(CommandKind.RELEASE, name="mine") == (CommandState.DONE, still_paused)
        assert await carried_out(CommandKind.RESUME) == (CommandState.DONE, "entries are allowed again")
        assert not await commands.is_killed(ready.ledger)
        await until(lambda: heartbeat.read(ready.beat_path).detail == "")
        ready.loop.request_stop("enough")
        await running


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (CommandKind.KILL, "the kill switch is on: nothing is entered until `trade-agent release mine`"),
        (CommandKind.PAUSE, "entries are paused until `trade-agent resume`"),
    ],
)
async def test_switch_that_was_thrown_in_an_earlier_run_is_told_at_the_start(tmp_path, caplog, kind, said):
    async with rig(tmp_path, duration_ms=10_000) as ready:
        number = commands.place(ready.ledger.path, kind, requested_by="cli", requested_wall_ms=1)
        await commands.answer(ready.ledger, number, CommandState.DONE, "done", START_MS)
        await ready.loop.run()
        assert said in caplog.messages


async def test_kill_that_was_placed_while_no_trader_ran_holds_before_the_first_tick(tmp_path):
    async with rig(tmp_path, duration_ms=10_000) as ready:
        commands.place(ready.ledger.path, CommandKind.KILL, requested_by="cli", requested_wall_ms=1)
        begin_all = ready.orchestrator.begin_all

        async def looking(tick, symbols):
            ready.watch.asked.append("decide")
            return await begin_all(tick, symbols)

        ready.orchestrator.begin_all = looking
        await ready.loop.run()
        asked = ready.watch.asked
        assert asked.index("cancel what protects nothing: the kill switch is on") < asked.index("decide")


async def test_a_look_at_the_kill_switch_that_fails_ends_no_run_and_keeps_entries_away(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(autonomous_trading_loop, "_LOOK_AROUND_SECONDS", 0.01)
    async with rig(tmp_path) as ready:
        commands.place(ready.ledger.path, CommandKind.KILL, requested_by="cli", requested_wall_ms=1)
        cancel, tries = ready.watch.cancel_unprotective, []

        async def fails(why: str) -> int:
            tries.append(why)
            raise ZeroDivisionError("nobody thought of it")

        ready.watch.cancel_unprotective = fails
        ready.clock.is_held = True
        running = spawn(ready.loop.run(), name="loop")
        await until(lambda: len(tries) > 3)
        assert ready.gate.refusal("BTCUSDT") == (
            "kill_not_obeyed",
            "the kill switch could not be looked at or obeyed, ZeroDivisionError: nobody thought of it",
        )
        (alarm,) = await ready.ledger.alarms()
        assert (alarm.kind, alarm.blocks, alarm.times) == ("kill_not_obeyed", True, 1)
        assert sum("looking at the kill switch failed" in each for each in caplog.messages) == 1
        ready.watch.cancel_unprotective = cancel
        await until(lambda: ready.gate.refusal("BTCUSDT") is None)
        ready.loop.request_stop("enough")
        assert await running == "enough"


async def test_stop_command_is_answered_before_the_run_ends(tmp_path):
    async with rig(tmp_path) as ready:
        running = spawn(ready.loop.run(), name="loop")
        await until(lambda: ready.ticks)
        number = commands.place(ready.ledger.path, CommandKind.STOP, requested_by="cli", requested_wall_ms=1)
        assert await asyncio.wait_for(running, 5) == "stop, asked by cli"
        command = await ready.ledger.read(lambda connection: commands.command(connection, number))
        assert (command.state, command.answer) == (CommandState.DONE, "stopping")


async def test_heartbeat_tells_the_cycle_and_the_end(tmp_path):
    async with rig(tmp_path, duration_ms=20_000) as ready:
        await ready.loop.run()
        last = heartbeat.read(ready.beat_path)
        assert (last.state, last.cycle, last.run_id, last.is_healthy) == ("stopped", 2, "run-a", True)


async def test_command_that_fails_is_answered_and_one_that_is_not_over_waits(tmp_path):
    async with rig(tmp_path, duration_ms=25_000) as ready:
        looks = []

        async def fails(*_):
            raise ZeroDivisionError("by nought")

        async def takes_time(command, _):
            looks.append(command.command_id)
            return Carried(CommandState.DONE, "at last", "bta-1") if len(looks) > 1 else None

        async def is_away(*_):
            raise UnavailableError("the exchange cannot be reached")

        kinds = (CommandKind.ORDER, CommandKind.CLOSE, CommandKind.CANCEL)
        carriers = zip(kinds, (fails, takes_time, is_away), strict=True)
        ready.loop._carriers = {**ready.loop._carriers, **dict(carriers)}
        numbers = [commands.place(ready.ledger.path, kind, requested_by="ann", requested_wall_ms=1) for kind in kinds]
        await ready.loop.run()
        answered = [
            await ready.ledger.read(lambda connection, n=number: commands.command(connection, n)) for number in numbers
        ]
        assert [(each.state, each.answer, each.client_order_id) for each in answered] == [
            (CommandState.REFUSED, "it failed: ZeroDivisionError: by nought", None),
            (CommandState.DONE, "at last", "bta-1"),
            (CommandState.PENDING, "", None),
        ]


async def test_command_that_nobody_understands_is_answered_and_the_run_goes_on(tmp_path):
    async with rig(tmp_path, duration_ms=25_000) as ready:
        path = ready.ledger.path
        names = {"name": "\udcff", "\ud800": "x"}
        release = commands.place(path, CommandKind.RELEASE, requested_by="\udcff", requested_wall_ms=1, payload=names)
        newer = commands.place(path, CommandKind.RESUME, requested_by="ann", requested_wall_ms=1)
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("UPDATE commands SET kind = 'rebalance' WHERE command_id = ?", (newer,))
        assert await ready.loop.run() == "the duration is over"
        assert await answered(ready, release) == (
            CommandState.REFUSED,
            "this trader is mine, not ?: `trade-agent release mine`",
        )
        assert await answered(ready, newer) == (CommandState.REFUSED, "this trader takes no rebalance")

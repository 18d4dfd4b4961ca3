"""One seed from beginning to end: chaos, then quiet, then the books are compared."""

import asyncio
import gc
import itertools
import time
import traceback
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from binance_trade_agent.agents import in_question, market_data
from binance_trade_agent.control.commands import CommandKind
from binance_trade_agent.domain.order_states import GIVEN_UP_STATES, OrderState
from binance_trade_agent.domain.values import replace
from binance_trade_agent.ledger import queries
from binance_trade_agent.ops.clock import sleep_seconds
from binance_trade_agent.ops.tasks import spawn, stop
from tests.torture.backups import Backups
from tests.torture.daemon import Daemon
from tests.torture.ledger import LOCKED_SECONDS
from tests.torture.loop import run_virtual
from tests.torture.people import People, promised_twice, unanswered
from tests.torture.plan import Deed, Doom, Plan, plan_of
from tests.torture.shared import SYMBOLS, SharedAccountOfWorld, redis_deeds
from tests.torture.world import World

# A market with a short past is enough for a coin, and costs little.
_LEAST_HISTORY = 30
_START_SECONDS = 150.0  # in quiet: back-offs, a ban and frozen connections run out
_STOP_SECONDS = 10.5
_TRADE_SECONDS = 16.0
SHARED_SYMBOLS = (*(symbol for symbols in SYMBOLS.values() for symbol in symbols), "BNBUSDT")


@dataclass
class Result:
    """What came of a seed; plain values, to be handed from process to process.

    Attributes:
        violations: what must not have been; empty when the seed has passed.
        faults: how often each kind of fault has happened; crashes: deaths by crash point or manner.
        resolved: orders that had been unknown, by what became of them.
        restarts: virtual seconds from each start to trading.
        unknown_seconds: longest time for which an order was unknown.
        trace: last lines, of a seed that failed.
    """

    seed: int
    hash: str = ""
    violations: list[str] = field(default_factory=list)
    virtual_seconds: float = 0.0
    cpu_seconds: float = 0.0
    lives: int = 0
    orders: int = 0
    posts: int = 0
    fills: int = 0
    protections: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    crashes: Counter[str] = field(default_factory=Counter)
    passes: Counter[str] = field(default_factory=Counter)
    ends: Counter[str] = field(default_factory=Counter)
    resolved: Counter[str] = field(default_factory=Counter)
    sentences: Counter[str] = field(default_factory=Counter)
    restarts: list[float] = field(default_factory=list)
    unknown_seconds: float = 0.0
    converged_seconds: float = 0.0
    late_fills: int = 0
    lost: int = 0
    doubled: int = 0
    differences: int = 0
    trace: list[str] = field(default_factory=list)


def run_seed(seed: int, *, is_printed: bool = False) -> Result:
    """Run one seed on virtual time. Whatever goes wrong is in the result.

    To the daemons of every second seed their symbols are many: what they ask of each is only what is in question.
    """
    result = Result(seed)
    began = time.process_time()
    history, market_data.LEAST_HISTORY = market_data.LEAST_HISTORY, _LEAST_HISTORY
    few = in_question.FEW_SYMBOLS, in_question.FEW_ORDERS
    if seed % 2:
        in_question.FEW_SYMBOLS = in_question.FEW_ORDERS = 0
    gc.disable()  # so that nothing is finalised at a moment that the seed has not chosen
    try:
        plan = plan_of(seed)
        run_virtual(_episode, plan, result, is_printed, seed=seed, reorder=plan.reorder, stall=plan.stall)
    except Exception as failure:  # noqa: BLE001 (told with its seed)
        result.violations.append(f"the world broke: {failure!r}\n{traceback.format_exc()}")
    finally:
        market_data.LEAST_HISTORY = history
        in_question.FEW_SYMBOLS, in_question.FEW_ORDERS = few
        gc.enable()
        gc.collect()
    result.cpu_seconds = time.process_time() - began
    return result


async def _episode(plan: Plan, result: Result, is_printed: bool) -> None:
    shared = {"symbols": SHARED_SYMBOLS, "bnb": Decimal(int(plan.has_bnb))} if plan.is_shared else {}
    world = World(plan.seed, network=plan.network, is_printed=is_printed, **shared, **plan.settings)
    world.disk = plan.disk
    async with world:
        episode = _SharedEpisode(world, plan, result) if plan.is_shared else _Episode(world, plan, result)
        try:
            await episode.run()
        finally:
            episode.count()
    result.hash = world.trace.hash
    result.virtual_seconds = world.loop.elapsed_seconds


class _Episode:
    def __init__(self, world: World, plan: Plan, result: Result, people: People | None = None) -> None:
        self._world = world
        self._plan = plan
        self._result = result
        self._people = people or People(world)
        self._backups = Backups(world)
        self._on: list[tuple[str, Any]] = []  # faults of the exchange, with what counts them

    async def run(self) -> None:
        world = self._world
        for deed in self._plan.deeds:
            world.trace.say(f"plan: at {deed.at_seconds:.1f} {deed.what} {deed.fields}")
        world.trace.say(f"plan: network {self._plan.network_name}, {self._plan.disk}, {self._plan.settings}")
        deeds = spawn(self._do_deeds(), name="deeds")
        daemon = await self._chaos()
        await stop(deeds)
        self._count_faults()
        world.quiet()
        if not self._is_broken():
            await self._end_well(await self._quiet(daemon))

    # -- chaos

    async def _chaos(self) -> Daemon:
        """Its lives, while persons ask and backups are taken."""
        asks = spawn(self._ask(self._plan.asks), name="people")
        backups = spawn(self._back_up(self._plan.backups), name="backups")
        daemon = await self._lives()
        await stop(asks)
        await stop(backups)
        return daemon

    async def _lives(self) -> Daemon:
        """One life after the other until the chaos is over; returns the last one, which may be alive."""
        world, end = self._world, self._world.loop.time() + self._plan.chaos_seconds
        for doom in self._plan.dooms():
            daemon = self._begin(doom)
            deadline = min(end, world.loop.time() + doom.after_seconds)
            await self._until_ended(daemon, deadline)
            if world.loop.time() >= end or self._is_broken():
                return daemon
            await self._end(daemon, doom)
            await self._backups.maybe_restore()
            await world.sleep(min(doom.pause_seconds, max(0.0, end - world.loop.time())))
        raise AssertionError("there are always more dooms")

    def _begin(self, doom: Doom) -> Daemon:
        left = doom.nth

        def is_time(point: str) -> bool:
            nonlocal left
            left -= point == doom.point
            return point == doom.point and left == 0

        self._world.crash_when = is_time
        return self._world.start()

    async def _until_ended(self, daemon: Daemon, deadline: float) -> None:
        assert daemon.task is not None
        while daemon.is_alive and not daemon.machine.is_dead and not self._is_broken():
            left = deadline - self._world.loop.time()
            if left <= 0:
                return
            await asyncio.wait({daemon.task}, timeout=min(left, 5.0))
        if daemon.machine.is_dead:
            await daemon.ended()

    async def _end(self, daemon: Daemon, doom: Doom) -> None:
        if not daemon.is_alive:
            if daemon.end is not None and daemon.end.startswith("not started"):
                await self._world.sleep(5.0)  # as a supervisor does
            return
        self._world.crash_when = lambda _: False
        if doom.by_stop:
            self._world.trace.add("stop", daemon.machine.name)
            await self._stop(daemon)
        else:
            self._world.crashes["at a random moment"] += 1
            self._world.trace.add("kill", daemon.machine.name)
            await daemon.kill()

    async def _stop(self, daemon: Daemon) -> None:
        """A stop is over within 10 s, whatever else goes on (S24); only the disk may hold it up."""
        began, locked_before = self._world.loop.time(), self._world.disk_counts["ledger locked"]
        try:
            await asyncio.wait_for(daemon.stop(), 60.0)
        except TimeoutError:
            self._violated(f"{daemon.machine.name} did not end within 60 s of the signal")
            await daemon.kill()
        locked = self._world.disk_counts["ledger locked"] - locked_before
        if (took := self._world.loop.time() - began - locked * LOCKED_SECONDS) > _STOP_SECONDS:
            self._violated(f"{daemon.machine.name} took {took:.1f} s to stop")

    async def _do_deeds(self) -> None:
        began = self._world.loop.time()
        for deed in self._plan.deeds:
            await sleep_seconds(began + deed.at_seconds - self._world.loop.time())
            self._do(deed)

    async def _ask(self, times: Sequence[float]) -> None:
        began = self._world.loop.time()
        for at_seconds in times:
            await sleep_seconds(began + at_seconds - self._world.loop.time())
            self._people.ask_something()

    async def _back_up(self, times: Sequence[float]) -> None:
        began = self._world.loop.time()
        for at_seconds in times:
            await sleep_seconds(began + at_seconds - self._world.loop.time())
            self._backups.take()

    def _do(self, deed: Deed) -> None:
        world, fields = self._world, deed.fields
        world.trace.add("deed", f"{deed.what} {fields}")
        match deed.what:
            case "partition":
                world.network.partition(fields["seconds"])
            case "refuse":
                world.network.refuse(fields["seconds"])
            case "reset all":
                world.network.reset_all()
            case "wall jump":
                self._result.faults["wall jump"] += 1
                world.loop.wall_jump_ms += fields["ms"]
            case kind:
                number = world.exchange.fault(kind, **fields)
                switched = world.exchange.simulation.faults._switched.get(number)
                if switched is None:
                    self._result.faults[kind] += 1  # it has happened already
                else:
                    self._on.append((kind, switched))

    # -- quiet

    async def _quiet(self, daemon: Daemon) -> Daemon:
        """It recovers by itself, and once more after a restart; both times the books agree."""
        world = self._world
        began = world.loop.time()
        daemon = await self._trading(daemon)
        if self._plan.asks:
            self._people.ask(CommandKind.RELEASE, {"name": self._people.instance})
            self._people.ask(CommandKind.RESUME, {})
            await self._ask((2.0, 4.0, 6.0))
        await world.sleep(_TRADE_SECONDS)
        await self._agreed("with the daemon that was there")
        self._result.converged_seconds = world.loop.time() - began - _TRADE_SECONDS
        world.coin.is_quiet = False
        await self._stop(daemon)
        if self._is_broken():
            return daemon
        daemon = await self._trading(daemon)
        await world.sleep(_TRADE_SECONDS)
        await self._agreed("after a restart")
        return daemon

    async def _end_well(self, daemon: Daemon) -> None:
        await self._stop(daemon)
        self._world.read(self._world.invariants.check_books)

    async def _trading(self, daemon: Daemon) -> Daemon:
        """A daemon that trades; one that ends is started again, as a supervisor does."""
        world = self._world
        deadline = world.loop.time() + _START_SECONDS
        while world.loop.time() < deadline and not self._is_broken():
            if not daemon.is_alive:
                self._check_end(daemon)
                daemon = world.start()
            if await world.until(lambda d=daemon: d.traded_at is not None or not d.is_alive, 60.0):
                if daemon.is_alive:
                    return daemon
                await world.sleep(5.0)
        self._violated(f"in {_START_SECONDS:g} s without faults no daemon traded: {daemon.end}")
        return daemon

    async def _agreed(self, when: str) -> None:
        if self._is_broken():
            return
        self._world.coin.is_quiet = True
        differences = await self._world.converged()
        if self._plan.asks and not differences:
            differences = self._world.read(lambda books: [*unanswered(books), *promised_twice(books)])
        for difference in differences:
            self._violated(f"{when}: {difference}")
            self._result.differences += 1
            self._result.lost += "is lost" in difference
            self._result.doubled += "is twice" in difference

    # -- what came of it

    def _violated(self, text: str) -> None:
        self._world.invariants.violated(text)

    def _is_broken(self) -> bool:
        return bool(self._world.invariants.violations)

    def _check_end(self, daemon: Daemon) -> None:
        if daemon.failure is not None:
            text = "".join(traceback.format_exception(daemon.failure))
            self._violated(f"{daemon.machine.name} {daemon.end}\n{text}")

    def _count_faults(self) -> None:
        for kind, switched in self._on:
            self._result.faults[kind] += switched.met
        self._on.clear()

    def count(self) -> None:
        """Fill the result."""
        world, result = self._world, self._result
        self._count_faults()
        for daemon in world.daemons:
            self._check_end(daemon)
            result.ends[_manner(daemon)] += 1
            if daemon.traded_at is not None:
                result.restarts.append(daemon.traded_at - daemon.began_at)
        result.faults += world.network.counts + world.disk_counts
        result.crashes, result.passes = world.crashes, world.passes
        result.sentences = Counter(world.trace.sentences)
        result.lives, result.posts = len(world.daemons), sum(each.posts for each in world.watching)
        result.doubled += sum(number > 1 for each in world.watching for number in each.posted.values())
        if world.exchange.simulation.failures.count:
            self._violated(f"the simulated exchange failed {world.exchange.simulation.failures.count} times")
        for mistake in world.trace.mistakes:
            self._violated(f"an error that nobody foresaw: {mistake}")
        self.count_ledger()
        result.violations += world.invariants.violations
        if result.violations:
            result.trace = list(world.trace.lines)

    def count_ledger(self) -> None:
        """Fill what the ledger says."""
        self._result.faults["restored backup"] += self._backups.restored
        if self._world.settings.ledger_path.exists():
            self._world.read(self._count_ledger)

    def _count_ledger(self, connection: Any) -> None:
        result = self._result
        orders = queries.orders(connection)
        result.orders += len(orders)
        result.protections += sum(entry.order.role.is_protective for entry in orders)
        result.fills += len(queries.fills(connection))
        steps: dict[str, list[tuple[OrderState, int]]] = defaultdict(list)
        for row in connection.execute(
            "SELECT client_order_id, state, at_ms FROM order_events ORDER BY client_order_id, sequence"
        ):
            steps[row["client_order_id"]].append((OrderState(row["state"]), row["at_ms"]))
        for states in steps.values():
            for (before, since_ms), (after, at_ms) in itertools.pairwise(states):
                if before is OrderState.UNKNOWN and after is not before:
                    result.resolved[after.value] += 1
                    result.unknown_seconds = max(result.unknown_seconds, (at_ms - since_ms) / 1000)
                result.late_fills += before in GIVEN_UP_STATES and after not in GIVEN_UP_STATES


class _SharedEpisode(_Episode):
    """The same of two daemons at once, which share the account."""

    def __init__(self, world: World, plan: Plan, result: Result) -> None:
        super().__init__(world, plan, result)
        self._account = SharedAccountOfWorld(world)
        self._each = [
            _Episode(
                trader,  # type: ignore[arg-type]  # its part of the world
                replace(plan, seed=plan.seed + 1_000_000 * number),
                result,
                People(trader, trader.symbols[:1], trader.name),  # type: ignore[arg-type]
            )
            for number, trader in enumerate(self._account.traders)
        ]

    async def _chaos(self) -> Any:
        redis = spawn(self._account.fail(redis_deeds(self._plan)), name="redis")
        daemons = await asyncio.gather(*(each._chaos() for each in self._each))
        await stop(redis)
        self._account.redis.heal()
        return daemons

    async def _quiet(self, daemon: Any) -> Any:
        daemons = await asyncio.gather(*(each._quiet(its) for each, its in zip(self._each, daemon, strict=True)))
        if not self._is_broken():
            for difference in await self._account.converged():
                self._violated(difference)
                self._result.differences += 1
        return daemons

    async def _end_well(self, daemon: Any) -> None:
        for each, its in zip(self._each, daemon, strict=True):
            await each._end_well(its)

    def _is_broken(self) -> bool:
        return super()._is_broken() or any(each._is_broken() for each in self._each)

    def count_ledger(self) -> None:
        """See _Episode."""
        self._result.faults += self._account.redis.counts
        for each in self._each:
            each.count_ledger()
            self._result.violations += each._world.invariants.violations


def _manner(daemon: Daemon) -> str:
    end = daemon.end or "alive"
    return end.partition(":")[0]

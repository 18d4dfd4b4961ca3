"""A whole world on virtual time: the exchange, the network, and daemons that start and die.

async def work():
    async with World(7) as world:
        daemon = world.start()
        world.exchange.fault("http", status=503, for_seconds=300)
        await world.sleep(300)
        await daemon.kill()
        await world.converged()
run_virtual(work)
"""

import asyncio
import contextlib
import random
import shutil
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

from binance_trade_agent.ledger.connection import open_or_create, open_read_only
from binance_trade_agent.ops import crash_points
from binance_trade_agent.ops.clock import sleep_seconds
from binance_trade_agent.strategies.base import Strategy
from tests.torture.daemon import Daemon, settings_of
from tests.torture.exchange import WorldExchange, order_ids_in
from tests.torture.invariants import Invariants
from tests.torture.ledger import DiskFaults
from tests.torture.loop import VirtualLoop
from tests.torture.machine import MACHINE, Killed, Machine
from tests.torture.network import Network, NetworkFaults
from tests.torture.plan import ON_THE_WIRE
from tests.torture.strategy import CoinStrategy
from tests.torture.trace import Trace, log_of_world

SYMBOLS = ("BTCUSDT", "ETHUSDT")
_SHARED_MEMORY = Path("/dev/shm")
_POLL_SECONDS = 1.0
_ON_THE_WIRE_SECONDS = 0.006

_empty_ledger: list[bytes] = []


def put_empty_ledger(folder: Path) -> None:
    """A ledger that was made and closed before costs a copy; the first world of a process makes it."""
    path = folder / "ledger.db"
    if not _empty_ledger:
        open_or_create(path).close()
        _empty_ledger.append(path.read_bytes())
    path.write_bytes(_empty_ledger[0])


class World:
    """Everything of one seed. To be used on a VirtualLoop, in its virtual clocks (run_virtual).

    Attributes:
        network, exchange: their faults can be switched at will.
        disk: how bad the ledger's disk is now.
        invariants: what is wrong so far; watching: all that have to be told of requests and transactions.
        trace: what has happened.
        coin: the strategy of its daemons, unless another is given.
        daemons: all lives so far.
        crashes, passes: how often a daemon died at each crash point, and how often one was passed.
    """

    def __init__(
        self,
        seed: int,
        *,
        symbols: tuple[str, ...] = SYMBOLS,
        usdt: Decimal = Decimal(10_000),
        bnb: Decimal = Decimal(0),
        strategy: Strategy[Any] | None = None,
        network: NetworkFaults | None = None,
        is_printed: bool = False,
        **settings: str,
    ) -> None:
        self.seed = seed
        self.bnb = bnb
        self.settings_changes = settings
        self.loop = cast("VirtualLoop", asyncio.get_running_loop())
        self.trace = Trace(self.loop, is_printed=is_printed)
        self.folder = Path(tempfile.mkdtemp(prefix="torture-", dir=_SHARED_MEMORY if _SHARED_MEMORY.is_dir() else None))
        put_empty_ledger(self.folder)
        self.settings = settings_of(self.folder, TRADING_SYMBOLS=",".join(symbols), **settings)
        self.network = Network(seed, network)
        self.exchange = WorldExchange(self.network, seed=seed, symbols=symbols, usdt=usdt, bnb=bnb)
        self.disk = DiskFaults()
        self.disk_counts: Counter[str] = Counter()
        self.coin = CoinStrategy(random.Random(f"coin {seed}"))
        self.strategy: Strategy[Any] = strategy or self.coin
        self.invariants = Invariants(self.exchange, self.settings.ledger_path)
        self.watching = [self.invariants]
        self.daemons: list[Daemon] = []
        self.crashes: Counter[str] = Counter()
        self.passes: Counter[str] = Counter()
        self._wire_chance = random.Random(f"wire {seed}")
        self.crash_when: Callable[[str], bool] = lambda _: False
        self._stack = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        stack = self._stack
        stack.callback(shutil.rmtree, self.folder, ignore_errors=True)
        stack.callback(self.invariants.close)
        stack.enter_context(log_of_world(self.trace))
        stack.enter_context(crash_points.listening(self._passed))
        self.network.on_event = lambda what: self.trace.add("network", what)
        self.network.on_written = self._on_the_wire
        self.exchange.request_listeners.append(self._on_request)
        self.exchange.exchange.listeners.append(self._on_transaction)
        await stack.enter_async_context(self.exchange.running())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.trace.is_over = True
        for daemon in self.daemons:
            if daemon.is_alive:
                await daemon.kill()
        await self._stack.aclose()

    # -- daemons

    def start(self, **changes: Any) -> Daemon:
        """Start the daemon on the world's ledger; `changes` replace fields of `Daemon`."""
        number = len(self.daemons) + 1
        fields: dict[str, Any] = {
            "machine": Machine(f"life {number}"),
            "exchange": self.exchange,
            "settings": self.settings,
            "run_id": f"run-{number:03}",
            "chance": random.Random(f"disk {self.seed} {number}"),
            "disk": lambda: self.disk,
            "strategy": self.strategy,
            "ledger_hooks": {"on_written": self._on_written, "on_fault": self._on_disk_fault},
        }
        daemon = Daemon(**(fields | changes))
        self.daemons.append(daemon)
        self.trace.add("start", daemon.machine.name)
        daemon.start()
        return daemon

    async def sleep(self, seconds: float) -> None:
        """Let virtual time pass."""
        await sleep_seconds(seconds)

    async def until(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Wait for `condition`, looked at ten times a second; False when it does not come within `seconds`."""
        deadline = self.loop.time() + seconds
        while not condition():
            if self.loop.time() >= deadline:
                return False
            await sleep_seconds(0.1)
        return True

    # -- the end

    def quiet(self) -> None:
        """Switch every fault off."""
        self.trace.add("quiet")
        self.network.heal()
        self.exchange.simulation.faults.clear()
        self.disk = DiskFaults()
        self.crash_when = lambda _: False

    async def converged(self, seconds: float = 90.0) -> list[str]:
        """Wait until ledger and exchange agree; returns the differences that are left after `seconds`."""
        deadline = self.loop.time() + seconds
        while True:
            differences = self.differences()
            if not differences or self.loop.time() >= deadline or self.invariants.violations:
                return differences
            await sleep_seconds(_POLL_SECONDS)

    def differences(self) -> list[str]:
        """In what ledger and exchange disagree now."""
        return self.read(self.invariants.differences)

    def read(self, work: Callable[[sqlite3.Connection], Any]) -> Any:
        """What `work` finds in the ledger."""
        connection = open_read_only(self.settings.ledger_path)
        try:
            return work(connection)
        finally:
            connection.close()

    # -- what is listened to

    def _on_request(self, method: str, target: str, body: str) -> None:
        ours = " ".join(order_ids_in(method, target, body))
        self.trace.add("request", f"{method} {target.partition('?')[0]} {ours}")
        for each in self.watching:
            each.on_request(method, target, body)

    def _on_transaction(self, transaction: Any) -> None:
        for each in self.watching:
            each.on_transaction(transaction)
        for report in transaction.reports:
            order = report.order
            self.trace.add(
                "exchange", f"{order.symbol} {order.order_id} {order.side} {report.status} {report.executed_base}"
            )

    def _on_written(self, connection: sqlite3.Connection, invariants: Invariants | None = None) -> None:
        machine = MACHINE.get()
        self.trace.add("commit", f"{machine.name if machine else ''} {connection.total_changes}")
        (invariants or self.invariants).on_written(connection)

    def _on_disk_fault(self, kind: str) -> None:
        self.disk_counts[kind] += 1
        self.trace.add("disk", kind)

    def _on_the_wire(self, machine: Machine, data: bytes) -> None:
        """Between the sending of a request that changes something and its answer there is no step of the daemon."""
        if not data.startswith((b"POST ", b"DELETE ")):
            return
        self.passes[ON_THE_WIRE] += 1
        if self.crash_when(ON_THE_WIRE):
            self.crashes[ON_THE_WIRE] += 1
            self.trace.add("crash", f"{machine.name} with a request on the wire")
            self.loop.call_later(self._wire_chance.random() * _ON_THE_WIRE_SECONDS, machine.kill)

    def _passed(self, point: str) -> None:
        machine = MACHINE.get()
        if machine is None:
            return
        machine.check()
        self.passes[point] += 1
        self.trace.add("passed", point)
        if self.crash_when(point):
            self.crashes[point] += 1
            self.trace.add("crash", f"{machine.name} at {point}")
            machine.kill()
            raise Killed(point)

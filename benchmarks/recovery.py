"""From the start of a daemon that was killed to its first tick, with 10,000 past orders and one on its way.

Run `.venv/bin/python benchmarks/recovery.py [orders] [folder]`. The past is real: every order was sent to the simulated
exchange through python-binance and booked from its answer. Before each start the daemon is killed with SIGKILL and one
more order is left as a kill leaves it between its answer and the booking. The reference is the same without a past.
"""

import asyncio
import os
import signal
import statistics
import subprocess
import sys
from contextlib import AsyncExitStack
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

from binance_trade_agent.configuration import load
from binance_trade_agent.domain.decisions import Decision, Outcome
from binance_trade_agent.domain.orders import OrderIntent, OrderReport, OrderState, OrderType, Side, client_order_id
from binance_trade_agent.exchange.connect import Connection, connected
from binance_trade_agent.exchange.errors import RateLimitedError
from binance_trade_agent.ledger.ledger import Ledger
from binance_trade_agent.ledger.reader import LedgerReader
from binance_trade_agent.ledger.records import RunRecord
from binance_trade_agent.ledger.verify import sentences
from binance_trade_agent.ops.clock import block_seconds, monotonic_seconds, sleep_seconds
from support.machine import print_head
from support.processes import TRADE_AGENT, finished, start, wall_and_cpu_seconds

ORDERS = 10_000
STARTS = 7
TARGET_SECONDS = 3
WEIGHT_MINUTE_SECONDS = 61
FIRST_TICK = "Trading Cycle #1 "
RUN = "past"
SYMBOL, ASSETS = "BTCUSDT", {"base_asset": "BTC", "quote_asset": "USDT"}
BETWEEN_ORDERS_MS = 250  # market time, within the exchange's 50 orders in 10 s
EVERYTHING_IMPORTED = "import binance_trade_agent.daemon, binance, pandas, talib"


class Exchange:
    """A simulated exchange as a process; its market moves only when somebody waits."""

    def __init__(self, folder: Path) -> None:
        self.process = start(
            [TRADE_AGENT, "exchange", "--port=0", "--control-port=0", "--speed=stepped", f"--state={folder / 'state'}"],
            folder,
            {},
            read=True,
        )
        assert self.process.stdout is not None
        words = self.process.stdout.readline().split()
        where = words.index("control")
        self.urls = {"EXCHANGE_URL": words[where - 1], "EXCHANGE_CONTROL_URL": words[where + 1]}

    def stop(self) -> None:
        """End it well."""
        self.process.send_signal(signal.SIGTERM)
        finished(self.process)
        assert self.process.stdout is not None
        self.process.stdout.close()


class Past:
    """Trades as the daemon does, without deciding anything."""

    def __init__(self, connection: Connection, ledger: Ledger) -> None:
        self._connection = connection
        self._ledger = ledger
        self._is_buying = True

    async def trade(self, orders: int) -> None:
        """Buy and sell in turn, each order booked from its answer."""
        for _ in range(orders):
            intent = await self._sent()
            report = await self._placed(intent)
            await self._ledger.apply_report(report, **ASSETS)

    async def leave_one(self) -> None:
        """Send an order and book nothing of its answer."""
        await self._placed(await self._sent())

    async def _placed(self, intent: OrderIntent) -> OrderReport:
        while True:
            try:
                return await self._connection.gateway.place_order(intent)
            except RateLimitedError as refusal:  # a stepped exchange counts by the wall clock
                await sleep_seconds(refusal.retry_after_seconds)

    async def _sent(self) -> OrderIntent:
        clock = self._connection.clock
        await clock.sleep_until(clock.monotonic_ms() + BETWEEN_ORDERS_MS)
        side = Side.BUY if self._is_buying else Side.SELL
        self._is_buying = not self._is_buying
        now_ms = clock.now_ms()
        order_id = client_order_id(
            instance="default", epoch=1, strategy=RUN, symbol=SYMBOL, tick_ms=now_ms, leg=side, attempt=1
        )
        quantity = Decimal("0.001") if side is Side.BUY else Decimal("0.00099")  # the fee of the purchase is in BTC
        intent = OrderIntent(
            order_id, SYMBOL, side, OrderType.MARKET, quantity, Decimal(65_000), now_ms, now_ms - 60_000
        )
        decision = Decision(RUN, now_ms, 1, SYMBOL, Outcome.ORDERED, "", client_order_id=order_id)
        await self._ledger.commit_intent(decision, intent, now_ms)
        await self._ledger.transition(order_id, OrderState.SENT, now_ms)
        return intent


class Recovery:
    """One ledger with its exchange, and a daemon that is started and killed on it."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._folder = folder
        self._ledger_path = folder / "ledger.db"
        self._exchange = Exchange(folder)
        self._settings = {
            **self._exchange.urls,
            "LEDGER_PATH": str(self._ledger_path),
            "TRADING_DURATION_MINUTES": "0",
            "RISK_MAX_OPEN_POSITIONS": "1000",
        }

    def first_tick(self) -> float:
        """Seconds from the start of the daemon's process to its first tick; it is killed then."""
        inherited = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        began = monotonic_seconds()
        daemon = subprocess.Popen(
            [TRADE_AGENT, "run"],
            cwd=self._folder,
            env={**inherited, **self._settings},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert daemon.stderr is not None
        said = []
        for line in daemon.stderr:
            said.append(line)
            if FIRST_TICK in line:
                break
        else:
            raise RuntimeError("".join(said))
        seconds = monotonic_seconds() - began
        daemon.kill()
        daemon.communicate()
        return seconds

    async def add(self, orders: int, *, leave_one: bool) -> None:
        """Trade so many orders, and leave one more on its way."""
        # The ledger is held by nobody: the daemon is dead.
        settings = load({**self._settings, "SIMULATION_SPEED": "1000000"}).settings
        async with AsyncExitStack() as stack:
            connection = await stack.enter_async_context(connected(settings))
            ledger = await stack.enter_async_context(await Ledger.open(self._ledger_path))
            await ledger.read(lambda inside: inside.execute("PRAGMA synchronous = OFF"))  # a past that may be lost
            if not await ledger.read(
                lambda inside: inside.execute("SELECT 1 FROM runs WHERE run_id = ?", (RUN,)).fetchone()
            ):
                await ledger.begin_run(RunRecord(RUN, "simulated", RUN, (SYMBOL,), "{}", "none", 1, 1, 1))
            past = Past(connection, ledger)
            await past.trade(orders)
            if leave_one:
                await past.leave_one()

    def finish(self) -> tuple[int, int]:
        """End the exchange; how many orders the ledger has, and how many differences its verification finds."""
        self._exchange.stop()
        with LedgerReader.open(self._ledger_path) as reader:
            return reader.snapshot(
                lambda inside: (
                    inside.execute("SELECT count(*) FROM orders").fetchone()[0],
                    len(list(sentences(inside))),
                )
            )


def measured(folder: Path, past_orders: int) -> str:
    """A line with the seconds of STARTS recoveries after so many orders."""
    recovery = Recovery(folder)
    recovery.first_tick()  # opens the first epoch
    asyncio.run(recovery.add(past_orders, leave_one=False))
    recovery.first_tick()  # reads the account's trades, as a daemon does every hour
    block_seconds(WEIGHT_MINUTE_SECONDS)  # the past has used up most of what this minute allows
    seconds = []
    for _ in range(STARTS):
        asyncio.run(recovery.add(0, leave_one=True))
        seconds.append(recovery.first_tick())
    orders, differences = recovery.finish()
    return (
        f"median {statistics.median(seconds):5.2f}   slowest {max(seconds):5.2f}"
        f"   ({orders:,} orders, {differences} differences)"
    )


def main() -> None:
    """Measure and print, with what it was measured on."""
    orders = int(sys.argv[1]) if len(sys.argv) > 1 else ORDERS
    print_head("benchmarks/recovery.py")
    print(f"{STARTS} starts after SIGKILL, process start to first tick, seconds; the target is under {TARGET_SECONDS}")
    with TemporaryDirectory(dir=sys.argv[2] if len(sys.argv) > 2 else None) as name:
        imports = [wall_and_cpu_seconds([sys.executable, "-c", EVERYTHING_IMPORTED], Path(name))[0] for _ in range(3)]
        print(f"  importing the daemon's libraries (reference)  median {statistics.median(imports):5.2f}")
        print(f"  no past orders (reference)                    {measured(Path(name) / 'none', 0)}")
        print(f"  {f'{orders:,} past orders':45} {measured(Path(name) / 'past', orders)}")


if __name__ == "__main__":
    main()

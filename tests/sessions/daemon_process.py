"""The daemon as a process of its own, as a user starts it, and what must be true of its ledger afterwards."""

import asyncio
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from binance_trade_agent.configuration import FROM_FILE
from binance_trade_agent.domain.money import ZERO
from binance_trade_agent.domain.order_states import STATE_OF_STATUS
from binance_trade_agent.ledger import queries
from binance_trade_agent.ledger.export import dump
from binance_trade_agent.ledger.reader import LedgerReader
from binance_trade_agent.ops.clock import monotonic_seconds, sleep_seconds
from binance_trade_agent.settings import setting_names
from tests.exchange_process import RunningExchange
from tests.warm_python import WarmProcess, start, start_cold

_OURS = {*setting_names(), *(f"{name}_FILE" for name in FROM_FILE)}
CLEAN_ENVIRONMENT = {name: value for name, value in os.environ.items() if name not in _OURS}
_END_SECONDS = 60
_PLACING = {"/api/v3/order", "/api/v3/orderList/oco"}
_OWN_IDS = ("newClientOrderId", "aboveClientOrderId", "belowClientOrderId")

# A strategy that trades at many ticks, so that there is something to compare and to interrupt.
EAGER = {
    "STRATEGY_NAME": "rsi_momentum",
    "STRATEGY_PARAMS": "rsi_period=2,rsi_oversold=45,rsi_overbought=55",
    "RISK_COOLDOWN_SECONDS": "0",
    "RISK_MAX_POSITION_QUOTE": "5000",
    "TRADING_DURATION_MINUTES": "15",
    # Limits and exits have tests of their own.
    **dict.fromkeys(
        (
            "RISK_MAX_TRADES_PER_HOUR",
            "RISK_MAX_TRADES_PER_DAY",
            "RISK_MAX_SYMBOL_TRADES_PER_HOUR",
            "RISK_MAX_SYMBOL_TRADES_PER_DAY",
            "RISK_MAX_CONSECUTIVE_LOSSES",
            "RISK_STOP_LOSS_PCT",
            "RISK_TAKE_PROFIT_PCT",
        ),
        "0",
    ),
}


@dataclass
class Daemon:
    """A running daemon. Its output is collected line by line."""

    process: WarmProcess | asyncio.subprocess.Process
    log: list[str] = field(default_factory=list)
    report: str = ""
    _readers: list[asyncio.Task[None]] = field(default_factory=list)

    async def until_logged(self, text: str, times: int = 1) -> None:
        """Return when `text` is in the log so many times; fails when the daemon ends first or takes too long."""
        deadline = monotonic_seconds() + _END_SECONDS
        while sum(text in line for line in self.log) < times:
            assert self.process.returncode is None, self.everything
            assert monotonic_seconds() < deadline, self.everything
            await sleep_seconds(0.002)

    def send(self, number: signal.Signals) -> None:
        """Send a signal, unless it has ended already."""
        if self.process.returncode is None:
            self.process.send_signal(number)

    async def ended(self, within_seconds: float = _END_SECONDS) -> int:
        """The exit code, when the process has ended and everything that it said was read."""
        try:
            code = await asyncio.wait_for(self.process.wait(), within_seconds)
        except TimeoutError:
            pytest.fail(f"it has not ended within {within_seconds} seconds:\n{self.everything}")
        await asyncio.gather(*self._readers)
        assert "Traceback" not in self.everything, self.everything
        return code

    @property
    def everything(self) -> str:
        """Log and report."""
        return "\n".join([*self.log, self.report])

    async def collect(self) -> None:
        """Begin to read what it says."""
        self._readers = [asyncio.ensure_future(self._read_log()), asyncio.ensure_future(self._read_report())]

    async def _read_log(self) -> None:
        assert self.process.stderr is not None
        async for line in self.process.stderr:
            self.log.append(line.decode().rstrip("\n"))

    async def _read_report(self) -> None:
        assert self.process.stdout is not None
        self.report = (await self.process.stdout.read()).decode()


@asynccontextmanager
async def daemon(folder: Path, *flags: str, is_cold: bool = False, **settings: str) -> AsyncIterator[Daemon]:
    """`python -m binance_trade_agent.autonomous_trading_loop` in `folder`, by environment; killed when left running.

    Without other settings: an hour of market time in about two seconds, a tick a minute, ledger in the folder. A cold
    one imports all that it needs, as when a user starts it.
    """
    fast = {
        "SIMULATION_SPEED": "1000000",
        "TRADING_INTERVAL_SECONDS": "60",
        "RISK_COOLDOWN_SECONDS": "60",
    }
    module = "binance_trade_agent.autonomous_trading_loop"
    async with started(folder, module, *flags, is_cold=is_cold, **{**fast, **settings}) as running:
        yield running


@asynccontextmanager
async def started(
    folder: Path, module: str, *arguments: str, is_cold: bool = False, **settings: str
) -> AsyncIterator[Daemon]:
    """`python -m MODULE` in `folder`, by environment, on a ledger there unless it says otherwise; killed when left."""
    environment = {**CLEAN_ENVIRONMENT, "LEDGER_PATH": str(folder / "ledger.db"), **settings}
    begin = start_cold if is_cold else start
    process = await begin(module, *arguments, folder=folder, environment=environment)
    running = Daemon(process)
    await running.collect()
    try:
        yield running
    finally:
        running.send(signal.SIGKILL)
        await asyncio.wait_for(process.wait(), _END_SECONDS)


async def session(
    folder: Path, *, within_seconds: float = _END_SECONDS, is_cold: bool = False, **settings: str
) -> Daemon:
    """A whole session that ends well."""
    async with daemon(folder, is_cold=is_cold, **settings) as running:
        assert await running.ended(within_seconds) == 0, running.everything
        return running


def lines(ledger_path: Path) -> list[str]:
    """Everything in a ledger that must be the same for the same seed."""
    return list(dump(ledger_path))


def tables(dumped: list[str], *names: str) -> list[str]:
    """The lines of some tables."""
    return [line for line in dumped if line.split(" ", 1)[0] in names]


def assert_books_balance(ledger_path: Path) -> int:
    """Each entry sums to zero for each asset, and wallets are the sums of their postings; returns the fills' number."""
    with LedgerReader.open(ledger_path) as reader:
        postings = reader.snapshot(lambda connection: connection.execute("SELECT * FROM postings").fetchall())
        wallet, fills = reader.snapshot(
            lambda connection: (queries.wallet(connection, _epoch(connection)), queries.fills(connection))
        )
    entries: Counter[tuple[str, str]] = Counter()
    sums: dict[tuple[str, str, str], Decimal] = {}
    wallets: dict[str, Decimal] = {}
    for row in postings:
        key = (row["kind"], row["reference"], row["asset"])
        sums[key] = sums.get(key, ZERO) + Decimal(row["amount"])
        entries[row["kind"], row["reference"]] += 1
        if row["account"] == "wallet":
            wallets[row["asset"]] = wallets.get(row["asset"], ZERO) + Decimal(row["amount"])
    assert set(sums.values()) <= {ZERO}
    assert wallets == wallet
    assert sum(kind == "fill" for kind, _ in entries) == len(fills)
    return len(fills)


async def assert_equal_to_exchange(ledger_path: Path, exchange: RunningExchange, *, log_is_whole: bool = True) -> None:
    """The ledger's wallet, orders and fills are the simulator's, to the last digit, and no order was sent twice.

    An order that was sent twice is one more on the exchange than in the ledger, also where its log is not whole any more.
    """
    state = await exchange.state()
    with LedgerReader.open(ledger_path) as reader:
        wallet, orders, fills = reader.snapshot(
            lambda connection: (
                queries.wallet(connection, _epoch(connection)),
                queries.orders(connection),
                queries.fills(connection),
            )
        )
    balances = {row["asset"]: Decimal(row["free"]) + Decimal(row["locked"]) for row in state["balances"]["main"]}
    assert {asset: wallet.get(asset, ZERO) for asset in balances} == balances
    # By the exchange's own numbers: a cancel replaces an order's client id (binance-protocol.md 1.3).
    theirs = {
        (row["symbol"], row["orderId"]): (str(STATE_OF_STATUS[row["status"]]), Decimal(row["executedQty"]))
        for row in state["orders"]
    }
    ours = {
        (entry.order.symbol, entry.order.exchange_order_id): (str(entry.order.state), entry.order.executed_base)
        for entry in orders
        if entry.order.exchange_order_id is not None
    }
    assert ours == theirs, {key: (ours.get(key), theirs.get(key)) for key, _ in ours.items() ^ theirs.items()}
    assert all(entry.is_settled or entry.order.rests for entry in orders)  # protection stays when the daemon stops
    executed = sum((Decimal(row["executedQty"]) for row in state["orders"]), ZERO)
    assert sum((fill.quantity for fill in fills), ZERO) == executed
    sent = Counter(await ids_sent(exchange))
    assert set(sent.values()) <= {1}
    if not log_is_whole:
        return
    placed = {entry.order.client_order_id for entry in orders if entry.order.exchange_order_id is not None}
    assert placed <= set(sent) <= {entry.order.client_order_id for entry in orders}


async def ids_sent(exchange: RunningExchange) -> list[str]:
    """Client order id of each order that reached the exchange, those of lists too."""
    posts = [
        entry
        for entry in await exchange.log()
        if entry["method"] == "POST" and entry["target"].partition("?")[0] in _PLACING
    ]
    parameters = [parse_qs(f"{entry['target'].partition('?')[2]}&{entry['body']}") for entry in posts]
    return [given[name][0] for given in parameters for name in _OWN_IDS if name in given]


def _epoch(connection) -> int:
    epoch = queries.current_epoch(connection)
    return epoch.epoch if epoch else 0

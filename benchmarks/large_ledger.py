"""A ledger of a million fills beside an empty one: how long a start takes, and what a tick writes.

Run `.venv/bin/python benchmarks/large_ledger.py [fills] [folder]`. The folder decides which disk is measured; without
it a temporary one is used, and 1,000,000 fills need about 800 MB there. Each write is a commit that is synced.
"""

import asyncio
import os
import statistics
import sys
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing
from decimal import Decimal
from pathlib import Path

from binance_trade_agent.agents.facts import ledger_facts
from binance_trade_agent.domain.decisions import Decision, Outcome
from binance_trade_agent.domain.orders import Fill, OrderIntent, OrderReport, OrderState, OrderType, Side
from binance_trade_agent.domain.signals import Action, Signal
from binance_trade_agent.ledger.connection import check_integrity, open_read_only
from binance_trade_agent.ledger.ledger import Ledger
from binance_trade_agent.ledger.reader import LedgerReader
from binance_trade_agent.ledger.records import EquityPoint, RunRecord
from binance_trade_agent.ops.clock import monotonic_seconds
from binance_trade_agent.reports.session import session_report
from support.history import FILLS_PER_ORDER, SYMBOL, TICK_MS, write_history
from support.machine import print_head

FILLS = 1_000_000
TICKS = 300
STARTS = 5
TARGET_SECONDS = 5
RUN = "bench"
ASSETS = {"base_asset": "BTC", "quote_asset": "USDT"}
_PRICE = Decimal(60_000)


async def start(path: Path) -> float:
    """Seconds from nothing to a ledger that is open, checked, and has answered what a start asks of it."""
    began = monotonic_seconds()
    async with await Ledger.open(path) as ledger:
        await ledger.current_epoch()
        await ledger.alarms()
        await ledger.open_orders()
        await ledger.positions()
        await ledger.wallet()
        await ledger.trade_cursor(SYMBOL)
        await ledger.last_entry_fill_ms(SYMBOL)
        await ledger.read(lambda connection: ledger_facts(connection, [SYMBOL]))
        return monotonic_seconds() - began


def forget(path: Path) -> None:
    """Take the file out of the machine's memory, so that it is read from the disk."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def whole_check(path: Path) -> float:
    """Seconds that SQLite's check of the whole file takes: what the start would add without a bound."""
    with closing(open_read_only(path)) as connection:
        began = monotonic_seconds()
        check_integrity(connection, path)
        return monotonic_seconds() - began


class Trader:
    """Writes what one tick of one symbol writes, a whole order in it, and keeps the seconds of each write."""

    def __init__(self, ledger: Ledger, first_tick: int) -> None:
        self.seconds: dict[str, list[float]] = {}
        self._ledger = ledger
        self._number = first_tick

    async def tick(self) -> None:
        """The next one. The second of its three fills is told last, as the stream does it now and then."""
        self._number += 1
        decision, intent, report = order_of(self._number)
        first, late, last = report.fills
        order_id, at_ms = intent.client_order_id, report.at_ms
        ledger = self._ledger
        await self._timed("commit_intent", lambda: ledger.commit_intent(decision, intent, at_ms))
        await self._timed("transition", lambda: ledger.transition(order_id, OrderState.SENT, at_ms))
        await self._timed("book_fill", lambda: ledger.book_fill(first, **ASSETS))
        await self._timed("book_fill", lambda: ledger.book_fill(last, **ASSETS))
        await self._timed("book_fill, late", lambda: ledger.book_fill(late, **ASSETS))
        await self._timed("apply_report", lambda: ledger.apply_report(report, **ASSETS))
        await self._timed("record_decisions", lambda: ledger.record_decisions([decision]))
        await self._timed("record_equity", lambda: ledger.record_equity(equity_at(self._number)))
        await self._timed("open_orders (read)", ledger.open_orders)
        await self._timed("positions (read)", ledger.positions)

    async def _timed(self, name: str, work: Callable[[], Awaitable[object]]) -> None:
        began = monotonic_seconds()
        await work()
        self.seconds.setdefault(name, []).append(monotonic_seconds() - began)


def order_of(number: int) -> tuple[Decision, OrderIntent, OrderReport]:
    """The order of tick k, which fills in three trades."""
    side = Side.BUY if number % 2 else Side.SELL
    at_ms, order_id = number * TICK_MS, f"bta000-BTCUSDT-2-{number:014x}"
    signal = Signal(SYMBOL, "none", Action(side), 0.5, "benchmark", at_ms, {"rsi": 27.4})
    decision = Decision(RUN, at_ms, number, SYMBOL, Outcome.ORDERED, "", signal, None, order_id)
    intent = OrderIntent(order_id, SYMBOL, side, OrderType.MARKET, Decimal("0.003"), _PRICE, at_ms, at_ms)
    fills = tuple(
        Fill(
            symbol=SYMBOL,
            trade_id=(number + 1) * FILLS_PER_ORDER + part,
            exchange_order_id=number,
            client_order_id=order_id,
            side=side,
            price=_PRICE,
            quantity=Decimal("0.001"),
            quote_quantity=Decimal(60),
            commission=Decimal("0.06"),
            commission_asset="USDT",
            is_maker=False,
            traded_ms=at_ms + part,
        )
        for part in range(3)
    )
    report = OrderReport(
        symbol=SYMBOL,
        exchange_order_id=number,
        client_order_id=order_id,
        side=side,
        status="FILLED",
        quantity=Decimal("0.003"),
        executed_base=Decimal("0.003"),
        executed_quote=Decimal(180),
        at_ms=at_ms,
        fills=fills,
    )
    return decision, intent, report


def equity_at(number: int) -> EquityPoint:
    """A point of the equity curve at tick k."""
    worth = Decimal(10_000_000)
    return EquityPoint(RUN, number * TICK_MS, number, worth, worth, Decimal(0), Decimal(0), Decimal(0))


async def side_by_side(large: Path, empty: Path, past_orders: int) -> tuple[Trader, Trader]:
    """Tick on both ledgers in turn, so that whatever else the machine does meets both."""
    async with await Ledger.open(large) as ours, await Ledger.open(empty) as reference:
        for ledger in (ours, reference):
            await ledger.begin_run(RunRecord(RUN, "simulated", "none", (SYMBOL,), "{}", "none", 1, 1, 1))
        traders = Trader(ours, past_orders), Trader(reference, past_orders)
        for _ in range(TICKS):
            for trader in traders:
                await trader.tick()
        return traders


async def new_ledger(path: Path) -> None:
    """An empty ledger with an epoch."""
    async with await Ledger.open(path) as ledger:
        await ledger.open_epoch(1, "benchmark", {"USDT": Decimal(10_000_000)})


def print_starts(large: Path, empty: Path) -> None:
    """Measure and print the starts."""
    for name, path in (("empty (reference)", empty), ("large", large)):
        forget(path)
        cold = asyncio.run(start(path))
        warm = statistics.median(asyncio.run(start(path)) for _ in range(STARTS))
        print(f"  start, {name:31} from disk {cold:6.3f}   from memory {warm:6.3f}")
    forget(large)
    print(f"  quick_check of the large file (not done)   from disk {whole_check(large):6.3f}", end="")
    print(f"   from memory {whole_check(large):6.3f}")


def print_reports(paths: dict[str, Path]) -> None:
    """Measure and print how long the report at the end of the run takes, which a stop has to wait for."""
    for name, path in paths.items():
        with LedgerReader.open(path) as reader:
            began = monotonic_seconds()
            session_report(reader, RUN)
            print(f"  report of those {TICKS} ticks, {name:17} {monotonic_seconds() - began:6.3f} s")


def print_ticks(large: Trader, empty: Trader) -> None:
    """Print the writes side by side."""
    print(f"One tick's writes, {TICKS} ticks on both in turn, microseconds, median (99 % below):")
    print(f"  {'':20} {'large':>16} {'empty (reference)':>20}")
    for name, values in large.seconds.items():
        print(f"  {name:20} {_shown(values):>16} {_shown(empty.seconds[name]):>20}")
    ticks = [sum(map(sum, zip(*trader.seconds.values(), strict=False))) for trader in (large, empty)]
    print(f"  all of it: {ticks[0] / ticks[1]:.2f} times the empty ledger's")


def _shown(values: Sequence[float]) -> str:
    ordered = sorted(values)
    return f"{statistics.median(ordered) * 1e6:,.0f} ({ordered[int(len(ordered) * 0.99)] * 1e6:,.0f})"


def main() -> None:
    """Measure and print, with what it was measured on."""
    fills = int(sys.argv[1]) if len(sys.argv) > 1 else FILLS
    print_head("benchmarks/large_ledger.py")
    with tempfile.TemporaryDirectory(dir=sys.argv[2] if len(sys.argv) > 2 else None) as folder:
        large, empty = Path(folder) / "large.db", Path(folder) / "empty.db"
        write_history(large, fills)
        asyncio.run(new_ledger(empty))
        print(f"{fills:,} fills of {fills // FILLS_PER_ORDER:,} orders, {large.stat().st_size / 1e6:,.0f} MB")
        print(f"Open, check and first queries, seconds; the target is under {TARGET_SECONDS}")
        print_starts(large, empty)
        print_ticks(*asyncio.run(side_by_side(large, empty, fills // FILLS_PER_ORDER)))
        print_reports({"large": large, "empty (reference)": empty})


if __name__ == "__main__":
    main()

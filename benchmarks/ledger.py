"""How long the ledger's durable writes take.

Run `.venv/bin/python benchmarks/ledger.py [folder]`. The folder decides which disk is measured; without it a temporary
one is used. Each write is a commit that is synced.
"""

import asyncio
import platform
import sqlite3
import statistics
import sys
import tempfile
from collections.abc import Awaitable
from decimal import Decimal
from pathlib import Path

from binance_trade_agent.domain.decisions import Decision, Outcome
from binance_trade_agent.domain.orders import Fill, OrderIntent, OrderReport, OrderState, OrderType, Side
from binance_trade_agent.domain.signals import Action, Signal
from binance_trade_agent.ledger.ledger import Ledger
from binance_trade_agent.ledger.records import RunRecord
from binance_trade_agent.ops.clock import monotonic_seconds

WRITES = 1_000
ASSETS = {"base_asset": "BTC", "quote_asset": "USDT"}


async def measure(path: Path) -> dict[str, list[float]]:
    """Seconds of each write, by its name."""
    seconds: dict[str, list[float]] = {}

    async def timed(name: str, write: Awaitable[object]) -> None:
        started = monotonic_seconds()
        await write
        seconds.setdefault(name, []).append(monotonic_seconds() - started)

    async with await Ledger.open(path) as ledger:
        await ledger.open_epoch(1, "benchmark", {"USDT": Decimal(10_000)})
        await ledger.begin_run(RunRecord("bench", "simulated", "none", ("BTCUSDT",), "{}", "none", 1, 1, 1))
        for number in range(1, WRITES + 1):
            decision, intent, fill, report = trade(number)
            order_id = intent.client_order_id
            await timed("commit_intent", ledger.commit_intent(decision, intent, number))
            await timed("transition", ledger.transition(order_id, OrderState.SENT, number))
            await timed("book_fill", ledger.book_fill(fill, **ASSETS))
            await timed("apply_report", ledger.apply_report(report, **ASSETS))
            await timed("positions (read)", ledger.positions())
    return seconds


def trade(number: int) -> tuple[Decision, OrderIntent, Fill, OrderReport]:
    """The values of one order that fills in two halves: a fill that comes alone, and the report with both."""
    side = Side.BUY if number % 2 else Side.SELL
    order_id = f"bta-BTCUSDT-{number}"
    signal = Signal("BTCUSDT", "none", Action(side), 0.5, "benchmark", number, {"rsi": 27.4})
    decision = Decision("bench", number, number, "BTCUSDT", Outcome.ORDERED, "", signal, None, order_id)
    intent = OrderIntent(order_id, "BTCUSDT", side, OrderType.MARKET, Decimal("0.002"), Decimal(60_000), number, number)
    fills = tuple(
        Fill(
            symbol="BTCUSDT",
            trade_id=trade_id,
            exchange_order_id=number,
            client_order_id=order_id,
            side=side,
            price=Decimal(60_000),
            quantity=Decimal("0.001"),
            quote_quantity=Decimal(60),
            commission=Decimal("0.06"),
            commission_asset="USDT",
            is_maker=False,
            traded_ms=number,
        )
        for trade_id in (2 * number, 2 * number + 1)
    )
    report = OrderReport(
        symbol="BTCUSDT",
        exchange_order_id=number,
        client_order_id=order_id,
        side=side,
        status="FILLED",
        quantity=Decimal("0.002"),
        executed_base=Decimal("0.002"),
        executed_quote=Decimal(120),
        at_ms=number,
        fills=fills,
    )
    return decision, intent, fills[0], report


def main() -> None:
    """Measure and print, with what it was measured on."""
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if len(sys.argv) > 1 else None) as folder:
        seconds = asyncio.run(measure(Path(folder) / "ledger.sqlite3"))
    print(f"{platform.platform()}, Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}")
    print(f"{WRITES} of each, microseconds: .venv/bin/python benchmarks/ledger.py")
    for name, values in seconds.items():
        ordered = sorted(values)
        median, late = statistics.median(ordered) * 1e6, ordered[int(len(ordered) * 0.99)] * 1e6
        print(f"  {name:17} median {median:6.0f}   99 % below {late:6.0f}")


if __name__ == "__main__":
    main()

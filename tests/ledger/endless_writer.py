"""A program for test_kill.py: trades without end into the ledger of its first argument, a line for each report."""

import asyncio
import itertools
import sys
from pathlib import Path

from binance_trade_agent.domain.orders import Side
from tests.ledger.bookkeeping import BTCUSDT, fill, place, report, trading_ledger


async def main() -> None:
    async with trading_ledger(Path(sys.argv[1])) as ledger:
        for number in itertools.count(1):
            side = Side.BUY if number % 3 else Side.SELL
            order_id = f"bta-BTCUSDT-{number}"
            await place(ledger, order_id, side, tick_ms=number)
            filled = fill(number, order_id, side)
            await ledger.apply_report(report("FILLED", "0.001", filled, order_id=order_id, side=side), **BTCUSDT)
            print(number, flush=True)


asyncio.run(main())

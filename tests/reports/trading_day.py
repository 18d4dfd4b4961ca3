"""A ledger of a small trading day, for the tests of the reports.

Two buys and one sale of BTC with fees in BTC and USDT, one buy of ETH with its fee in BNB.
"""

from decimal import Decimal
from pathlib import Path

from binance_trade_agent.domain.decisions import Outcome
from binance_trade_agent.domain.orders import Side
from binance_trade_agent.ledger.ledger import Ledger
from binance_trade_agent.ledger.records import EquityPoint
from tests.ledger.bookkeeping import decision, fill, place, report, trading_ledger

ETHUSDT = {"base_asset": "ETH", "quote_asset": "USDT"}
BTCUSDT = {"base_asset": "BTC", "quote_asset": "USDT"}


async def write_trading_day(path: Path) -> None:
    """Run `run-a` with four orders in three ticks at 60,000, 61,000 and 62,000 USDT for a BTC."""
    async with trading_ledger(path) as ledger:
        await _trade(ledger, 1, Side.BUY, "0.001 @ 60000", fee="0.000001 BTC")
        await _trade(ledger, 2, Side.BUY, "0.001 @ 61000", fee="0 BTC")
        await _trade(ledger, 3, Side.SELL, "0.001999 @ 62000", fee="0.123938 USDT")
        await _buy_ether(ledger)
        await ledger.record_decisions(
            [
                decision(60_000, symbol="ETHUSDT", cycle=1, bid=Decimal(2000)),
                decision(240_000, symbol="BTCUSDT", cycle=4, bid=Decimal(62500)),
                decision(240_000, symbol="ETHUSDT", cycle=4, bid=Decimal("2100.5"), outcome=Outcome.REFUSED),
            ]
        )
        for cycle, worth in ((1, "10000"), (4, "10003.25")):
            amounts = (Decimal(worth), Decimal(9000), Decimal(1000), Decimal(0), Decimal(0))
            await ledger.record_equity(EquityPoint("run-a", cycle * 60_000, cycle, *amounts))
        await ledger.end_run("run-a", 300_000, 99, "duration is over")


async def _trade(ledger: Ledger, number: int, side: Side, what: str, fee: str) -> None:
    quantity, price = what.split(" @ ")
    commission, fee_asset = fee.split()
    order_id = f"bta-BTCUSDT-{number}"
    await place(ledger, order_id, side, tick_ms=number * 60_000)
    filled = fill(
        number,
        order_id,
        side,
        price=Decimal(price),
        quantity=Decimal(quantity),
        quote_quantity=Decimal(price) * Decimal(quantity),
        commission=Decimal(commission),
        commission_asset=fee_asset,
        traded_ms=number * 60_000 + 100,
    )
    told = report("FILLED", quantity, filled, order_id=order_id, side=side, executed_quote=filled.quote_quantity)
    await ledger.apply_report(told, **BTCUSDT)


async def _buy_ether(ledger: Ledger) -> None:
    order_id = "bta-ETHUSDT-1"
    await place(ledger, order_id, symbol="ETHUSDT", tick_ms=180_000)
    for trade_id in (1, 2):
        filled = fill(
            trade_id,
            order_id,
            symbol="ETHUSDT",
            price=Decimal(2000),
            quantity=Decimal("0.05"),
            quote_quantity=Decimal(100),
            commission=Decimal("0.0001"),
            commission_asset="BNB",
            traded_ms=180_200,
        )
        await ledger.book_fill(filled, **ETHUSDT)

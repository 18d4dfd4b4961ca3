"""Moving the market of a desk by hand, and what stands on it."""

from contextlib import contextmanager
from decimal import Decimal
from typing import Any

from binance_trade_agent.domain.money import ZERO
from binance_trade_agent.domain.orders import Order
from binance_trade_agent.ops import crash_points
from tests.agents.desk import Desk


class Killed(BaseException):
    """The daemon dies here."""


@contextmanager
def killed_at(point: str):
    """Die when execution comes to `point`; that it is come to is part of the test."""

    def listener(passed: str) -> None:
        if passed == point:
            raise Killed

    with crash_points.listening(listener):
        try:
            yield
        except Killed:
            return
    raise AssertionError(f"{point} was not passed")


async def price(ready: Desk, bid: str, *, symbol: str = "BTCUSDT", quantity: str = "50", trades: bool = True) -> None:
    """Let the best bid be `bid` and the ask one tick above; with `trades` the last trade is at the bid too."""
    ask = str(Decimal(bid) + ready.rules[symbol].tick_size)
    await ready.exchange.control("book", symbol=symbol, bids=[[bid, quantity]], asks=[[ask, quantity]])
    if trades:
        await ready.exchange.control("trade", symbol=symbol, price=bid, qty="0.001", taker="SELL")


async def open_orders(ready: Desk, symbol: str = "BTCUSDT") -> list[dict[str, Any]]:
    """What rests on the exchange, oldest first."""
    client = await ready.exchange.client()
    return sorted(await client.get_open_orders(symbol=symbol), key=lambda row: row["orderId"])


async def levels(ready: Desk, symbol: str = "BTCUSDT") -> dict[str, tuple[Decimal, Decimal]]:
    """Quantity and price of each open order on the exchange, by its type; a stop's price is its trigger."""
    found = {}
    for row in await open_orders(ready, symbol):
        level = Decimal(row["stopPrice"]) or Decimal(row["price"])
        assert row["type"] not in found, "doubled"
        found[row["type"]] = (Decimal(row["origQty"]) - Decimal(row["executedQty"]), level)
    return found


async def held(ready: Desk, symbol: str = "BTCUSDT") -> Decimal:
    """What the ledger says that the bot holds."""
    positions = await ready.ledger.positions()
    return positions[symbol].quantity if symbol in positions else ZERO


async def resting(ready: Desk) -> list[Order]:
    """Open orders in the ledger."""
    return await ready.ledger.open_orders()


async def alarms(ready: Desk) -> dict[tuple[str, str], str]:
    """Texts of the alarms that stand in the ledger, by kind and subject."""
    return {(alarm.kind, alarm.subject): alarm.text for alarm in await ready.ledger.alarms()}


async def assert_equal(ready: Desk) -> None:
    """A reconciliation finds nothing, and the ledger says what the exchange says: balances, trades, open orders."""
    assert await ready.reconciler.run("the test wants to know") == []
    balances = (await ready.gateway.account()).balances
    wallet = {asset: amount for asset, amount in (await ready.ledger.wallet()).items() if amount}
    assert {asset: balances.get(asset, ZERO) for asset in wallet} == wallet
    ours = {order.exchange_order_id for order in await resting(ready)}
    theirs = set()
    for symbol in ready.rules:
        theirs |= {report.exchange_order_id for report in await ready.gateway.open_orders(symbol)}
        known = [fill.trade_id for fill in await ready.ledger.fills(symbol)]
        assert set(known) <= {trade.trade_id for trade in await ready.gateway.trades_since(symbol, 0)}
    assert ours <= theirs

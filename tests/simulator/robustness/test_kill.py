"""SIGKILL in the middle of mixed work: every answer that a client has seen is true after the next start."""

import asyncio
import contextlib
import random
from decimal import Decimal
from typing import Any

import aiohttp
from binance.exceptions import BinanceAPIException

from tests.exchange_process import exchange_process

_WORKERS = 3
_KILLS = 2
_PROTECTION = {
    "side": "SELL", "quantity": "0.01", "aboveType": "TAKE_PROFIT", "belowType": "STOP_LOSS_LIMIT",
    "belowTimeInForce": "GTC",
}  # fmt: skip


class Acknowledged:
    """What clients were told: the last status of each order by its id, and the trades of each."""

    def __init__(self) -> None:
        self.statuses: dict[int, str] = {}
        self.trades: dict[int, tuple[str, str]] = {}

    def note(self, order: dict[str, Any]) -> None:
        self.statuses[order["orderId"]] = order["status"]
        for fill in order.get("fills", ()):
            self.trades[fill["tradeId"]] = (fill["price"], fill["qty"])


async def work(client: Any, seen: Acknowledged, chance: random.Random) -> None:
    """Buy, protect with an OCO, rest an order far away and cancel it, until the exchange is gone."""
    price = float((await client.get_symbol_ticker(symbol="BTCUSDT"))["price"])
    far = f"{price * 0.9:.2f}"
    for _ in range(1_000):
        with contextlib.suppress(BinanceAPIException):
            seen.note(await client.order_market_buy(symbol="BTCUSDT", quoteOrderQty="20"))
            resting = await client.order_limit_buy(symbol="BTCUSDT", quantity="0.001", price=far)
            seen.note(resting)
            if chance.random() < 0.5:
                seen.note(await client.cancel_order(symbol="BTCUSDT", orderId=resting["orderId"]))
            placed = await client.create_oco_order(
                symbol="BTCUSDT", **_PROTECTION, aboveStopPrice=f"{price * 1.1:.2f}", belowStopPrice=far, belowPrice=far
            )
            for leg in placed["orderReports"]:
                seen.note(leg)
            await client.v3_delete_order_list(symbol="BTCUSDT", orderListId=placed["orderListId"])
            for leg in placed["orderReports"]:
                seen.statuses[leg["orderId"]] = "CANCELED"


async def test_nothing_that_was_answered_is_lost_or_undone(tmp_path):
    seed = random.randrange(1_000_000)
    print(f"seed {seed}")
    chance = random.Random(seed)
    seen = Acknowledged()
    options = {"speed": Decimal(60), "state": tmp_path / "state", "balances": {"USDT": 1_000_000, "BTC": 10}}
    for _ in range(_KILLS):
        async with exchange_process(**options) as exchange:
            client = await exchange.client()
            workers = [asyncio.ensure_future(work(client, seen, chance)) for _ in range(_WORKERS)]
            await asyncio.wait(workers, timeout=chance.uniform(0.1, 0.6))
            await exchange.kill()
            await asyncio.gather(*workers, return_exceptions=True)
            with contextlib.suppress(aiohttp.ClientError):
                await exchange.close_clients()
    async with exchange_process(**options) as exchange:
        state = await exchange.state()
        kept = {order["orderId"]: order["status"] for order in state["orders"]}
        client = await exchange.client()
        trades = {
            trade["id"]: (trade["price"], trade["qty"])
            for trade in await client.get_my_trades(symbol="BTCUSDT", limit=1000)
        }
    print(f"{len(seen.statuses)} orders, {len(seen.trades)} trades acknowledged")
    assert len(seen.statuses) > _KILLS
    for order_id, status in seen.statuses.items():
        assert kept[order_id] == status or status == "NEW", f"seed {seed}: {order_id}"
    assert seen.trades.items() <= trades.items(), f"seed {seed}"

"""Whatever is bought, sold, cancelled and traded, and in whatever order: no coin is protected twice, and the books agree."""

import asyncio
import tempfile
from decimal import Decimal
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from binance_trade_agent.agents.protection import UNPROTECTED, Protection
from binance_trade_agent.domain.money import ZERO
from binance_trade_agent.domain.orders import Side
from tests.agents.desk import Desk, desk, reopened
from tests.agents.market import alarms, held, open_orders, price


async def assert_no_coin_is_promised_twice(ready: Desk) -> None:
    """What rests on the exchange, each list once, sells no more than the bot will hold once all trades are booked."""
    await ready.recovery.catch_up()
    rows = await open_orders(ready)
    lists = {row["orderListId"] if row["orderListId"] >= 0 else -row["orderId"]: row for row in rows}
    promised = sum((Decimal(row["origQty"]) - Decimal(row["executedQty"]) for row in lists.values()), ZERO)
    assert promised <= await held(ready)


async def buy(ready: Desk, _, quantity: str) -> None:
    if not await under_way(ready):
        await ready.trade(quantity=quantity)


async def sell(ready: Desk, protection: Protection, share: str) -> None:
    """As the orchestrator does: the protection gives way, and what the ledger still holds is sold."""
    rules = ready.rules["BTCUSDT"]
    wanted = rules.round_market_quantity(await held(ready) * Decimal(share))
    if wanted and not await under_way(ready) and await protection.release("BTCUSDT"):
        left = rules.round_market_quantity(min(wanted, await held(ready)))
        if left:
            await ready.trade(Side.SELL, str(left))


async def move_price(ready: Desk, _, bid: str) -> None:
    await price(ready, bid)


async def take_target(ready: Desk, _, quantity: str) -> None:
    for row in await open_orders(ready):
        if row["type"] == "LIMIT_MAKER":
            await ready.exchange.control("trade", symbol="BTCUSDT", price=row["price"], qty=quantity, taker="BUY")


async def cancel_by_hand(ready: Desk, *_) -> None:
    client = await ready.exchange.client()
    for row in (await open_orders(ready))[:1]:
        await client.cancel_order(symbol="BTCUSDT", orderId=row["orderId"])


async def lose_answer(ready: Desk, _, kind: str) -> None:
    await ready.exchange.fault(kind, method="POST")


async def wait(ready: Desk, _, milliseconds: str) -> None:
    await ready.wait(int(milliseconds))


async def under_way(ready: Desk) -> bool:
    return any(not order.role.is_protective for order in await ready.ledger.open_orders())


STEP = st.one_of(
    st.tuples(st.just(buy), st.sampled_from(["0.00009", "0.001", "0.01237", "0.2"])),
    st.tuples(st.just(sell), st.sampled_from(["0.3", "0.9", "1"])),
    st.tuples(st.just(move_price), st.sampled_from(["57000", "61000", "62500", "64000", "66600", "70000"])),
    st.tuples(st.just(take_target), st.sampled_from(["0.0004", "0.003", "1"])),
    st.tuples(st.just(cancel_by_hand), st.just("")),
    st.tuples(st.just(lose_answer), st.sampled_from(["unknown_executed", "unknown_not_executed", "drop_after"])),
    st.tuples(st.just(wait), st.sampled_from(["1", "20000", "90000"])),
)


async def live_through(folder: Path, steps: list[tuple[Any, str]], *, closes: bool) -> None:
    async with desk(folder) as ready:
        await price(ready, "64000")
        protection = ready.protection(closes=closes)
        for step, value in steps:
            await ready.wait(1)
            await step(ready, protection, value)
            await assert_no_coin_is_promised_twice(ready)
            await protection.ensure_all(ready.rules)
            await assert_no_coin_is_promised_twice(ready)
        async with reopened(folder, ready.exchange) as again:
            protection = again.protection(closes=closes, fence=2)
            for _ in range(4):
                await again.wait(61_000)
                await price(again, "64000")
                assert await again.reconciler.run("the test wants to know") == []
                await protection.ensure_all(again.rules)
            await assert_no_coin_is_promised_twice(again)
            assert await again.reconciler.run("the test wants to know") == []
            wallet = {asset: amount for asset, amount in (await again.ledger.wallet()).items() if amount}
            assert wallet == (await again.gateway.account()).balances
            for symbol in again.rules:
                trades = await again.gateway.trades_since(symbol, 0)
                assert [fill.trade_id for fill in await again.ledger.fills(symbol)] == [t.trade_id for t in trades]
            standing = {kind for kind, _ in await alarms(again)} - {"late_fill"}
            if again.rules["BTCUSDT"].is_dust(await held(again), Decimal(50_000)):
                assert standing <= {UNPROTECTED}  # too little to be protected
                return
            assert standing == set()
            assert {row["type"] for row in await open_orders(again)} == {"STOP_LOSS", "LIMIT_MAKER"}


@settings(max_examples=12)
@given(st.lists(STEP, min_size=3, max_size=12), st.booleans())
def test_any_sequence_promises_no_coin_twice_and_the_books_agree(steps, closes):
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(live_through(Path(folder), steps, closes=closes))

"""Whatever persons order, cancel and close between what the bot does, and in whatever order.

Never is more base asset on sale than is held. Once all is settled, nothing of the position is neither protected nor
spoken for, and the books agree.
"""

import asyncio
import tempfile
from decimal import Decimal
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from binance_trade_agent.agents.protection import UNPROTECTED
from binance_trade_agent.control.commands import CommandKind, CommandState
from binance_trade_agent.control.commands import command as command_of
from binance_trade_agent.domain.money import ZERO
from binance_trade_agent.domain.orders import Side
from binance_trade_agent.ledger.on_sale import on_sale_base
from tests.agents.desk import Desk, desk, reopened
from tests.agents.market import alarms, held, open_orders, price
from tests.agents.persons import Person, person

SALES = (
    {"kind": "market"},
    {"kind": "limit", "price": "65500"},
    {"kind": "limit", "price": "70000"},
    {"kind": "stop_limit", "price": "60900", "stop_price": "61000"},
    {"kind": "oco", "price": "66000", "stop_price": "62000", "stop_limit_price": "61900"},
)
PURCHASES = (
    {"kind": "market"},
    {"kind": "limit", "price": "62500"},
    {"kind": "stop_limit", "price": "66600", "stop_price": "66500"},
    {"kind": "oco", "price": "61000", "stop_price": "66500", "stop_limit_price": "66600"},
)


async def on_sale_at_the_exchange(ready: Desk) -> Decimal:
    """What rests there to be sold, each list once, in base asset."""
    rows = [row for row in await open_orders(ready) if row["side"] == "SELL"]
    lists = {row["orderListId"] if row["orderListId"] >= 0 else -row["orderId"]: row for row in rows}
    return sum((Decimal(row["origQty"]) - Decimal(row["executedQty"]) for row in lists.values()), ZERO)


async def assert_no_coin_is_promised_twice(ready: Desk) -> None:
    await ready.recovery.catch_up()
    assert await on_sale_at_the_exchange(ready) <= await held(ready)


async def strategy_buys(who: Person, quantity: str) -> None:
    if not any(not order.role.is_protective and not order.is_on_exchange for order in await open_of(who.desk)):
        await who.desk.trade(quantity=quantity)


async def person_sells(who: Person, order: dict[str, str]) -> None:
    quantity = who.desk.rules["BTCUSDT"].round_market_quantity(await held(who.desk) / 2)
    if quantity:
        await who.order("SELL", str(quantity), **order)


async def person_sells_all(who: Person, order: dict[str, str]) -> None:
    quantity = who.desk.rules["BTCUSDT"].round_market_quantity(await held(who.desk))
    if quantity:
        await who.order("SELL", str(quantity), **order)


async def person_buys(who: Person, order: dict[str, str]) -> None:
    await who.order("BUY", "0.004", **order)


async def person_cancels(who: Person, index: int) -> None:
    mine = [order for order in await open_of(who.desk) if order.is_persons_to_rest]
    if mine:
        await who.ask(CommandKind.CANCEL, client_order_id=mine[index % len(mine)].client_order_id)


async def person_closes(who: Person, _: Any) -> None:
    await who.ask(CommandKind.CLOSE, symbol="BTCUSDT")


async def person_throws_the_switch(who: Person, closes: str) -> None:
    await who.ask(CommandKind.KILL, close_positions=closes)
    await who.ask(CommandKind.RELEASE, name="test")


async def price_moves(who: Person, bid: str) -> None:
    await price(who.desk, bid)


async def answer_is_lost(who: Person, kind: str) -> None:
    await who.desk.exchange.fault(kind, method="POST")


async def cancel_is_lost(who: Person, _: Any) -> None:
    await who.desk.exchange.fault("http", method="DELETE", status=503)


async def time_passes(who: Person, milliseconds: int) -> None:
    await who.desk.wait(milliseconds)


async def open_of(ready: Desk) -> list:
    return await ready.ledger.open_orders()


STEP = st.one_of(
    st.tuples(st.just(strategy_buys), st.sampled_from(["0.001", "0.01237"])),
    st.tuples(st.just(person_sells), st.sampled_from(SALES)),
    st.tuples(st.just(person_sells_all), st.sampled_from(SALES)),
    st.tuples(st.just(person_buys), st.sampled_from(PURCHASES)),
    st.tuples(st.just(person_cancels), st.integers(0, 3)),
    st.tuples(st.just(person_closes), st.none()),
    st.tuples(st.just(person_throws_the_switch), st.sampled_from(["true", "false"])),
    st.tuples(st.just(price_moves), st.sampled_from(["60500", "62400", "64000", "65600", "66600"])),
    st.tuples(st.just(answer_is_lost), st.sampled_from(["unknown_executed", "unknown_not_executed", "drop_after"])),
    st.tuples(st.just(cancel_is_lost), st.none()),
    st.tuples(st.just(time_passes), st.sampled_from([1, 20_000])),
)


async def live_through(folder: Path, steps: list[tuple[Any, Any]]) -> None:
    async with desk(folder) as ready:
        await price(ready, "64000")
        who = person(ready)
        await strategy_buys(who, "0.02")
        for step, value in steps:
            await ready.wait(1)
            await step(who, value)
            await assert_no_coin_is_promised_twice(ready)
            await who.watch.protection.ensure_all(ready.rules)
            await who.carry_out()
            await assert_no_coin_is_promised_twice(ready)
        async with reopened(folder, ready.exchange) as again:
            who = person(again, fence=2)
            await again.reconciler.run("start")
            for _ in range(3):
                await again.wait(61_000)
                await price(again, "64000")
                await again.recovery.catch_up()
                await who.watch.protection.ensure_all(again.rules)
                await who.carry_out()
            await assert_all_is_protected_or_spoken_for(again)
            for number in range(1, 1000):
                if (command := await again.ledger.read(lambda c, n=number: command_of(c, n))) is None:
                    break
                assert command.state is not CommandState.PENDING, command
            assert await again.reconciler.run("the test wants to know") == []
            wallet = {asset: amount for asset, amount in (await again.ledger.wallet()).items() if amount}
            assert wallet == (await again.gateway.account()).balances


async def assert_all_is_protected_or_spoken_for(ready: Desk) -> None:
    entries = await ready.ledger.consult(lambda books: list(books.unsettled_orders("BTCUSDT")))
    protected = max((entry.order.left_base for entry in entries if entry.order.role.is_protective), default=ZERO)
    spoken_for, has = on_sale_base(entries), await held(ready)
    assert protected + spoken_for <= has
    rules = ready.rules["BTCUSDT"]
    if rules.is_dust(has - spoken_for, Decimal(60_000)):  # too little to be protected
        assert {kind for kind, _ in await alarms(ready)} <= {UNPROTECTED, "late_fill"}
        return
    assert protected == rules.round_market_quantity(has - spoken_for)
    assert await on_sale_at_the_exchange(ready) == protected + spoken_for
    purchases = [entry for entry in entries if entry.order.side is Side.BUY]
    assert all(entry.order.is_on_exchange for entry in purchases)


@settings(max_examples=12)
@given(st.lists(STEP, min_size=3, max_size=9))
def test_no_coin_is_promised_twice_and_none_is_left_alone(steps):
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(live_through(Path(folder), steps))

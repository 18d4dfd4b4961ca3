"""S08: partial fills, and the market order that ran out of liquidity. The position is what was bought; so is its protection."""

from decimal import Decimal

import pytest

from binance_trade_agent.domain.decisions import Outcome
from binance_trade_agent.domain.orders import OrderState, Role, Side
from binance_trade_agent.domain.signals import Action
from tests.agents.desk import Desk, desk
from tests.survival.trader import assert_equal, assert_settled, decided_now, held, legs, resting, trader


async def offer(ready: Desk, *asks: tuple[str, str], bid: str = "63999", bid_quantity: str = "1") -> None:
    levels = [list(level) for level in asks]
    await ready.exchange.control("book", symbol="BTCUSDT", bids=[[bid, bid_quantity]], asks=levels)


@pytest.mark.parametrize("offered", ["0.004", "0.00123"])
async def test_s08_market_order_that_ran_out_of_liquidity_is_what_was_bought(tmp_path, offered):
    async with desk(tmp_path) as ready:
        await offer(ready, ("64000", offered))
        decision = await ready.trade(quantity="0.01")
        assert decision.outcome is Outcome.EXECUTED
        entry = await ready.entry(decision)
        assert (entry.order.state, entry.order.executed_base) == (OrderState.EXPIRED, Decimal(offered))
        assert entry.is_settled
        assert (entry.order.left_base, entry.order.reserved_quote) == (0, 0), "the rest is not waited for"
        assert await held(ready) == Decimal(offered) * Decimal("0.999")
        await assert_settled(ready, sent=1)


async def test_s08_protection_of_a_part_is_of_that_part_after_fees(tmp_path):
    async with trader(tmp_path, protection=("2", "4"), order_quote=600, BTCUSDT=Action.BUY) as ready:
        await ready.desk.wait(60_000)
        book = await ready.desk.gateway.book_ticker("BTCUSDT")
        await offer(ready.desk, (str(book.ask), "0.00456"), bid=str(book.bid))
        decision = await decided_now(ready)
        assert decision.outcome is Outcome.EXECUTED
        assert "0.00456 of " in decision.detail
        position = await held(ready.desk)
        assert position == Decimal("0.00456") * Decimal("0.999")
        both = await legs(ready.desk)
        assert {order.quantity for order in both.values()} == {Decimal("0.00455")}
        assert {report.quantity for report in await resting(ready.desk)} == {Decimal("0.00455")}
        average = (await ready.desk.ledger.positions())["BTCUSDT"].average_price
        assert both[Role.STOP_LOSS].stop_price < average < both[Role.TAKE_PROFIT].price
        await assert_equal(ready.desk, sent=2)


async def test_s08_order_that_found_nobody_is_no_position_and_needs_no_protection(tmp_path):
    async with desk(tmp_path) as ready:
        await offer(ready)
        decision = await ready.trade()
        assert decision.outcome is Outcome.UNFILLED
        await ready.protection().ensure("BTCUSDT", ready.rules["BTCUSDT"])
        assert await held(ready) == 0
        await assert_settled(ready, sent=1)


async def test_s08_sale_that_ran_out_of_liquidity_leaves_a_position_that_is_protected_again(tmp_path):
    async with desk(tmp_path) as ready:
        await ready.trade()
        protection = ready.protection()
        rules = ready.rules["BTCUSDT"]
        await protection.ensure("BTCUSDT", rules)
        assert await protection.release("BTCUSDT")
        book = await ready.gateway.book_ticker("BTCUSDT")
        await offer(ready, (str(book.ask), "1"), bid=str(book.bid), bid_quantity="0.003")
        sale = await ready.trade(Side.SELL, "0.00999")
        assert (await ready.entry(sale)).order.state is OrderState.EXPIRED
        assert await held(ready) == Decimal("0.00699")
        await ready.wait(1000)
        await protection.ensure("BTCUSDT", rules)
        assert {order.quantity for order in (await legs(ready)).values()} == {Decimal("0.00699")}
        await assert_equal(ready, sent=4)


async def test_s08_many_small_fills_are_one_position_to_the_last_digit(tmp_path):
    async with desk(tmp_path) as ready:
        levels = [(f"{64_000 + number}.{number:02}", f"0.000{11 + number}") for number in range(20)]
        await offer(ready, *levels)
        wanted = sum(Decimal(quantity) for _, quantity in levels)
        decision = await ready.trade(quantity=str(wanted))
        assert decision.outcome is Outcome.EXECUTED
        fills = await ready.ledger.fills()
        assert len(fills) == len(levels)
        assert await held(ready) == wanted - sum(fill.commission for fill in fills)
        position = (await ready.ledger.positions())["BTCUSDT"]
        assert position.cost_quote == sum(Decimal(price) * Decimal(quantity) for price, quantity in levels)
        await assert_settled(ready, sent=1)


async def test_s08_lost_answer_of_a_part_that_was_bought_is_that_part(tmp_path):
    async with desk(tmp_path) as ready:
        await offer(ready, ("64000", "0.004"))
        await ready.exchange.fault("drop_after", method="POST", path="order")
        decision = await ready.trade(quantity="0.01")
        assert decision.outcome is Outcome.UNKNOWN
        await ready.recovery.catch_up()
        assert (await ready.entry(decision)).order.state is OrderState.EXPIRED
        assert await held(ready) == Decimal("0.003996")
        await assert_settled(ready, sent=1)


async def test_s08_stop_that_ran_out_of_buyers_leaves_the_rest_protected(tmp_path):
    async with desk(tmp_path) as ready:
        await ready.trade()
        protection = ready.protection("2", "0")
        rules = ready.rules["BTCUSDT"]
        await protection.ensure("BTCUSDT", rules)
        stop = (await legs(ready))[Role.STOP_LOSS]
        book = await ready.gateway.book_ticker("BTCUSDT")
        below = stop.stop_price - 1
        await offer(ready, (str(book.ask), "1"), bid=str(below), bid_quantity="0.002")
        await ready.exchange.control("trade", symbol="BTCUSDT", price=str(below), qty="0.0001", taker="SELL")
        await ready.recovery.catch_up()
        entry = await ready.entry(stop)
        assert entry.order.state is OrderState.EXPIRED
        assert 0 < entry.filled_base < stop.quantity
        left = await held(ready)
        assert left == Decimal("0.00999") - entry.filled_base
        await offer(ready, (str(book.ask), "1"), bid=str(book.bid))  # the price comes back
        await ready.exchange.control("trade", symbol="BTCUSDT", price=str(book.ask), qty="0.001", taker="BUY")
        await protection.ensure("BTCUSDT", rules)
        (again,) = (await legs(ready)).values()
        assert again.quantity == rules.round_market_quantity(left)
        await assert_equal(ready, sent=3)

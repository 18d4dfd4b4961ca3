"""S06: a cancel races with a fill. An order has ended when its fills add up; what is sold next is what the ledger holds."""

from decimal import Decimal

import pytest

from binance_trade_agent.domain.decisions import Outcome
from binance_trade_agent.domain.orders import OrderState, Role, Side
from binance_trade_agent.domain.signals import Action
from binance_trade_agent.domain.values import replace
from tests.agents.desk import Desk, desk
from tests.agents.test_execution import Streaming
from tests.survival.trader import alarms, assert_equal, assert_settled, decided_now, held, legs, resting, trader

STATES = {OrderState.CANCELED, OrderState.EXPIRED}


async def let_the_target_fill(ready: Desk, quantity: Decimal) -> None:
    """Somebody buys `quantity` of what our take-profit offers. The ledger does not hear of it."""
    target = (await legs(ready))[Role.TAKE_PROFIT]
    book = await ready.gateway.book_ticker("BTCUSDT")
    bids = [[str(book.bid), "5"]]
    await ready.exchange.control("book", symbol="BTCUSDT", bids=bids, asks=[])  # nobody offers in front of us
    await ready.exchange.control("trade", symbol="BTCUSDT", price=str(target.price), qty=str(quantity), taker="BUY")
    await ready.exchange.control("book", symbol="BTCUSDT", bids=bids, asks=[[str(book.ask), "5"]])
    await ready.exchange.control("trade", symbol="BTCUSDT", price=str(book.ask), qty="0.001", taker="BUY")


async def of_role(ready: Desk, role: Role):
    return [entry for entry in await ready.orders() if entry.order.role is role]


async def test_s06_target_that_has_filled_before_the_cancel_leaves_nothing_to_sell(tmp_path):
    async with trader(tmp_path, protection=("2", "4"), BTCUSDT=Action.BUY) as ready:
        await ready.tick()
        both = await legs(ready.desk)
        assert len(await resting(ready.desk)) == 2
        ready.strategy.opinions["BTCUSDT"] = Action.SELL
        await ready.desk.wait(60_000)
        target = both[Role.TAKE_PROFIT]
        await let_the_target_fill(ready.desk, target.quantity)
        assert await resting(ready.desk) == []
        decision = await decided_now(ready)
        assert (decision.outcome, decision.detail) == (
            Outcome.SKIPPED,
            "the protection has sold the position meanwhile",
        )
        assert (await ready.desk.entry(target)).order.state is OrderState.FILLED
        (stop,) = await of_role(ready.desk, Role.STOP_LOSS)
        assert stop.order.state in STATES
        assert await of_role(ready.desk, Role.EXIT) == []
        assert 0 <= await held(ready.desk) < ready.desk.rules["BTCUSDT"].step_size
        await assert_settled(ready.desk, sent=2)


async def test_s06_target_that_has_filled_in_part_leaves_the_rest_to_sell(tmp_path):
    async with trader(tmp_path, protection=("2", "4"), BTCUSDT=Action.BUY) as ready:
        await ready.tick()
        bought = await held(ready.desk)
        ready.strategy.opinions["BTCUSDT"] = Action.SELL
        await ready.desk.wait(60_000)
        await let_the_target_fill(ready.desk, Decimal("0.0005"))
        decision = await decided_now(ready)
        assert decision.outcome is Outcome.EXECUTED
        (target,) = await of_role(ready.desk, Role.TAKE_PROFIT)
        assert (target.order.state, target.filled_base) == (OrderState.CANCELED, Decimal("0.0005"))
        assert target.is_settled
        (sale,) = await of_role(ready.desk, Role.EXIT)
        rest = bought - Decimal("0.0005")
        assert sale.order.quantity == ready.desk.rules["BTCUSDT"].round_market_quantity(rest)
        assert await held(ready.desk) == rest - sale.order.quantity
        await assert_settled(ready.desk, sent=3)


@pytest.mark.parametrize("filled", ["0.0005", "0.00999"])
async def test_s06_fill_and_cancel_told_by_stream_and_answers_end_the_same(tmp_path, filled):
    async with desk(tmp_path) as ready, Streaming(ready, ready.keeper.on_event) as stream:
        await ready.trade()
        await ready.protection().ensure("BTCUSDT", ready.rules["BTCUSDT"])
        await ready.exchange.fault("event_delay", event="executionReport", ms=150, count=None)
        await let_the_target_fill(ready, Decimal(filled))
        assert await ready.protection().release("BTCUSDT")
        await stream.catch_up()
        (target,) = await of_role(ready, Role.TAKE_PROFIT)
        assert target.order.state is (OrderState.FILLED if filled == "0.00999" else OrderState.CANCELED)
        assert target.is_settled
        assert await held(ready) == Decimal("0.00999") - Decimal(filled)
        assert await alarms(ready) == [], "a fill that is told again, late, is no surprise"
        await assert_settled(ready, sent=2)


async def test_s06_cancelled_order_has_not_ended_while_a_fill_of_it_is_missing(tmp_path):
    async with trader(tmp_path, protection=("2", "4"), BTCUSDT=Action.BUY) as ready:
        await ready.tick()
        bought = await held(ready.desk)
        target = (await legs(ready.desk))[Role.TAKE_PROFIT]
        await let_the_target_fill(ready.desk, Decimal("0.0005"))
        await ready.desk.gateway.cancel_order("BTCUSDT", target.exchange_order_id)
        ended = await ready.desk.gateway.order_by_exchange_id("BTCUSDT", target.exchange_order_id)
        assert (ended.status, ended.executed_base) == ("CANCELED", Decimal("0.0005"))
        async with ready.desk.keeper.turn("BTCUSDT"):
            await ready.desk.keeper.apply(replace(ended, client_order_id=target.client_order_id))  # without its fill
        entry = await ready.desk.entry(target)
        assert (entry.order.state, entry.is_settled) == (OrderState.CANCELED, False)
        ready.strategy.opinions["BTCUSDT"] = Action.SELL
        refused = (await ready.tick())["BTCUSDT"]
        assert (refused.outcome, refused.rule) == (Outcome.REFUSED, "open_order"), "nobody knows yet what there is"
        await ready.desk.recovery.ask_about_unsettled()
        assert await held(ready.desk) == bought - Decimal("0.0005")
        assert (await ready.tick())["BTCUSDT"].outcome is Outcome.EXECUTED
        await assert_settled(ready.desk, sent=3)


async def test_s06_trades_that_cannot_be_read_after_the_cancel_stop_the_sale(tmp_path):
    async with trader(tmp_path, protection=("2", "4"), BTCUSDT=Action.BUY) as ready:
        await ready.tick()
        await let_the_target_fill(ready.desk, Decimal("0.0005"))
        ready.strategy.opinions["BTCUSDT"] = Action.SELL
        await ready.desk.exchange.fault("http", method="GET", path="myTrades", status=503)
        decision = (await ready.tick())["BTCUSDT"]
        assert decision.outcome is Outcome.NO_DATA
        assert await of_role(ready.desk, Role.EXIT) == []
        (target,) = await of_role(ready.desk, Role.TAKE_PROFIT)
        assert target.order.cancel_requested_ms is not None
        assert (await ready.tick())["BTCUSDT"].rule == "open_order"
        await ready.desk.recovery.ask_about_unsettled()
        assert (await ready.tick())["BTCUSDT"].outcome is Outcome.EXECUTED
        await assert_settled(ready.desk, sent=3)


async def test_s06_fill_between_the_look_and_the_cancel_is_never_sold_twice(tmp_path):
    """The exchange fills the target at the very moment of the cancel, which it refuses then."""
    async with trader(tmp_path, protection=("2", "4"), BTCUSDT=Action.BUY) as ready:
        await ready.tick()
        target = (await legs(ready.desk))[Role.TAKE_PROFIT]
        cancel = ready.desk.gateway.cancel_order

        async def too_late(symbol, exchange_order_id, *_):
            await let_the_target_fill(ready.desk, target.quantity)
            return await cancel(symbol, exchange_order_id)

        ready.desk.gateway.cancel_order = too_late
        ready.strategy.opinions["BTCUSDT"] = Action.SELL
        decision = (await ready.tick())["BTCUSDT"]
        assert decision.outcome is Outcome.SKIPPED
        sides = [fill.side for fill in await ready.desk.ledger.fills()]
        assert sides == [Side.BUY, Side.SELL]
        await assert_settled(ready.desk, sent=2)


async def test_s06_position_that_its_stop_has_left_is_protected_no_more(tmp_path):
    async with desk(tmp_path) as ready:
        await ready.trade()
        protection = ready.protection()
        await protection.ensure("BTCUSDT", ready.rules["BTCUSDT"])
        await let_the_target_fill(ready, Decimal("0.004"))
        await ready.wait(1000)
        await ready.recovery.catch_up()
        assert await held(ready) == Decimal("0.00599")
        await protection.ensure("BTCUSDT", ready.rules["BTCUSDT"])
        assert {order.left_base for order in (await legs(ready)).values()} == {Decimal("0.00599")}
        await assert_equal(ready, sent=3)

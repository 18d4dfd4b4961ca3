"""Protection: what stands on the exchange follows from what is held, whatever happens in between."""

from decimal import Decimal

import pytest

from binance_trade_agent.agents.protection import REFUSED_PAUSE_MS, UNPROTECTED
from binance_trade_agent.domain.decisions import Outcome
from binance_trade_agent.domain.orders import OrderReport, OrderState, Role, Side
from binance_trade_agent.ops.tasks import spawn
from tests.agents.desk import Desk, desk
from tests.agents.market import alarms, assert_equal, held, levels, price, resting

ALARM = (UNPROTECTED, "BTCUSDT")


async def ensure(ready: Desk, protection) -> None:
    await protection.ensure("BTCUSDT", ready.rules["BTCUSDT"])


async def bought(ready: Desk, quantity: str = "0.01") -> None:
    await price(ready, "64000")
    await ready.trade(quantity=quantity)
    await ready.wait(1)
    await price(ready, "64000")


async def average(ready: Desk) -> Decimal:
    return (await ready.ledger.positions())["BTCUSDT"].average_price


@pytest.mark.parametrize(
    ("stop", "target", "types"),
    [
        ("2", "4", {"STOP_LOSS", "LIMIT_MAKER"}),
        ("2", "0", {"STOP_LOSS"}),
        ("0", "4", {"LIMIT_MAKER"}),
        ("0", "0", set()),
    ],
)
async def test_what_was_bought_is_protected_after_fees_in_whole_lots_and_ticks(tmp_path, stop, target, types):
    async with desk(tmp_path) as ready:
        await bought(ready, "0.01234")
        await ensure(ready, ready.protection(stop, target))
        standing, rules = await levels(ready), ready.rules["BTCUSDT"]
        assert standing.keys() == types
        for quantity, level in standing.values():
            assert quantity == rules.round_market_quantity(await held(ready)) < await held(ready)
            assert rules.price_violation(level) is None
        if "STOP_LOSS" in types:
            assert abs(standing["STOP_LOSS"][1] - await average(ready) * Decimal("0.98")) < rules.tick_size
        if "LIMIT_MAKER" in types:
            assert abs(standing["LIMIT_MAKER"][1] - await average(ready) * Decimal("1.04")) < rules.tick_size
        assert {order.role for order in await resting(ready)} == {
            {"STOP_LOSS": Role.STOP_LOSS, "LIMIT_MAKER": Role.TAKE_PROFIT}[each] for each in types
        }
        await assert_equal(ready)


async def test_second_purchase_resizes_it_and_what_is_right_already_is_left_alone(tmp_path):
    async with desk(tmp_path) as ready:
        protection = ready.protection()
        await bought(ready)
        await ensure(ready, protection)
        first = await resting(ready)
        await ensure(ready, protection)
        assert await resting(ready) == first
        await bought(ready, "0.02")
        await ensure(ready, protection)
        standing = await levels(ready)
        assert {quantity for quantity, _ in standing.values()} == {Decimal("0.02997")}
        assert len(standing) == 2
        await assert_equal(ready)


async def test_a_look_at_all_is_one_question_while_all_are_as_they_should_be(tmp_path, monkeypatch):
    async with desk(tmp_path) as ready:
        protection = ready.protection()
        await bought(ready)
        await ready.trade(quantity="0.1", symbol="ETHUSDT")
        await protection.ensure_all(ready.rules)
        first, consult, asked = await resting(ready), ready.ledger.consult, []

        async def counted(work):
            asked.append(work)
            return await consult(work)

        monkeypatch.setattr(ready.ledger, "consult", counted)
        await protection.ensure_all(ready.rules)
        assert (len(asked), protection.held) == (1, {"BTCUSDT", "ETHUSDT"})
        assert await resting(ready) == first
        await bought(ready, "0.02")
        await protection.ensure_all(ready.rules)
        assert {quantity for quantity, _ in (await levels(ready)).values()} == {Decimal("0.02997")}
        assert len(await levels(ready, "ETHUSDT")) == 2
        await assert_equal(ready)


async def test_a_look_at_all_waits_for_who_moves_the_orders_of_a_symbol(tmp_path):
    async with desk(tmp_path) as ready:
        protection = ready.protection()
        await bought(ready)
        await protection.ensure_all(ready.rules)
        async with ready.keeper.turn("BTCUSDT"):
            looking = spawn(protection.ensure_all(ready.rules), name="look")
            await ready.execution.cancel([entry.order for entry in await ready.orders() if not entry.order.is_terminal])
            assert await levels(ready) == {}
            assert not looking.done()
        await looking
        assert len(await levels(ready)) == 2
        await assert_equal(ready)


async def test_what_was_taken_off_is_put_back_by_a_look_at_all(tmp_path):
    async with desk(tmp_path) as ready:
        protection = ready.protection()
        await bought(ready)
        await protection.ensure_all(ready.rules)
        assert await protection.release("BTCUSDT")
        assert await levels(ready) == {}
        await protection.ensure_all(ready.rules)
        assert len(await levels(ready)) == 2
        await assert_equal(ready)


async def test_settings_that_changed_over_a_restart_move_it(tmp_path):
    async with desk(tmp_path) as ready:
        await bought(ready)
        await ensure(ready, ready.protection("2", "4"))
        await ready.wait(1)
        await price(ready, "64000")
        await ensure(ready, ready.protection("5", "4"))
        level = (await levels(ready))["STOP_LOSS"][1]
        assert abs(level - await average(ready) * Decimal("0.95")) < Decimal("0.01")
        await ready.wait(1)
        await ensure(ready, ready.protection("0", "0"))
        assert await levels(ready) == {}
        await assert_equal(ready)


async def test_stop_that_fires_closes_the_position_and_leaves_nothing(tmp_path):
    async with desk(tmp_path) as ready:
        protection = ready.protection()
        await bought(ready)
        await ensure(ready, protection)
        await price(ready, "62000")
        await ready.recovery.catch_up()
        await ensure(ready, protection)
        assert await levels(ready) == {}
        assert await held(ready) < ready.rules["BTCUSDT"].step_size
        states = {entry.order.role: entry.order.state for entry in await ready.orders()}
        assert states[Role.STOP_LOSS] is OrderState.FILLED
        assert states[Role.TAKE_PROFIT] is OrderState.EXPIRED
        await ready.assert_reconciled()


@pytest.mark.parametrize(
    ("bid", "level", "said"),
    [("62000", "WARNING", "BTCUSDT: its stop-loss sold"), ("67000", "INFO", "BTCUSDT: its take-profit sold")],
)
async def test_stop_that_sold_is_a_warning_and_a_target_that_did_is_none(tmp_path, caplog, bid, level, said):
    caplog.set_level("INFO")
    async with desk(tmp_path) as ready:
        await bought(ready)
        await ensure(ready, ready.protection())
        await price(ready, bid)
        await ready.recovery.catch_up()
    assert [record.levelname for record in caplog.records if record.getMessage().startswith(said)] == [level]


async def test_target_that_fills_partly_lets_the_rest_be_protected_again(tmp_path):
    async with desk(tmp_path) as ready:
        protection = ready.protection()
        await bought(ready)
        await ensure(ready, protection)
        target = (await levels(ready))["LIMIT_MAKER"][1]
        await ready.exchange.control("trade", symbol="BTCUSDT", price=str(target), qty="0.004", taker="BUY")
        await ready.recovery.catch_up()
        sold = Decimal("0.00999") - await held(ready)
        assert 0 < sold < Decimal("0.009")
        assert (await levels(ready)).keys() == {"LIMIT_MAKER"}  # the stop is gone: OCO_TRIGGER
        await price(ready, "64000")
        await ensure(ready, protection)
        standing = await levels(ready)
        assert standing.keys() == {"LIMIT_MAKER", "STOP_LOSS"}
        assert {quantity for quantity, _ in standing.values()} == {await held(ready)}
        await assert_equal(ready)


async def test_alone_standing_target_that_fills_partly_stays_where_it_is(tmp_path):
    async with desk(tmp_path) as ready:
        protection = ready.protection("0", "4")
        await bought(ready, "0.01237")
        await ensure(ready, protection)
        first = [order.client_order_id for order in await resting(ready)]
        target = (await levels(ready))["LIMIT_MAKER"][1]
        await ready.exchange.control("trade", symbol="BTCUSDT", price=str(target), qty="0.00411", taker="BUY")
        await ready.recovery.catch_up()
        await price(ready, "64000", trades=False)
        await ensure(ready, protection)
        assert [order.client_order_id for order in await resting(ready)] == first
        await assert_equal(ready)


async def test_symbol_without_market_stops_gets_a_stop_with_a_limit_below_it(tmp_path):
    async with desk(tmp_path) as ready:
        kinds = [kind for kind in ready.rules["BTCUSDT"].order_types if kind != "STOP_LOSS"]
        await ready.exchange.control("config", symbol={"symbol": "BTCUSDT", "fields": {"orderTypes": kinds}})
        rules = (await ready.gateway.symbol_rules(["BTCUSDT"]))["BTCUSDT"]
        await bought(ready)
        await ready.protection().ensure("BTCUSDT", rules)
        (stop,) = [order for order in await resting(ready) if order.role is Role.STOP_LOSS]
        assert stop.type == "STOP_LOSS_LIMIT"
        assert stop.price == rules.round_price(stop.stop_price * Decimal("0.98"))
        await price(ready, "62500")
        await ready.recovery.catch_up()
        assert await held(ready) < rules.step_size
        await ready.assert_reconciled()


async def test_too_little_to_be_protected_is_said_once_and_not_tried(tmp_path):
    async with desk(tmp_path) as ready:
        await bought(ready, "0.00009")  # what can be sold of it is worth 5.12; at the stop less than the least, 5
        protection = ready.protection()
        sent = len(await ready.exchange.log())
        for _ in range(3):
            await ensure(ready, protection)
            await protection.ensure_all(ready.rules)
            await ready.wait(REFUSED_PAUSE_MS)
        assert not [row for row in (await ready.exchange.log())[sent:] if row["method"] == "POST"]
        (alarm,) = await ready.ledger.alarms()
        assert (alarm.kind, alarm.subject, alarm.times) == (*ALARM, 1)
        assert alarm.text.startswith("0.00008991 held without protection: at its stop it would be worth less")
        await ready.trade(Side.SELL, "0.00008")
        await protection.ensure_all(ready.rules)
        assert await alarms(ready) == {}


async def test_released_for_a_sale_and_put_back_when_nothing_was_sold(tmp_path):
    async with desk(tmp_path) as ready:
        protection = ready.protection()
        await bought(ready)
        await ensure(ready, protection)
        assert await protection.release("BTCUSDT")
        assert await levels(ready) == {}
        await ready.wait(1)
        await price(ready, "64000")
        await ensure(ready, protection)
        assert len(await levels(ready)) == 2
        assert await protection.release("BTCUSDT")
        await ready.trade(Side.SELL, "0.00999")
        await ensure(ready, protection)
        assert await levels(ready) == {}
        await ready.assert_reconciled()


@pytest.mark.parametrize("fault", ["unknown_executed", "unknown_not_executed", "drop_after", "drop_before"])
async def test_cancel_whose_answer_is_lost_is_asked_about_and_repeated_where_needed(tmp_path, fault):
    async with desk(tmp_path) as ready:
        protection = ready.protection()
        await bought(ready)
        await ensure(ready, protection)
        await ready.exchange.fault(fault, method="DELETE")
        done = await protection.release("BTCUSDT")
        assert done is (await levels(ready) == {})
        assert await protection.release("BTCUSDT")
        assert await levels(ready) == {}
        await ready.assert_reconciled()


async def test_order_of_the_symbol_that_is_under_way_keeps_protection_waiting(tmp_path):
    async with desk(tmp_path) as ready:
        protection = ready.protection()
        await bought(ready)
        await ready.exchange.fault("unknown_executed", method="POST", path="order")
        await ready.trade(quantity="0.02")
        await ensure(ready, protection)
        assert await levels(ready) == {}
        await ready.recovery.catch_up()
        await ensure(ready, protection)
        assert {quantity for quantity, _ in (await levels(ready)).values()} == {Decimal("0.02997")}


async def test_s08_purchase_that_ran_out_of_liquidity_is_protected_as_far_as_it_came(tmp_path):
    async with desk(tmp_path) as ready:
        await price(ready, "64000", quantity="0.004")
        decision = await ready.trade(quantity="0.01")
        assert (await ready.entry(decision)).order.state is OrderState.EXPIRED
        await price(ready, "64000")
        await ensure(ready, ready.protection())
        assert {quantity for quantity, _ in (await levels(ready)).values()} == {Decimal("0.00399")}
        await assert_equal(ready)


@pytest.mark.parametrize("bid", ["62000", "67000"], ids=["stop", "target"])
async def test_s06_leg_that_fills_while_it_is_being_cancelled_for_a_resize_is_not_sold_twice(tmp_path, bid):
    async with desk(tmp_path) as ready:
        protection = ready.protection()
        await bought(ready)
        await ensure(ready, protection)
        await bought(ready, "0.02")
        cancel = ready.gateway.cancel_order

        async def too_late(symbol: str, exchange_order_id: int, _: str | None) -> tuple[OrderReport, ...]:
            ready.gateway.cancel_order = cancel
            await price(ready, bid)
            return await cancel(symbol, exchange_order_id)

        ready.gateway.cancel_order = too_late
        await ensure(ready, protection)
        await ensure(ready, protection)
        # The old legs sold their 0.00999, the rest is past its levels too and is closed at market: each coin once.
        assert await held(ready) < ready.rules["BTCUSDT"].step_size
        sold = sum(fill.quantity for fill in await ready.ledger.fills() if fill.side is Side.SELL)
        assert sold == Decimal("0.02997")
        assert await alarms(ready) == {}
        await ready.assert_reconciled()


@pytest.mark.parametrize("heard", [True, False])
async def test_s06_target_that_fills_partly_while_it_is_being_cancelled(tmp_path, heard):
    async with desk(tmp_path) as ready:
        protection = ready.protection()
        await bought(ready)
        await ensure(ready, protection)
        target = (await levels(ready))["LIMIT_MAKER"][1]
        cancel = ready.gateway.cancel_order

        async def too_late(symbol: str, exchange_order_id: int, _: str | None) -> tuple[OrderReport, ...]:
            await ready.exchange.control("trade", symbol="BTCUSDT", price=str(target), qty="0.004", taker="BUY")
            if heard:
                await ready.recovery._book_missed_trades(symbol)
            return await cancel(symbol, exchange_order_id)

        ready.gateway.cancel_order = too_late
        assert await protection.release("BTCUSDT") or await protection.release("BTCUSDT")
        ready.gateway.cancel_order = cancel
        assert await levels(ready) == {}
        left = await held(ready)
        assert 0 < left < Decimal("0.00999")
        await price(ready, "64000")
        assert (await ready.trade(Side.SELL, str(left))).outcome is Outcome.EXECUTED
        assert await held(ready) == 0
        await ready.assert_reconciled()

"""A person's orders: through the agents, exactly once, beside what protects the position."""

from decimal import Decimal

import pytest

from binance_trade_agent.control.commands import NOT_TAKEN, CommandKind, CommandState, refuse_stale
from binance_trade_agent.domain.exits import ExitKind
from binance_trade_agent.domain.orders import OrderState, OrderType, Role, Side
from binance_trade_agent.domain.signals import Action, Signal
from binance_trade_agent.domain.values import replace
from tests.agents.desk import Desk, desk, reopened
from tests.agents.market import alarms, assert_equal, held, killed_at, open_orders, price, resting
from tests.agents.persons import ASKED_WALL_MS, Person, person
from tests.agents.risk_desk import risk_agent

D = Decimal


async def bought(ready: Desk, who: Person, quantity: str = "0.01") -> None:
    """A protected position at 64000."""
    await price(ready, "64000")
    await ready.trade(quantity=quantity)
    await who.watch.tick(1)


async def protected(ready: Desk) -> Decimal:
    """Base asset that rests to protect."""
    return max((order.left_base for order in await resting(ready) if order.role.is_protective), default=D(0))


async def test_market_purchase_is_an_entry_that_is_protected_and_answered_with_what_came_of_it(tmp_path):
    async with desk(tmp_path) as ready:
        who = person(ready)
        await price(ready, "64000")
        command = await who.order("BUY", "0.01")
        assert command.state is CommandState.DONE
        assert command.answer.startswith("EXECUTED 0.01 @ 64,000.01, fee 0.00001 BTC; 0.00999 protected, stop ")
        entry = await ready.ledger.order(command.client_order_id)
        assert (entry.order.role, entry.order.exit, entry.order.state) == (Role.ENTRY, None, OrderState.FILLED)
        assert await protected(ready) == D("0.00999")
        await assert_equal(ready)


async def test_market_sale_of_a_part_leaves_the_rest_protected(tmp_path):
    async with desk(tmp_path) as ready:
        who = person(ready)
        await bought(ready, who)
        command = await who.order("SELL", "0.004")
        assert command.answer.startswith("EXECUTED 0.004 @ 64,000.00, fee 0.256 USDT; 0.00599 protected, stop ")
        entry = await ready.ledger.order(command.client_order_id)
        assert (entry.order.role, entry.order.exit) == (Role.EXIT, ExitKind.MANUAL)
        assert await held(ready) == D("0.00599")
        await assert_equal(ready)


RESTING = [
    ("SELL", "limit", {"price": "70000"}, {OrderType.LIMIT}),
    ("SELL", "stop_limit", {"price": "59900", "stop_price": "60000"}, {OrderType.STOP_LOSS_LIMIT}),
    (
        "SELL",
        "oco",
        {"price": "70000", "stop_price": "60000", "stop_limit_price": "59900"},
        {OrderType.LIMIT_MAKER, OrderType.STOP_LOSS_LIMIT},
    ),
    ("BUY", "limit", {"price": "60000"}, {OrderType.LIMIT}),
    ("BUY", "stop_limit", {"price": "70100", "stop_price": "70000"}, {OrderType.STOP_LOSS_LIMIT}),
    (
        "BUY",
        "oco",
        {"price": "60000", "stop_price": "70000", "stop_limit_price": "70100"},
        {OrderType.LIMIT_MAKER, OrderType.STOP_LOSS_LIMIT},
    ),
]


@pytest.mark.parametrize(("side", "kind", "prices", "types"), RESTING)
async def test_what_rests_is_no_order_under_way_and_protection_covers_what_is_not_on_sale(
    tmp_path, side, kind, prices, types
):
    async with desk(tmp_path) as ready:
        who = person(ready)
        await bought(ready, who)
        command = await who.order(side, "0.004", kind, **prices)
        assert command.state is CommandState.DONE, command.answer
        assert command.answer.startswith(f"rests on the exchange: {side} 0.004 ")
        mine = [order for order in await resting(ready) if not order.role.is_protective]
        assert {order.type for order in mine} == types
        assert {order.exit for order in mine} == {ExitKind.MANUAL if side == "SELL" else None}
        assert await protected(ready) == (D("0.00599") if side == "SELL" else D("0.00999"))
        before = len(await ready.exchange.log())
        await ready.recovery.ask_about_unsettled()
        assert len(await ready.exchange.log()) == before, "what rests on purpose is not asked about"
        await assert_equal(ready)
        assert ready.reconciler.foreign_locked == {}, "what our orders lock is ours"
        again = await who.order("SELL", "0.001")
        assert again.answer.startswith("EXECUTED 0.001 ")
        cancelled = await who.ask(CommandKind.CANCEL, client_order_id=command.client_order_id)
        assert (cancelled.state, cancelled.answer[:9]) == (CommandState.DONE, "cancelled")
        assert all(order.role.is_protective for order in await resting(ready))
        assert await protected(ready) == D("0.00899")
        await assert_equal(ready)


async def test_what_a_resting_purchase_fills_is_protected(tmp_path):
    async with desk(tmp_path) as ready:
        who = person(ready)
        await bought(ready, who)
        await who.order("BUY", "0.01", "limit", price="63500")
        await price(ready, "63499")
        await ready.recovery.catch_up()
        await who.watch.tick(1)
        assert await held(ready) == D("0.01998")
        assert await protected(ready) == D("0.01998")
        await assert_equal(ready)


async def test_a_sale_that_fills_leaves_the_position_by_so_much_and_the_stop_sells_the_rest(tmp_path):
    async with desk(tmp_path) as ready:
        who = person(ready)
        await bought(ready, who)
        command = await who.order("SELL", "0.004", "limit", price="65000")
        await price(ready, "65100")
        await ready.recovery.catch_up()
        await who.watch.tick(1)
        assert (await ready.ledger.order(command.client_order_id)).order.state is OrderState.FILLED
        assert await held(ready) == await protected(ready) == D("0.00599")
        await price(ready, "60000")
        await ready.recovery.catch_up()
        assert await held(ready) == 0
        await assert_equal(ready)


async def test_all_on_sale_takes_the_protection_off_without_an_alarm(tmp_path):
    async with desk(tmp_path) as ready:
        who = person(ready)
        await bought(ready, who)
        await who.order("SELL", "0.00999", "limit", price="70000")
        assert await protected(ready) == 0
        assert await alarms(ready) == {}
        refused = await who.order("SELL", "0.001")
        assert refused.state is CommandState.REFUSED
        assert "on sale by a person's orders" in refused.answer


REFUSED = [  # of each kind; the rules' own table is tests/risk/test_persons_orders.py
    ({"quantity": "0.000015"}, "refused by lot_size: 0.000015 BTC breaks LOT_SIZE (at least 0.00001"),
    (
        {"quantity": "0.01"},
        "refused by position: 0.01 BTC to be sold, the ledger holds 0.00999 BTC: at most 0.00999 BTC",
    ),
    ({"worst_price": "64001"}, "refused by worst_price: it would fill at 64000 on average, at least 64001 is accepted"),
    ({"type": "limit"}, "the price is missing"),
    ({"symbol": "BTCUSD"}, "BTCUSD is not traded here, only BTCUSDT, ETHUSDT; did you mean BTCUSDT?"),
]


@pytest.mark.parametrize(("fields", "answer"), REFUSED)
async def test_refusal_says_what_is_wrong_and_what_would_do_and_nothing_is_sent(tmp_path, fields, answer):
    async with desk(tmp_path) as ready:
        who = person(ready)
        await bought(ready, who)
        before = await resting(ready)
        sent = await ready.times_sent()
        asked = {"symbol": "BTCUSDT", "side": "SELL", "type": "market", "quantity": "0.004", **fields}
        command = await who.ask(CommandKind.ORDER, **asked)
        assert command.state is CommandState.REFUSED
        assert answer in command.answer
        assert (await ready.times_sent(), await resting(ready)) == (sent, before)


async def test_purchase_obeys_every_rule_on_entries_but_the_confidence(tmp_path):
    async with desk(tmp_path) as ready:
        who = person(ready, max_order_quote=D(100), min_confidence=D("0.9"))
        await price(ready, "64000")
        refused = await who.order("BUY", "0.01")
        assert refused.answer.startswith("refused by max_order: the order is worth 640.0001 USDT, at most 100 USDT")
        assert (await who.order("BUY", "0.001")).state is CommandState.DONE
        await who.ask(CommandKind.PAUSE)
        assert (await who.order("BUY", "0.001")).answer.startswith("refused by pause")
        assert (await who.order("SELL", "0.0009")).state is CommandState.DONE


async def test_resting_purchases_count_against_the_limit_on_the_position(tmp_path):
    async with desk(tmp_path) as ready:
        who = person(ready, max_position_quote=D(1000))
        await price(ready, "64000")
        assert (await who.order("BUY", "0.01", "limit", price="60000")).state is CommandState.DONE
        refused = await who.order("BUY", "0.01", "limit", price="60000")
        assert refused.answer.startswith("refused by max_position: 600 USDT held and 600 USDT more")


@pytest.mark.parametrize("point", ["protection.committed", "order.sending", "order.answered", "order.booked"])
@pytest.mark.parametrize("side", [Side.BUY, Side.SELL])
async def test_daemon_that_dies_on_the_way_answers_after_the_next_start_and_sends_nothing_twice(tmp_path, point, side):
    async with desk(tmp_path) as ready:
        who = person(ready)
        await bought(ready, who)
        number = who.place(CommandKind.ORDER, symbol="BTCUSDT", side=side, type="market", quantity="0.004")
        before = await held(ready)
        with killed_at(point):
            await who.carry_out()
        async with reopened(tmp_path, ready.exchange) as again:
            await again.reconciler.run("start")
            await refuse_stale(again.ledger, again.clock.now_ms())
            who = person(again, fence=2)
            who.wall_ms = ASKED_WALL_MS + 3_600_000
            for _ in range(4):
                await again.wait(30_000)
                await who.watch.watch.before_tick()
                await who.carry_out()
            command = await who.command(number)
            is_sent = point not in {"protection.committed", "order.sending"}
            (mine,) = [entry.order for entry in await again.orders() if entry.order.quantity == D("0.004")]
            assert mine.client_order_id == command.client_order_id
            if is_sent:
                assert command.state is CommandState.DONE
                assert command.answer.startswith("EXECUTED 0.004 @ ")
            else:
                assert command.state is CommandState.REFUSED
                assert command.answer.startswith(("it was not sent", "it never came to the exchange"))
            moved = {Side.BUY: D("0.003996"), Side.SELL: D("-0.004")}[side] if is_sent else 0
            assert await held(again) == before + moved
            assert await protected(again) == again.rules["BTCUSDT"].round_market_quantity(before + moved)
            await assert_equal(again)


async def test_purchase_whose_protection_is_refused_says_that_nothing_protects_it(tmp_path):
    async with desk(tmp_path) as ready:
        who = person(ready)
        refusal = {"code": -1013, "msg": "Filter failure: MAX_NUM_ALGO_ORDERS"}
        await ready.exchange.fault("http", method="POST", path="orderList/oco", status=400, body=refusal, count=None)
        await ready.exchange.fault("http", method="POST", path="order", nth=2, status=400, body=refusal, count=None)
        command = await who.order("BUY", "0.01")
        assert command.answer.startswith("EXECUTED 0.01 @ ")
        assert command.answer.endswith("; its position is NOT protected now, `trade-agent status` says why")


async def test_market_order_that_is_accepted_and_has_not_traded_yet_is_not_said_to_rest(tmp_path):
    async with desk(tmp_path) as ready:
        who = person(ready)
        await bought(ready, who)
        await ready.exchange.fault("unknown_executed", method="POST", path="order")
        waiting = await who.order("SELL", "0.004")
        unsettled = await ready.ledger.consult(lambda books: list(books.unsettled_orders()))
        (order,) = [entry.order for entry in unsettled if not entry.order.role.is_protective]
        traded = await ready.gateway.order(order.symbol, order.client_order_id)
        await ready.keeper.book(order, replace(traded, status="NEW", executed_base=D(0), executed_quote=D(0), fills=()))
        await who.carry_out()
        assert (await who.command(waiting.command_id)).state is CommandState.PENDING
        await ready.keeper.book(order, traded)
        await who.carry_out()
        assert (await who.command(waiting.command_id)).answer.startswith("EXECUTED 0.004 @ 64,000.00")


async def test_outcome_that_is_not_known_keeps_the_command_waiting_and_the_rest_protected(tmp_path):
    async with desk(tmp_path) as ready:
        who = person(ready)
        await bought(ready, who)
        await ready.exchange.fault("unknown_executed", method="POST", path="order")
        waiting = await who.order("SELL", "0.004")
        assert waiting.state is CommandState.PENDING
        assert await protected(ready) == D("0.00599")
        sent = await ready.times_sent()
        await ready.wait(6_000)
        await ready.recovery.ask_about_unsettled()
        await who.carry_out()
        assert (await who.command(waiting.command_id)).answer.startswith("EXECUTED 0.004 @ 64,000.00")
        assert await ready.times_sent() == sent
        await who.watch.tick(1)
        assert await held(ready) == await protected(ready) == D("0.00599")
        await assert_equal(ready)


@pytest.mark.parametrize(
    ("kind", "payload"),
    [
        (CommandKind.ORDER, {"symbol": "BTCUSDT", "side": "BUY", "type": "market", "quantity": "0.01"}),
        (CommandKind.CLOSE, {"symbol": "BTCUSDT"}),
        (CommandKind.CANCEL, {"client_order_id": "x"}),
    ],
)
async def test_what_comes_too_late_or_waited_while_nobody_traded_is_refused(tmp_path, kind, payload):
    async with desk(tmp_path) as ready:
        who = person(ready)
        await bought(ready, who)
        orders = await ready.orders()
        late = who.place(kind, **payload, expires_wall_ms=str(ASKED_WALL_MS + 500))
        waited = who.place(kind, **payload)
        who.wall_ms = ASKED_WALL_MS + 2_500
        await refuse_stale(ready.ledger, 1)
        assert (await who.command(waited)).answer == NOT_TAKEN
        late = await who.ask(kind, **payload, expires_wall_ms=str(ASKED_WALL_MS + 500))
        if kind is not CommandKind.CANCEL:
            assert late.answer == "it came 2 s too late and was not carried out"
        who.wall_ms = ASKED_WALL_MS + 61_000
        late = await who.ask(kind, **payload)
        assert late.state is CommandState.REFUSED
        assert await ready.orders() == orders


async def test_order_that_the_exchange_has_forgotten_leaves_no_command_waiting(tmp_path):
    async with desk(tmp_path) as ready:
        who = person(ready)
        await bought(ready, who)
        resting_order = await who.order("BUY", "0.004", "limit", price="60000")
        await ready.exchange.fault("unknown_executed", method="POST", path="order")
        waiting = await who.order("BUY", "0.004")
        assert waiting.state is CommandState.PENDING
        await ready.reset()
        await ready.reconciler.run("the test wants to know")
        cancel = await who.ask(CommandKind.CANCEL, client_order_id=resting_order.client_order_id)
        answered = await who.command(waiting.command_id)
        assert answered.state is CommandState.REFUSED
        assert answered.answer.startswith("what became of it was not known when the exchange was reset")
        assert cancel.answer == f"the exchange has forgotten {resting_order.client_order_id}: it was reset since"


async def test_cancel_of_protection_and_of_what_is_over_is_refused(tmp_path):
    async with desk(tmp_path) as ready:
        who = person(ready)
        await bought(ready, who)
        stop = next(order for order in await resting(ready) if order.role is Role.STOP_LOSS)
        refused = await who.ask(CommandKind.CANCEL, client_order_id=stop.client_order_id)
        assert "protects the position of BTCUSDT and would be put back at once" in refused.answer
        entry = next(entry for entry in await ready.orders() if entry.order.role is Role.ENTRY)
        over = await who.ask(CommandKind.CANCEL, client_order_id=entry.order.client_order_id)
        assert over.answer.endswith("is over already: FILLED")
        assert (await who.ask(CommandKind.CANCEL, client_order_id="nix")).answer == "there is no order 'nix'"
        assert len(await resting(ready)) == 2


async def test_cancel_that_does_not_arrive_is_sent_again_until_it_has(tmp_path):
    async with desk(tmp_path) as ready:
        who = person(ready)
        await bought(ready, who)
        order = await who.order("SELL", "0.004", "limit", price="70000")
        await ready.exchange.fault("http", method="DELETE", path="order", status=503)
        waiting = await who.ask(CommandKind.CANCEL, client_order_id=order.client_order_id)
        assert waiting.state is CommandState.DONE, "protection repeats what somebody wants away"
        assert await protected(ready) == D("0.00999")


async def test_strategy_sells_what_is_free_and_the_person_sells_the_rest(tmp_path):
    async with desk(tmp_path) as ready:
        who = person(ready)
        await bought(ready, who)
        await who.order("SELL", "0.004", "limit", price="70000")
        view = await ready.market_data().glance("BTCUSDT")
        signal = Signal("BTCUSDT", "s", Action.SELL, 1.0, "over", view.book.read_ms)
        review = await risk_agent(ready).review(signal, view, ready.clock.now_ms(), ExitKind.STRATEGY)
        assert (review.verdict.quantity, review.on_sale_base) == (D("0.00599"), D("0.004"))
        whole = await risk_agent(ready).review(signal, view, ready.clock.now_ms(), ExitKind.TIME_STOP)
        assert (whole.verdict.quantity, whole.on_sale_base) == (D("0.00999"), D(0))


async def test_only_a_market_order_may_sell_while_the_kill_switch_is_on(tmp_path):
    async with desk(tmp_path) as ready:
        who = person(ready)
        await bought(ready, who)
        order = await who.order("BUY", "0.004", "limit", price="60000")
        sale = await who.order("SELL", "0.004", "limit", price="70000")
        killed = await who.ask(CommandKind.KILL)
        assert killed.answer == "the kill switch is on: nothing is entered until `trade-agent release test`"
        for each in (order, sale):
            assert (await ready.ledger.order(each.client_order_id)).order.state is OrderState.CANCELED
        await who.watch.tick(1)
        assert await protected(ready) == D("0.00999"), "nothing that rests is left but protection"
        assert (await who.order("BUY", "0.004")).answer.startswith("refused by kill_switch")
        assert (await who.order("SELL", "0.004", "limit", price="70000")).answer.startswith("refused by kill_switch")
        assert (await who.order("SELL", "0.004")).state is CommandState.DONE


@pytest.mark.parametrize(
    ("orders_on_stop", "stand"), [("keep", {"BUY", "SELL"}), ("cancel_entries", {"SELL"}), ("cancel_all", set())]
)
async def test_stop_takes_purchases_off_and_leaves_sales_as_the_setting_says(tmp_path, orders_on_stop, stand):
    async with desk(tmp_path) as ready:
        who = person(ready)
        await bought(ready, who)
        await who.order("BUY", "0.004", "limit", price="60000")
        await who.order("SELL", "0.004", "limit", price="70000")
        await who.watch.watch.close_down(orders_on_stop)
        assert {order.side.value for order in await resting(ready) if not order.role.is_protective} == stand
        assert await protected(ready) == (0 if orders_on_stop == "cancel_all" else D("0.00599"))
        assert len(await open_orders(ready)) == len(await resting(ready))


async def test_order_on_a_symbol_that_is_not_listed_any_more_is_left_alone_and_ends_nothing(tmp_path):
    async with desk(tmp_path) as ready:
        who = person(ready)
        await price(ready, "3200", symbol="ETHUSDT")
        order = await who.order("BUY", "0.1", "limit", symbol="ETHUSDT", price="3000")
        async with reopened(tmp_path, ready.exchange, symbols=("BTCUSDT",)) as again:
            await again.reconciler.run("start")
            who = person(again, fence=2)
            refused = await who.ask(CommandKind.CANCEL, client_order_id=order.client_order_id)
            assert refused.state is CommandState.REFUSED
            assert refused.answer.startswith("the exchange did not list ETHUSDT when this run began")
            killed = await who.ask(CommandKind.KILL, close_positions="true")
            assert killed.answer.endswith("all positions are closed")

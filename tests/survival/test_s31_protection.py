"""S31: protection is cancelled, refused, jumped over, or its outcome is lost: protected again, or closed; else an alarm."""

from decimal import Decimal

import pytest

from binance_trade_agent.agents.order_keeper import QUIET_MS
from binance_trade_agent.agents.protection import REFUSED_PAUSE_MS, TARGET_WATCHED, UNPROTECTED, Protection
from binance_trade_agent.domain.decisions import Outcome
from binance_trade_agent.domain.exits import ExitKind
from binance_trade_agent.domain.orders import OrderState, Role
from binance_trade_agent.domain.signals import Action
from binance_trade_agent.exchange.errors import UnavailableError
from tests.agents.desk import Desk, desk, reopened
from tests.agents.market import alarms, assert_equal, held, killed_at, levels, price
from tests.test_orchestrator import pipeline

ALARM = (UNPROTECTED, "BTCUSDT")
CLOSING = pytest.mark.parametrize("closes", [False, True], ids=["protect", "close"])


async def ensure(ready: Desk, protection: Protection) -> None:
    await protection.ensure("BTCUSDT", ready.rules["BTCUSDT"])


async def bought(ready: Desk, quantity: str = "0.01") -> None:
    await price(ready, "64000")
    await ready.trade(quantity=quantity)
    await later(ready, 1)


async def later(ready: Desk, milliseconds: int, bid: str = "64000") -> None:
    await ready.wait(milliseconds)
    await price(ready, bid)


async def lists_sent(ready: Desk) -> int:
    return sum(row["target"].startswith("/api/v3/orderList/oco") for row in await ready.exchange.log())


async def assert_protected(ready: Desk) -> None:
    """Both legs stand on the exchange, once, over all that can be sold; nothing is wrong."""
    standing = await levels(ready)
    assert standing.keys() == {"STOP_LOSS", "LIMIT_MAKER"}
    wanted = ready.rules["BTCUSDT"].round_market_quantity(await held(ready))
    assert {quantity for quantity, _ in standing.values()} == {wanted}
    assert ALARM not in await alarms(ready)
    await assert_equal(ready)


async def assert_closed(ready: Desk) -> None:
    """What was held is sold, nothing rests, nothing is wrong, and ledger and exchange agree."""
    assert await held(ready) < ready.rules["BTCUSDT"].step_size
    assert await levels(ready) == {}
    assert ALARM not in await alarms(ready)
    await ready.assert_reconciled()


@CLOSING
@pytest.mark.parametrize("leg", ["STOP_LOSS", "LIMIT_MAKER"])
async def test_s31_leg_that_somebody_else_cancels(tmp_path, leg, closes):
    async with desk(tmp_path) as ready:
        protection = ready.protection(closes=closes)
        await bought(ready)
        await ensure(ready, protection)
        client = await ready.exchange.client()
        (order_id,) = [row["orderId"] for row in await client.get_open_orders(symbol="BTCUSDT") if row["type"] == leg]
        await client.cancel_order(symbol="BTCUSDT", orderId=order_id)
        await later(ready, 1000)
        await ready.recovery.catch_up()
        await ensure(ready, protection)
        await ensure(ready, protection)
        if not closes:
            await assert_protected(ready)
            return
        await assert_closed(ready)
        assert (await ready.orders())[-1].order.detail == "somebody else has cancelled its protection"
        # The next position is a new one: it is protected, whatever became of the old protection.
        await later(ready, 1000)
        await bought(ready)
        await ensure(ready, protection)
        await assert_protected(ready)


@CLOSING
async def test_s31_refused_by_a_filter_that_counts_is_an_alarm_until_it_stands(tmp_path, closes):
    async with desk(tmp_path) as ready:
        protection = ready.protection(closes=closes)
        await bought(ready)
        full = {"filterType": "MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders": 1}
        await ready.exchange.control("config", symbol={"symbol": "BTCUSDT", "filters": [full]})
        client = await ready.exchange.client()
        mine = {"symbol": "BTCUSDT", "side": "BUY", "type": "STOP_LOSS", "quantity": "0.001", "stopPrice": "70000"}
        by_hand = await client.create_order(**mine)
        await ensure(ready, protection)
        if closes:
            await ensure(ready, protection)
            assert await held(ready) < ready.rules["BTCUSDT"].step_size
            assert await alarms(ready) == {}
            return
        assert "Filter failure: MAX_NUM_ALGO_ORDERS" in (await alarms(ready))[ALARM]
        for _ in range(5):  # looked at each second: not asked for again before the pause is over
            await later(ready, 1000)
            await ensure(ready, protection)
        assert await lists_sent(ready) == 1
        for attempt in (2, 3):
            await later(ready, REFUSED_PAUSE_MS)
            await ensure(ready, protection)
            await ensure(ready, protection)
            assert await lists_sent(ready) == attempt
        await client.cancel_order(symbol="BTCUSDT", orderId=by_hand["orderId"])
        await later(ready, REFUSED_PAUSE_MS)
        await ensure(ready, protection)
        await assert_protected(ready)


@CLOSING
async def test_s31_target_out_of_reach_of_the_filter_is_watched_while_the_stop_stands_alone(tmp_path, closes):
    async with desk(tmp_path) as ready:
        protection = ready.protection("2", "1000", closes=closes)
        await bought(ready)
        for _ in range(3):
            await ensure(ready, protection)
            await later(ready, REFUSED_PAUSE_MS)
        assert (await levels(ready)).keys() == {"STOP_LOSS"}
        assert set(await alarms(ready)) == {(TARGET_WATCHED, "BTCUSDT")}
        told = (await alarms(ready))[TARGET_WATCHED, "BTCUSDT"]
        assert (
            told == "the target 704704.81 is watched by the bot itself: Filter failure: PERCENT_PRICE_BY_SIDE (-1013)"
        )
        assert await lists_sent(ready) == 1
        assert ready.refusals == ["Filter failure: PERCENT_PRICE_BY_SIDE (-1013)"]
        await later(ready, 1, "704705")
        await ensure(ready, protection)
        await ensure(ready, protection)
        assert await alarms(ready) == {}
        sold = (await ready.orders())[-1].order
        assert (sold.role, sold.exit) == (Role.EXIT, ExitKind.TAKE_PROFIT)
        await assert_closed(ready)


@pytest.mark.parametrize("bid", ["62000", "67000"], ids=["under the stop", "over the target"])
async def test_s31_price_that_is_past_its_levels_already_closes_at_market(tmp_path, bid):
    async with desk(tmp_path) as ready:
        protection = ready.protection()
        await bought(ready)
        await later(ready, 1, bid)
        await ensure(ready, protection)
        assert await lists_sent(ready) == 0
        await ensure(ready, protection)
        await assert_closed(ready)


@pytest.mark.parametrize(("stop", "target"), [("2", "4"), ("2", "0"), ("0", "4")])
async def test_s31_price_that_jumps_while_it_is_being_placed_closes_at_market(tmp_path, stop, target):
    """The book has not moved when it is asked about, the last trade has; or the other way round for the target."""
    async with desk(tmp_path) as ready:
        protection = ready.protection(stop, target)
        await bought(ready)
        ask, placed = ready.gateway.book_ticker, 0

        async def jumping(symbol: str):
            nonlocal placed
            book = await ask(symbol)
            if not placed:
                placed = 1
                await price(ready, "62000" if stop != "0" else "67000")
            return book

        ready.gateway.book_ticker = jumping
        await ensure(ready, protection)
        ready.gateway.book_ticker = ask
        await ensure(ready, protection)
        await assert_closed(ready)
        sold = [entry.order for entry in await ready.orders() if entry.order.executed_base]
        assert {order.role for order in sold} == {Role.ENTRY, Role.EXIT}


async def test_s31_gap_through_a_stop_with_a_limit_leaves_nothing_unprotected(tmp_path):
    """A limit under the gap is not taken: it rests at 2 % under the stop until the price is back, which is too late."""
    async with desk(tmp_path) as ready:
        protection = ready.protection()
        kinds = [kind for kind in ready.rules["BTCUSDT"].order_types if kind != "STOP_LOSS"]
        await ready.exchange.control("config", symbol={"symbol": "BTCUSDT", "fields": {"orderTypes": kinds}})
        rules = (await ready.gateway.symbol_rules(["BTCUSDT"]))["BTCUSDT"]
        await bought(ready)
        await protection.ensure("BTCUSDT", rules)
        await later(ready, 1, "58000")
        await ready.recovery.catch_up()
        assert (await levels(ready)).keys() == {"STOP_LOSS_LIMIT"}  # awake, unfilled
        await protection.ensure("BTCUSDT", rules)
        await protection.ensure("BTCUSDT", rules)
        await assert_closed(ready)


@pytest.mark.parametrize("fault", ["unknown_executed", "timeout_after", "drop_after", "truncate_json"])
async def test_s31_unknown_outcome_that_was_carried_out_is_asked_about_and_never_sent_again(
    tmp_path, fault, monkeypatch
):
    async with desk(tmp_path) as ready:
        protection = ready.protection()
        await bought(ready)
        if fault == "timeout_after":
            monkeypatch.setattr(ready.gateway._client, "REQUEST_TIMEOUT", 0.2, raising=False)
            ready.gateway._client.session._timeout = ready.gateway._client.session.timeout.__class__(total=0.3)
        await ready.exchange.fault(fault, method="POST", path="orderList/oco")
        await ensure(ready, protection)
        assert "outcome is unknown" in (await alarms(ready))[ALARM]
        await ensure(ready, protection)
        assert await lists_sent(ready) == 1
        await ready.recovery.ask_about_unsettled()
        await ensure(ready, protection)
        assert await lists_sent(ready) == 1
        await assert_protected(ready)


async def test_s31_unknown_outcome_that_was_not_carried_out_is_proved_absent_before_the_next(tmp_path):
    async with desk(tmp_path) as ready:
        protection = ready.protection()
        await bought(ready)
        await ready.exchange.fault("unknown_not_executed", method="POST", path="orderList/oco")
        await ensure(ready, protection)
        for _ in range(3):
            await ready.recovery.ask_about_unsettled()
            await ensure(ready, protection)
            assert (await lists_sent(ready), ALARM in await alarms(ready)) == (1, True)
            await later(ready, QUIET_MS // 4)
        await later(ready, QUIET_MS)
        await ready.recovery.ask_about_unsettled()
        await ensure(ready, protection)
        assert await lists_sent(ready) == 2
        await assert_protected(ready)


@pytest.mark.parametrize(
    "point", ["protection.committed", "order.sending", "order.answered", "order.booked", "protection.answered"]
)
async def test_s31_killed_while_it_is_placed_it_stands_once_after_the_next_start(tmp_path, point):
    async with desk(tmp_path) as ready:
        await bought(ready)
        with killed_at(point):
            await ensure(ready, ready.protection())
        await later(ready, 1)
        async with reopened(tmp_path, ready.exchange) as again:
            protection = again.protection(fence=2)
            await again.reconciler.run("start")
            await protection.ensure_all(again.rules)
            await later(again, QUIET_MS + 1)
            await again.recovery.catch_up()
            await protection.ensure_all(again.rules)
            await assert_protected(again)
            assert await lists_sent(again) == 1


@pytest.mark.parametrize("point", ["cancel.committed", "cancel.answered", "recovery.asked", "recovery.booked"])
async def test_s31_killed_while_it_is_resized_it_stands_once_after_the_next_start(tmp_path, point):
    async with desk(tmp_path) as ready:
        protection = ready.protection()
        await bought(ready)
        await ensure(ready, protection)
        await bought(ready, "0.02")
        if point == "recovery.asked":  # which only an answer is that was not seen
            await ready.exchange.fault("truncate_json", method="DELETE", path="order")
        with killed_at(point):
            await ensure(ready, protection)
        await later(ready, 1)
        async with reopened(tmp_path, ready.exchange) as again:
            protection = again.protection(fence=2, closes=True)  # it was us who cancelled: no reason to close
            await again.reconciler.run("start")
            await protection.ensure_all(again.rules)
            await protection.ensure_all(again.rules)
            assert await held(again) == Decimal("0.02997")
            await assert_protected(again)


@pytest.mark.parametrize("point", ["protection.committed", "order.sending", "order.answered", "order.booked"])
async def test_s31_killed_while_it_is_closed_at_market_it_is_sold_once(tmp_path, point):
    async with desk(tmp_path) as ready:
        await bought(ready)
        await later(ready, 1, "62000")
        with killed_at(point):
            await ensure(ready, ready.protection())
        await later(ready, QUIET_MS, "62000")
        async with reopened(tmp_path, ready.exchange) as again:
            protection = again.protection(fence=2)
            for _ in range(3):
                await again.reconciler.run("start")
                await protection.ensure_all(again.rules)
                await later(again, QUIET_MS + 1, "62000")
            await assert_closed(again)


async def test_s31_unreachable_exchange_changes_nothing_and_is_tried_again(tmp_path):
    async with desk(tmp_path) as ready:
        protection = ready.protection(closes=True)
        await bought(ready)
        fault = await ready.exchange.fault("http", method="GET", path="ticker/bookTicker", status=503, count=None)
        with pytest.raises(UnavailableError):
            await ensure(ready, protection)
        await ready.exchange._request("DELETE", f"fault/{fault}", None)
        await ensure(ready, protection)
        await assert_protected(ready)


async def test_s31_orders_that_may_not_be_sent_are_no_reason_to_sell(tmp_path):
    """Not refused, only not now: the account has placed too many orders, or another daemon holds the lease."""
    async with desk(tmp_path) as ready:
        protection = ready.protection(closes=True)
        await bought(ready)
        ready.execution._may_send = lambda: "another daemon holds the account"
        await ensure(ready, protection)
        assert "another daemon holds the account" in (await alarms(ready))[ALARM]
        ready.execution._may_send = lambda: None
        await later(ready, 10_000)
        await ensure(ready, protection)
        await assert_protected(ready)


async def test_s31_close_that_is_refused_too_is_an_alarm_without_a_storm(tmp_path):
    async with desk(tmp_path) as ready:
        protection = ready.protection(closes=True)
        await bought(ready)
        refusal = '{"code": -2010, "msg": "This action is disabled on this account."}'
        fault = await ready.exchange.fault("http", method="POST", status=400, body=refusal, count=None)
        for _ in range(5):
            await ensure(ready, protection)
            await later(ready, 1000)
        assert "not sold either: This action is disabled on this account" in (await alarms(ready))[ALARM]
        # The purchase, the list, the stop alone, the close.
        assert (await lists_sent(ready), await ready.times_sent()) == (1, 4)
        await ready.exchange._request("DELETE", f"fault/{fault}", None)
        await later(ready, REFUSED_PAUSE_MS)
        await ensure(ready, protection)
        await protection.ensure_all(ready.rules)
        await assert_closed(ready)


async def test_s31_alarm_is_over_when_nothing_at_all_is_left(tmp_path):
    balances = {"USDT": Decimal(10_000), "BNB": Decimal(1)}
    async with desk(tmp_path, balances=balances) as ready:
        await ready.exchange.control("config", bnb_discount={"enabled": True})
        protection = ready.protection()
        await bought(ready)
        ready.execution._may_send = lambda: "another daemon holds the account"
        await ensure(ready, protection)
        assert ALARM in await alarms(ready)
        ready.execution._may_send = lambda: None
        await later(ready, 1, "62000")
        await protection.ensure_all(ready.rules)
        assert await held(ready) == 0
        await protection.ensure_all(ready.rules)
        assert await alarms(ready) == {}


async def test_s31_sell_signal_takes_the_protection_off_and_sells_what_is_held(tmp_path):
    async with pipeline(tmp_path, BTCUSDT=Action.BUY) as line:
        ready = line.desk
        line.orchestrator._pipeline.protection = ready.protection("20", "40")
        assert (await line.tick())["BTCUSDT"].outcome is Outcome.EXECUTED
        assert (await levels(ready)).keys() == {"STOP_LOSS", "LIMIT_MAKER"}
        line.strategy.opinions["BTCUSDT"] = Action.SELL
        assert (await line.tick())["BTCUSDT"].outcome is Outcome.EXECUTED
        await assert_closed(ready)


async def test_s31_sell_signal_after_the_stop_has_sold_sells_nothing_more(tmp_path):
    """The stop fires between the look at the market and the sale, and no event has told of it yet."""
    async with pipeline(tmp_path, BTCUSDT=Action.BUY) as line:
        ready = line.desk
        line.orchestrator._pipeline.protection = ready.protection("20", "40")
        await line.tick()
        line.strategy.opinions["BTCUSDT"] = Action.SELL
        release = line.orchestrator._pipeline.protection.release

        async def too_late(symbol: str, sides=()) -> bool:
            await price(ready, "40000")
            return await release(symbol, sides)

        line.orchestrator._pipeline.protection.release = too_late
        decision = (await line.tick())["BTCUSDT"]
        assert (decision.outcome, decision.detail) == (
            Outcome.SKIPPED,
            "the protection has sold the position meanwhile",
        )
        await assert_closed(ready)
        sold = [
            entry.order for entry in await ready.orders() if entry.order.executed_base and entry.order.side == "SELL"
        ]
        assert [order.role for order in sold] == [Role.STOP_LOSS]


async def test_s31_sale_that_the_exchange_refuses_leaves_the_position_protected(tmp_path):
    async with pipeline(tmp_path, BTCUSDT=Action.BUY) as line:
        ready = line.desk
        line.orchestrator._pipeline.protection = ready.protection("20", "40")
        await line.tick()
        refusal = '{"code": -2010, "msg": "Account has insufficient balance for requested action."}'
        await ready.exchange.fault("http", method="POST", path="order", status=400, body=refusal)
        line.strategy.opinions["BTCUSDT"] = Action.SELL
        assert (await line.tick())["BTCUSDT"].outcome is Outcome.REJECTED
        await assert_protected(ready)
        states = [entry.order.state for entry in await ready.orders() if entry.order.role is Role.EXIT]
        assert states == [OrderState.REJECTED]

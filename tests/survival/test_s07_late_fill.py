"""S07: a fill arrives for an order that was thought dead. It is booked in any state, and an alarm says so."""

from decimal import Decimal

import pytest

from binance_trade_agent.domain.decisions import Outcome
from binance_trade_agent.domain.orders import OrderState, Role
from binance_trade_agent.domain.values import replace
from tests.agents.desk import Desk, desk, reopened
from tests.agents.test_execution import Streaming
from tests.survival.trader import alarms, assert_equal, assert_settled, held, legs, resting

# How the ledger came to think so, and whether the exchange had told its number for the order before.
DEAD = [
    ([OrderState.REJECTED], False),
    ([OrderState.DENIED], False),
    ([OrderState.UNKNOWN, OrderState.NOT_PLACED], False),
    ([OrderState.ACCEPTED, OrderState.CANCELED], True),
    ([OrderState.ACCEPTED, OrderState.EXPIRED], True),
]
NAMES = [way[-1].value for way, _ in DEAD]


async def thought_dead(ready: Desk, way, *, is_known: bool):
    """An order that has filled on the exchange and is over in the ledger, and what the exchange says of it."""
    intent = await ready.sent(quantity="0.002")
    report = await ready.gateway.place_order(intent)
    for state in way:
        number = report.exchange_order_id if is_known else None
        await ready.ledger.transition(intent.client_order_id, state, ready.clock.now_ms(), exchange_order_id=number)
    entry = await ready.entry(intent)
    assert (entry.order.state, entry.is_settled) == (way[-1], True)
    return intent, report


@pytest.mark.parametrize(("way", "is_known"), DEAD, ids=NAMES)
@pytest.mark.parametrize("by", ["answer", "stream", "replay", "restart"])
async def test_s07_fill_of_a_dead_order_is_booked_with_an_alarm(tmp_path, way, is_known, by):
    events = []

    async def keep(event) -> None:
        events.append(event)

    async with desk(tmp_path) as ready:
        async with Streaming(ready, keep) as stream:
            intent, report = await thought_dead(ready, way, is_known=is_known)
            await stream.catch_up()
        if by == "answer":
            async with ready.keeper.turn("BTCUSDT"):
                await ready.keeper.apply(report)
        elif by == "stream":
            for event in events:
                await ready.keeper.on_event(event)
        elif by == "replay":
            await ready.recovery.catch_up()
        else:
            async with reopened(tmp_path, ready.exchange) as again:
                await again.reconciler.run("start")
        entry = await ready.entry(intent)
        ended_by_exchange = way[-1] in {OrderState.CANCELED, OrderState.EXPIRED}
        assert entry.order.state is (way[-1] if ended_by_exchange else OrderState.FILLED)
        assert (entry.filled_base, entry.is_settled) == (Decimal("0.002"), True)
        assert await held(ready) == Decimal("0.001998")
        raised = {alarm.kind: (alarm.subject, alarm.blocks) for alarm in await ready.ledger.alarms()}
        assert raised.pop("late_fill") == (intent.client_order_id, False)
        if by != "restart":
            assert ready.keeper.counts["late_fill"] >= 1
        if not ended_by_exchange:
            assert raised == {}
            await assert_settled(ready, sent=1)
        else:  # the exchange that this test plays has said two things of one order, which stays a difference
            assert raised == ({"difference": ("BTCUSDT", True)} if by == "restart" else {})
            assert await ready.ledger.wallet() == (await ready.gateway.account()).balances
        assert (await ready.trade()).outcome in {Outcome.EXECUTED, Outcome.SKIPPED}


async def test_s07_late_fill_is_one_alarm_however_often_it_is_told(tmp_path):
    async with desk(tmp_path) as ready:
        intent, report = await thought_dead(ready, [OrderState.REJECTED], is_known=False)
        for _ in range(3):
            async with ready.keeper.turn("BTCUSDT"):
                await ready.keeper.apply(report)
        await ready.recovery.catch_up()
        (alarm,) = await ready.ledger.alarms()
        assert (alarm.subject, alarm.times) == (intent.client_order_id, 1)
        assert ready.keeper.counts["late_fill"] == 1
        await assert_settled(ready, sent=1)
        await ready.reconciler.run("every hour")
        assert await alarms(ready) == []  # the books agree: it is over


async def test_s07_second_late_fill_of_one_order_is_booked_too(tmp_path):
    async with desk(tmp_path) as ready:
        asks = [["64000", "0.001"], ["64001", "0.001"]]
        await ready.exchange.control("book", symbol="BTCUSDT", bids=[["63999", "1"]], asks=asks)
        intent, report = await thought_dead(ready, [OrderState.ACCEPTED, OrderState.CANCELED], is_known=True)
        for number, part in enumerate(report.fills, 1):
            executed = sum(fill.quantity for fill in report.fills[:number])
            async with ready.keeper.turn("BTCUSDT"):
                await ready.keeper.apply(replace(report, executed_base=executed, fills=(part,)))
        entry = await ready.entry(intent)
        assert (entry.order.state, entry.filled_base) == (OrderState.CANCELED, Decimal("0.002"))
        assert await held(ready) == Decimal("0.001998")
        assert ready.keeper.counts["late_fill"] == 2
        assert await alarms(ready) == ["late_fill"]
        assert await ready.ledger.wallet() == (await ready.gateway.account()).balances


@pytest.mark.parametrize("by", ["stream", "reconciliation", "restart"])
async def test_s07_list_that_was_given_up_and_rests_after_all_is_taken_back(tmp_path, by):
    events = []

    async def keep(event) -> None:
        events.append(event)

    async with desk(tmp_path) as ready:
        await ready.trade()
        async with Streaming(ready, keep) as stream:
            await ready.exchange.fault("unknown_executed", method="POST", path="orderList/oco")
            await ready.protection().ensure("BTCUSDT", ready.rules["BTCUSDT"])
            await stream.catch_up()
        both = await legs(ready)
        for order in both.values():
            await ready.ledger.transition(order.client_order_id, OrderState.NOT_PLACED, ready.clock.now_ms())
        assert await legs(ready) == {}
        assert len(await resting(ready)) == 2
        if by == "stream":
            for event in events:
                await ready.keeper.on_event(event)
        elif by == "reconciliation":
            await ready.reconciler.run("every hour")
        else:
            async with reopened(tmp_path, ready.exchange) as again:
                await again.reconciler.run("start")
        taken_back = await legs(ready)
        assert {role: order.client_order_id for role, order in taken_back.items()} == {
            role: order.client_order_id for role, order in both.items()
        }
        assert {order.state for order in taken_back.values()} == {OrderState.ACCEPTED}
        assert set(await alarms(ready)) == {"late_fill", "unprotected"}
        await ready.alarms.load()
        await ready.protection().ensure("BTCUSDT", ready.rules["BTCUSDT"])
        assert set(await alarms(ready)) == {"late_fill"}
        assert set(taken_back) == {Role.STOP_LOSS, Role.TAKE_PROFIT}
        await assert_equal(ready, sent=2)

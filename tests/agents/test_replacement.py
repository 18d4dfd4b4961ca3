"""A new order in the place of a resting one: whatever becomes of either, the ledger says it, and one of them stands."""

from decimal import Decimal

import pytest

from binance_trade_agent.agents.execution import Sent
from binance_trade_agent.agents.order_keeper import QUIET_MS
from binance_trade_agent.domain.orders import Order, OrderIntent, OrderState, OrderType, Role, Side, client_order_id
from binance_trade_agent.domain.values import replace
from binance_trade_agent.exchange.errors import ReplaceRefusedError
from binance_trade_agent.ledger.errors import DuplicateIntent, UnknownOrder
from tests.agents.desk import Desk, desk, reopened
from tests.survival.test_s06_cancel_and_fill import let_the_target_fill
from tests.survival.trader import Killed, assert_equal, assert_settled, dying_at, held, legs, resting

PATH = "order/cancelReplace"


async def target(ready: Desk) -> Order:
    """A position whose take-profit rests on the exchange."""
    await ready.trade()
    await ready.protection("0", "4").ensure("BTCUSDT", ready.rules["BTCUSDT"])
    await ready.wait(1000)
    (order,) = (await legs(ready)).values()
    return order


def higher(ready: Desk, old: Order, attempt: int = 1, **changes) -> OrderIntent:
    """A take-profit one percent above the old one."""
    now_ms = ready.clock.now_ms()
    order_id = client_order_id(
        instance="test", epoch=1, strategy="s", symbol=old.symbol, tick_ms=now_ms, leg="replace", attempt=attempt
    )
    intent = OrderIntent(
        client_order_id=order_id,
        symbol=old.symbol,
        side=Side.SELL,
        type=OrderType.LIMIT_MAKER,
        quantity=old.quantity,
        reference_price=old.reference_price,
        tick_ms=now_ms,
        candle_open_ms=now_ms,
        price=ready.rules[old.symbol].round_price(old.price * Decimal("1.01")),
        role=Role.TAKE_PROFIT,
    )
    return replace(intent, **changes)


async def replaced(ready: Desk, old: Order, intent: OrderIntent) -> Sent:
    async with ready.keeper.turn(old.symbol):
        return await ready.execution.replace(old, intent)


async def states(ready: Desk, *orders: Order | OrderIntent) -> list[OrderState]:
    return [(await ready.entry(order)).order.state for order in orders]


async def stand(ready: Desk) -> set[str]:
    """Ids of what rests on the exchange."""
    return {report.client_order_id for report in await resting(ready)}


async def start(ready: Desk) -> None:
    """What a start does before it trades."""
    await ready.reconciler.run("start")
    await ready.ledger.take_over("run-b")


async def assert_protected_by_one(ready: Desk, *, sent: int) -> None:
    """The protection puts right what is left: one take-profit over all that is held."""
    await ready.wait(1000)
    await ready.protection("0", "4").ensure("BTCUSDT", ready.rules["BTCUSDT"])
    (order,) = (await legs(ready)).values()
    assert order.quantity == ready.rules["BTCUSDT"].round_market_quantity(await held(ready))
    assert await stand(ready) == {order.client_order_id}
    await assert_equal(ready, sent=sent)


async def test_new_order_stands_and_the_old_one_is_cancelled(tmp_path):
    async with desk(tmp_path) as ready:
        old = await target(ready)
        new = higher(ready, old)
        sent = await replaced(ready, old, new)
        assert (sent.state, sent.failure) == (OrderState.ACCEPTED, None)
        assert [report.client_order_id for report in sent.reports] == [new.client_order_id]
        assert await states(ready, old, new) == [OrderState.CANCELED, OrderState.ACCEPTED]
        assert (await ready.entry(old)).order.cancel_requested_ms is not None, "it was us"
        assert await stand(ready) == {new.client_order_id}
        assert ready.refusals == []
        await assert_equal(ready, sent=3)


async def test_what_the_old_order_had_sold_before_is_booked(tmp_path):
    async with desk(tmp_path) as ready:
        old = await target(ready)
        before = await held(ready)
        await let_the_target_fill(ready, Decimal("0.004"))
        new = higher(ready, old, quantity=old.quantity - Decimal("0.004"))
        assert (await replaced(ready, old, new)).failure is None
        assert await states(ready, old, new) == [OrderState.CANCELED, OrderState.ACCEPTED]
        assert (await ready.entry(old)).is_settled
        assert await held(ready) == before - Decimal("0.004")
        await assert_equal(ready, sent=3)


async def test_refused_new_order_leaves_nothing_standing_and_the_caller_is_told(tmp_path):
    async with desk(tmp_path) as ready:
        old = await target(ready)
        new = higher(ready, old, quantity=Decimal(1))
        sent = await replaced(ready, old, new)
        assert isinstance(sent.failure, ReplaceRefusedError)
        assert (sent.state, sent.failure.cancelled) == (OrderState.REJECTED, True)
        assert await states(ready, old, new) == [OrderState.CANCELED, OrderState.REJECTED]
        assert await stand(ready) == set()
        (refusal,) = ready.refusals
        assert refusal.startswith(
            "the old order is cancelled and the new one refused: Account has insufficient balance"
        )
        await assert_settled(ready, sent=3)
        await assert_protected_by_one(ready, sent=4)


@pytest.mark.parametrize(("filled", "state"), [("0.00999", OrderState.FILLED), (None, OrderState.CANCELED)])
async def test_old_order_that_had_ended_meanwhile_is_booked_and_no_new_one_is_placed(tmp_path, filled, state):
    async with desk(tmp_path) as ready:
        old = await target(ready)
        if filled:
            await let_the_target_fill(ready, Decimal(filled))
        else:
            await ready.gateway.cancel_order("BTCUSDT", old.exchange_order_id)  # somebody else did
        new = higher(ready, old)
        sent = await replaced(ready, old, new)
        assert isinstance(sent.failure, ReplaceRefusedError)
        assert (sent.state, sent.failure.cancelled, sent.failure.code) == (OrderState.REJECTED, False, -2011)
        assert await states(ready, old, new) == [state, OrderState.REJECTED]
        assert (await ready.entry(old)).order.cancel_requested_ms is None, "it was not us who cancelled it"
        assert await held(ready) == (0 if filled else Decimal("0.00999"))
        await assert_settled(ready, sent=3)


@pytest.mark.parametrize(
    ("fault", "state"),
    [
        ({"kind": "http", "status": 403, "body": "<html>WAF</html>"}, OrderState.DENIED),
        (
            {"kind": "http", "status": 400, "body": '{"code": -1013, "msg": "Filter failure: NOTIONAL"}'},
            OrderState.REJECTED,
        ),
        (
            {"kind": "http", "status": 429, "body": '{"code": -1015, "msg": "Too many new orders."}'},
            OrderState.DENIED,
        ),
        (
            {"kind": "http", "status": 401, "body": '{"code": -2015, "msg": "Invalid API-key."}'},
            OrderState.REJECTED,
        ),
    ],
    ids=lambda value: str(value["status"]) if isinstance(value, dict) else "",
)
async def test_request_that_surely_did_nothing_leaves_the_old_order_as_it_was(tmp_path, fault, state):
    async with desk(tmp_path) as ready:
        old = await target(ready)
        await ready.exchange.fault(method="POST", path=PATH, **fault)
        new = higher(ready, old)
        sent = await replaced(ready, old, new)
        assert sent.state is state
        assert await states(ready, old, new) == [OrderState.ACCEPTED, state]
        entry = await ready.entry(old)
        assert entry.order.cancel_requested_ms is None
        assert entry.order.rests, "nobody wants it away any more"


async def test_replacement_that_may_not_be_sent_leaves_the_old_order_as_it_was(tmp_path, monkeypatch):
    async with desk(tmp_path) as ready:
        old = await target(ready)
        monkeypatch.setattr(ready.execution, "_may_send", lambda: "another daemon holds the lease")
        new = higher(ready, old)
        sent = await replaced(ready, old, new)
        assert (sent.state, str(sent.failure)) == (OrderState.DENIED, "another daemon holds the lease")
        assert await states(ready, old, new) == [OrderState.ACCEPTED, OrderState.DENIED]
        assert (await ready.entry(old)).order.rests
        await assert_protected_by_one(ready, sent=2)


async def test_earlier_wish_to_cancel_outlives_a_replacement_that_did_nothing(tmp_path):
    async with desk(tmp_path) as ready:
        old = await target(ready)
        await ready.ledger.request_cancel([old.client_order_id], 7)
        old = (await ready.entry(old)).order
        await ready.exchange.fault("http", method="POST", path=PATH, status=403, body="<html>WAF</html>")
        await replaced(ready, old, higher(ready, old))
        assert (await ready.entry(old)).order.cancel_requested_ms == 7


EXECUTED = ["unknown_executed", "drop_after", "truncate_json"]
NOT_EXECUTED = ["unknown_not_executed", "drop_before"]


@pytest.mark.parametrize("kind", EXECUTED + NOT_EXECUTED)
async def test_lost_answer_asks_about_both_and_sends_nothing_again(tmp_path, kind):
    async with desk(tmp_path) as ready:
        old = await target(ready)
        await ready.exchange.fault(kind, method="POST", path=PATH)
        new = higher(ready, old)
        sent = await replaced(ready, old, new)
        assert sent.state is OrderState.UNKNOWN
        is_done = kind in EXECUTED
        assert await states(ready, old) == [OrderState.CANCELED if is_done else OrderState.ACCEPTED]
        await ready.protection("0", "4").ensure("BTCUSDT", ready.rules["BTCUSDT"])
        assert await ready.times_sent() == 3, "while the new one may still come, nothing is placed"
        await ready.wait(QUIET_MS + 1)
        await ready.recovery.ask_about_unsettled()
        ends = [OrderState.CANCELED, OrderState.ACCEPTED] if is_done else [OrderState.ACCEPTED, OrderState.NOT_PLACED]
        assert await states(ready, old, new) == ends
        assert await stand(ready) == {(new if is_done else old).client_order_id}
        await assert_equal(ready, sent=3)
        await assert_protected_by_one(ready, sent=4)


async def test_old_order_that_cannot_be_asked_about_is_asked_about_later(tmp_path, caplog):
    async with desk(tmp_path) as ready:
        old = await target(ready)
        await let_the_target_fill(ready, Decimal("0.004"))  # the answer says it, and has no fill
        await ready.exchange.fault("http", method="GET", path="order", status=503)
        new = higher(ready, old, quantity=old.quantity - Decimal("0.004"))
        assert (await replaced(ready, old, new)).state is OrderState.ACCEPTED
        assert "cannot be asked yet" in caplog.text
        assert await states(ready, old, new) == [OrderState.ACCEPTED, OrderState.ACCEPTED]
        await ready.recovery.ask_about_unsettled()
        assert await states(ready, old, new) == [OrderState.CANCELED, OrderState.ACCEPTED]
        await assert_equal(ready, sent=3)


# Where it dies, and whether the exchange has replaced the order by then.
POINTS = [
    ("replace.committed", False),
    ("order.sending", False),
    ("order.answered", True),
    ("order.booked", True),
    ("replace.answered", True),
    ("recovery.asked", True),
    ("recovery.booked", True),
]


@pytest.mark.parametrize(("point", "is_done"), POINTS)
async def test_killed_on_the_way_both_are_asked_about_and_one_stands(tmp_path, point, is_done):
    async with desk(tmp_path) as ready:
        old = await target(ready)
        new = higher(ready, old)
        if point == "recovery.asked":  # which only an answer is that was not seen
            await ready.exchange.fault("truncate_json", method="POST", path=PATH)
        with dying_at(point), pytest.raises(Killed):
            await replaced(ready, old, new)
        async with reopened(tmp_path, ready.exchange) as again:
            await start(again)
            await again.wait(QUIET_MS + 1)
            await start(again)
            not_done = [OrderState.ACCEPTED, OrderState.NOT_PLACED]
            ends = [OrderState.CANCELED, OrderState.ACCEPTED] if is_done else not_done
            assert await states(again, old, new) == ends
            assert await stand(again) == {(new if is_done else old).client_order_id}
            sent = 3 if is_done else 2
            await assert_equal(again, sent=sent)
            assert not (await again.entry(old)).order.rests, "the wish to cancel it is kept"
            await assert_protected_by_one(again, sent=sent + 1)


@pytest.mark.parametrize("is_answered", [True, False])
async def test_killed_when_the_new_order_was_refused_the_position_is_protected_again(tmp_path, is_answered):
    async with desk(tmp_path) as ready:
        old = await target(ready)
        new = higher(ready, old, quantity=Decimal(1))
        if not is_answered:
            await ready.exchange.fault("drop_after", method="POST", path=PATH)
        with dying_at("replace.answered"), pytest.raises(Killed):
            await replaced(ready, old, new)
        async with reopened(tmp_path, ready.exchange) as again:
            await again.wait(QUIET_MS + 1)
            await start(again)
            end = OrderState.REJECTED if is_answered else OrderState.NOT_PLACED
            assert await states(again, old, new) == [OrderState.CANCELED, end]
            assert await stand(again) == set()
            await assert_protected_by_one(again, sent=4)


async def test_killed_while_the_old_order_had_filled_meanwhile_its_fill_is_found(tmp_path):
    async with desk(tmp_path) as ready:
        old = await target(ready)
        await let_the_target_fill(ready, old.quantity)
        new = higher(ready, old)
        with dying_at("replace.answered"), pytest.raises(Killed):
            await replaced(ready, old, new)
        async with reopened(tmp_path, ready.exchange) as again:
            await start(again)
            assert await states(again, old, new) == [OrderState.FILLED, OrderState.REJECTED]
            assert await held(again) == 0
            await assert_settled(again, sent=3)


async def test_nothing_is_written_when_a_half_cannot_be(tmp_path):
    async with desk(tmp_path) as ready:
        old = await target(ready)
        stranger = replace(old, client_order_id="bta-nobody")
        with pytest.raises(UnknownOrder):
            await replaced(ready, stranger, higher(ready, old))
        assert len(await ready.orders()) == 2, "the new one is not there"
        entry = await ready.entry(old)
        await ready.wait(1000)
        known = replace(higher(ready, old), client_order_id=old.client_order_id)
        with pytest.raises(DuplicateIntent):
            await replaced(ready, old, known)
        assert await ready.entry(old) == entry, "it is not wished away"
        assert await ready.times_sent() == 2

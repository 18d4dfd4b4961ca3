"""A cancel and a new order in one request: what the gateway makes of each row of the table of binance-protocol.md 1.3."""

import json
from decimal import Decimal
from urllib.parse import parse_qs

import pytest

from binance_trade_agent.domain.orders import OrderType
from binance_trade_agent.exchange.errors import (
    OrderLimitError,
    RejectedError,
    ReplaceRefusedError,
    UnavailableError,
    UnknownOutcomeError,
)
from tests.exchange.orders import order

DONE, FAILED, UNTRIED = "SUCCESS", "FAILURE", "NOT_ATTEMPTED"
NO_BALANCE = {"code": -2010, "msg": "Account has insufficient balance for requested action."}
NO_SUCH_ORDER = {"code": -2011, "msg": "Unknown order sent."}


def resting(order_id: str = "bta-BTCUSDT-1", price: int = 90_000, **changes):
    return order(order_id, type=OrderType.LIMIT, price=Decimal(price), **changes)


NEW = resting("bta-BTCUSDT-2", 91_000)


@pytest.fixture
async def old(gateway):
    return await gateway.place_order(resting())


async def names_of_open(gateway) -> list[str]:
    return [report.client_order_id for report in await gateway.open_orders("BTCUSDT")]


async def test_new_order_takes_the_place_of_the_old_one_in_one_request(gateway, exchange, old):
    report = (await gateway.replace_order("BTCUSDT", old.exchange_order_id, NEW)).placed
    assert (report.client_order_id, report.status, report.quantity) == ("bta-BTCUSDT-2", "NEW", Decimal("0.1"))
    assert await names_of_open(gateway) == ["bta-BTCUSDT-2"]
    assert (await gateway.order_by_exchange_id("BTCUSDT", old.exchange_order_id)).status == "CANCELED"
    sent = [entry for entry in await exchange.log() if entry["method"] == "POST"][1:]
    (form,) = [{name: values[0] for name, values in parse_qs(entry["body"]).items()} for entry in sent]
    assert (form["cancelReplaceMode"], form["newOrderRespType"]) == ("STOP_ON_FAILURE", "FULL")
    assert (form["newClientOrderId"], form["price"]) == ("bta-BTCUSDT-2", "91000")


async def test_new_order_that_trades_at_once_brings_its_fills(gateway, old):
    report = (await gateway.replace_order("BTCUSDT", old.exchange_order_id, order("bta-BTCUSDT-2"))).placed
    assert report.status == "FILLED"
    assert [(fill.client_order_id, fill.price) for fill in report.fills] == [("bta-BTCUSDT-2", 100_000)]


async def test_refused_new_order_leaves_nothing_and_says_so(gateway, old):
    with pytest.raises(ReplaceRefusedError) as refusal:
        await gateway.replace_order("BTCUSDT", old.exchange_order_id, resting("bta-BTCUSDT-2", quantity="50"))
    assert (refusal.value.cancelled, refusal.value.code, refusal.value.message) == (True, -2010, NO_BALANCE["msg"])
    assert str(refusal.value).startswith("the old order is cancelled and the new one refused: Account has insufficient")
    assert await names_of_open(gateway) == []


async def test_old_order_that_is_not_open_keeps_the_new_one_from_being_tried(gateway, old):
    await gateway.cancel_order("BTCUSDT", old.exchange_order_id)
    for number in (old.exchange_order_id, 999_999):
        with pytest.raises(ReplaceRefusedError) as refusal:
            await gateway.replace_order("BTCUSDT", number, NEW)
        assert (refusal.value.cancelled, refusal.value.code) == (False, -2011)
        assert str(refusal.value) == "the old order was not cancelled: Unknown order sent. (-2011)"
    assert await gateway.order("BTCUSDT", "bta-BTCUSDT-2") is None


async def test_filter_refuses_before_anything_happens(gateway, old):
    with pytest.raises(RejectedError) as refusal:
        await gateway.replace_order("BTCUSDT", old.exchange_order_id, resting("bta-BTCUSDT-2", quantity="0.000001"))
    assert (type(refusal.value), refusal.value.code) == (RejectedError, -1013)
    assert await names_of_open(gateway) == ["bta-BTCUSDT-1"]


async def test_too_many_orders_refuse_before_anything_happens(gateway, exchange, old):
    await exchange.fault("orders_used", n=50)
    with pytest.raises(OrderLimitError):
        await gateway.replace_order("BTCUSDT", old.exchange_order_id, NEW)
    assert await names_of_open(gateway) == ["bta-BTCUSDT-1"]


@pytest.mark.parametrize("fault", ["unknown_executed", "drop_after", "truncate_json"])
async def test_lost_answer_is_an_unknown_outcome_though_both_were_done(gateway, exchange, old, fault):
    await exchange.fault(fault, method="POST", path="order/cancelReplace")
    with pytest.raises(UnknownOutcomeError):
        await gateway.replace_order("BTCUSDT", old.exchange_order_id, NEW)
    assert await names_of_open(gateway) == ["bta-BTCUSDT-2"]


def said(cancel: str, new: str, cancel_response=None, new_response=None) -> dict:
    return {
        "cancelResult": cancel,
        "newOrderResult": new,
        "cancelResponse": cancel_response,
        "newOrderResponse": new_response,
    }


PARTLY = {"code": -2021, "msg": "Order cancel-replace partially failed."}
NEITHER = {"code": -2022, "msg": "Order cancel-replace failed."}
TIMED_OUT = {"code": -1007, "msg": "Timeout waiting for response from backend server."}


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (503, {**PARTLY, "data": said(DONE, FAILED, {}, NO_BALANCE)}),
        (500, {**NEITHER, "data": said(FAILED, UNTRIED, NO_SUCH_ORDER)}),
        (409, PARTLY),
        (409, {**PARTLY, "data": {}}),
        (409, {**PARTLY, "data": said(DONE, FAILED)}),
        (409, {**PARTLY, "data": said(DONE, FAILED, {}, TIMED_OUT)}),
        (400, {**NEITHER, "data": said(FAILED, UNTRIED, TIMED_OUT)}),
        (400, {**NEITHER, "data": said(FAILED, FAILED, NO_SUCH_ORDER, NO_BALANCE)}),
        (400, TIMED_OUT),
        (200, said(DONE, DONE)),
        (200, said(DONE, "PENDING")),
        (200, {}),
        (200, []),
    ],
    ids=str,
)
async def test_answer_that_does_not_say_what_became_of_each_is_an_unknown_outcome(gateway, exchange, old, status, body):
    await exchange.fault("http", method="POST", path="order/cancelReplace", status=status, body=json.dumps(body))
    with pytest.raises(UnknownOutcomeError):
        await gateway.replace_order("BTCUSDT", old.exchange_order_id, NEW)


async def test_refusal_of_both_without_their_reasons_is_a_refusal(gateway, exchange, old):
    """-2022 says that neither was done (binance-protocol.md 2.5)."""
    await exchange.fault("http", method="POST", path="order/cancelReplace", status=400, body=json.dumps(NEITHER))
    with pytest.raises(RejectedError) as refusal:
        await gateway.replace_order("BTCUSDT", old.exchange_order_id, NEW)
    assert refusal.value.code == -2022


async def test_refusals_that_tell_of_both_halves_are_no_sign_of_trouble(gateway, old):
    """The breaker shuts after a few failures in a row; an exchange that explains itself is well."""
    for _ in range(20):
        with pytest.raises(ReplaceRefusedError):
            await gateway.replace_order("BTCUSDT", 999_999, NEW)
    assert await names_of_open(gateway) == ["bta-BTCUSDT-1"]


async def test_unreachable_exchange_has_surely_done_nothing(gateway, exchange, old):
    await exchange.fault("http", method="POST", path="order/cancelReplace", status=403, body="<html>WAF</html>")
    with pytest.raises(UnavailableError):
        await gateway.replace_order("BTCUSDT", old.exchange_order_id, NEW)
    assert await names_of_open(gateway) == ["bta-BTCUSDT-1"]

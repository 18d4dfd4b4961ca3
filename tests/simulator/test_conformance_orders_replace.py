"""Conformance check C52 of binance-protocol.md 7a, and each row of the table of cancelReplace (1.3)."""

from decimal import Decimal

import pytest

from tests.simulator.order_calls import balance, place

NEW = {
    "symbol": "BTCUSDT",
    "side": "BUY",
    "type": "LIMIT",
    "timeInForce": "GTC",
    "quantity": "0.01",
    "price": "98000",
}
TOO_DEAR = {**NEW, "quantity": "5"}
NOT_PLACED = {"code": -2010, "msg": "Account has insufficient balance for requested action."}
NOT_CANCELLED = {"code": -2011, "msg": "Unknown order sent."}
TOO_MANY = {"code": -1015, "msg": "Too many new orders; current limit is 50 orders per 10 SECOND."}
STOP, ALLOW = "STOP_ON_FAILURE", "ALLOW_FAILURE"


async def replace(raw, mode: str, cancel_id: int, **params):
    return await raw.signed(
        "POST", "order/cancelReplace", cancelReplaceMode=mode, cancelOrderId=cancel_id, **{**NEW, **params}
    )


async def resting_order(client) -> int:
    return (await place(client, quantity="0.01", price="99000", newClientOrderId="old"))["orderId"]


async def use_up_order_count(raw, exchange) -> None:
    await exchange.fault("orders_used", n=50)


@pytest.mark.parametrize("mode", [STOP, ALLOW])
async def test_c52_both_halves_succeed(client, mode):
    answer = await client.cancel_replace_order(
        cancelReplaceMode=mode, cancelOrderId=await resting_order(client), newClientOrderId="old", **NEW
    )
    assert (answer["cancelResult"], answer["newOrderResult"]) == ("SUCCESS", "SUCCESS")
    assert (answer["cancelResponse"]["status"], answer["cancelResponse"]["origClientOrderId"]) == ("CANCELED", "old")
    assert (answer["newOrderResponse"]["status"], answer["newOrderResponse"]["clientOrderId"]) == ("NEW", "old")
    assert answer["newOrderResponse"]["fills"] == []
    assert await balance(client, "USDT") == (99_020, 980)


async def test_c52_new_order_is_not_attempted_after_a_failed_cancel_but_counts(raw, exchange):
    reply = await replace(raw, STOP, 999_999)
    assert reply.error == (400, -2022, "Order cancel-replace failed.")
    assert reply.json["data"] == {
        "cancelResult": "FAILURE",
        "newOrderResult": "NOT_ATTEMPTED",
        "cancelResponse": NOT_CANCELLED,
        "newOrderResponse": None,
    }
    counts = (await raw.signed("GET", "rateLimit/order")).json
    assert counts[1]["count"] == 1
    assert (await exchange.state())["orders"] == []


@pytest.mark.parametrize("mode", [STOP, ALLOW])
async def test_cancel_succeeds_and_new_order_fails(client, raw, mode):
    reply = await replace(raw, mode, await resting_order(client), **TOO_DEAR)
    assert reply.error == (409, -2021, "Order cancel-replace partially failed.")
    data = reply.json["data"]
    assert (data["cancelResult"], data["newOrderResult"], data["newOrderResponse"]) == (
        "SUCCESS",
        "FAILURE",
        NOT_PLACED,
    )
    assert data["cancelResponse"]["status"] == "CANCELED"
    assert await client.get_open_orders() == []


async def test_cancel_fails_and_new_order_is_live(client, raw):
    reply = await replace(raw, ALLOW, 999_999)
    assert reply.error == (409, -2021, "Order cancel-replace partially failed.")
    data = reply.json["data"]
    assert (data["cancelResult"], data["newOrderResult"], data["cancelResponse"]) == (
        "FAILURE",
        "SUCCESS",
        NOT_CANCELLED,
    )
    (live,) = await client.get_open_orders()
    assert live["orderId"] == data["newOrderResponse"]["orderId"]


async def test_both_halves_fail(raw):
    reply = await replace(raw, ALLOW, 999_999, **TOO_DEAR)
    assert reply.error == (400, -2022, "Order cancel-replace failed.")
    assert reply.json["data"] == {
        "cancelResult": "FAILURE",
        "newOrderResult": "FAILURE",
        "cancelResponse": NOT_CANCELLED,
        "newOrderResponse": NOT_PLACED,
    }


@pytest.mark.parametrize("mode", [STOP, ALLOW])
async def test_nothing_is_done_when_too_many_orders_were_placed(client, raw, exchange, mode):
    order_id = await resting_order(client)
    await use_up_order_count(raw, exchange)
    reply = await replace(raw, mode, order_id)
    assert reply.error == (429, TOO_MANY["code"], TOO_MANY["msg"])
    assert 1 <= int(reply.headers["Retry-After"]) <= 10
    assert len(await client.get_open_orders()) == 1


@pytest.mark.parametrize(
    ("mode", "exists", "status", "code", "new_result", "new_response"),
    [
        (STOP, True, 429, -2021, "FAILURE", TOO_MANY),
        (STOP, False, 429, -2022, "NOT_ATTEMPTED", None),
        (ALLOW, True, 409, -2021, "FAILURE", TOO_MANY),
        (ALLOW, False, 400, -2022, "FAILURE", TOO_MANY),
    ],
)
async def test_only_the_cancel_is_done_when_too_many_orders_were_placed(
    client, raw, exchange, mode, exists, status, code, new_result, new_response
):
    order_id = await resting_order(client)
    await use_up_order_count(raw, exchange)
    reply = await replace(raw, mode, order_id if exists else 999_999, orderRateLimitExceededMode="CANCEL_ONLY")
    assert reply.error[:2] == (status, code)
    data = reply.json["data"]
    assert data["cancelResult"] == ("SUCCESS" if exists else "FAILURE")
    assert (data["newOrderResult"], data["newOrderResponse"]) == (new_result, new_response)
    assert ("Retry-After" in reply.headers) is (status == 429)
    assert len(await client.get_open_orders()) == (0 if exists else 1)


WRONG_FROM_THE_START = [
    ({"price": "98000.001"}, -1013, "Filter failure: PRICE_FILTER"),
    ({"quantity": "0.00001"}, -1013, "Filter failure: NOTIONAL"),
    ({"cancelReplaceMode": "FOO"}, -1130, "Data sent for parameter 'cancelReplaceMode' is not valid."),
    ({"orderRateLimitExceededMode": "FOO"}, -1130, "Data sent for parameter 'orderRateLimitExceededMode' is not valid."),
    ({"cancelRestrictions": "FOO"}, -1145, "`cancelRestrictions` has to be either `ONLY_NEW` or `ONLY_PARTIALLY_FILLED`."),
    ({"type": "MARKET", "timeInForce": None}, -1106, "Parameter 'price' sent when not required."),
    ({"cancelReplaceMode": None}, -1102, "Mandatory parameter 'cancelReplaceMode' was not sent, was empty/null, or malformed."),
    ({"cancelOrderId": None}, -1102, "Param 'cancelOrigClientOrderId' or 'cancelOrderId' must be sent, but both were empty/null!"),
]  # fmt: skip


async def test_what_is_wrong_from_the_start_cancels_nothing(client, raw):
    order_id = await resting_order(client)
    for params, code, message in WRONG_FROM_THE_START:
        sent = {"cancelReplaceMode": STOP, "cancelOrderId": order_id, **NEW, **params}
        reply = await raw.signed(
            "POST", "order/cancelReplace", **{name: value for name, value in sent.items() if value is not None}
        )
        assert (params, *reply.error) == (params, 400, code, message)
        assert "data" not in reply.json
    assert len(await client.get_open_orders()) == 1


async def test_order_to_cancel_is_named_by_either_id_and_both_must_agree(client, raw):
    order_id = await resting_order(client)
    disagreeing = await replace(raw, STOP, order_id, cancelOrigClientOrderId="other")
    assert (disagreeing.status, disagreeing.json["data"]["cancelResponse"]["code"]) == (400, -2039)
    by_client_id = await raw.signed(
        "POST",
        "order/cancelReplace",
        cancelReplaceMode=STOP,
        cancelOrigClientOrderId="old",
        cancelNewClientOrderId="bye",
        **NEW,
    )
    assert by_client_id.json["cancelResponse"]["clientOrderId"] == "bye"


async def test_restriction_keeps_a_partly_filled_order(client, raw, exchange):
    order_id = await resting_order(client)
    await exchange.control("trade", symbol="BTCUSDT", price="99000", qty="0.004", taker="SELL")
    reply = await replace(raw, STOP, order_id, cancelRestrictions="ONLY_NEW")
    assert reply.json["data"]["cancelResponse"] == {
        "code": -2011, "msg": "Order was not canceled due to cancel restrictions.",
    }  # fmt: skip
    assert Decimal((await client.get_order(symbol="BTCUSDT", orderId=order_id))["executedQty"]) == Decimal("0.004")
    assert (await replace(raw, STOP, order_id, cancelRestrictions="ONLY_PARTIALLY_FILLED")).status == 200


async def test_leg_takes_its_list_along(client, raw):
    placed = await client.create_oco_order(
        symbol="BTCUSDT", side="SELL", quantity="0.1", aboveType="LIMIT_MAKER", abovePrice="105000",
        belowType="STOP_LOSS", belowStopPrice="95000",
    )  # fmt: skip
    reply = await replace(raw, STOP, placed["orders"][0]["orderId"])
    assert len(reply.json["cancelResponse"]["orderReports"]) == 2
    assert len(await client.get_open_orders()) == 1


async def test_weight_is_charged_only_for_a_failure(client, raw):
    async def used() -> int:
        return int((await raw.get("ping")).headers["x-mbx-used-weight-1m"])

    order_id = await resting_order(client)
    before = await used()
    await replace(raw, STOP, order_id)
    assert await used() in {before + 1, 1}  # the ping's own weight; a minute may have turned
    before = await used()
    await replace(raw, STOP, order_id)
    assert await used() in {before + 2, 1, 2}

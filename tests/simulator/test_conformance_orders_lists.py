"""Conformance checks of binance-protocol.md 7a about order lists, C50 and C51, and more of 1.3 and 4.2."""

from decimal import Decimal

import pytest

from tests.simulator.order_calls import balance, fall_through_stop, place, refusal

OCO = {
    "symbol": "BTCUSDT",
    "side": "SELL",
    "quantity": "0.1",
    "aboveType": "LIMIT_MAKER",
    "abovePrice": "105000",
    "belowType": "STOP_LOSS_LIMIT",
    "belowStopPrice": "95000",
    "belowPrice": "94900",
    "belowTimeInForce": "GTC",
}
BUY_OCO = {
    "symbol": "BTCUSDT",
    "side": "BUY",
    "quantity": "0.1",
    "aboveType": "STOP_LOSS_LIMIT",
    "aboveStopPrice": "105000",
    "abovePrice": "106000",
    "aboveTimeInForce": "GTC",
    "belowType": "LIMIT_MAKER",
    "belowPrice": "95000",
}
WORKING = {
    "symbol": "BTCUSDT",
    "workingType": "LIMIT",
    "workingSide": "BUY",
    "workingPrice": "99000",
    "workingQuantity": "0.1",
    "workingTimeInForce": "GTC",
}
OTO = {
    **WORKING,
    "pendingType": "LIMIT",
    "pendingSide": "SELL",
    "pendingQuantity": "0.09",
    "pendingPrice": "105000",
    "pendingTimeInForce": "GTC",
}
OTOCO = {
    **WORKING,
    "pendingSide": "SELL",
    "pendingQuantity": "0.09",
    "pendingAboveType": "LIMIT_MAKER",
    "pendingAbovePrice": "105000",
    "pendingBelowType": "STOP_LOSS",
    "pendingBelowStopPrice": "95000",
}
LIST_KEYS = {
    "orderListId",
    "contingencyType",
    "listStatusType",
    "listOrderStatus",
    "listClientOrderId",
    "transactionTime",
    "symbol",
    "orders",
}


async def statuses(client) -> list[str]:
    """Of all orders, in the order of their ids."""
    return [order["status"] for order in await client.get_all_orders(symbol="BTCUSDT")]


async def list_state(client, placed) -> tuple[str, str]:
    found = await client.v3_get_order_list(orderListId=placed["orderListId"])
    return found["listStatusType"], found["listOrderStatus"]


async def test_c50_oco_is_accepted_with_both_legs_and_locks_once(client):
    placed = await client.create_oco_order(**OCO)
    assert placed.keys() == LIST_KEYS | {"orderReports"}
    assert (placed["contingencyType"], placed["listStatusType"], placed["listOrderStatus"]) == (
        "OCO", "EXEC_STARTED", "EXECUTING",
    )  # fmt: skip
    stop, limit = placed["orderReports"]
    assert [report["type"] for report in (stop, limit)] == ["STOP_LOSS_LIMIT", "LIMIT_MAKER"]
    assert [report["status"] for report in (stop, limit)] == ["NEW", "NEW"]
    assert (stop["workingTime"], stop["stopPrice"]) == (-1, "95000.00000000")
    assert limit["workingTime"] == limit["transactTime"] == placed["transactionTime"]
    assert {report["orderListId"] for report in (stop, limit)} == {placed["orderListId"]}
    assert [order["orderId"] for order in placed["orders"]] == [stop["orderId"], limit["orderId"]]
    assert await balance(client, "BTC") == (Decimal("0.9"), Decimal("0.1"))
    (listed,) = await client.get_open_oco_orders()
    assert listed.keys() == LIST_KEYS
    assert client.response.headers["x-mbx-used-weight-1m"]


async def test_c51_triggered_stop_leg_expires_the_other(client, exchange):
    placed = await client.create_oco_order(**OCO)
    await fall_through_stop(exchange)
    stop, limit = await client.get_all_orders(symbol="BTCUSDT")
    assert (stop["status"], Decimal(stop["cummulativeQuoteQty"])) == ("FILLED", 9495)
    assert (limit["status"], limit["expiryReason"]) == ("EXPIRED", "OCO_TRIGGER")
    assert await list_state(client, placed) == ("ALL_DONE", "ALL_DONE")
    assert (await balance(client, "BTC"))[1] == 0
    assert await client.get_open_oco_orders() == []


async def test_any_fill_of_the_limit_leg_expires_the_stop_leg(client, exchange):
    await client.create_oco_order(**OCO)
    await exchange.control("trade", symbol="BTCUSDT", price="105000", qty="0.04", taker="BUY")
    stop, limit = await client.get_all_orders(symbol="BTCUSDT")
    assert (stop["status"], stop["expiryReason"]) == ("EXPIRED", "OCO_TRIGGER")
    assert (limit["status"], Decimal(limit["executedQty"])) == ("PARTIALLY_FILLED", Decimal("0.04"))


async def test_buy_oco_locks_the_larger_requirement(client):
    await client.create_oco_order(**BUY_OCO)
    assert await balance(client, "USDT") == (89_400, 10_600)


async def test_two_stop_legs_make_an_oco(client):
    legs = {"aboveType": "TAKE_PROFIT", "aboveStopPrice": "105000", "belowType": "STOP_LOSS", "belowStopPrice": "95000"}
    placed = await client.create_oco_order(symbol="BTCUSDT", side="SELL", quantity="0.1", **legs)
    assert [report["type"] for report in placed["orderReports"]] == ["STOP_LOSS", "TAKE_PROFIT"]


@pytest.mark.parametrize("leg", [0, 1])
async def test_cancelling_a_leg_cancels_the_list_and_answers_with_it(client, leg):
    placed = await client.create_oco_order(**OCO, listClientOrderId="l-1", aboveClientOrderId="a-1")
    answer = await client.cancel_order(symbol="BTCUSDT", orderId=placed["orders"][leg]["orderId"])
    assert (answer["listStatusType"], answer["listOrderStatus"], answer["listClientOrderId"]) == (
        "ALL_DONE", "ALL_DONE", "l-1",
    )  # fmt: skip
    assert [report["status"] for report in answer["orderReports"]] == ["CANCELED", "CANCELED"]
    assert answer["orderReports"][1]["origClientOrderId"] == "a-1"
    assert [order["clientOrderId"] for order in answer["orders"]] == [
        report["origClientOrderId"] for report in answer["orderReports"]
    ]
    assert await statuses(client) == ["CANCELED", "CANCELED"]
    assert await balance(client, "BTC") == (1, 0)


async def test_list_is_cancelled_by_either_id_once(client):
    placed = await client.create_oco_order(**OCO, listClientOrderId="l-1")
    answer = await client.v3_delete_order_list(symbol="BTCUSDT", listClientOrderId="l-1")
    assert (answer["orderListId"], answer["listOrderStatus"]) == (placed["orderListId"], "ALL_DONE")
    again = client.v3_delete_order_list(symbol="BTCUSDT", orderListId=placed["orderListId"])
    assert await refusal(again) == (400, -2011, "Unknown order sent.")


async def test_all_open_orders_are_cancelled_and_a_list_appears_once(client):
    await place(client, quantity="0.01", price="99000")
    placed = await client.create_oco_order(**OCO)
    single, as_list = await client.cancel_all_open_orders(symbol="BTCUSDT")
    assert single["status"] == "CANCELED"
    assert (as_list["orderListId"], len(as_list["orderReports"])) == (placed["orderListId"], 2)


async def test_lists_are_found_by_id_by_client_id_and_in_pages(client, raw):
    first = await client.create_oco_order(**OCO, listClientOrderId="l-1")
    second = await client.create_oco_order(**OCO, listClientOrderId="l-2")
    assert second["orderListId"] > first["orderListId"]
    assert await client.v3_get_order_list(origClientOrderId="l-2") == await client.v3_get_order_list(
        orderListId=second["orderListId"]
    )
    assert len(await client.v3_get_all_order_list()) == 2
    later = await client.v3_get_all_order_list(fromId=second["orderListId"])
    assert [row["listClientOrderId"] for row in later] == ["l-2"]
    mixed = await raw.signed("GET", "allOrderList", fromId=1, startTime=1)
    assert mixed.error == (400, -1128, "Combination of optional parameters invalid.")
    assert (await raw.signed("GET", "orderList", orderListId=999)).error[:2] == (400, -2013)
    neither = await raw.signed("GET", "orderList")
    assert neither.error == (
        400, -1102, "Param 'origClientOrderId' or 'orderListId' must be sent, but both were empty/null!",
    )  # fmt: skip


NO_OCO = [
    ("SELL", "LIMIT", "STOP_LOSS", -1158, "Order type not supported in OCO."),
    ("SELL", "LIMIT_MAKER", "MARKET", -1158, "Order type not supported in OCO."),
    ("SELL", "LIMIT_MAKER", "LIMIT_MAKER", -1168, "At least one OCO order must be contingent."),
    ("BUY", "LIMIT_MAKER", "STOP_LOSS", -1165, "A limit order in a buy OCO must be below."),
    ("SELL", "STOP_LOSS", "LIMIT_MAKER", -1166, "A limit order in a sell OCO must be above."),
    ("BUY", "STOP_LOSS", "STOP_LOSS_LIMIT", -1196, "A stop loss order in a buy OCO must be above."),
    ("SELL", "STOP_LOSS", "STOP_LOSS_LIMIT", -1197, "A stop loss order in a sell OCO must be below."),
    ("BUY", "TAKE_PROFIT", "LIMIT_MAKER", -1198, "A take profit order in a buy OCO must be below."),
    ("SELL", "LIMIT_MAKER", "TAKE_PROFIT", -1199, "A take profit order in a sell OCO must be above."),
]


async def test_types_that_make_no_oco_are_refused(raw):
    for side, above, below, code, message in NO_OCO:
        legs = {"aboveType": above, "belowType": below}
        reply = await raw.signed("POST", "orderList/oco", symbol="BTCUSDT", side=side, quantity="0.1", **legs)
        assert (side, legs, *reply.error) == (side, legs, 400, code, message)


WRONG_OCOS = [
    ({"belowStopPrice": "100500"}, -2010, "The relationship of the prices for the orders is not correct."),
    ({"abovePrice": "99000"}, -2010, "The relationship of the prices for the orders is not correct."),
    ({"abovePrice": "105000.001"}, -1013, "Filter failure: PRICE_FILTER"),
    ({"quantity": "0.000001"}, -1013, "Filter failure: LOT_SIZE"),
    ({"belowTimeInForce": None}, -1102, "Mandatory parameter 'belowTimeInForce' was not sent, was empty/null, or malformed."),
    ({"aboveType": None}, -1102, "Mandatory parameter 'aboveType' was not sent, was empty/null, or malformed."),
    ({"belowStopPrice": None}, -1102, "Param 'belowStopPrice' or 'belowTrailingDelta' must be sent, but both were empty/null!"),
    ({"aboveStopPrice": "1"}, -1106, "Parameter 'aboveStopPrice' sent when not required."),
    ({"belowIcebergQty": "0.01", "belowTimeInForce": "IOC"}, -1160, "Parameter 'belowIcebergQty' is not supported if `aboveTimeInForce`/`belowTimeInForce` is not GTC."),
    ({"belowTimeInForce": "XXX"}, -1115, "Invalid timeInForce."),
    ({"aboveType": "FOO"}, -1116, "Invalid orderType."),
    ({"side": "HOLD"}, -1117, "Invalid side."),
    ({"foo": "1"}, -1104, "Not all sent parameters were read; read '11' parameter(s) but was sent '12'."),
    ({"aboveClientOrderId": "x", "belowClientOrderId": "x"}, -2010, "Duplicate order sent."),
    ({"quantity": "2"}, -2010, "Account has insufficient balance for requested action."),
    ({"aboveStrategyType": "5"}, -1134, "`strategyType` was less than 1000000."),
    ({"selfTradePreventionMode": "DECREMENT"}, -1013, "This symbol does not allow the specified self-trade prevention mode."),
]  # fmt: skip


async def test_wrong_oco_parameters_are_refused(raw, exchange):
    for changes, code, message in WRONG_OCOS:
        params = {name: value for name, value in {**OCO, **changes}.items() if value is not None}
        reply = await raw.signed("POST", "orderList/oco", **params)
        assert (changes, *reply.error) == (changes, 400, code, message)
    assert (await exchange.state())["orders"] == []


async def test_oto_places_its_pending_order_when_the_working_one_is_filled(client, exchange):
    placed = await client.v3_post_order_list_oto(**OTO)
    assert placed["contingencyType"] == "OTO"
    working, pending = placed["orderReports"]
    assert (working["status"], pending["status"], pending["workingTime"]) == ("NEW", "PENDING_NEW", -1)
    assert await balance(client, "BTC") == (1, 0)
    await exchange.control("trade", symbol="BTCUSDT", price="99000", qty="0.04", taker="SELL")
    assert await statuses(client) == ["PARTIALLY_FILLED", "PENDING_NEW"]
    await exchange.control("trade", symbol="BTCUSDT", price="98000", qty="1", taker="SELL")
    assert await statuses(client) == ["FILLED", "NEW"]
    assert await list_state(client, placed) == ("EXEC_STARTED", "EXECUTING")
    assert (await balance(client, "BTC"))[1] == Decimal("0.09")


async def test_oto_answers_pending_even_when_the_working_order_fills_at_once(client):
    placed = await client.v3_post_order_list_oto(**{**OTO, "workingPrice": "100000"}, newOrderRespType="FULL")
    working, pending = placed["orderReports"]
    assert (working["status"], len(working["fills"])) == ("FILLED", 1)
    assert (pending["status"], pending["fills"]) == ("PENDING_NEW", [])
    assert (placed["listStatusType"], placed["listOrderStatus"]) == ("EXEC_STARTED", "EXECUTING")
    assert await statuses(client) == ["FILLED", "NEW"]


async def test_pending_order_expires_with_its_working_order(client, exchange):
    await exchange.control("book", symbol="BTCUSDT", bids=[["99990", "1"]], asks=[["100000", "0.01"]])
    placed = await client.v3_post_order_list_oto(**{**OTO, "workingPrice": "100000", "workingTimeInForce": "IOC"})
    working, pending = await client.get_all_orders(symbol="BTCUSDT")
    assert (working["status"], working["expiryReason"]) == ("EXPIRED", "UNFILLED_IOC_QUANTITY_EXPIRED")
    assert (pending["status"], pending["expiryReason"]) == ("EXPIRED", "OTO_PHASE_ONE_EXPIRED")
    assert await list_state(client, placed) == ("ALL_DONE", "ALL_DONE")


async def test_pending_order_without_funds_is_rejected(client, exchange):
    await client.v3_post_order_list_oto(**{**OTO, "pendingQuantity": "5"})
    await exchange.control("trade", symbol="BTCUSDT", price="98000", qty="1", taker="SELL")
    working, pending = await client.get_all_orders(symbol="BTCUSDT")
    assert working["status"] == "FILLED"
    assert (pending["status"], pending["expiryReason"]) == ("EXPIRED", "REJECTED")


async def test_otoco_has_three_orders_and_becomes_an_oco(client, exchange):
    placed = await client.v3_post_order_list_otoco(**OTOCO)
    assert (placed["contingencyType"], len(placed["orders"])) == ("OTO", 3)
    assert [report["status"] for report in placed["orderReports"]] == ["NEW", "PENDING_NEW", "PENDING_NEW"]
    assert [report["type"] for report in placed["orderReports"]] == ["LIMIT", "STOP_LOSS", "LIMIT_MAKER"]
    await exchange.control("trade", symbol="BTCUSDT", price="98000", qty="1", taker="SELL")
    assert await statuses(client) == ["FILLED", "NEW", "NEW"]
    assert (await balance(client, "BTC"))[1] == Decimal("0.09")
    await fall_through_stop(exchange)
    assert await statuses(client) == ["FILLED", "FILLED", "EXPIRED"]
    assert await list_state(client, placed) == ("ALL_DONE", "ALL_DONE")
    assert (await balance(client, "BTC"))[1] == 0


async def test_cancelled_otoco_ends_all_its_orders(client):
    placed = await client.v3_post_order_list_otoco(**OTOCO)
    answer = await client.v3_delete_order_list(symbol="BTCUSDT", orderListId=placed["orderListId"])
    assert len(answer["orderReports"]) == 3
    assert await statuses(client) == ["CANCELED"] * 3
    assert await balance(client, "USDT") == (100_000, 0)


WRONG_OTOS = [
    ({"workingType": "MARKET"}, -1014),
    ({"workingTimeInForce": None}, -1102),
    ({"workingPrice": None}, -1102),
    ({"pendingPrice": None}, -1102),
    ({"pendingQuantity": None}, -1102),
    ({"workingStopPrice": "1"}, -1104),
    ({"workingPrice": "600000"}, -1013),
    ({"pendingQuantity": "0.000001"}, -1013),
]


async def test_wrong_oto_parameters_are_refused(raw, exchange):
    for changes, code in WRONG_OTOS:
        params = {name: value for name, value in {**OTO, **changes}.items() if value is not None}
        reply = await raw.signed("POST", "orderList/oto", **params)
        assert (changes, *reply.error[:2]) == (changes, 400, code)
    assert (await exchange.state())["orders"] == []


@pytest.mark.parametrize(("path", "params", "number"), [("oco", OCO, 2), ("oto", OTO, 2), ("otoco", OTOCO, 3)])
async def test_lists_count_as_many_orders_as_they_have(client, raw, path, params, number):
    reply = await raw.signed("POST", f"orderList/{path}", **params)
    assert reply.status == 200
    assert reply.headers["x-mbx-order-count-1d"] == str(number)
    assert [row["count"] for row in await client.get_current_order_count()][1] == number


async def test_list_answers_are_as_long_as_was_asked_for(raw):
    ack = await raw.signed("POST", "orderList/oco", **OCO, newOrderRespType="ACK")
    assert all(len(report) == 5 for report in ack.json["orderReports"])
    full = await raw.signed("POST", "orderList/oco", **OCO, newOrderRespType="FULL")
    assert [report["fills"] for report in full.json["orderReports"]] == [[], []]

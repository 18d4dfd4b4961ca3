"""Conformance checks of binance-protocol.md 7a about orders and balances: C25 to C49."""

from decimal import Decimal

import pytest

from tests.simulator.order_calls import ASKS, BIDS, balance, place, refusal


async def test_test_order_places_nothing(client, exchange):
    order = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "price": "99000"}
    assert await client.create_test_order(quantity="0.1", **order) == {}
    assert (await refusal(client.create_test_order(quantity="0.00001", **order)))[2] == "Filter failure: NOTIONAL"
    assert (await exchange.state())["orders"] == []


async def test_c25_limit_order_rests_and_locks(client):
    order = await place(client, quantity="0.1", price="99000", newClientOrderId="c25")
    assert (order["status"], order["fills"], order["orderListId"]) == ("NEW", [], -1)
    assert (order["clientOrderId"], Decimal(order["executedQty"])) == ("c25", 0)
    assert "x-mbx-order-count-10s" in client.response.headers
    assert await balance(client, "USDT") == (90_100, 9_900)


async def test_c26_order_is_found_by_id_and_in_lists(client):
    order = await place(client, quantity="0.1", price="99000", newClientOrderId="c25")
    found = await client.get_order(symbol="BTCUSDT", origClientOrderId="c25")
    assert (found["orderId"], found["isWorking"], found["stopPrice"]) == (order["orderId"], True, "0.00000000")
    assert len(await client.get_open_orders(symbol="BTCUSDT")) == 1
    assert len(await client.get_open_orders()) == 1
    assert len(await client.get_all_orders(symbol="BTCUSDT")) == 1


async def test_c27_cancel_has_its_own_id_and_frees_the_funds(client):
    order = await place(client, quantity="0.1", price="99000", newClientOrderId="c25")
    cancelled = await client.cancel_order(symbol="BTCUSDT", orderId=order["orderId"])
    assert (cancelled["status"], cancelled["origClientOrderId"]) == ("CANCELED", "c25")
    assert cancelled["clientOrderId"] != "c25"
    assert await balance(client, "USDT") == (100_000, 0)


async def test_c28_market_buy_pays_fees_in_base(client):
    order = await client.order_market_buy(symbol="BTCUSDT", quantity="0.5")
    assert (order["status"], Decimal(order["price"]), order["timeInForce"]) == ("FILLED", 0, "GTC")
    (fill,) = order["fills"]
    assert (Decimal(fill["price"]), Decimal(fill["qty"])) == (100_000, Decimal("0.5"))
    assert (Decimal(fill["commission"]), fill["commissionAsset"]) == (Decimal("0.0005"), "BTC")
    assert await balance(client, "BTC") == (Decimal("1.4995"), 0)
    assert await balance(client, "USDT") == (50_000, 0)


async def test_c29_market_sell_pays_fees_in_quote(client):
    order = await client.order_market_sell(symbol="BTCUSDT", quantity="0.1")
    (fill,) = order["fills"]
    assert (Decimal(fill["price"]), Decimal(fill["commission"])) == (99_990, Decimal("9.999"))
    assert await balance(client, "USDT") == (Decimal("109989.001"), 0)
    assert await balance(client, "BTC") == (Decimal("0.9"), 0)


async def test_c30_market_buy_by_quote(client):
    order = await client.order_market_buy(symbol="BTCUSDT", quoteOrderQty="1000")
    assert order["status"] == "FILLED"
    amounts = [Decimal(order[name]) for name in ("executedQty", "cummulativeQuoteQty", "origQuoteOrderQty")]
    assert amounts == [Decimal("0.01"), 1000, 1000]


async def test_c31_market_order_walks_the_book(client, exchange):
    await exchange.control("book", symbol="BTCUSDT", bids=BIDS, asks=ASKS)
    order = await client.order_market_buy(symbol="BTCUSDT", quantity="0.25")
    assert [Decimal(fill["qty"]) for fill in order["fills"]] == [Decimal("0.1"), Decimal("0.15")]
    assert [Decimal(fill["commission"]) for fill in order["fills"]] == [Decimal("0.0001"), Decimal("0.00015")]
    assert Decimal(order["cummulativeQuoteQty"]) == Decimal("25001.5")
    assert order["fills"][0]["tradeId"] < order["fills"][1]["tradeId"]


async def test_c32_c33_unfilled_quantities_expire(client, exchange):
    await exchange.control("book", symbol="BTCUSDT", bids=BIDS, asks=ASKS[:1])
    fok = await place(client, quantity="0.2", price="100000", timeInForce="FOK")
    assert (fok["status"], Decimal(fok["executedQty"])) == ("EXPIRED", 0)
    assert fok["expiryReason"] == "UNFILLED_FOK_ORDER_EXPIRED"
    assert await balance(client, "USDT") == (100_000, 0)
    ioc = await place(client, quantity="0.2", price="100000", timeInForce="IOC")
    assert (ioc["status"], Decimal(ioc["executedQty"])) == ("EXPIRED", Decimal("0.1"))
    assert ioc["expiryReason"] == "UNFILLED_IOC_QUANTITY_EXPIRED"
    await exchange.control("book", symbol="BTCUSDT", bids=BIDS, asks=ASKS[:1])
    market = await client.order_market_buy(symbol="BTCUSDT", quantity="0.2")
    assert (market["status"], Decimal(market["executedQty"])) == ("EXPIRED", Decimal("0.1"))
    assert market["expiryReason"] == "INSUFFICIENT_LIQUIDITY"


async def test_c34_limit_maker_that_would_take_is_refused(client):
    answer = await refusal(place(client, kind="LIMIT_MAKER", quantity="0.01", price="100000"))
    assert answer == (400, -2010, "Order would immediately match and take.")


async def test_c35_resting_order_fills_when_the_market_trades_through(client, exchange):
    await place(client, quantity="0.1", price="99500")
    await exchange.control("trade", symbol="BTCUSDT", price="99400", qty="5", taker="SELL")
    (order,) = await client.get_all_orders(symbol="BTCUSDT")
    (trade,) = await client.get_my_trades(symbol="BTCUSDT")
    assert (order["status"], Decimal(trade["price"])) == ("FILLED", 99_500)
    assert (trade["isMaker"], trade["isBuyer"], Decimal(trade["commission"])) == (True, True, Decimal("0.0001"))
    assert await balance(client, "USDT") == (90_050, 0)
    public = await client.get_recent_trades(symbol="BTCUSDT", limit=2)
    assert [Decimal(row["price"]) for row in public if row["id"] == trade["id"]] == [99_500]


async def test_c36_price_improvement_is_released(client):
    order = await place(client, quantity="0.9", price="100010")
    assert Decimal(order["cummulativeQuoteQty"]) == 90_000
    assert await balance(client, "USDT") == (10_000, 0)


async def test_c37_response_types_differ(raw):
    order = {"type": "LIMIT", "timeInForce": "GTC", "quantity": "0.1", "price": "90000"}
    ack = await raw.order(**order, newOrderRespType="ACK")
    assert ack.json.keys() == {"symbol", "orderId", "orderListId", "clientOrderId", "transactTime"}
    assert len(ack.json["clientOrderId"]) == 22
    assert "fills" not in (await raw.order(**order, newOrderRespType="RESULT")).json
    assert (await raw.order(**order)).json["fills"] == []
    assert len((await raw.order(type="LIMIT_MAKER", quantity="0.1", price="90000")).json) == 5


async def test_c40_client_id_is_free_again_after_a_cancel(client):
    order = {"quantity": "0.01", "price": "99000", "newClientOrderId": "c40"}
    first = await place(client, **order)
    assert await refusal(place(client, **order)) == (400, -2010, "Duplicate order sent.")
    await client.cancel_order(symbol="BTCUSDT", orderId=first["orderId"])
    assert (await refusal(client.get_order(symbol="BTCUSDT", origClientOrderId="c40")))[1] == -2013
    assert (await place(client, **order))["status"] == "NEW"


@pytest.mark.parametrize(
    ("order", "code", "message"),
    [
        ({"quantity": "2", "price": "99000"}, -2010, "Account has insufficient balance for requested action."),
        ({"quantity": "0.00004", "price": "99000"}, -1013, "Filter failure: NOTIONAL"),
        ({"quantity": "0.100005", "price": "99000"}, -1013, "Filter failure: LOT_SIZE"),
        ({"kind": "MARKET", "quantity": "120"}, -1013, "Filter failure: MARKET_LOT_SIZE"),
        ({"quantity": "0.1", "price": "99000.005"}, -1013, "Filter failure: PRICE_FILTER"),
        ({"quantity": "0.123456789", "price": "99000"}, -1111, "Parameter 'quantity' has too much precision."),
        ({"quantity": "0.0001", "price": "600000"}, -1013, "Filter failure: PERCENT_PRICE_BY_SIDE"),
        ({"side": "SELL", "quantity": "0.001", "price": "19000"}, -1013, "Filter failure: PERCENT_PRICE_BY_SIDE"),
    ],
    ids=["c41", "c42", "c43-lot", "c43-market-lot", "c44", "c45", "c46-high", "c46-low"],
)
async def test_c41_to_c46_orders_that_break_a_rule_are_refused(client, order, code, message):
    assert await refusal(place(client, **order)) == (400, code, message)


async def test_c45_scientific_notation_is_refused(raw):
    reply = await raw.order(type="LIMIT", timeInForce="GTC", quantity="1e-05", price="99000")
    assert reply.error == (
        400,
        -1100,
        r"Illegal characters found in parameter 'quantity'; legal range is '^([0-9]{1,20})(\.[0-9]{1,20})?$'.",
    )


async def test_c48_wrong_parameters_are_refused(raw, exchange):
    wrong = [
        ({"type": "LIMIT", "timeInForce": "GTC", "quantity": "0.1"}, -1102),
        ({"type": "MARKET", "quantity": "0.1", "price": "99000"}, -1106),
        ({"type": "MARKET"}, -1102),
        ({"side": "HOLD", "type": "MARKET", "quantity": "0.1"}, -1117),
        ({"type": "FOO", "quantity": "0.1"}, -1116),
        ({"type": "LIMIT", "timeInForce": "XXX", "quantity": "0.1", "price": "99000"}, -1115),
        ({"type": "MARKET", "quantity": "0.1", "foo": "1"}, -1104),
        ({"symbol": "NOPEUSDT", "type": "MARKET", "quantity": "0.1"}, -1121),
        ({"type": "MARKET", "quantity": "0.1", "newClientOrderId": "a b"}, -1100),
        ({"type": "MARKET", "quantity": "0.1", "strategyType": "5"}, -1134),
        ({"type": "STOP_LOSS", "quantity": "0.1", "stopPrice": "90000"}, -2010),
        ({"type": "MARKET", "quantity": "0.1", "selfTradePreventionMode": "TRANSFER"}, -1013),
    ]
    for order, code in wrong:
        assert (order, *(await raw.order(**order)).error[:2]) == (order, 400, code)
    assert (await exchange.state())["orders"] == []


async def test_c49_unknown_orders_are_refused(client):
    assert await refusal(client.cancel_order(symbol="BTCUSDT", orderId=999999)) == (400, -2011, "Unknown order sent.")
    assert await refusal(client.get_order(symbol="BTCUSDT", orderId=999999)) == (400, -2013, "Order does not exist.")
    assert (await refusal(client.cancel_all_open_orders(symbol="BTCUSDT")))[:2] == (400, -2011)


async def test_all_open_orders_are_cancelled_at_once(client):
    for number in range(3):
        await place(client, quantity="0.01", price="99000", newClientOrderId=f"c-{number}")
    cancelled = await client.cancel_all_open_orders(symbol="BTCUSDT")
    assert [order["origClientOrderId"] for order in cancelled] == ["c-0", "c-1", "c-2"]
    assert await balance(client, "USDT") == (100_000, 0)

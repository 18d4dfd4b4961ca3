"""Conformance checks of binance-protocol.md 7a about signing, orders and balances: C16 to C49."""

from decimal import Decimal

import pytest
from binance.exceptions import BinanceAPIException

from binance_trade_agent.ops.clock import wall_ms
from tests.exchange_process import API_KEY, READING_API_KEY
from tests.simulator.conftest import sign

ASKS = [["100000", "0.1"], ["100010", "0.2"]]
BIDS = [["99990", "1"]]


async def place(client, side: str = "BUY", kind: str = "LIMIT", **params):
    if kind == "LIMIT":
        params.setdefault("timeInForce", "GTC")
    return await client.create_order(symbol="BTCUSDT", side=side, type=kind, **params)


async def balance(client, asset: str) -> tuple[Decimal, Decimal]:
    row = await client.get_asset_balance(asset=asset)
    return Decimal(row["free"]), Decimal(row["locked"])


async def refusal(call) -> tuple[int, int, str]:
    with pytest.raises(BinanceAPIException) as failure:
        await call
    return failure.value.status_code, failure.value.code, failure.value.message


async def test_c16_signature_may_be_in_either_case(raw):
    for change in (str.lower, str.upper):
        query = f"timestamp={wall_ms()}"
        signed = f"{query}&signature={change(sign(query))}"
        reply = await raw.send("GET", "/api/v3/account", signed, **{"X-MBX-APIKEY": API_KEY})
        assert reply.status == 200
        free = {row["asset"]: Decimal(row["free"]) for row in reply.json["balances"]}
        assert (free["BTC"], free["USDT"], reply.json["makerCommission"]) == (1, 100_000, 10)


async def test_c17_query_and_body_are_signed_without_separator(raw):
    query = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC"
    body = f"quantity=0.01&price=90000&timestamp={wall_ms()}"
    headers = {"X-MBX-APIKEY": API_KEY}
    good = await raw.send("POST", "/api/v3/order", query, f"{body}&signature={sign(query + body)}", **headers)
    assert (good.status, good.json["status"]) == (200, "NEW")
    bad = await raw.send("POST", "/api/v3/order", query, f"{body}&signature={sign(query + '&' + body)}", **headers)
    assert bad.error[:2] == (400, -1022)


async def test_c18_wrong_signature_is_refused(raw):
    query = f"timestamp={wall_ms()}"
    wrong = ("1" if sign(query)[0] == "0" else "0") + sign(query)[1:]
    reply = await raw.send("GET", "/api/v3/account", f"{query}&signature={wrong}", **{"X-MBX-APIKEY": API_KEY})
    assert reply.error == (400, -1022, "Signature for this request is not valid.")


async def test_c19_missing_and_unknown_keys_are_refused(raw):
    missing = await raw.send("GET", "/api/v3/account", f"timestamp={wall_ms()}&signature=00")
    assert missing.error == (401, -2014, "API-key format invalid.")
    unknown = await raw.signed("GET", "account", key="X" * 64)
    assert unknown.error == (401, -2015, "Invalid API-key, IP, or permissions for action.")


async def test_c20_reading_key_cannot_trade(raw, exchange):
    assert (await raw.signed("GET", "account", key=READING_API_KEY)).status == 200
    reply = await raw.signed(
        "POST", "order", key=READING_API_KEY, symbol="BTCUSDT", side="BUY", type="MARKET", quantity="0.1"
    )
    assert reply.error[:2] == (401, -2015)
    assert (await exchange.state())["orders"] == []


async def test_c21_c22_c23_timestamps_are_checked(raw):
    old = await raw.signed("GET", "account", timestamp=wall_ms() - 6000)
    assert old.error == (400, -1021, "Timestamp for this request is outside of the recvWindow.")
    assert (await raw.signed("GET", "account", timestamp=wall_ms() - 6000, recvWindow=10000)).status == 200
    early = await raw.signed("GET", "account", timestamp=wall_ms() + 2000)
    assert early.error == (400, -1021, "Timestamp for this request was 1000ms ahead of the server's time.")
    without = await raw.send("GET", "/api/v3/account", f"signature={sign('')}", **{"X-MBX-APIKEY": API_KEY})
    assert without.error == (
        400, -1102, "Mandatory parameter 'timestamp' was not sent, was empty/null, or malformed.",
    )  # fmt: skip
    assert (await raw.signed("GET", "account", recvWindow=60001)).error[:2] == (400, -1102)


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
    public = (await client.get_recent_trades(symbol="BTCUSDT", limit=1))[0]
    assert public["id"] == trade["id"]


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


@pytest.mark.parametrize(
    ("order", "code"),
    [
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
        ({"type": "MARKET", "quantity": "0.1", "selfTradePreventionMode": "EXPIRE_BOTH"}, -1013),
    ],
)
async def test_c48_wrong_parameters_are_refused(raw, exchange, order, code):
    assert (await raw.order(**order)).error[:2] == (400, code)
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


async def test_own_trades_are_selected_by_allowed_combinations_only(client, raw):
    for _ in range(3):
        await client.order_market_buy(symbol="BTCUSDT", quantity="0.01")
    ids = [trade["id"] for trade in await client.get_my_trades(symbol="BTCUSDT")]
    assert [trade["id"] for trade in await client.get_my_trades(symbol="BTCUSDT", fromId=ids[1])] == ids[1:]
    assert [trade["id"] for trade in await client.get_my_trades(symbol="BTCUSDT", orderId=2)] == ids[1:2]
    mixed = await raw.signed("GET", "myTrades", symbol="BTCUSDT", fromId=1, startTime=1)
    assert mixed.error == (400, -1128, "Combination of optional parameters invalid.")


async def test_fifty_unfilled_orders_in_ten_seconds_are_the_limit(raw, exchange):
    await exchange.control("clock", mode="stepped")
    order = {"type": "LIMIT", "timeInForce": "GTC", "quantity": "0.001", "price": "90000"}
    replies = [await raw.order(**order) for _ in range(120)]
    refused = [reply for reply in replies if reply.status == 429]
    assert refused
    assert refused[0].json["msg"] == "Too many new orders; current limit is 50 orders per 10 SECOND."
    assert 1 <= int(refused[0].headers["Retry-After"]) <= 10


async def test_weight_beyond_the_limit_is_refused_and_then_banned(raw):
    replies = [await raw.get("ticker/24hr") for _ in range(250)]  # of which one minute holds at least 125
    limited = [reply for reply in replies if reply.status == 429]
    assert limited[0].json["msg"].startswith("Too much request weight used; current limit is 6000 request weight")
    assert 1 <= int(limited[0].headers["Retry-After"]) <= 60
    banned = [reply for reply in replies if reply.status == 418]
    assert banned[0].json["code"] == -1003
    assert int(banned[0].headers["Retry-After"]) == 120

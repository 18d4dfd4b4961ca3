"""Queries of the account (binance-protocol.md 1.4), their weights (1.0), and the WebSocket API's names for them (5.2)."""

import json
from decimal import Decimal

import aiohttp
import pytest

from binance_trade_agent.ops.clock import wall_ms
from binance_trade_agent.simulator.keys import ApiKey, HmacSecret
from tests.exchange_process import API_KEY
from tests.simulator.order_calls import balance, place
from tests.simulator.signing import F0_SECRET, sign
from tests.simulator.test_conformance_orders_lists import OCO, OTO, OTOCO
from tests.simulator.test_conformance_orders_replace import NEW

DAY_MS = 86_400_000
ZERO_RATES = {"maker": "0.00000000", "taker": "0.00000000"}
DISCOUNT = {"enabledForAccount": False, "enabledForSymbol": True, "discountAsset": "BNB", "discount": "0.25000000"}


async def test_account_has_every_field(client, raw):
    before = (await raw.signed("GET", "account")).json
    assert before["commissionRates"] == {
        "maker": "0.00100000", "taker": "0.00100000", "buyer": "0.00000000", "seller": "0.00000000",
    }  # fmt: skip
    assert [before[name] for name in ("makerCommission", "takerCommission", "buyerCommission", "sellerCommission")] == [
        10, 10, 0, 0,
    ]  # fmt: skip
    assert (before["accountType"], before["permissions"], before["uid"]) == ("SPOT", ["SPOT"], 354_937_868)
    assert {"asset": "BNB", "free": "0.00000000", "locked": "0.00000000"} in before["balances"]
    without_zeros = (await raw.signed("GET", "account", omitZeroBalances="true")).json
    assert "BNB" not in [row["asset"] for row in without_zeros["balances"]]
    order = await place(client, quantity="0.1", price="99000")
    after = (await raw.signed("GET", "account")).json
    assert after["updateTime"] == order["transactTime"] >= before["updateTime"]


async def test_commission_is_told_for_the_account_and_for_an_order(client, raw):
    told = await client.v3_get_account_commission(symbol="BTCUSDT")
    assert told["standardCommission"]["maker"] == "0.00100000"
    assert told["taxCommission"].keys() == {"maker", "taker", "buyer", "seller"}
    assert told["discount"] == DISCOUNT
    order = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "5"}
    reply = await raw.signed("POST", "order/test", **order, computeCommissionRates="true")
    assert reply.json == {
        "standardCommissionForOrder": {"maker": "0.00100000", "taker": "0.00100000"},
        "specialCommissionForOrder": ZERO_RATES,
        "taxCommissionForOrder": ZERO_RATES,
        "discount": DISCOUNT,
    }


async def test_all_orders_come_from_an_id_between_times_and_in_pages(client):
    placed = [await place(client, quantity="0.001", price=str(99_000 + number)) for number in range(4)]
    ids = [order["orderId"] for order in placed]

    async def found(**params) -> list[int]:
        return [order["orderId"] for order in await client.get_all_orders(symbol="BTCUSDT", **params)]

    start = placed[0]["transactTime"]
    assert await found() == ids
    assert await found(limit=2) == ids[2:]
    assert await found(orderId=ids[1]) == ids[1:]
    assert await found(orderId=ids[1], limit=2) == ids[1:3]
    assert await found(startTime=start, limit=1) == ids[:1]
    assert await found(endTime=placed[-1]["transactTime"], limit=1) == ids[-1:]
    assert await found(startTime=start, endTime=start + DAY_MS) == ids
    assert await found(endTime=start - 1) == []


async def test_own_trades_come_from_an_id_of_an_order_and_between_times(client):
    orders = [await client.order_market_buy(symbol="BTCUSDT", quantity="0.01") for _ in range(3)]
    ids = [order["fills"][0]["tradeId"] for order in orders]

    async def found(**params) -> list[int]:
        return [trade["id"] for trade in await client.get_my_trades(symbol="BTCUSDT", **params)]

    start = orders[0]["transactTime"]
    assert await found() == ids
    assert await found(limit=1) == ids[2:]
    assert await found(fromId=ids[1]) == ids[1:]
    assert await found(fromId=ids[0], limit=1) == ids[:1]
    assert await found(orderId=orders[1]["orderId"]) == ids[1:2]
    assert await found(orderId=orders[1]["orderId"], fromId=ids[2]) == []
    assert await found(startTime=start, limit=2) == ids[:2]
    assert await found(startTime=start, endTime=start + DAY_MS) == ids
    assert await found(endTime=start - 1) == []
    (row,) = await client.get_my_trades(symbol="BTCUSDT", limit=1)
    assert (row["orderListId"], row["isBestMatch"], row["quoteQty"]) == (-1, True, "1000.00000000")


async def test_trades_of_a_leg_name_its_list(client, exchange):
    placed = await client.create_oco_order(**OCO)
    await exchange.control("trade", symbol="BTCUSDT", price="106000", qty="1", taker="BUY")
    (row,) = await client.get_my_trades(symbol="BTCUSDT")
    assert row["orderListId"] == placed["orderListId"]


async def test_prevented_matches_are_found_by_id_and_by_order(client, raw):
    makers = [await place(client, "SELL", quantity="0.01", price=price) for price in ("99994", "99995")]
    taker = await place(client, quantity="0.1", price="99995", selfTradePreventionMode="EXPIRE_MAKER")
    assert (taker["status"], "preventedMatchId" in taker) == ("NEW", False)

    async def found(**params) -> list[dict]:
        return (await raw.signed("GET", "myPreventedMatches", symbol="BTCUSDT", **params)).json

    rows = await found(orderId=taker["orderId"])
    assert [row["makerOrderId"] for row in rows] == [maker["orderId"] for maker in makers]
    first, second = rows
    assert (first["takerOrderId"], first["selfTradePreventionMode"]) == (taker["orderId"], "EXPIRE_MAKER")
    assert (first["price"], first["makerPreventedQuantity"]) == ("99994.00000000", "0.01000000")
    assert "takerPreventedQuantity" not in first
    assert await found(preventedMatchId=second["preventedMatchId"]) == [second]
    assert await found(orderId=taker["orderId"], fromPreventedMatchId=second["preventedMatchId"]) == [second]
    assert await found(orderId=taker["orderId"], limit=1) == [first]
    ended = await client.get_order(symbol="BTCUSDT", orderId=makers[0]["orderId"])
    assert ended["status"] == "EXPIRED_IN_MATCH"
    assert (ended["preventedMatchId"], ended["preventedQuantity"]) == (first["preventedMatchId"], "0.01000000")


@pytest.mark.parametrize(
    ("mode", "taker", "maker"),
    [
        ("NONE", "FILLED", "FILLED"),
        ("EXPIRE_TAKER", "EXPIRED_IN_MATCH", "NEW"),
        ("EXPIRE_MAKER", "NEW", "EXPIRED_IN_MATCH"),
        ("EXPIRE_BOTH", "EXPIRED_IN_MATCH", "EXPIRED_IN_MATCH"),
    ],
)
async def test_the_takers_mode_decides_on_self_trades(client, mode, taker, maker):
    resting = await place(client, "SELL", quantity="0.01", price="99995")
    arriving = await place(client, quantity="0.01", price="99995", selfTradePreventionMode=mode)
    assert (arriving["status"], arriving["selfTradePreventionMode"]) == (taker, mode)
    assert (await client.get_order(symbol="BTCUSDT", orderId=resting["orderId"]))["status"] == maker


WEIGHTS = [
    ("order", {"symbol": "BTCUSDT", "orderId": 1}, 4),
    ("openOrders", {"symbol": "BTCUSDT"}, 6),
    ("openOrders", {}, 80),
    ("allOrders", {"symbol": "BTCUSDT"}, 20),
    ("orderList", {"orderListId": 1}, 4),
    ("allOrderList", {}, 20),
    ("openOrderList", {}, 6),
    ("account", {}, 20),
    ("myTrades", {"symbol": "BTCUSDT"}, 20),
    ("myTrades", {"symbol": "BTCUSDT", "orderId": 1}, 5),
    ("rateLimit/order", {}, 40),
    ("account/commission", {"symbol": "BTCUSDT"}, 20),
    ("myPreventedMatches", {"symbol": "BTCUSDT", "preventedMatchId": 1}, 2),
    ("myPreventedMatches", {"symbol": "BTCUSDT", "orderId": 1}, 20),
    ("myPreventedMatches", {"symbol": "NOPE", "orderId": 1}, 2),
]


async def test_queries_have_their_weights(raw):
    before = 0
    for path, params, weight in WEIGHTS:
        used = int((await raw.signed("GET", path, **params)).headers["x-mbx-used-weight-1m"])
        assert used in {before + weight, weight}, path  # a minute may have turned
        before = used


async def test_placements_cost_nothing_when_they_succeed(raw):
    placements = (("order", NEW), ("orderList/oco", OCO), ("orderList/oto", OTO), ("orderList/otoco", OTOCO))
    for path, params in placements:
        placed = await raw.signed("POST", path, **params)
        assert (path, placed.status, placed.headers["x-mbx-used-weight-1m"]) == (path, 200, "0")
    for path, params in placements:
        before = int((await raw.signed("POST", path, **params)).headers["x-mbx-used-weight-1m"])
        refused = await raw.signed("POST", path, **{**params, "symbol": "NOPEUSDT"})
        assert int(refused.headers["x-mbx-used-weight-1m"]) in {before + 1, 1}, path  # a minute may have turned


async def test_tests_of_orders_cost_more_with_commission_rates(raw):
    order = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.1"}
    first = int((await raw.signed("POST", "order/test", **order)).headers["x-mbx-used-weight-1m"])
    reply = await raw.signed("POST", "order/test", **order, computeCommissionRates="true")
    assert int(reply.headers["x-mbx-used-weight-1m"]) in {first + 20, 20}  # a minute may have turned


async def test_every_decimal_has_eight_places(client, raw):
    await place(client, quantity="0.5", price="100010")
    await client.create_oco_order(**OCO)
    rows = [
        *(await raw.signed("GET", "allOrders", symbol="BTCUSDT")).json,
        *(await raw.signed("GET", "myTrades", symbol="BTCUSDT")).json,
    ]
    texts = [value for row in rows for value in row.values() if isinstance(value, str) and value[0].isdigit()]
    assert len(texts) > 20
    assert all(len(text.partition(".")[2]) == 8 for text in texts if "." in text)


WS_METHODS = [
    ("order.status", {"symbol": "BTCUSDT", "orderId": 1}, "order"),
    ("openOrders.status", {"symbol": "BTCUSDT"}, "openOrders"),
    ("allOrders", {"symbol": "BTCUSDT"}, "allOrders"),
    ("orderList.status", {"orderListId": 1}, "orderList"),
    ("openOrderLists.status", {}, "openOrderList"),
    ("allOrderLists", {}, "allOrderList"),
    ("myTrades", {"symbol": "BTCUSDT"}, "myTrades"),
    ("account.status", {}, "account"),
    ("account.commission", {"symbol": "BTCUSDT"}, "account/commission"),
    ("account.rateLimits.orders", {}, "rateLimit/order"),
    ("myPreventedMatches", {"symbol": "BTCUSDT", "orderId": 1}, "myPreventedMatches"),
]


async def ask(socket, method: str, params: dict) -> dict:
    named = {**params, "apiKey": API_KEY, "timestamp": wall_ms()}
    payload = "&".join(f"{name}={named[name]}" for name in sorted(named))
    await socket.send_str(json.dumps({"id": 1, "method": method, "params": {**named, "signature": sign(payload)}}))
    return await socket.receive_json(timeout=20)


async def test_websocket_api_answers_queries_like_rest(exchange, client, raw):
    await client.create_oco_order(**OCO)
    async with aiohttp.ClientSession() as session, session.ws_connect(f"{exchange.url}/ws-api/v3") as socket:
        for method, params, path in WS_METHODS:
            answer = await ask(socket, method, params)
            assert (method, answer["status"]) == (method, 200)
            assert answer["result"] == (await raw.signed("GET", path, **params)).json


async def test_websocket_api_places_replaces_and_cancels(exchange):
    async with aiohttp.ClientSession() as session, session.ws_connect(f"{exchange.url}/ws-api/v3") as socket:
        placed = await ask(socket, "order.place", NEW)
        order_id = placed["result"]["orderId"]
        tested = await ask(socket, "order.test", NEW)
        assert tested["result"] == {}
        replace = {**NEW, "cancelReplaceMode": "STOP_ON_FAILURE", "cancelOrderId": order_id}
        replaced = await ask(socket, "order.cancelReplace", replace)
        assert replaced["result"]["cancelResult"] == "SUCCESS"
        failed = await ask(socket, "order.cancelReplace", replace)
        assert (failed["status"], failed["error"]["code"]) == (400, -2022)
        assert failed["error"]["data"]["newOrderResult"] == "NOT_ATTEMPTED"
        half = await ask(socket, "order.cancelReplace", {**replace, "cancelReplaceMode": "ALLOW_FAILURE"})
        assert (half["status"], half["error"]["code"]) == (409, -2021)
        for method, params in (("oco", OCO), ("oto", OTO), ("otoco", OTOCO)):
            placed = await ask(socket, f"orderList.place.{method}", params)
            list_id = placed["result"]["orderListId"]
            cancelled = await ask(socket, "orderList.cancel", {"symbol": "BTCUSDT", "orderListId": list_id})
            assert cancelled["result"]["listOrderStatus"] == "ALL_DONE"
        cancelled = await ask(socket, "order.cancel", {"symbol": "BTCUSDT", "orderId": order_id + 1})
        assert cancelled["result"]["status"] == "CANCELED"
        everything = await ask(socket, "openOrders.cancelAll", {"symbol": "BTCUSDT"})
        assert [row["status"] for row in everything["result"]] == ["CANCELED"]


async def test_accounts_have_their_own_balances_orders_and_counts(exchange, client, raw):
    inside = exchange.simulation.exchange
    inside.open_account("other", {"USDT": Decimal(5_000), "BTC": Decimal(0)})
    inside.access.register(ApiKey("O" * 64, HmacSecret(F0_SECRET), "other"))
    other = await exchange.client(key="O" * 64)
    sold = await place(client, "SELL", quantity="0.01", price="99995")
    bought = await place(other, quantity="0.01", price="99995", selfTradePreventionMode="EXPIRE_BOTH")
    assert bought["status"] == "FILLED"
    assert (await client.get_order(symbol="BTCUSDT", orderId=sold["orderId"]))["status"] == "FILLED"
    assert (await balance(other, "BTC"))[0] == Decimal("0.00999")
    assert await other.get_all_orders(symbol="BTCUSDT") != await client.get_all_orders(symbol="BTCUSDT")
    uids = [(await each.get_account())["uid"] for each in (client, other)]
    assert uids == [354_937_868, 354_937_869]
    mine = await raw.signed("GET", "order", symbol="BTCUSDT", orderId=bought["orderId"])
    assert mine.error[:2] == (400, -2013)


async def test_what_release_1_leaves_out_is_not_found(raw):
    for method, path in (
        ("PUT", "order/amend/keepPriority"),
        ("POST", "orderList/opo"),
        ("POST", "orderList/opoco"),
        ("POST", "order/oco"),
        ("GET", "myAllocations"),
        ("GET", "myFilters"),
        ("GET", "order/amendments"),
    ):
        reply = await raw.signed(method, path, symbol="BTCUSDT")
        assert (path, reply.status, reply.text) == (path, 404, "")

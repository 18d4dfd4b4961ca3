"""Conformance checks of binance-protocol.md 7a about stop, trailing and iceberg orders: C38, C39, C47, and more of 1.3."""

from decimal import Decimal

import pytest

from tests.simulator.order_calls import balance, fall_through_stop, place, refusal

STOP = {"kind": "STOP_LOSS_LIMIT", "side": "SELL", "timeInForce": "GTC", "stopPrice": "95000", "price": "94900"}
CONDITIONAL = ("stopPrice", "icebergQty", "trailingDelta", "trailingTime", "strategyId", "strategyType", "expiryReason")


async def test_c37_stop_orders_are_answered_with_an_ack(raw):
    reply = await raw.order(
        side="SELL", type="STOP_LOSS_LIMIT", timeInForce="GTC", quantity="0.1", stopPrice="95000", price="94900"
    )
    assert (reply.status, len(reply.json)) == (200, 5)


async def test_c38_stop_order_waits_out_of_the_book_and_fills_after_its_trigger(client, exchange):
    placed = await place(client, quantity="0.1", newOrderRespType="RESULT", **STOP)
    assert (placed["status"], placed["workingTime"], placed["stopPrice"]) == ("NEW", -1, "95000.00000000")
    waiting = await client.get_order(symbol="BTCUSDT", orderId=placed["orderId"])
    assert (waiting["isWorking"], waiting["workingTime"]) == (False, -1)
    asks = (await client.get_order_book(symbol="BTCUSDT"))["asks"]
    assert "94900.00000000" not in [price for price, _ in asks]
    assert await balance(client, "BTC") == (Decimal("0.9"), Decimal("0.1"))

    await fall_through_stop(exchange)

    filled = await client.get_order(symbol="BTCUSDT", orderId=placed["orderId"])
    assert (filled["status"], Decimal(filled["cummulativeQuoteQty"])) == ("FILLED", 9495)
    assert filled["isWorking"] is True
    assert filled["workingTime"] >= filled["time"]
    (trade,) = await client.get_my_trades(symbol="BTCUSDT")
    assert (Decimal(trade["price"]), trade["isMaker"]) == (94_950, False)


async def test_c39_stop_on_the_wrong_side_is_refused(client):
    for side, kind, stop in (
        ("SELL", "STOP_LOSS_LIMIT", "101000"),
        ("BUY", "STOP_LOSS_LIMIT", "99000"),
        ("SELL", "TAKE_PROFIT_LIMIT", "99000"),
        ("BUY", "TAKE_PROFIT_LIMIT", "101000"),
        ("SELL", "STOP_LOSS", "101000"),
        ("BUY", "TAKE_PROFIT", "101000"),
    ):
        limit = {"timeInForce": "GTC", "price": "100900"} if kind.endswith("LIMIT") else {}
        answer = await refusal(place(client, side, kind, quantity="0.1", stopPrice=stop, **limit))
        assert (side, kind, *answer) == (side, kind, 400, -2010, "Order would trigger immediately.")


@pytest.mark.parametrize("kind", ["STOP_LOSS", "TAKE_PROFIT"])
async def test_stop_that_takes_at_the_market_locks_its_stop_price(client, exchange, kind):
    stop = "101000" if kind == "STOP_LOSS" else "99000"
    await place(client, "BUY", kind, quantity="0.1", stopPrice=stop)
    assert await balance(client, "USDT") == (100_000 - Decimal(stop) / 10, Decimal(stop) / 10)
    await exchange.control("trade", symbol="BTCUSDT", price=stop, qty="0.001", taker="BUY")
    (order,) = await client.get_all_orders(symbol="BTCUSDT")
    assert (order["status"], order["price"], order["type"]) == ("FILLED", "0.00000000", kind)


async def test_c47_sixth_waiting_stop_order_is_one_too_many(client):
    for _ in range(5):
        await place(client, quantity="0.01", **STOP)
    assert await refusal(place(client, quantity="0.01", **STOP)) == (400, -2010, "Filter failure: MAX_NUM_ALGO_ORDERS")


async def test_trailing_stop_follows_the_price_and_triggers_when_it_turns(client, exchange):
    placed = await place(client, "SELL", "STOP_LOSS", quantity="0.1", trailingDelta=100, newOrderRespType="RESULT")
    assert (placed["trailingDelta"], placed["trailingTime"], placed["workingTime"]) == (100, -1, -1)
    assert "stopPrice" not in placed
    for price in ("100000", "102000"):
        await exchange.control("trade", symbol="BTCUSDT", price=price, qty="0.001", taker="BUY")
    following = await client.get_order(symbol="BTCUSDT", orderId=placed["orderId"])
    assert following["trailingTime"] > 0
    assert following["status"] == "NEW"
    await exchange.control("trade", symbol="BTCUSDT", price="100980", qty="0.001", taker="SELL")  # 1 % below 102000
    triggered = await client.get_order(symbol="BTCUSDT", orderId=placed["orderId"])
    assert triggered["status"] == "FILLED"


async def test_trailing_delta_outside_its_filter_is_refused(client):
    for delta in (9, 2001):
        order = place(client, "SELL", "STOP_LOSS", quantity="0.1", trailingDelta=delta)
        assert await refusal(order) == (400, -1013, "Filter failure: TRAILING_DELTA")


async def test_iceberg_shows_a_slice_in_the_book(client):
    order = await place(client, quantity="0.5", price="99995", icebergQty="0.1", newOrderRespType="RESULT")
    assert order["icebergQty"] == "0.10000000"
    bids = (await client.get_order_book(symbol="BTCUSDT"))["bids"]
    assert bids[0] == ["99995.00000000", "0.10000000"]


@pytest.mark.parametrize(
    ("order", "answer"),
    [
        ({"icebergQty": "0.0001"}, (400, -1013, "Filter failure: ICEBERG_PARTS")),
        ({"icebergQty": "0.010001"}, (400, -1013, "Filter failure: LOT_SIZE")),
        ({"icebergQty": "0.6"}, (400, -2010, "IcebergQty exceeds QTY.")),
        ({"icebergQty": "0.1", "timeInForce": "IOC"}, (400, -1106, "Parameter 'icebergQty' sent when not required.")),
    ],
    ids=["parts", "lot", "too-large", "without-gtc"],
)
async def test_iceberg_quantities_have_rules(client, order, answer):
    assert await refusal(place(client, quantity="0.5", price="99000", **order)) == answer


async def test_conditional_fields_appear_only_when_they_apply(client):
    plain = await place(client, quantity="0.01", price="99000")
    assert not plain.keys() & set(CONDITIONAL)
    row = await client.get_order(symbol="BTCUSDT", orderId=plain["orderId"])
    assert row.keys() & set(CONDITIONAL) == {"stopPrice", "icebergQty"}
    labelled = await place(client, quantity="0.01", price="99000", strategyId=7, strategyType=1_000_000)
    assert (labelled["strategyId"], labelled["strategyType"]) == (7, 1_000_000)
    cancelled = await client.cancel_order(symbol="BTCUSDT", orderId=labelled["orderId"])
    assert cancelled["strategyId"] == 7
    assert "workingTime" not in cancelled

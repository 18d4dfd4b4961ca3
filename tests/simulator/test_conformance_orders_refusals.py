"""What POST order, DELETE order and the queries refuse, with status, code and text (binance-protocol.md 1.3, 1.4, 2.5)."""

from contextlib import contextmanager

from tests.simulator.order_calls import place
from tests.simulator.test_conformance_orders_lists import OCO, OTO
from tests.simulator.test_conformance_orders_replace import NEW

LIMIT = {"type": "LIMIT", "timeInForce": "GTC", "quantity": "0.1", "price": "99000"}


def not_sent(name: str) -> tuple[int, str]:
    return -1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed."


def neither(first: str, second: str) -> tuple[int, str]:
    return -1102, f"Param '{first}' or '{second}' must be sent, but both were empty/null!"


def superfluous(name: str) -> tuple[int, str]:
    return -1106, f"Parameter '{name}' sent when not required."


@contextmanager
def symbol_with(running, **flags):
    """Other flags on BTCUSDT for a while."""
    listings = running.simulation.exchange.listings
    listed = listings["BTCUSDT"]
    listings["BTCUSDT"] = {**listed, **flags}
    yield
    listings["BTCUSDT"] = listed


STOP_LOSS = {"type": "STOP_LOSS", "side": "SELL", "quantity": "0.1", "stopPrice": "95000"}
STOP_LIMIT = {**STOP_LOSS, "type": "STOP_LOSS_LIMIT", "timeInForce": "GTC", "price": "94900"}
TAKE_PROFIT = {**STOP_LOSS, "type": "TAKE_PROFIT", "stopPrice": "105000"}
PROFIT_LIMIT = {**STOP_LIMIT, "type": "TAKE_PROFIT_LIMIT", "stopPrice": "105000", "price": "105000"}
MARKET = {"type": "MARKET", "quantity": "0.1"}
MAKER = {"type": "LIMIT_MAKER", "quantity": "0.1", "price": "99000"}


async def test_orders_with_just_what_their_type_needs_are_accepted(raw):
    for order in (LIMIT, STOP_LOSS, STOP_LIMIT, TAKE_PROFIT, PROFIT_LIMIT, MARKET, MAKER):
        reply = await raw.order(**order, newOrderRespType="RESULT")
        assert (reply.status, reply.json["type"]) == (200, order["type"])
        tested = await raw.signed("POST", "order/test", **{"symbol": "BTCUSDT", "side": "BUY", **order})
        assert tested.json == {}


NEEDED = [
    (LIMIT, "timeInForce"),
    (LIMIT, "quantity"),
    (LIMIT, "price"),
    (STOP_LOSS, "quantity"),
    (STOP_LIMIT, "timeInForce"),
    (STOP_LIMIT, "quantity"),
    (STOP_LIMIT, "price"),
    (TAKE_PROFIT, "quantity"),
    (PROFIT_LIMIT, "price"),
    (MAKER, "quantity"),
    (MAKER, "price"),
    (LIMIT, "type"),
    ({**LIMIT, "side": "BUY"}, "side"),
]


async def test_what_a_type_needs_must_be_sent(raw):
    for order, missing in NEEDED:
        params = {"symbol": "BTCUSDT", "side": "BUY", **order}
        del params[missing]
        for path in ("order", "order/test"):
            reply = await raw.signed("POST", path, **params)
            assert (params, *reply.error) == (params, 400, *not_sent(missing))


SUPERFLUOUS = [
    (LIMIT, "stopPrice"),
    (LIMIT, "trailingDelta"),
    (LIMIT, "quoteOrderQty"),
    (MARKET, "price"),
    (MARKET, "timeInForce"),
    (MARKET, "stopPrice"),
    (MARKET, "icebergQty"),
    (STOP_LOSS, "price"),
    (STOP_LOSS, "timeInForce"),
    (TAKE_PROFIT, "price"),
    (TAKE_PROFIT, "timeInForce"),
    (STOP_LIMIT, "quoteOrderQty"),
    (PROFIT_LIMIT, "quoteOrderQty"),
    (MAKER, "timeInForce"),
    (MAKER, "stopPrice"),
]


async def test_what_a_type_does_not_take_must_not_be_sent(raw, exchange):
    for order, sent in SUPERFLUOUS:
        value = "GTC" if sent == "timeInForce" else "100"
        reply = await raw.order(**order, **{sent: value})
        assert (order, *reply.error) == (order, 400, *superfluous(sent))
    assert (await exchange.state())["orders"] == []


WRONG_ORDERS = [
    ({**MARKET, "quantity": None}, *neither("quantity", "quoteOrderQty")),
    ({**STOP_LOSS, "stopPrice": None}, *neither("stopPrice", "trailingDelta")),
    ({**LIMIT, "price": ""}, -1105, "Parameter 'price' was empty."),
    ({**LIMIT, "side": "HOLD"}, -1117, "Invalid side."),
    ({**LIMIT, "type": "FOO"}, -1116, "Invalid orderType."),
    ({**LIMIT, "timeInForce": "XXX"}, -1115, "Invalid timeInForce."),
    ({**LIMIT, "symbol": "NOPEUSDT"}, -1121, "Invalid symbol."),
    ({**LIMIT, "price": "99000.000000001"}, -1111, "Parameter 'price' has too much precision."),
    ({**STOP_LIMIT, "stopPrice": "95000.000000001"}, -1111, "Parameter 'stopPrice' has too much precision."),
    ({**LIMIT, "foo": "1"}, -1104, "Not all sent parameters were read; read '8' parameter(s) but was sent '9'."),
    ({**LIMIT, "strategyType": "999999"}, -1134, "`strategyType` was less than 1000000."),
    ({**LIMIT, "newOrderRespType": "LONG"}, -1130, "Data sent for parameter 'newOrderRespType' is not valid."),
    ({**LIMIT, "selfTradePreventionMode": "FOO"}, -1130, "Data sent for parameter 'selfTradePreventionMode' is not valid."),
    ({**LIMIT, "selfTradePreventionMode": "DECREMENT"}, -1013, "This symbol does not allow the specified self-trade prevention mode."),
    ({**LIMIT, "newClientOrderId": "a b"}, -1100, "Illegal characters found in parameter 'newClientOrderId'; legal range is '^[a-zA-Z0-9-_]{1,36}$'."),
    ({**LIMIT, "newClientOrderId": "x" * 37}, -1100, "Illegal characters found in parameter 'newClientOrderId'; legal range is '^[a-zA-Z0-9-_]{1,36}$'."),
    ({**STOP_LIMIT, "stopPrice": "95000.001"}, -1013, "Filter failure: PRICE_FILTER"),
    ({**LIMIT, "price": "0.001"}, -1013, "Filter failure: PRICE_FILTER"),
    ({**LIMIT, "quantity": "9001"}, -1013, "Filter failure: LOT_SIZE"),
    ({**LIMIT, "quantity": "200", "price": "99000"}, -1013, "Filter failure: NOTIONAL"),
    ({"type": "MARKET", "quoteOrderQty": "4"}, -1013, "Filter failure: NOTIONAL"),
]  # fmt: skip


async def test_wrong_values_are_refused(raw, exchange):
    for order, code, message in WRONG_ORDERS:
        params = {"symbol": "BTCUSDT", "side": "BUY", **order}
        reply = await raw.order(**{name: value for name, value in params.items() if value is not None})
        assert (order, *reply.error) == (order, 400, code, message)
    assert (await exchange.state())["orders"] == []


async def test_cancel_names_its_order_by_either_id_and_both_must_agree(client, raw):
    order = await place(client, quantity="0.01", price="99000", newClientOrderId="mine")

    async def cancel(**params):
        return await raw.signed("DELETE", "order", symbol="BTCUSDT", **params)

    assert (await cancel()).error == (400, *neither("origClientOrderId", "orderId"))
    both = await cancel(orderId=order["orderId"], origClientOrderId="other")
    assert both.error == (400, -2039, "Client order ID is not correct for this order ID.")
    assert (await cancel(origClientOrderId="other")).error == (400, -2011, "Unknown order sent.")
    enum = await cancel(orderId=order["orderId"], cancelRestrictions="FOO")
    assert enum.error == (400, -1145, "`cancelRestrictions` has to be either `ONLY_NEW` or `ONLY_PARTIALLY_FILLED`.")
    restricted = await cancel(orderId=order["orderId"], cancelRestrictions="ONLY_PARTIALLY_FILLED")
    assert restricted.error == (400, -2011, "Order was not canceled due to cancel restrictions.")
    done = await cancel(orderId=order["orderId"], origClientOrderId="mine", newClientOrderId="bye")
    assert (done.status, done.json["clientOrderId"], done.json["origClientOrderId"]) == (200, "bye", "mine")
    assert (await cancel(orderId=order["orderId"])).error == (400, -2011, "Unknown order sent.")


WRONG_QUERIES = [
    ("order", {"symbol": "BTCUSDT"}, -1102),
    ("order", {"symbol": "BTCUSDT", "orderId": "1"}, -2013),
    ("order", {"orderId": "1"}, -1102),
    ("order", {"symbol": "BTCUSDT", "orderId": "x"}, -1100),
    ("allOrders", {"symbol": "BTCUSDT", "startTime": "1", "endTime": "86400002"}, -1127),
    ("allOrders", {"symbol": "BTCUSDT", "limit": "0"}, -1130),
    ("allOrders", {}, -1102),
    ("openOrders", {"symbol": "NOPEUSDT"}, -1121),
    ("allOrderList", {"startTime": "1", "endTime": "86400002"}, -1127),
    ("myTrades", {"symbol": "BTCUSDT", "startTime": "1", "endTime": "86400002"}, -1127),
    ("myTrades", {"symbol": "BTCUSDT", "orderId": "1", "startTime": "1"}, -1128),
    ("myTrades", {"symbol": "BTCUSDT", "orderId": "1", "endTime": "1"}, -1128),
    ("myTrades", {"symbol": "BTCUSDT", "fromId": "1", "endTime": "1"}, -1128),
    ("myTrades", {"symbol": "BTCUSDT", "fromId": "1", "startTime": "1", "endTime": "2"}, -1128),
    ("myTrades", {"symbol": "BTCUSDT", "fromId": "1", "orderId": "1", "startTime": "1"}, -1128),
    ("myPreventedMatches", {"symbol": "BTCUSDT"}, -1102),
    ("myPreventedMatches", {"symbol": "BTCUSDT", "preventedMatchId": "1", "orderId": "1"}, -1128),
    ("account/commission", {"symbol": "NOPEUSDT"}, -1121),
    ("account", {"omitZeroBalances": "perhaps"}, -1100),
]


async def test_wrong_queries_are_refused(raw):
    for path, params, code in WRONG_QUERIES:
        reply = await raw.signed("GET", path, **params)
        assert (path, params, *reply.error[:2]) == (path, params, 400, code)


FLAGS = [
    ({"orderTypes": ["LIMIT"]}, MARKET, "Market orders are not supported for this symbol."),
    ({"orderTypes": ["LIMIT"]}, STOP_LOSS, "Stop loss orders are not supported for this symbol."),
    ({"orderTypes": ["LIMIT"]}, STOP_LIMIT, "Stop loss limit orders are not supported for this symbol."),
    ({"orderTypes": ["LIMIT"]}, TAKE_PROFIT, "Take profit orders are not supported for this symbol."),
    ({"orderTypes": ["LIMIT"]}, PROFIT_LIMIT, "Take profit limit orders are not supported for this symbol."),
    ({"isSpotTradingAllowed": False}, MARKET, "Market is closed."),
    ({"icebergAllowed": False}, {**LIMIT, "icebergQty": "0.01"}, "Iceberg orders are not supported for this symbol."),
    ({"allowTrailingStop": False}, {**STOP_LOSS, "trailingDelta": "100"}, "Trailing stop orders are not supported for this symbol."),
    ({"quoteOrderQtyMarketAllowed": False}, {"type": "MARKET", "quoteOrderQty": "100"}, "Quote order qty market orders are not support for this symbol."),
    ({"permissionSets": [["TRD_GRP_050"]]}, MARKET, "This symbol is not permitted for this account."),
    ({"permissionSets": [["SPOT"], ["MARGIN"]]}, MARKET, "This symbol is not permitted for this account."),
]  # fmt: skip


async def test_flags_of_the_symbol_are_enforced(raw, exchange):
    for flags, order, text in FLAGS:
        with symbol_with(exchange, **flags):
            assert (await raw.order(**order)).error == (400, -2010, text)
    assert (await exchange.state())["orders"] == []


REPLACE = {**NEW, "cancelReplaceMode": "ALLOW_FAILURE", "cancelOrderId": "1"}
LIST_FLAGS = [
    ({"ocoAllowed": False}, "orderList/oco", OCO, "OCO orders are not supported for this symbol"),
    ({"otoAllowed": False}, "orderList/oto", OTO, "OTO orders are not supported for this symbol"),
    ({"cancelReplaceAllowed": False}, "order/cancelReplace", REPLACE, "Order cancel-replace is not supported for this symbol."),
]  # fmt: skip


async def test_flags_for_lists_and_replacements_are_enforced(raw, exchange):
    for flags, path, params, text in LIST_FLAGS:
        with symbol_with(exchange, **flags):
            assert (await raw.signed("POST", path, **params)).error == (400, -2010, text)

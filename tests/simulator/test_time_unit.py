"""Times in microseconds: no time is forgotten, nothing else is touched."""

from decimal import Decimal
from urllib.parse import urlencode

import pytest

from binance_trade_agent.domain.orders import Side
from binance_trade_agent.simulator.access import Credentials
from binance_trade_agent.simulator.dispatcher import dispatch
from binance_trade_agent.simulator.endpoints.catalogue import ENDPOINTS
from binance_trade_agent.simulator.endpoints.endpoint import Endpoint
from binance_trade_agent.simulator.errors import ApiError
from binance_trade_agent.simulator.event_payloads import user_events
from binance_trade_agent.simulator.limits import AddressLimits
from binance_trade_agent.simulator.options import fixture_exchange
from binance_trade_agent.simulator.time_unit import TimeUnit, answer_in, event_in, time_unit
from tests.exchange_process import API_KEY
from tests.simulator.signing import sign

LIMIT = {"side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.01", "price": "99000"}
TRAILING = {"side": "SELL", "type": "STOP_LOSS", "quantity": "0.01", "trailingDelta": "100"}
MAKER_AND_TAKER = {"selfTradePreventionMode": "EXPIRE_MAKER"}
OCO = {
    "side": "SELL", "quantity": "0.01", "aboveType": "LIMIT_MAKER", "abovePrice": "105000",
    "belowType": "STOP_LOSS_LIMIT", "belowStopPrice": "95000", "belowPrice": "94900", "belowTimeInForce": "GTC",
}  # fmt: skip
OTO = {
    "workingType": "LIMIT", "workingSide": "BUY", "workingPrice": "99000", "workingQuantity": "0.01",
    "workingTimeInForce": "GTC", "pendingType": "LIMIT_MAKER", "pendingSide": "SELL", "pendingQuantity": "0.01",
    "pendingPrice": "105000",
}  # fmt: skip
OTOCO = {
    **{name: value for name, value in OTO.items() if name.startswith("working")},
    "pendingSide": "SELL", "pendingQuantity": "0.01", "pendingAboveType": "LIMIT_MAKER", "pendingAbovePrice": "105000",
    "pendingBelowType": "STOP_LOSS", "pendingBelowStopPrice": "95000",
}  # fmt: skip
OTHERS = {
    "POST /api/v3/order": [
        {**LIMIT, "newOrderRespType": "FULL"},
        {**TRAILING, "newOrderRespType": "FULL"},
        {"side": "BUY", "type": "MARKET", "quantity": "0.01"},
        {**LIMIT, "price": "101000", "timeInForce": "IOC", **MAKER_AND_TAKER},
    ],
    "POST /api/v3/order/test": [LIMIT],
    "POST /api/v3/order/cancelReplace": [{**LIMIT, "cancelReplaceMode": "STOP_ON_FAILURE", "cancelOrderId": "1"}],
    "POST /api/v3/orderList/oco": [OCO],
    "POST /api/v3/orderList/oto": [OTO],
    "POST /api/v3/orderList/otoco": [OTOCO],
    "GET /api/v3/order": [{"orderId": "1"}, {"orderId": "2"}],
    "GET /api/v3/orderList": [{"orderListId": "LIST"}],
    "GET /api/v3/klines": [{"interval": "1m"}],
    "GET /api/v3/uiKlines": [{"interval": "1h"}],
    "GET /api/v3/myPreventedMatches": [{"orderId": "1"}],
    "DELETE /api/v3/order": [{"orderId": "2"}],
    "DELETE /api/v3/orderList": [{"orderListId": "LIST"}],
}  # fmt: skip
LAST = ("DELETE /api/v3/orderList", "DELETE /api/v3/openOrders")


def converted(value):
    """What `value` must become: each whole number of the size of a time in ms, 1000 times as large.

    The close time of a kline is its last microsecond.
    """
    if isinstance(value, list) and len(value) == 12 and isinstance(value[0], int):
        return [value[0] * 1000, *value[1:6], value[6] * 1000 + 999, *value[7:]]
    if isinstance(value, dict):
        return {name: converted(item) for name, item in value.items()}
    if isinstance(value, list):
        return [converted(item) for item in value]
    return value * 1000 if isinstance(value, int) and 10**12 <= value < 10**14 else value


def times(value) -> int:
    """How many times there are in an answer."""
    if isinstance(value, dict):
        return sum(times(item) for item in value.values())
    if isinstance(value, list):
        return sum(times(item) for item in value)
    return isinstance(value, int) and 10**12 <= value < 10**14


def ask(exchange, endpoint, params):
    now_ms = exchange.advance()
    known = {parameter.name for parameter in endpoint.own_parameters}
    sent = {**({"symbol": "BTCUSDT"} if "symbol" in known else {}), **params}
    if endpoint.is_signed:
        sent["timestamp"] = str(now_ms)
    payload = urlencode(sent)
    signature = [("signature", sign(payload))] if endpoint.is_signed else []
    credentials = Credentials(API_KEY, payload.encode())
    outcome = dispatch(exchange, AddressLimits(), endpoint, [*sent.items(), *signature], credentials)
    assert outcome.error is None, (endpoint.path, outcome.error)
    return outcome.payload


def place_in_the_sequence(endpoint: Endpoint) -> int:
    """Orders are placed first and cancelled last."""
    name = f"{endpoint.method} {endpoint.path}"
    return 2 + LAST.index(name) if name in LAST else int(endpoint.method != "POST")


def list_id(exchange) -> str:
    return str(next(iter(exchange.engine.history.open_lists("main"))).list_id)


def test_no_time_is_forgotten_in_any_answer_or_event():
    exchange = fixture_exchange("F0")
    events = []
    exchange.listeners.append(lambda transaction: events.extend(user_events(transaction, exchange.engine.accounts)))
    ordered = sorted(ENDPOINTS, key=place_in_the_sequence)
    with_times = set()
    for endpoint in ordered:
        name = f"{endpoint.method} {endpoint.path}"
        for params in OTHERS.get(name, [{}]):
            filled = {key: list_id(exchange) if value == "LIST" else value for key, value in params.items()}
            answer = ask(exchange, endpoint, filled)
            assert answer_in(TimeUnit.MICROSECOND, answer) == converted(answer), name
            assert answer_in(TimeUnit.MILLISECOND, answer) is answer
            if times(answer):
                with_times.add(name)
        exchange.print_trade("BTCUSDT", Decimal(100_100), Decimal("0.001"), Side.BUY)
    exchange.deposit("main", "BTC", Decimal(1))
    assert {event["e"] for _, event in events} >= {
        "executionReport",
        "outboundAccountPosition",
        "listStatus",
        "balanceUpdate",
    }
    for _, event in events:
        assert event_in(TimeUnit.MICROSECOND, event) == converted(event)
    timeless = {f"{endpoint.method} {endpoint.path}" for endpoint in ENDPOINTS} - with_times
    assert timeless <= {
        "GET /api/v3/ping", "GET /api/v3/depth", "GET /api/v3/ticker/price", "GET /api/v3/ticker/bookTicker",
        "GET /api/v3/rateLimit/order", "GET /api/v3/account/commission", "POST /api/v3/order/test",
        "GET /api/v3/myPreventedMatches",
    }  # fmt: skip


def test_no_time_yet_stays_as_it_is():
    row = {"workingTime": -1, "authorizedSince": None, "time": 5, "nested": [{"transactTime": 7}]}
    assert answer_in(TimeUnit.MICROSECOND, row) == {
        "workingTime": -1,
        "authorizedSince": None,
        "time": 5000,
        "nested": [{"transactTime": 7000}],
    }


@pytest.mark.parametrize(
    ("text", "unit"), [(None, "MILLISECOND"), ("microsecond", "MICROSECOND"), ("MILLISECOND", "MILLISECOND")]
)
def test_units_are_read_in_either_case(text, unit):
    assert time_unit(text, "timeUnit") == unit


@pytest.mark.parametrize("text", ["", "us", "NANOSECOND"])
def test_other_units_are_refused(text):
    with pytest.raises(ApiError) as refused:
        time_unit(text, "timeUnit")
    assert (refused.value.status, refused.value.code) == (400, -1100)

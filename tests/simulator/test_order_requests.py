"""Any mixture of plausible order requests, cancels and trades: a refusal of the protocol at worst, and nothing is lost."""

from decimal import Decimal
from urllib.parse import urlencode

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from binance_trade_agent.domain.orders import Side
from binance_trade_agent.matching.invariants import violations
from binance_trade_agent.simulator.access import Credentials
from binance_trade_agent.simulator.dispatcher import dispatch
from binance_trade_agent.simulator.endpoints.catalogue import BY_WEBSOCKET_METHOD
from binance_trade_agent.simulator.limits import AddressLimits
from binance_trade_agent.simulator.options import fixture_exchange
from tests.exchange_process import API_KEY
from tests.simulator.signing import sign

TYPES = ["LIMIT", "MARKET", "LIMIT_MAKER", "STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT"]
NEEDS = {
    "LIMIT": ("timeInForce", "price"),
    "MARKET": (),
    "LIMIT_MAKER": ("price",),
    "STOP_LOSS": ("stopPrice",),
    "STOP_LOSS_LIMIT": ("timeInForce", "price", "stopPrice"),
    "TAKE_PROFIT": ("trailingDelta",),
    "TAKE_PROFIT_LIMIT": ("timeInForce", "price", "stopPrice", "trailingDelta"),
}
prices = st.sampled_from(["95000", "99000", "99990", "99995", "100000", "100010", "105000", "600000", "1"])
VALUES = {
    "timeInForce": st.sampled_from(["GTC", "GTC", "IOC", "FOK"]),
    "price": prices,
    "stopPrice": prices,
    "trailingDelta": st.sampled_from(["10", "100", "5000"]),
}
sides = st.sampled_from(["BUY", "SELL"])
quantities = st.sampled_from(["0.01", "0.01", "0.5", "3", "0.000001"])
modes = st.sampled_from(["NONE", "EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH"])
restrictions = st.sampled_from([{}, {}, {"cancelRestrictions": "ONLY_NEW"}])
order_ids = st.integers(1, 12).map(str)


@st.composite
def legs(draw, prefix: str) -> dict[str, str]:
    """One order's own parameters, each name after the prefix."""
    order_type = draw(st.sampled_from(TYPES))
    fields = {"type": order_type, **{name: draw(VALUES[name]) for name in NEEDS[order_type]}}
    if draw(st.integers(0, 5)) == 0:
        fields["icebergQty"] = "0.01"
    return {f"{prefix}{name[0].upper()}{name[1:]}" if prefix else name: value for name, value in fields.items()}


@st.composite
def order_requests(draw) -> tuple[str, dict[str, str]]:
    """A method of the WebSocket API and its parameters."""
    method = draw(
        st.sampled_from(
            [
                "order.place",
                "order.place",
                "order.cancelReplace",
                "order.cancel",
                "orderList.place.oco",
                "orderList.place.oto",
                "orderList.place.otoco",
                "orderList.cancel",
                "openOrders.cancelAll",
                "allOrders",
                "openOrderLists.status",
            ]
        )
    )
    shared = {"side": draw(sides), "quantity": draw(quantities), "selfTradePreventionMode": draw(modes)}
    working = {"workingSide": draw(sides), "workingQuantity": draw(quantities)}
    pending = {"pendingSide": draw(sides), "pendingQuantity": draw(quantities)}
    match method:
        case "order.place":
            params = {**shared, **draw(legs(""))}
        case "order.cancelReplace":
            mode = draw(st.sampled_from(["STOP_ON_FAILURE", "ALLOW_FAILURE"]))
            cancelled = {"cancelReplaceMode": mode, "cancelOrderId": draw(order_ids), **draw(restrictions)}
            params = {**shared, **draw(legs("")), **cancelled}
        case "order.cancel":
            params = {"orderId": draw(order_ids), **draw(restrictions)}
        case "orderList.place.oco":
            params = {**shared, **draw(legs("above")), **draw(legs("below"))}
        case "orderList.place.oto":
            params = {**working, **draw(legs("working")), **pending, **draw(legs("pending"))}
        case "orderList.place.otoco":
            oco = {**draw(legs("pendingAbove")), **draw(legs("pendingBelow"))}
            params = {**working, **draw(legs("working")), **pending, **oco}
        case "orderList.cancel":
            params = {"orderListId": draw(st.integers(1, 5).map(str))}
        case _:
            params = {}
    return method, params


trades = st.tuples(prices.filter(lambda price: price not in {"1", "600000"}), sides)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.one_of(order_requests(), order_requests(), order_requests(), trades), min_size=10, max_size=40))
def test_no_order_request_breaks_the_exchange(steps):
    exchange = fixture_exchange("F0")
    now_ms = exchange.advance()
    for first, second in steps:
        if isinstance(second, str):
            exchange.print_trade("BTCUSDT", Decimal(first), Decimal("0.2"), Side(second))
        else:
            answer(exchange, now_ms, first, second)
        assert violations(exchange.engine) == []


def answer(exchange, now_ms: int, method: str, params: dict[str, str]) -> None:
    endpoint = BY_WEBSOCKET_METHOD[method]
    known = {parameter.name for parameter in endpoint.own_parameters}
    sent = {"symbol": "BTCUSDT", **params, "timestamp": str(now_ms)}
    sent = {name: value for name, value in sent.items() if name in known | {"timestamp"}}
    payload = urlencode(sent)
    outcome = dispatch(
        exchange, AddressLimits(), endpoint, [*sent.items(), ("signature", sign(payload))],
        Credentials(API_KEY, payload.encode()),
    )  # fmt: skip
    if outcome.error is None:
        assert orjson.dumps(outcome.payload)
    else:
        assert outcome.error.status in {400, 409, 429}
        assert orjson.dumps(outcome.error.payload())

"""Whatever a client sends, the answer is JSON or one of the protocol's refusals, and nothing is lost."""

from urllib.parse import urlencode

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from binance_trade_agent.matching.invariants import violations
from binance_trade_agent.simulator.access import Credentials
from binance_trade_agent.simulator.dispatcher import Outcome, dispatch
from binance_trade_agent.simulator.endpoints.catalogue import BY_WEBSOCKET_METHOD, ENDPOINTS
from binance_trade_agent.simulator.limits import AddressLimits
from binance_trade_agent.simulator.options import fixture_exchange
from tests.exchange_process import API_KEY
from tests.simulator.signing import sign

USUAL = {
    "symbol": ["BTCUSDT", "ETHUSDT", "NOPE"],
    "symbols": ['["BTCUSDT"]', "[]", '["BTCUSDT","BTCUSDT"]'],
    "side": ["BUY", "SELL"],
    "type": ["MARKET", "LIMIT", "LIMIT_MAKER", "STOP_LOSS", "FULL", "MINI"],
    "timeInForce": ["GTC", "IOC", "FOK"],
    "quantity": ["0.01", "0.5", "99999999999999999999"],
    "quoteOrderQty": ["100", "0"],
    "price": ["100000", "99000", "101000"],
    "interval": ["1m", "1w", "1M"],
    "orderId": ["1", "2"],
    "timeZone": ["8", "-3:30", "99"],
}
odd_texts = st.sampled_from(["", "0", "1", "-1", "1e5", "NaN", "nan", "true", "é", "9" * 20, "9" * 30, "[", "a b"])


@st.composite
def requests(draw):
    endpoint = draw(st.sampled_from(ENDPOINTS))
    names = [parameter.name for parameter in endpoint.own_parameters]
    sent = {}
    for name in draw(st.lists(st.sampled_from([*names, "foo"]), unique=True)) if names else []:
        usual = st.sampled_from(USUAL[name]) if name in USUAL else odd_texts
        sent[name] = draw(st.one_of(usual, usual, usual, odd_texts))
    return endpoint, sent


@settings(max_examples=30, deadline=None)
@given(st.lists(requests(), min_size=20, max_size=60))
def test_no_request_breaks_the_exchange(sequence):
    exchange = fixture_exchange("F0")
    now_ms = exchange.advance()
    for endpoint, params in sequence:
        sent = {**params, "timestamp": str(now_ms)} if endpoint.is_signed else params
        payload = urlencode(sent)
        signature = [("signature", sign(payload))] if endpoint.is_signed else []
        assert status(exchange, endpoint, [*sent.items(), *signature], payload) in {200, 400, 401, 409, 429}
        assert violations(exchange.engine) == []


def status(exchange, endpoint, sent, payload) -> int:
    outcome = dispatch(exchange, AddressLimits(), endpoint, sent, Credentials(API_KEY, payload.encode()))
    if outcome.error is not None:
        orjson.dumps(outcome.error.payload())
        return outcome.error.status
    orjson.dumps(outcome.payload)
    return 200


ORDER = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.1", "price": "99000"}


def place(exchange, *, age_ms: int = 0, waited_ms: int | None = None, limits: AddressLimits | None = None) -> Outcome:
    """Place an order that was signed `age_ms` ago and came in `waited_ms` ago."""
    sent = {**ORDER, "timestamp": str(exchange.now_ms - age_ms)}
    payload = urlencode(sent)
    received_ms = None if waited_ms is None else exchange.now_ms - waited_ms
    return dispatch(
        exchange,
        limits or AddressLimits(),
        BY_WEBSOCKET_METHOD["order.place"],
        [*sent.items(), ("signature", sign(payload))],
        Credentials(API_KEY, payload.encode()),
        received_ms,
    )


def counted(exchange) -> list[int]:
    return list(exchange.order_count("main").counts(exchange.limits_now_ms()).values())


def test_request_that_waited_too_long_is_refused_before_the_engine_and_counts():
    exchange = fixture_exchange("F0")
    exchange.advance()
    assert place(exchange, age_ms=5000, waited_ms=5000).error is None
    assert counted(exchange) == [1, 1]
    late = place(exchange, age_ms=5001, waited_ms=5001)
    assert late.error is not None
    assert late.error.code == -1021
    assert counted(exchange) == [2, 2]
    assert place(exchange, age_ms=5001).error is not None
    assert counted(exchange) == [2, 2]
    assert len(list(exchange.engine.history.all_orders())) == 1


def test_order_costs_weight_only_when_it_is_refused():
    exchange, limits = fixture_exchange("F0"), AddressLimits()
    now_ms = exchange.advance()
    place(exchange, limits=limits)
    assert limits.used(now_ms) == 0
    place(exchange, age_ms=6000, limits=limits)
    assert limits.used(now_ms) == 1


def test_every_placement_shows_the_order_count():
    places = {endpoint.path for endpoint in ENDPOINTS if endpoint.method == "POST"}
    assert {endpoint.path for endpoint in ENDPOINTS if endpoint.places_orders} == places - {"/api/v3/order/test"}

"""Whatever a client sends, the answer is JSON or one of the protocol's refusals, and nothing is lost."""

from urllib.parse import urlencode

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from binance_trade_agent.matching.invariants import violations
from binance_trade_agent.simulator.access import Credentials
from binance_trade_agent.simulator.dispatcher import dispatch
from binance_trade_agent.simulator.endpoints.catalogue import ENDPOINTS
from binance_trade_agent.simulator.errors import ApiError
from binance_trade_agent.simulator.limits import WeightLimit
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
        assert status(exchange, endpoint, [*sent.items(), *signature], payload) in {200, 400, 401, 429}
        assert violations(exchange.engine) == []


def status(exchange, endpoint, sent, payload) -> int:
    try:
        answer, _ = dispatch(exchange, WeightLimit(), endpoint, sent, Credentials(API_KEY, payload.encode()))
    except ApiError as refusal:
        return refusal.status
    orjson.dumps(answer)
    return 200

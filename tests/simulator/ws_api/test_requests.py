"""Frames of a WebSocket API client, as they are read and as they are signed (binance-protocol.md 2.2, 5.2)."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from binance_trade_agent.simulator.ws_api.requests import BadRequestError, read_request


def outcome(text: str) -> object:
    """The request's id, or the code of its refusal."""
    try:
        request = read_request(text)
    except BadRequestError as refused:
        return refused.error.code
    assert isinstance(request.signed_payload, bytes)
    return request.id


def refusal(text: str) -> tuple[object, int]:
    with pytest.raises(BadRequestError) as refused:
        read_request(text)
    return refused.value.request_id, refused.value.error.code


@pytest.mark.parametrize(
    "text", ["", "{", "nonsense", "null", "1", "[]", '"ping"', "[[" * 5000, '{"id":NaN}', "\ud800"]
)
def test_frame_that_is_no_object_has_no_id(text):
    assert refusal(text) == (None, -1135)


def test_deep_nesting_is_refused_or_read_but_never_breaks():
    for depth in (100, 900, 1000, 1100, 100_000):
        text = '{"id":1,"method":"ping","params":{"a":' + "[" * depth + "]" * depth + "}}"
        assert outcome(text) in {1, -1135}


@pytest.mark.parametrize("value", ["true", "1.5", "[]", "{}", json.dumps("x" * 37), str(2**63), str(10**30)])
def test_id_of_another_kind_is_refused(value):
    assert refusal(f'{{"id":{value},"method":"ping"}}') == (None, -1100)


@pytest.mark.parametrize("value", [None, 0, -1, 2**63 - 1, "", "x" * 36, "7f-é 1", 187])
def test_id_is_kept_as_it_is(value):
    request = read_request(json.dumps({"id": value, "method": "ping"}))
    assert (request.id, type(request.id)) == (value, type(value))


@pytest.mark.parametrize("number", ["1" + "0" * 400, "1e999", "-0.1e-999"])
def test_number_of_any_size_is_kept_as_it_was_written(number):
    request = read_request(f'{{"id":5,"method":"ping","params":{{"price":{number}}}}}')
    assert (request.id, request.params) == (5, {"price": number})


@pytest.mark.parametrize("place", ['"id":"%s"', '"id":1,"method":"%s"', '"id":1,"method":"ping","params":{"a":"%s"}'])
def test_half_of_a_surrogate_pair_is_no_text(place):
    assert refusal("{" + place % r"\ud800" + "}") == (None, -1135)


def test_missing_id_is_null():
    assert read_request('{"method":"ping"}').id is None


@pytest.mark.parametrize(
    "method", ['{"id":5}', '{"id":5,"method":null}', '{"id":5,"method":7}', '{"id":5,"method":""}']
)
def test_missing_method_is_told_with_the_id(method):
    assert refusal(method) == (5, -1102)


@pytest.mark.parametrize("params", ["[]", "1", '"a"', "true", '["a"]'])
def test_params_that_are_no_object_are_refused_with_the_id(params):
    assert refusal(f'{{"id":5,"method":"ping","params":{params}}}') == (5, -1135)


@pytest.mark.parametrize("frame", ['{"id":1,"method":"v3/ping"}', '{"id":1,"method":"ping","params":null}'])
def test_prefix_and_missing_params_are_allowed(frame):
    request = read_request(frame)
    assert (request.method, request.params) == ("ping", {})


def test_values_are_signed_as_they_were_written():
    request = read_request(
        '{"id":1,"method":"order.place","params":{"symbol":"这是测试币456","quantity":0.00003,"price":3e-05,'
        '"timestamp":1645423376532,"recvWindow":100.500,"flag":true,"other":false,"signature":"ff",'
        '"apiKey":"vmPU","symbols":["BTCUSDT","é"],"returnRateLimits":false}}'
    )
    assert request.signed_payload.decode() == (
        "apiKey=vmPU&flag=true&other=false&price=3e-05&quantity=0.00003&recvWindow=100.500&returnRateLimits=false"
        '&symbol=这是测试币456&symbols=["BTCUSDT","é"]&timestamp=1645423376532'
    )
    assert dict(request.sent).keys() == request.params.keys() - {"apiKey", "returnRateLimits"}
    assert request.shows_limits is False


def test_documented_payload_is_made_of_the_documented_request():
    request = read_request(
        '{"id":"56374a46","method":"order.place","params":{"symbol":"BTCUSDT","side":"SELL","type":"LIMIT",'
        '"timeInForce":"GTC","quantity":"0.01000000","price":"52000.00","recvWindow":100,"timestamp":1645423376532,'
        '"apiKey":"vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A","signature":"ff"}}'
    )
    assert request.signed_payload.decode() == (
        "apiKey=vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A&price=52000.00&quantity=0.01000000"
        "&recvWindow=100&side=SELL&symbol=BTCUSDT&timeInForce=GTC&timestamp=1645423376532&type=LIMIT"
    )


def test_wish_for_rate_limits_must_be_a_boolean():
    assert refusal('{"id":1,"method":"ping","params":{"returnRateLimits":"maybe"}}') == (1, -1100)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@given(json_values | st.fixed_dictionaries({"id": json_values, "method": json_values, "params": json_values}))
def test_any_json_is_read_or_refused(frame):
    outcome(json.dumps(frame))


def test_limits_may_be_switched_off_beside_the_parameters():
    assert read_request('{"id":1,"method":"ping","returnRateLimits":false}').shows_limits is False
    assert read_request('{"id":1,"method":"ping","returnRateLimits":false,"params":{}}').shows_limits is False

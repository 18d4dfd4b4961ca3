"""Control messages of the market streams and their errors (binance-protocol.md 5.1)."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from binance_trade_agent.simulator.streams.control import METHODS, ControlError, ControlMessage, parse_control


def error_of(text: str) -> dict:
    with pytest.raises(ControlError) as caught:
        parse_control(text)
    return caught.value.answer


@pytest.mark.parametrize("request_id", [None, 0, -1, 2**63 - 1, -(2**63), "a", "x" * 36, "6ba7b810-9dad-11d1-80b4"])
def test_ids_are_taken_as_they_come(request_id):
    message = parse_control(json.dumps({"method": "SUBSCRIBE", "params": ["a@trade"], "id": request_id}))
    assert message == ControlMessage("SUBSCRIBE", ("a@trade",), None, request_id)


@pytest.mark.parametrize("request_id", [2**63, 1.5, True, "", "x" * 37, "a b", [], {}])
def test_other_ids_are_refused(request_id):
    answer = error_of(json.dumps({"method": "LIST_SUBSCRIPTIONS", "id": request_id}))
    assert answer["code"] == 2
    assert "id" not in answer


def test_unknown_method_names_the_known_ones():
    answer = error_of('{"method":"FOO","params":["a@trade"],"id":1}')
    assert answer["code"] == 2
    assert answer["msg"].startswith(
        "Invalid request: unknown variant `FOO`, expected one of `SUBSCRIBE`, `UNSUBSCRIBE`"
    )


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{", 3),
        ("", 3),
        ("[1", 3),
        ("[]", 2),
        ("null", 2),
        ('"SUBSCRIBE"', 2),
        ("{}", 2),
        ('{"method":"SUBSCRIBE"}', 2),
        ('{"method":"SUBSCRIBE","params":"a@trade"}', 2),
        ('{"method":"UNSUBSCRIBE","params":[1]}', 2),
        ('{"method":"GET_PROPERTY"}', 2),
        ('{"method":"GET_PROPERTY","params":[]}', 2),
        ('{"method":"GET_PROPERTY","params":[1]}', 2),
        ('{"method":"GET_PROPERTY","params":["combined",true]}', 2),
        ('{"method":"GET_PROPERTY","params":["colour"]}', 0),
        ('{"method":"SET_PROPERTY","params":["colour",true]}', 0),
        ('{"method":"SET_PROPERTY","params":["combined"]}', 1),
        ('{"method":"SET_PROPERTY","params":["combined","true"]}', 1),
        ('{"method":"SET_PROPERTY","params":["combined",1]}', 1),
        ('{"method":"SET_PROPERTY","params":["combined",true,false]}', 2),
        ('{"method":["SUBSCRIBE"]}', 2),
    ],
)
def test_wrong_messages_have_their_code(text, code):
    assert error_of(text)["code"] == code


def test_errors_carry_the_id_where_there_is_one():
    assert error_of('{"method":"GET_PROPERTY","params":["colour"],"id":1}') == {
        "code": 0,
        "msg": "Unknown property",
        "id": 1,
    }


@given(st.text() | st.builds(json.dumps, st.dictionaries(st.sampled_from(["method", "params", "id"]), st.one_of(
    st.sampled_from(METHODS), st.lists(st.text() | st.booleans() | st.integers()), st.integers(), st.text(), st.none(),
))))  # fmt: skip
def test_any_nonsense_is_a_message_or_an_error(text):
    try:
        outcome = parse_control(text).method
    except ControlError as error:
        outcome = error.answer["code"]
    assert outcome in {*METHODS, 0, 1, 2, 3}

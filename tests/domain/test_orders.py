import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from binance_trade_agent.domain.orders import (
    STATE_OF_STATUS,
    TERMINAL_STATES,
    TRANSITIONS,
    OrderState,
    client_order_id,
    is_own_order_id,
)

DECISION = {
    "instance": "default",
    "epoch": 1,
    "strategy": "combined_default",
    "symbol": "BTCUSDT",
    "tick_ms": 1_700_000_000_000,
    "leg": "entry",
    "attempt": 1,
}
texts = st.text(st.characters(blacklist_characters="|", blacklist_categories=("Cs",)), max_size=20)
decisions = st.fixed_dictionaries(
    {
        "instance": texts,
        "epoch": st.integers(0),
        "strategy": texts,
        "symbol": texts,
        "tick_ms": st.integers(0),
        "leg": texts,
        "attempt": st.integers(0),
    }
)

ENDED = {"FILLED", "CANCELED", "EXPIRED", "REJECTED", "DENIED", "NOT_PLACED"}


def followers(state: OrderState) -> set[str]:
    return {str(follower) for follower in TRANSITIONS[state]}


def test_table_names_every_state():
    assert set(TRANSITIONS) == set(OrderState)


def test_ended_orders_stay_ended():
    assert {str(state) for state in TERMINAL_STATES} == ENDED


def test_an_intent_is_sent_or_denied_before_anything_else():
    assert followers(OrderState.INTENT) == {"SENT", "DENIED"}


def test_nothing_leads_back_to_before_the_sending():
    assert not any({OrderState.INTENT} & after for after in TRANSITIONS.values())
    assert [state for state, after in TRANSITIONS.items() if OrderState.SENT in after] == [OrderState.INTENT]


def test_an_unknown_order_turns_up_in_any_state_or_is_proved_absent():
    on_exchange = {str(state) for state in STATE_OF_STATUS.values()}
    assert followers(OrderState.UNKNOWN) == on_exchange | {"NOT_PLACED"}
    assert followers(OrderState.SENT) == on_exchange | {"UNKNOWN", "DENIED"}


def test_only_an_unknown_order_is_ever_thought_absent():
    assert [state for state, after in TRANSITIONS.items() if OrderState.NOT_PLACED in after] == [OrderState.UNKNOWN]


def test_what_the_exchange_has_seen_is_never_unknown_again():
    seen = set(STATE_OF_STATUS.values())
    assert not any(TRANSITIONS[state] & {OrderState.UNKNOWN, OrderState.SENT, OrderState.DENIED} for state in seen)


@pytest.mark.parametrize(
    "status",
    [
        "NEW",
        "PENDING_NEW",
        "PARTIALLY_FILLED",
        "FILLED",
        "CANCELED",
        "PENDING_CANCEL",
        "REJECTED",
        "EXPIRED",
        "EXPIRED_IN_MATCH",
    ],
)
def test_every_status_of_the_exchange_has_a_state(status):
    assert STATE_OF_STATUS[status] in OrderState


@given(decisions)
def test_client_order_id_is_one_that_python_binance_signs_right(decision):
    made = client_order_id(**decision)
    assert re.fullmatch(r"[A-Za-z0-9-]{1,36}", made)
    assert is_own_order_id(made)
    assert made == client_order_id(**decision)


@given(decisions, decisions)
def test_different_decisions_have_different_ids(one, other):
    assert (client_order_id(**one) == client_order_id(**other)) == (one == other)


@pytest.mark.parametrize(
    "change",
    [
        {"instance": "second"},
        {"epoch": 2},
        {"strategy": "rsi_default"},
        {"symbol": "ETHUSDT"},
        {"tick_ms": 1_700_000_120_000},
        {"leg": "exit"},
        {"attempt": 2},
    ],
)
def test_each_part_of_the_decision_is_in_the_id(change):
    assert client_order_id(**DECISION) != client_order_id(**DECISION | change)


@pytest.mark.parametrize("foreign", ["x-HNA2TXFJ0123", "web_abc", "", "abta-1", "BTA-BTCUSDT-1"])
def test_foreign_ids_are_told_apart(foreign):
    assert not is_own_order_id(foreign)

import hashlib
import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from binance_trade_agent.domain.order_ids import (
    LARGEST_FENCE,
    cancel_id,
    client_order_id,
    decision_digest,
    instance_tag,
    is_bta_order_id,
    is_own_order_id,
    parse_order_id,
    placed_as,
)

INSTANCES = st.text(string.ascii_letters + string.digits + "-", min_size=1, max_size=20)
FENCES = st.integers(0, LARGEST_FENCE)
DECISIONS = st.fixed_dictionaries(
    {
        "instance": INSTANCES,
        "epoch": st.integers(1, 10_000),
        "strategy": st.text(string.ascii_lowercase + "_", min_size=1, max_size=40),
        "symbol": st.text(min_size=1, max_size=20),  # Binance lists symbols in Chinese too
        "tick_ms": st.integers(0, 2**53),
        "leg": st.sampled_from(["entry", "exit", "stop"]),
        "attempt": st.integers(1, 100),
    }
)
DECISION = {
    "instance": "default",
    "epoch": 1,
    "strategy": "rsi_momentum",
    "symbol": "BTCUSDT",
    "tick_ms": 1_767_571_200_000,
    "leg": "entry",
    "attempt": 1,
}


def first_form(decision: dict) -> str:
    """As ids were made before there were fences."""
    names = ("instance", "epoch", "strategy", "symbol", "tick_ms", "leg", "attempt")
    text = "|".join(str(decision[name]) for name in names)
    return f"bta-{decision['symbol'][:12]}-{hashlib.blake2b(text.encode(), digest_size=8).hexdigest()}"


@given(DECISIONS, FENCES)
def test_id_is_at_most_36_of_the_characters_that_every_client_signs_alike(decision, fence):
    assert re.fullmatch(r"[A-Za-z0-9-]{1,36}", client_order_id(**decision, fence=fence))


@given(DECISIONS, FENCES)
def test_id_says_whose_it_is_and_of_which_generation(decision, fence):
    order_id = client_order_id(**decision, fence=fence)
    own = parse_order_id(order_id)
    label = "".join(character for character in decision["symbol"] if re.match(r"[A-Za-z0-9]", character))
    assert (own.tag, own.symbol_label, own.fence) == (instance_tag(decision["instance"]), label[:8], fence)
    assert own.digest == decision_digest(order_id)
    assert is_own_order_id(order_id)
    assert is_own_order_id(order_id, decision["instance"])
    assert is_bta_order_id(order_id)


@given(DECISIONS, FENCES)
def test_cancel_says_which_order_it_was_of_and_is_no_order(decision, fence):
    order_id = client_order_id(**decision, fence=fence)
    cancel = cancel_id(order_id)
    assert len(cancel) == len(order_id)
    assert not is_bta_order_id(cancel)
    assert placed_as(cancel) == placed_as(order_id) == order_id


@pytest.mark.parametrize(
    "shown", ["", "btx", "btxk3v-BTCUSDT-2s", "x-A6SIDXVS1234", "web_0f3c", "bta-BTCUSDT-0f3c5a9be1d27400"]
)
def test_what_is_no_cancel_of_ours_stands_for_itself(shown):
    assert cancel_id(shown) is None
    assert placed_as(shown) == shown


@given(DECISIONS, FENCES, FENCES)
def test_same_decision_has_the_same_digest_in_every_generation(decision, fence, later):
    ids = [client_order_id(**decision, fence=number) for number in (fence, later)]
    assert decision_digest(ids[0]) == decision_digest(ids[1])
    assert (ids[0] == ids[1]) == (fence == later)


@given(DECISIONS, st.sampled_from(["instance", "epoch", "strategy", "symbol", "tick_ms", "leg", "attempt"]))
def test_another_decision_has_another_digest(decision, part):
    value = decision[part]
    other = {**decision, part: value + 1 if isinstance(value, int) else f"{value}x"}
    assert decision_digest(client_order_id(**decision)) != decision_digest(client_order_id(**other))


@given(INSTANCES, INSTANCES)
def test_order_of_another_instance_is_foreign_but_known_to_be_of_this_program(instance, other):
    order_id = client_order_id(**{**DECISION, "instance": instance}, fence=7)
    assert is_own_order_id(order_id, other) == (instance_tag(instance) == instance_tag(other))
    assert is_bta_order_id(order_id)


def test_two_names_give_two_tags():
    assert len({instance_tag(name) for name in ("default", "second", "btc", "eth", "a", "b")}) == 6
    assert all(re.fullmatch(r"[0-9a-z]{3}", instance_tag(str(number))) for number in range(500))


def test_ids_from_before_there_were_fences_are_still_ours_and_name_the_same_decision():
    old = first_form(DECISION)
    assert is_own_order_id(old)
    assert is_own_order_id(old, "default")
    assert parse_order_id(old) is None
    assert decision_digest(old) == decision_digest(client_order_id(**DECISION, fence=12))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "web_1234",
        "x-HNA2TXFJ0f3c5a9be1d2740f3c5a9be1d2",
        "btak3v",
        "btak3v-BTCUSDT-2s-0f3c5a9be1d27",  # a digit short
        "btak3v-BTCUSDT-2s-0f3c5a9be1d274x",
        "btaK3V-BTCUSDT-2s-0f3c5a9be1d274",
        "btak3v-BTCUSDTXX-2s2s2s-0f3c5a9be1d274",
        "btak3v-BTCUSDT-2s-0f3c5a9be1d274\n",
    ],
)
def test_what_others_made_is_foreign_and_stands_for_itself(text):
    assert parse_order_id(text) is None
    assert not is_own_order_id(text)
    assert not is_own_order_id(text, "default")
    assert decision_digest(text) == text


@pytest.mark.parametrize("fence", [-1, LARGEST_FENCE + 1])
def test_fence_that_does_not_fit_is_refused(fence):
    with pytest.raises(ValueError, match="does not fit"):
        client_order_id(**DECISION, fence=fence)

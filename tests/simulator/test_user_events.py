"""How many subscriptions a connection may have (binance-protocol.md 5.3); see ws_api/ for all else about them."""

import pytest

from binance_trade_agent.simulator.errors import ApiError
from binance_trade_agent.simulator.faults.events import EventFaults
from binance_trade_agent.simulator.time_unit import TimeUnit
from binance_trade_agent.simulator.user_events import UserSubscriptions


class Sent:
    """An outbox that counts what is put into it."""

    def __init__(self) -> None:
        self.number = 0

    def put(self, _text: str) -> None:
        self.number += 1


@pytest.fixture
def outbox():
    return Sent()


@pytest.fixture
def subscriptions(outbox):
    return UserSubscriptions(outbox, TimeUnit.MILLISECOND, EventFaults(lambda _event, _outbox: None))


def refusal(subscriptions: UserSubscriptions, account: str) -> int:
    with pytest.raises(ApiError) as refused:
        subscriptions.subscribe(account, by_logon=False)
    return refused.value.code


def test_thousand_subscriptions_at_once(subscriptions):
    for number in range(1000):
        assert subscriptions.subscribe(f"account {number}", by_logon=False) == number
    assert refusal(subscriptions, "one too many") == -2042
    subscriptions.unsubscribe(500, 0)
    assert subscriptions.subscribe("one too many", by_logon=False) == 1000


def test_ids_of_a_connection_run_out(subscriptions, outbox):
    for number in range(65_535):
        assert subscriptions.subscribe("main", by_logon=False) == number
        subscriptions.unsubscribe(None, 0)
    assert refusal(subscriptions, "main") == -2042
    assert outbox.number == 65_535


def test_events_of_others_are_not_passed_on(subscriptions, outbox):
    subscriptions.subscribe("main", by_logon=False)
    subscriptions.announce("other", {"e": "balanceUpdate", "E": 1})
    assert outbox.number == 0
    subscriptions.announce("main", {"e": "balanceUpdate", "E": 1})
    assert outbox.number == 1

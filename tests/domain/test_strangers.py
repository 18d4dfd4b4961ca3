import re
from decimal import Decimal

import pytest

from binance_trade_agent.domain.order_ids import client_order_id
from binance_trade_agent.domain.orders import OrderReport, Side
from binance_trade_agent.domain.strangers import strangers

DECISION = {"epoch": 1, "strategy": "s", "symbol": "BTCUSDT", "tick_ms": 1, "leg": "entry", "attempt": 1}


def report(order_id: str) -> OrderReport:
    return OrderReport("BTCUSDT", 1, order_id, Side.BUY, "NEW", Decimal(1), Decimal(0), Decimal(0), 1)


OWN = client_order_id(instance="default", fence=7, **DECISION)
OTHER = client_order_id(instance="second", fence=40, **DECISION)


def test_orders_of_the_ledger_and_of_other_programs_are_no_strangers():
    assert strangers([report(OWN), report("web_1"), report("x-R4BD3S82")], {OWN}) == []


@pytest.mark.parametrize(
    ("order_id", "who"),
    [
        (OWN, r"generation 7 of this same TRADING_INSTANCE \(default\)"),
        (OTHER, r"generation 40 of another TRADING_INSTANCE \(tag ...\)"),
        ("bta-BTCUSDT-0123456789abcdef", "an older version of this program"),
    ],
)
def test_order_with_our_mark_that_the_ledger_lacks_tells_of_another_daemon(order_id, who):
    (stranger,) = strangers([report(order_id)], set())
    assert stranger.report.client_order_id == order_id
    assert re.search(who, stranger.told("default"))
    assert order_id in stranger.told("default")

"""What the engine refuses as things stand: statuses, ids, amounts, and the filters that count."""

from decimal import Decimal

import pytest

from binance_trade_agent.domain.values import replace
from binance_trade_agent.matching.errors import CancelRefused, OrderRefused
from binance_trade_agent.matching.invariants import violations
from binance_trade_agent.matching.state import ExchangeLimits
from tests.matching.f0 import RULES, balances, new_engine, place, request


@pytest.mark.parametrize(
    ("bounds", "kind", "fields", "filter_name"),
    [
        ({"max_orders": 2}, "LIMIT", {"price": "110000"}, "MAX_NUM_ORDERS"),
        ({"max_algo_orders": 2}, "STOP_LOSS", {"stop_price": "90000"}, "MAX_NUM_ALGO_ORDERS"),
        (
            {"max_iceberg_orders": 2},
            "LIMIT",
            {"price": "110000", "iceberg_quantity": "0.005"},
            "MAX_NUM_ICEBERG_ORDERS",
        ),
    ],
)
def test_third_order_of_a_kind_is_one_too_many(bounds, kind, fields, filter_name):
    engine = new_engine(replace(RULES, **bounds))
    for number in range(2):
        place(engine, "SELL", kind, "0.01", client_order_id=f"c-{number}", **fields)
    with pytest.raises(OrderRefused, match=rf"^Filter failure: {filter_name}$"):
        place(engine, "SELL", kind, "0.01", client_order_id="c-2", **fields)


@pytest.mark.parametrize(
    ("limits", "kind", "fields", "filter_name"),
    [
        (ExchangeLimits(max_orders=1), "LIMIT", {"price": "110000"}, "EXCHANGE_MAX_NUM_ORDERS"),
        (ExchangeLimits(max_algo_orders=1), "STOP_LOSS", {"stop_price": "90000"}, "EXCHANGE_MAX_NUM_ALGO_ORDERS"),
        (
            ExchangeLimits(max_iceberg_orders=1),
            "LIMIT",
            {"price": "110000", "iceberg_quantity": "0.005"},
            "EXCHANGE_MAX_NUM_ICEBERG_ORDERS",
        ),
    ],
)
def test_limits_over_all_symbols_count_per_account(limits, kind, fields, filter_name):
    engine = new_engine()
    engine.limits = limits
    engine.open_account("other", {"BTC": Decimal(1)})
    place(engine, "SELL", kind, "0.01", client_order_id="c-1", **fields)
    place(engine, "SELL", kind, "0.01", client_order_id="c-1", account="other", **fields)
    with pytest.raises(OrderRefused, match=rf"^Filter failure: {filter_name}$"):
        place(engine, "SELL", kind, "0.01", client_order_id="c-2", **fields)


def test_position_counts_what_is_held_and_what_is_being_bought():
    engine = new_engine(replace(RULES, max_position=Decimal("1.5")))
    place(engine, "BUY", "LIMIT", "0.3", price="90000")
    for kind, fields in (
        ("LIMIT", {"quantity": "0.21", "price": "90000"}),
        ("MARKET", {"quote_quantity": "21000"}),
    ):
        with pytest.raises(OrderRefused, match=r"^Filter failure: MAX_POSITION$"):
            place(engine, "BUY", kind, **fields, client_order_id="c-2")
    place(engine, "BUY", "LIMIT", "0.2", price="90000", client_order_id="c-2")
    place(engine, "SELL", "LIMIT", "0.5", price="110000", client_order_id="c-3")
    assert engine.listings["BTCUSDT"].last_order_id == 3


def test_iceberg_quantity_beyond_the_quantity_is_refused(engine):
    with pytest.raises(OrderRefused, match=r"^IcebergQty exceeds QTY\.$"):
        place(engine, "BUY", "LIMIT", "0.1", price="90000", iceberg_quantity="0.11")


def test_order_for_nothing_is_refused(engine):
    with pytest.raises(OrderRefused, match=r"^Price \* QTY is zero or less\.$"):
        place(engine, "BUY", "LIMIT", "0", price="90000")


@pytest.mark.parametrize(("status", "cancels"), [("CANCEL_ONLY", True), ("BREAK", True), ("HALT", False)])
def test_symbol_that_does_not_trade_takes_no_orders_and_may_take_cancels(engine, status, cancels):
    order = place(engine, "BUY", "LIMIT", "0.1", price="90000")
    engine.set_status("BTCUSDT", status)
    with pytest.raises(OrderRefused, match="Market is closed"):
        place(engine, "BUY", "LIMIT", "0.1", price="90000", client_order_id="c-2")
    if cancels:
        engine.cancel(order, 2, cancel_id=None)
        assert balances(engine, "USDT") == (100_000, 0)
    else:
        with pytest.raises(CancelRefused, match="Market is closed"):
            engine.cancel(order, 2, cancel_id=None)


def test_deposit_brings_money_from_outside(engine):
    transaction = engine.deposit("main", "ETH", Decimal("2.5"), 7)
    assert (transaction.at_ms, transaction.assets) == (7, {"main": {"ETH"}})
    assert balances(engine, "ETH") == (Decimal("2.5"), 0)
    with pytest.raises(ValueError, match="not positive"):
        engine.deposit("main", "ETH", Decimal(0), 8)
    with pytest.raises(KeyError):
        engine.deposit("nobody", "ETH", Decimal(1), 8)


def test_withdrawal_takes_what_is_free_and_no_more(engine):
    place(engine, "BUY", "LIMIT", "0.5", price="90000")
    engine.withdraw("main", "USDT", Decimal(55_000), 2)
    assert balances(engine, "USDT") == (0, 45_000)
    assert violations(engine) == []
    with pytest.raises(ValueError, match="0 USDT is free"):
        engine.withdraw("main", "USDT", Decimal(1), 2)


def test_accounts_have_ids_and_balances_of_their_own(engine):
    engine.open_account("other", {"USDT": Decimal(10_000)})
    mine = place(engine, "BUY", "LIMIT", "0.1", price="90000")
    engine.place(request("BUY", "LIMIT", "0.1", price="90000", account="other"), 2)
    assert engine.history.open_orders("main") == [mine]
    assert balances(engine, "USDT", "other") == (1_000, 9_000)

"""Self-trade prevention: what each mode takes from taker and maker (Binance's faqs/stp_faq.md)."""

from decimal import Decimal

import pytest

from binance_trade_agent.matching.invariants import violations
from binance_trade_agent.matching.orders import SelfTradePrevention, Status, TimeInForce
from tests.matching.f0 import balances, place, request, told


@pytest.fixture
def engine(engine):
    """Nothing outside; main buys 2 at 99,990 and 3 at 99,980 less 1 of another account between them."""
    engine.apply_book("BTCUSDT", [], [], 0)
    engine.deposit("main", "USDT", Decimal(1_000_000), 0)
    engine.deposit("main", "BTC", Decimal(10), 0)
    engine.open_account("other", {"USDT": Decimal(1_000_000), "BTC": Decimal(10)})
    place(engine, "BUY", "LIMIT", "2", price="99990", client_order_id="own-1")
    place(engine, "BUY", "LIMIT", "1", price="99985", client_order_id="other", account="other")
    place(engine, "BUY", "LIMIT", "3", price="99980", client_order_id="own-2")
    return engine


def sell(engine, mode, quantity="4", kind="LIMIT", **fields):
    price = {"price": "99980"} if kind == "LIMIT" else {}
    order = request(
        "SELL", kind, quantity, self_trade_prevention=SelfTradePrevention(mode), client_order_id="t", **price, **fields
    )
    transaction = engine.place(order, 1)
    assert violations(engine) == []
    return transaction


@pytest.mark.parametrize(
    ("mode", "steps", "executed", "prevented"),
    [
        ("NONE", ["NEW NEW", "TRADE PARTIALLY_FILLED", "TRADE PARTIALLY_FILLED", "TRADE FILLED"], "4", "0"),
        ("EXPIRE_TAKER", ["NEW NEW", "TRADE_PREVENTION EXPIRED_IN_MATCH"], "0", "4"),
        ("EXPIRE_MAKER", ["NEW NEW", "TRADE PARTIALLY_FILLED"], "1", "0"),
        ("EXPIRE_BOTH", ["NEW NEW", "TRADE_PREVENTION EXPIRED_IN_MATCH"], "0", "4"),
        (
            "DECREMENT",
            ["NEW NEW", "TRADE_PREVENTION NEW", "TRADE PARTIALLY_FILLED", "TRADE_PREVENTION EXPIRED_IN_MATCH"],
            "1",
            "3",
        ),
        (
            "TRANSFER",
            ["NEW NEW", "TRADE_PREVENTION NEW", "TRADE PARTIALLY_FILLED", "TRADE_PREVENTION EXPIRED_IN_MATCH"],
            "1",
            "3",
        ),
    ],
)
def test_mode_of_the_taker_decides(engine, mode, steps, executed, prevented):
    transaction = sell(engine, mode)
    order = transaction.order
    of_taker = [report for report in transaction.reports if report.order is order]
    assert [f"{report.execution} {report.status}" for report in of_taker] == steps
    assert (order.executed_base, order.prevented_base) == (Decimal(executed), Decimal(prevented))


@pytest.mark.parametrize(
    ("mode", "first", "second"),
    [
        ("EXPIRE_TAKER", Status.NEW, Status.NEW),
        ("EXPIRE_MAKER", Status.EXPIRED_IN_MATCH, Status.EXPIRED_IN_MATCH),
        ("EXPIRE_BOTH", Status.EXPIRED_IN_MATCH, Status.NEW),
        ("DECREMENT", Status.EXPIRED_IN_MATCH, Status.NEW),
    ],
)
def test_what_becomes_of_the_makers(engine, mode, first, second):
    sell(engine, mode)
    orders = {order.client_order_id: order for order in engine.history.orders("main", "BTCUSDT")}
    assert (orders["own-1"].status, orders["own-2"].status) == (first, second)
    assert orders["own-2"].remaining == (2 if mode == "DECREMENT" else 0 if mode == "EXPIRE_MAKER" else 3)
    held = sum(order.price * order.remaining for order in orders.values() if order.is_open and order.side == "BUY")
    assert balances(engine, "USDT")[1] == held


def test_prevented_match_is_on_record(engine):
    sell(engine, "EXPIRE_BOTH")
    (record,) = engine.history.prevented_matches("main", "BTCUSDT")
    assert (record.taker_order_id, record.maker_order_id, record.trade_group_id) == (4, 1, -1)
    assert (record.price, record.quantity) == (99_990, 2)
    assert (record.taker_prevented, record.maker_prevented) == (4, 2)
    assert engine.history.find("main", "BTCUSDT", 1).prevented_match_id == record.prevented_match_id


@pytest.mark.parametrize("mode", ["EXPIRE_TAKER", "EXPIRE_BOTH", "DECREMENT", "EXPIRE_MAKER"])
def test_fill_or_kill_that_prevention_leaves_short_does_nothing(engine, mode):
    transaction = sell(engine, mode, "2", time_in_force=TimeInForce.FOK)
    assert told(transaction) == [(4, "NEW", "NEW"), (4, "EXPIRED", "EXPIRED")]
    assert transaction.order.expiry_reason == "UNFILLED_FOK_ORDER_EXPIRED"
    assert engine.history.prevented_matches("main", "BTCUSDT") == []


def test_fill_or_kill_beyond_its_own_orders_fills_whole(engine):
    transaction = sell(engine, "EXPIRE_MAKER", "1", time_in_force=TimeInForce.FOK)
    assert transaction.order.status is Status.FILLED
    assert engine.history.find("main", "BTCUSDT", 1).status is Status.EXPIRED_IN_MATCH


def test_market_order_left_alone_by_prevention_expires_for_want_of_liquidity(engine):
    order = sell(engine, "EXPIRE_MAKER", "4", "MARKET").order
    assert (order.status, order.executed_base) == (Status.EXPIRED, 1)
    assert order.expiry_reason == "INSUFFICIENT_LIQUIDITY"
    assert balances(engine, "BTC") == (10, 0)


def test_market_order_by_quote_counts_what_was_prevented_as_its_quantity(engine):
    place(engine, "SELL", "LIMIT", "1", price="100000", client_order_id="ask")
    taker = request(
        "BUY",
        "MARKET",
        quote_quantity="50000",
        self_trade_prevention=SelfTradePrevention.DECREMENT,
        client_order_id="t",
    )
    order = engine.place(taker, 1).order
    assert (order.status, order.quantity, order.prevented_base) == (
        Status.EXPIRED_IN_MATCH,
        Decimal("0.5"),
        Decimal("0.5"),
    )
    assert violations(engine) == []

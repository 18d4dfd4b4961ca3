"""Stop orders: when they trigger, and what they do then."""

from decimal import Decimal

import pytest

from binance_trade_agent.domain.orders import Side
from binance_trade_agent.matching.errors import OrderRefused
from binance_trade_agent.matching.invariants import violations
from binance_trade_agent.matching.orders import Status, TimeInForce
from tests.matching.f0 import ASKS, BIDS, balances, place, quote, request, told, trade


def test_stop_waits_outside_the_book_and_fills_at_the_market_once_its_price_has_traded(engine):
    order = place(engine, "SELL", "STOP_LOSS_LIMIT", "0.1", stop_price="95000", price="94900")
    assert order.working_ms is None
    assert engine.listings["BTCUSDT"].book.depth(Side.SELL, 10) == ASKS
    assert balances(engine, "BTC") == (Decimal("0.9"), Decimal("0.1"))
    quote(engine, "94950", "95010")
    assert order.working_ms is None
    transaction = trade(engine, "95000", at_ms=7)
    assert told(transaction) == [(1, "NEW", "NEW"), (1, "TRADE", "FILLED")]
    assert [report.working_ms for report in transaction.reports] == [7, 7]
    assert transaction.trades[-1].price == 94_950
    assert balances(engine, "BTC") == (Decimal("0.9"), 0)


@pytest.mark.parametrize(
    ("side", "kind", "stop", "short_of_it", "reaching_it"),
    [
        ("SELL", "STOP_LOSS", "99000", "99000.01", "99000"),
        ("BUY", "STOP_LOSS", "101000", "100999.99", "101000"),
        ("SELL", "TAKE_PROFIT", "101000", "100999.99", "101000"),
        ("BUY", "TAKE_PROFIT", "99000", "99000.01", "99000"),
    ],
)
def test_stop_triggers_at_its_price_and_not_before(engine, side, kind, stop, short_of_it, reaching_it):
    order = place(engine, side, kind, "0.1", stop_price=stop)
    trade(engine, short_of_it)
    assert order.status is Status.NEW
    trade(engine, reaching_it)
    assert order.status is Status.FILLED


@pytest.mark.parametrize(
    ("side", "kind", "stop"),
    [
        ("SELL", "STOP_LOSS_LIMIT", "101000"),
        ("SELL", "STOP_LOSS", "100000"),
        ("BUY", "STOP_LOSS", "100000"),
        ("SELL", "TAKE_PROFIT", "100000"),
        ("BUY", "TAKE_PROFIT", "100500"),
    ],
)
def test_stop_on_the_wrong_side_of_the_last_price_is_refused(engine, side, kind, stop):
    price = {"price": stop} if kind.endswith("LIMIT") else {}
    with pytest.raises(OrderRefused, match="Order would trigger immediately"):
        place(engine, side, kind, "0.1", stop_price=stop, **price)
    assert violations(engine) == []


def test_limit_of_a_triggered_stop_rests_or_expires_by_its_time_in_force(engine):
    rests = place(engine, "SELL", "STOP_LOSS_LIMIT", "0.1", stop_price="99995", price="100500")
    fields = {"stop_price": "99995", "price": "99995", "client_order_id": "c-2"}
    expires = place(engine, "SELL", "STOP_LOSS_LIMIT", "0.1", time_in_force=TimeInForce.IOC, **fields)
    trade(engine, "99995")
    assert (rests.status, rests.working_ms) == (Status.NEW, 2)
    assert (Decimal(100_500), Decimal("0.1")) in engine.listings["BTCUSDT"].book.depth(Side.SELL, 10)
    assert (expires.status, expires.expiry_reason) == (Status.EXPIRED, "UNFILLED_IOC_QUANTITY_EXPIRED")


def test_stops_trigger_one_another_by_ascending_id(engine):
    quote(engine, "99000", "100000", "0.1")
    deep = place(engine, "SELL", "STOP_LOSS", "0.1", stop_price="99500", client_order_id="c-1")
    first = place(engine, "SELL", "STOP_LOSS", "0.1", stop_price="99900", client_order_id="c-2")
    second = place(engine, "SELL", "STOP_LOSS", "0.1", stop_price="99900", client_order_id="c-3")
    transaction = trade(engine, "99900")
    assert told(transaction)[:3] == [(2, "NEW", "NEW"), (2, "TRADE", "FILLED"), (1, "NEW", "NEW")]
    assert first.status is Status.FILLED  # its fill at 99000 triggered the first order, which goes before the third
    assert deep.expiry_reason == second.expiry_reason == "INSUFFICIENT_LIQUIDITY"


def test_own_fill_triggers_a_stop(engine):
    stop = place(engine, "BUY", "STOP_LOSS", "0.1", stop_price="100010")
    place(engine, "BUY", "MARKET", "0.5", client_order_id="c-2")
    assert stop.status is Status.NEW
    quote(engine, "99990", "100010")
    place(engine, "BUY", "MARKET", "0.1", client_order_id="c-3")
    assert stop.status is Status.FILLED


def test_trade_that_brings_its_book_lets_the_stop_meet_that_book(engine):
    order = place(engine, "SELL", "STOP_LOSS", "0.1", stop_price="95000")
    book = [(Decimal(94_990), Decimal(1))], [(Decimal(95_000), Decimal(1))]
    engine.apply_trade("BTCUSDT", Decimal(95_000), Decimal(1), Side.SELL, 2, book)
    assert order.executed_quote == Decimal(9_499)


def test_market_stop_that_buys_locks_its_stop_price(engine):
    order = place(engine, "BUY", "STOP_LOSS", "0.5", stop_price="110000")
    assert balances(engine, "USDT") == (45_000, 55_000)
    quote(engine, "109990", "110000")
    trade(engine, "110000")
    assert order.status is Status.FILLED
    assert balances(engine, "USDT") == (45_000, 0)


def test_market_stop_that_buys_dearer_pays_the_rest_from_what_is_free(engine):
    order = place(engine, "BUY", "STOP_LOSS", "0.5", stop_price="110000")
    quote(engine, "119990", "120000")
    trade(engine, "120000")
    assert order.executed_quote == 60_000
    assert balances(engine, "USDT") == (40_000, 0)


def test_market_stop_that_cannot_pay_all_takes_what_it_can_and_the_rest_expires(engine):
    order = place(engine, "BUY", "STOP_LOSS", "0.9", stop_price="110000")
    quote(engine, "149990", "150000")
    trade(engine, "150000")
    assert (order.status, order.expiry_reason) == (Status.EXPIRED, "REJECTED")
    assert order.executed_base == Decimal("0.66666")
    assert balances(engine, "USDT") == (Decimal(1), 0)


def test_market_stop_without_liquidity_expires(engine):
    order = place(engine, "SELL", "STOP_LOSS", "0.9", stop_price="95000")
    engine.apply_book("BTCUSDT", [(Decimal(94_990), Decimal("0.1"))], [], 2)
    trade(engine, "95000")
    assert (order.status, order.executed_base) == (Status.EXPIRED, Decimal("0.1"))
    assert order.expiry_reason == "INSUFFICIENT_LIQUIDITY"
    assert balances(engine, "BTC") == (Decimal("0.9"), 0)


def test_cancelled_stop_never_triggers(engine):
    order = place(engine, "SELL", "STOP_LOSS", "0.1", stop_price="95000")
    engine.cancel(order, 2, cancel_id=None)
    assert told(trade(engine, "94000")) == []
    assert balances(engine, "BTC") == (1, 0)


def test_trailing_sell_follows_the_highest_price_from_the_next_trade_on(engine):
    order = place(engine, "SELL", "STOP_LOSS", "0.1", trailing_delta=100)
    assert order.trailing_ms is None
    trade(engine, "98000", taker="BUY", at_ms=3)
    assert (order.trailing_ms, order.trailing_extreme) == (3, 98_000)
    trade(engine, "102000", taker="BUY", at_ms=4)
    trade(engine, "100980.01", taker="BUY", at_ms=5)
    assert (order.status, order.trailing_extreme) == (Status.NEW, 102_000)
    trade(engine, "100980", taker="BUY", at_ms=6)
    assert (order.status, order.trailing_ms) == (Status.FILLED, 3)


def test_trailing_buy_follows_the_lowest_price_once_its_stop_price_is_reached(engine):
    order = place(engine, "BUY", "TAKE_PROFIT_LIMIT", "0.1", stop_price="99000", price="101000", trailing_delta=100)
    trade(engine, "99000.01", taker="BUY")
    assert order.trailing_ms is None
    trade(engine, "98000", taker="BUY", at_ms=3)
    assert order.trailing_ms == 3
    trade(engine, "98979.99", taker="BUY", at_ms=4)
    assert order.working_ms is None
    trade(engine, "98980", taker="BUY", at_ms=5)
    assert (order.working_ms, order.status) == (5, Status.FILLED)


def test_trailing_market_buy_locks_the_last_price_with_its_delta(engine):
    place(engine, "BUY", "STOP_LOSS", "0.5", trailing_delta=500)
    assert balances(engine, "USDT") == (47_500, 52_500)


def test_book_is_as_before_after_a_refused_stop(engine):
    with pytest.raises(OrderRefused, match="insufficient balance"):
        engine.place(request("BUY", "STOP_LOSS", "1", stop_price="110000"), 1)
    assert violations(engine) == []
    assert engine.listings["BTCUSDT"].book.depth(Side.BUY, 10) == BIDS

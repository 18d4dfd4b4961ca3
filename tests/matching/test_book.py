"""Iceberg orders in the book, places in the queue, and the depth that the public sees."""

from decimal import Decimal

from binance_trade_agent.domain.orders import Side
from binance_trade_agent.matching.orders import Status
from tests.matching.f0 import place, quote, trade


def depth(engine, side, limit=1):
    return engine.listings["BTCUSDT"].book.depth(Side(side), limit)


def test_iceberg_shows_a_slice_at_a_time(engine):
    engine.apply_book("BTCUSDT", [], [], 0)
    order = place(engine, "SELL", "LIMIT", "0.5", price="100000", iceberg_quantity="0.2")
    assert depth(engine, "SELL") == [(100_000, Decimal("0.2"))]
    trade(engine, "100000", "0.15", taker="BUY")
    assert depth(engine, "SELL") == [(100_000, Decimal("0.05"))]
    trade(engine, "100000", "0.25", taker="BUY")
    assert (order.executed_base, depth(engine, "SELL")) == (Decimal("0.4"), [(100_000, Decimal("0.1"))])


def test_next_slice_of_an_iceberg_stands_last(engine):
    engine.apply_book("BTCUSDT", [], [], 0)
    iceberg = place(engine, "SELL", "LIMIT", "0.5", price="100000", iceberg_quantity="0.2")
    plain = place(engine, "SELL", "LIMIT", "0.2", price="100000", client_order_id="c-2")
    trade(engine, "100000", "0.3", taker="BUY")
    assert (iceberg.executed_base, plain.executed_base) == (Decimal("0.2"), Decimal("0.1"))


def test_taker_gets_what_an_iceberg_hides_after_what_others_show(engine):
    engine.open_account("other", {"USDT": Decimal(100_000), "BTC": Decimal(1)})
    engine.apply_book("BTCUSDT", [], [], 0)
    iceberg = place(engine, "SELL", "LIMIT", "0.5", price="100000", iceberg_quantity="0.2")
    plain = place(engine, "SELL", "LIMIT", "0.2", price="100000", client_order_id="c-2")
    taker = place(engine, "BUY", "LIMIT", "0.65", price="100000", account="other")
    assert (taker.status, iceberg.executed_base, plain.status) == (Status.FILLED, Decimal("0.45"), Status.FILLED)
    sizes = [row.quantity for row in engine.history.trades("other", "BTCUSDT")]
    assert sizes == [Decimal("0.2"), Decimal("0.2"), Decimal("0.2"), Decimal("0.05")]
    assert depth(engine, "SELL") == [(100_000, Decimal("0.05"))]


def test_iceberg_fills_whole_when_the_market_goes_through_its_price(engine):
    order = place(engine, "BUY", "LIMIT", "0.5", price="99500", iceberg_quantity="0.1")
    assert len(trade(engine, "99499", "0.01").reports) == 1
    assert order.status is Status.FILLED


def test_later_order_stays_behind_when_the_outside_quotes_less_meanwhile(engine):
    first = place(engine, "BUY", "LIMIT", "0.1", price="99980")  # 2 outside stand before it
    quote(engine, "99980", "100000", "0.5")
    second = place(engine, "BUY", "LIMIT", "0.1", price="99980", client_order_id="c-2")
    trade(engine, "99980", "1.9")
    assert (first.executed_base, second.executed_base) == (0, 0)
    trade(engine, "99980", "0.25")
    assert (first.executed_base, second.executed_base) == (Decimal("0.1"), Decimal("0.05"))


def test_depth_adds_users_orders_to_the_outside_levels(engine):
    place(engine, "BUY", "LIMIT", "0.5", price="99980")
    place(engine, "BUY", "LIMIT", "0.25", price="99985", client_order_id="c-2")
    assert depth(engine, "BUY", 3) == [(99_990, 1), (99_985, Decimal("0.25")), (99_980, Decimal("2.5"))]


def test_orders_that_the_market_goes_through_trade_before_its_own_print(engine):
    place(engine, "BUY", "LIMIT", "0.1", price="99500")
    transaction = trade(engine, "99400", "5")
    assert [row.price for row in transaction.trades] == [99_500, 99_400]
    assert engine.listings["BTCUSDT"].last_price == 99_400

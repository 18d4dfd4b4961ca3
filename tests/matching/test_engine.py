"""How orders of each type meet the F0 book of binance-protocol.md Appendix A."""

from decimal import Decimal

import pytest

from binance_trade_agent.domain.orders import Side
from binance_trade_agent.matching.errors import CancelRefused, OrderRefused
from binance_trade_agent.matching.invariants import violations
from binance_trade_agent.matching.orders import ExecutionType, Status, TimeInForce
from tests.matching.f0 import BIDS, balances, place, request


def test_limit_below_the_market_rests_and_locks_its_value(engine):
    order = place(engine, "BUY", "LIMIT", "0.1", price="99000")
    assert order.status is Status.NEW
    assert balances(engine, "USDT") == (90_100, 9_900)


def test_market_buy_pays_commission_in_what_it_receives(engine):
    order = place(engine, "BUY", "MARKET", "0.5")
    assert order.status is Status.FILLED
    assert balances(engine, "USDT") == (50_000, 0)
    assert balances(engine, "BTC") == (Decimal("1.4995"), 0)


def test_market_sell_pays_commission_in_quote(engine):
    place(engine, "SELL", "MARKET", "0.1")
    assert balances(engine, "USDT") == (Decimal("109989.001"), 0)


def test_market_order_walks_the_levels_and_leaves_them_consumed(engine):
    engine.apply_book("BTCUSDT", BIDS, [(Decimal(100_000), Decimal("0.1")), (Decimal(100_010), Decimal("0.2"))], 0)
    transaction = engine.place(request("BUY", "MARKET", "0.25"), 1)
    assert [(trade.price, trade.quantity) for trade in transaction.trades] == [
        (100_000, Decimal("0.1")),
        (100_010, Decimal("0.15")),
    ]
    assert [report.execution for report in transaction.reports] == [
        ExecutionType.NEW,
        ExecutionType.TRADE,
        ExecutionType.TRADE,
    ]
    assert engine.listings["BTCUSDT"].book.outside(Side.SELL) == [(100_010, Decimal("0.05"))]


def test_market_order_beyond_the_book_expires_with_what_it_got(engine):
    engine.apply_book("BTCUSDT", BIDS, [(Decimal(100_000), Decimal("0.1"))], 0)
    order = place(engine, "BUY", "MARKET", "0.2")
    assert (order.status, order.executed_base) == (Status.EXPIRED, Decimal("0.1"))
    assert order.expiry_reason == "INSUFFICIENT_LIQUIDITY"


def test_market_buy_by_quote_spends_at_most_the_amount(engine):
    order = place(engine, "BUY", "MARKET", quote_quantity="1000.50")
    assert order.quantity == order.executed_base == Decimal("0.01000")
    assert order.executed_quote == 1000


def test_market_by_quote_beyond_the_book_expires_with_what_it_got(engine):
    engine.apply_book("BTCUSDT", BIDS, [(Decimal(100_000), Decimal("0.1"))], 0)
    transaction = engine.place(request("BUY", "MARKET", quote_quantity="20000"), 1)
    order = transaction.order
    assert (order.status, order.quantity, order.executed_quote) == (Status.EXPIRED, Decimal("0.1"), 10_000)
    assert order.expiry_reason == "INSUFFICIENT_LIQUIDITY"
    assert [report.status for report in transaction.reports] == ["NEW", "PARTIALLY_FILLED", "EXPIRED"]
    assert balances(engine, "USDT") == (90_000, 0)


def test_market_by_quote_that_empties_the_book_but_for_less_than_a_step_is_filled(engine):
    engine.apply_book("BTCUSDT", BIDS, [(Decimal(100_000), Decimal("0.1"))], 0)
    order = place(engine, "BUY", "MARKET", quote_quantity="10000.50")
    assert (order.status, order.executed_quote) == (Status.FILLED, 10_000)


def test_market_by_quote_below_one_step_is_refused(engine):
    with pytest.raises(OrderRefused, match="LOT_SIZE filter minimum quantity"):
        place(engine, "BUY", "MARKET", quote_quantity="0.5")


def test_market_by_quote_on_an_empty_book_is_refused(engine):
    engine.apply_book("BTCUSDT", BIDS, [], 0)
    with pytest.raises(OrderRefused, match="less than symbol minimum"):
        place(engine, "BUY", "MARKET", quote_quantity="100")


def test_ioc_keeps_what_crossed_and_fok_takes_all_or_nothing(engine):
    engine.apply_book("BTCUSDT", BIDS, [(Decimal(100_000), Decimal("0.1"))], 0)
    whole = place(engine, "BUY", "LIMIT", "0.2", price="100000", time_in_force=TimeInForce.FOK)
    assert (whole.status, whole.executed_base) == (Status.EXPIRED, 0)
    assert balances(engine, "USDT") == (100_000, 0)
    part = place(engine, "BUY", "LIMIT", "0.2", price="100000", time_in_force=TimeInForce.IOC)
    assert (part.status, part.executed_base) == (Status.EXPIRED, Decimal("0.1"))
    assert part.expiry_reason == "UNFILLED_IOC_QUANTITY_EXPIRED"


def test_limit_that_crosses_gets_the_better_price_and_its_surplus_back(engine):
    order = place(engine, "BUY", "LIMIT", "0.9", price="100010")
    assert order.executed_quote == 90_000
    assert balances(engine, "USDT") == (10_000, 0)


def test_limit_maker_that_would_take_is_refused(engine):
    with pytest.raises(OrderRefused, match="Order would immediately match and take"):
        place(engine, "BUY", "LIMIT_MAKER", "0.01", price="100000")


@pytest.mark.parametrize(
    ("price", "quantity", "taker", "filled"),
    [
        ("99980", "1.9", "SELL", "0"),  # the outside quantity at the price stands before us
        ("99980", "2.04", "SELL", "0.04"),
        ("99980", "5", "SELL", "0.1"),
        ("99980", "5", "BUY", "0"),  # a buyer does not take from bids
        ("99979.99", "0.00001", "BUY", "0.1"),  # the market went through the price
    ],
)
def test_resting_buy_fills_in_its_turn_or_when_the_market_trades_through(engine, price, quantity, taker, filled):
    order = place(engine, "BUY", "LIMIT", "0.1", price="99980")
    engine.apply_trade("BTCUSDT", Decimal(price), Decimal(quantity), Side(taker), 2)
    assert order.executed_base == Decimal(filled)
    assert violations(engine) == []


def test_second_order_at_a_price_waits_for_the_first(engine):
    first = place(engine, "BUY", "LIMIT", "0.1", price="99980")
    second = place(engine, "BUY", "LIMIT", "0.1", price="99980", client_order_id="c-2")
    engine.apply_trade("BTCUSDT", Decimal(99_980), Decimal("2.15"), Side.SELL, 2)
    assert (first.executed_base, second.executed_base) == (Decimal("0.1"), Decimal("0.05"))


def test_resting_order_fills_when_quoted_through_but_not_when_touched(engine):
    order = place(engine, "BUY", "LIMIT", "0.1", price="99500")
    touching = [(Decimal(99_500), Decimal(1))]
    engine.apply_book("BTCUSDT", [(Decimal(99_490), Decimal(1))], touching, 2)
    assert order.status is Status.NEW
    assert violations(engine) == []
    transaction = engine.apply_book("BTCUSDT", [], [(Decimal("99499.99"), Decimal(1))], 3)
    assert order.status is Status.FILLED
    assert [trade.price for trade in transaction.trades] == [99_500]
    assert balances(engine, "USDT") == (90_050, 0)


def test_cancel_gives_the_funds_back_and_its_id_replaces_the_client_id(engine):
    order = place(engine, "BUY", "LIMIT", "0.1", price="99000")
    transaction = engine.cancel(order, 2, cancel_id="x-1")
    assert balances(engine, "USDT") == (100_000, 0)
    assert transaction.reports[0].original_client_order_id == "c-1"
    assert engine.history.find_by_client_id("main", "BTCUSDT", "c-1") is None
    assert engine.history.find_by_client_id("main", "BTCUSDT", "x-1") is order
    with pytest.raises(CancelRefused, match="Unknown order sent"):
        engine.cancel(order, 3, cancel_id="x-2")


def test_client_id_is_unique_among_open_orders_only(engine):
    first = place(engine, "BUY", "LIMIT", "0.1", price="99000")
    with pytest.raises(OrderRefused, match="Duplicate order sent"):
        place(engine, "BUY", "LIMIT", "0.1", price="98000")
    engine.cancel(first, 2, cancel_id=None)
    assert place(engine, "BUY", "LIMIT", "0.1", price="98000").order_id > first.order_id


@pytest.mark.parametrize(
    ("side", "kind", "quantity", "price"),
    [("BUY", "LIMIT", "2", "99000"), ("SELL", "LIMIT", "1.1", "101000"), ("BUY", "MARKET", "1.5", None)],
)
def test_order_beyond_the_balance_is_refused_and_changes_nothing(engine, side, kind, quantity, price):
    with pytest.raises(OrderRefused, match="insufficient balance"):
        place(engine, side, kind, quantity, **({"price": price} if price else {}))
    assert balances(engine, "USDT") == (100_000, 0)
    assert engine.listings["BTCUSDT"].last_order_id == 0

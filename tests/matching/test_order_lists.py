"""OCO, OTO and OTOCO: what the fate of one leg means for the others."""

from decimal import Decimal

import pytest

from binance_trade_agent.domain.values import replace
from binance_trade_agent.matching.errors import CancelRefused, OrderRefused
from binance_trade_agent.matching.invariants import violations
from binance_trade_agent.matching.lists import Contingency, OrderListRequest
from binance_trade_agent.matching.orders import SelfTradePrevention, Status, TimeInForce
from binance_trade_agent.matching.state import ExchangeLimits
from tests.matching.f0 import RULES, balances, new_engine, place, place_list, quote, request, told, trade


def sell_oco(quantity: str = "0.1"):
    return (
        request("SELL", "STOP_LOSS_LIMIT", quantity, stop_price="95000", price="94900", client_order_id="below"),
        request("SELL", "LIMIT_MAKER", quantity, price="105000", client_order_id="above"),
    )


def list_steps(transaction):
    return [(report.status_type, report.order_status) for report in transaction.list_reports]


def test_oco_locks_the_quantity_once(engine):
    transaction = place_list(engine, "OCO", *sell_oco())
    assert told(transaction) == [(1, "NEW", "NEW"), (2, "NEW", "NEW")]
    assert list_steps(transaction) == [("EXEC_STARTED", "EXECUTING")]
    assert [report.working_ms for report in transaction.reports] == [None, 1]
    assert balances(engine, "BTC") == (Decimal("0.9"), Decimal("0.1"))
    assert [order.order_list_id for order in transaction.order_list.orders] == [1, 1]
    assert engine.history.open_lists("main") == [transaction.order_list]


@pytest.mark.parametrize(
    ("limit", "stop", "stop_limit", "locked"),
    [("99000", "101000", None, 10_100), ("99000", "101000", "102000", 10_200)],
)
def test_oco_that_buys_locks_the_larger_need(engine, limit, stop, stop_limit, locked):
    kind = "STOP_LOSS_LIMIT" if stop_limit else "STOP_LOSS"
    fields = {"price": stop_limit} if stop_limit else {}
    place_list(
        engine,
        "OCO",
        request("BUY", kind, "0.1", stop_price=stop, client_order_id="above", **fields),
        request("BUY", "LIMIT_MAKER", "0.1", price=limit, client_order_id="below"),
    )
    assert balances(engine, "USDT")[1] == locked
    transaction = trade(engine, "98000")  # through the limit leg
    assert told(transaction) == [(1, "EXPIRED", "EXPIRED"), (2, "TRADE", "FILLED")]
    assert balances(engine, "USDT") == (90_100, 0)


def test_stop_leg_that_triggers_expires_the_limit_leg(engine):
    placed = place_list(engine, "OCO", *sell_oco())
    quote(engine, "94950", "95010")
    transaction = trade(engine, "95000")
    assert told(transaction) == [(1, "NEW", "NEW"), (2, "EXPIRED", "EXPIRED"), (1, "TRADE", "FILLED")]
    assert placed.order_list.orders[1].expiry_reason == "OCO_TRIGGER"
    assert list_steps(transaction) == [("ALL_DONE", "ALL_DONE")]
    assert balances(engine, "BTC") == (Decimal("0.9"), 0)
    assert engine.history.open_lists("main") == []


def test_first_fill_of_the_limit_leg_expires_the_stop_leg_and_the_list_stays_open(engine):
    below, above = place_list(engine, "OCO", *sell_oco()).order_list.orders
    transaction = trade(engine, "105000", "0.04", taker="BUY")
    assert (below.status, above.status) == (Status.EXPIRED, Status.PARTIALLY_FILLED)
    assert list_steps(transaction) == []
    assert list_steps(trade(engine, "105000.01", "1", taker="BUY")) == [("ALL_DONE", "ALL_DONE")]


def test_cancel_of_a_leg_cancels_the_list(engine):
    below, above = place_list(engine, "OCO", *sell_oco()).order_list.orders
    transaction = engine.cancel(above, 2, cancel_id="x-1")
    assert told(transaction) == [(1, "CANCELED", "CANCELED"), (2, "CANCELED", "CANCELED")]
    assert [report.original_client_order_id for report in transaction.reports] == ["below", "above"]
    assert below.client_order_id == above.client_order_id == "x-1"
    assert transaction.order_list.orders == [below, above]
    assert list_steps(transaction) == [("ALL_DONE", "ALL_DONE")]
    assert balances(engine, "BTC") == (1, 0)
    with pytest.raises(CancelRefused, match="Unknown order sent"):
        engine.cancel_list(transaction.order_list, 3, cancel_id=None)


@pytest.mark.parametrize(
    ("limit", "stop"), [("99999", "95000"), ("100000", "95000"), ("105000", "100000"), ("105000", "106000")]
)
def test_oco_whose_prices_do_not_embrace_the_last_price_is_refused(engine, limit, stop):
    with pytest.raises(OrderRefused, match="The relationship of the prices for the orders is not correct"):
        place_list(
            engine,
            "OCO",
            request("SELL", "STOP_LOSS", "0.1", stop_price=stop, client_order_id="below"),
            request("SELL", "LIMIT_MAKER", "0.1", price=limit, client_order_id="above"),
        )
    assert violations(engine) == []


def test_oco_whose_limit_leg_would_take_is_refused_whole(engine):
    quote(engine, "105500", "105600")  # the book has moved, nothing has traded there yet
    with pytest.raises(OrderRefused, match="Order would immediately match and take"):
        place_list(engine, "OCO", *sell_oco())
    assert engine.history.open_orders("main") == []
    assert balances(engine, "BTC") == (1, 0)


def test_leg_ended_by_self_trade_prevention_ends_the_oco(engine):
    below, above = place_list(engine, "OCO", *sell_oco()).order_list.orders
    engine.apply_book("BTCUSDT", [], [], 2)
    fields = {"price": "105000", "self_trade_prevention": SelfTradePrevention.EXPIRE_MAKER}
    place(engine, "BUY", "LIMIT", "0.05", client_order_id="c-3", **fields)
    assert (above.status, below.expiry_reason) == (Status.EXPIRED_IN_MATCH, "OCO_TRIGGER")
    assert balances(engine, "BTC") == (1, 0)


def oto(**working):
    fields = {"price": "99000", **working}
    return (
        request("BUY", "LIMIT", "0.1", client_order_id="working", **fields),
        request("SELL", "LIMIT", "0.09", price="110000", client_order_id="pending"),
    )


def test_pending_order_locks_nothing_and_waits_for_the_whole_fill(engine):
    transaction = place_list(engine, "OTO", *oto())
    assert told(transaction) == [(1, "NEW", "NEW"), (2, "NEW", "PENDING_NEW")]
    pending = transaction.order_list.orders[1]
    assert balances(engine, "BTC") == (1, 0)
    trade(engine, "99000", "0.04")
    assert pending.status is Status.PENDING_NEW
    assert told(trade(engine, "98999", "1", at_ms=5)) == [(1, "TRADE", "FILLED"), (2, "NEW", "NEW")]
    assert pending.working_ms == 5
    assert balances(engine, "BTC")[1] == Decimal("0.09")


def test_working_order_that_fills_at_once_brings_the_pending_one_to_life(engine):
    transaction = place_list(engine, "OTO", *oto(price="100000"))
    assert told(transaction)[-2:] == [(1, "TRADE", "FILLED"), (2, "NEW", "NEW")]


def test_pending_orders_end_with_a_working_order_that_does_not_fill(engine):
    cancelled = place_list(engine, "OTO", *oto()).order_list
    engine.cancel(cancelled.orders[0], 2, cancel_id=None)
    assert [order.status for order in cancelled.orders] == [Status.CANCELED, Status.CANCELED]
    transaction = place_list(engine, "OTO", *oto(time_in_force=TimeInForce.FOK))
    assert told(transaction)[2:] == [(3, "EXPIRED", "EXPIRED"), (4, "EXPIRED", "EXPIRED")]
    assert transaction.order_list.orders[1].expiry_reason == "OTO_PHASE_ONE_EXPIRED"
    assert list_steps(transaction) == [("EXEC_STARTED", "EXECUTING"), ("ALL_DONE", "ALL_DONE")]


def test_pending_order_without_funds_expires_as_rejected(engine):
    working, pending = oto(price="100000")
    transaction = place_list(
        engine, "OTO", working, request("SELL", "LIMIT", "2", price="110000", client_order_id="pending")
    )
    assert pending.client_order_id == transaction.order_list.orders[1].client_order_id
    last = transaction.reports[-1]
    assert (last.status, last.order.expiry_reason, last.reject_reason) == (
        Status.EXPIRED,
        "REJECTED",
        "INSUFFICIENT_BALANCES",
    )


def test_pending_stop_that_would_trigger_at_once_expires_as_rejected(engine):
    working, _ = oto(price="100000")
    stop = request("SELL", "STOP_LOSS", "0.05", stop_price="100001", client_order_id="pending")
    last = place_list(engine, "OTO", working, stop).reports[-1]
    assert (last.order.expiry_reason, last.reject_reason) == ("REJECTED", "STOP_PRICE_WOULD_TRIGGER_IMMEDIATELY")


def test_otoco_brings_both_pending_legs_to_life_as_an_oco(engine):
    working, _ = oto(price="100000")
    order_list = place_list(engine, "OTO", working, *sell_oco("0.09")).order_list
    assert [order.status for order in order_list.orders] == [Status.FILLED, Status.NEW, Status.NEW]
    assert balances(engine, "BTC")[1] == Decimal("0.09")
    transaction = trade(engine, "105001", taker="BUY")
    assert told(transaction) == [(2, "EXPIRED", "EXPIRED"), (3, "TRADE", "FILLED")]
    assert list_steps(transaction) == [("ALL_DONE", "ALL_DONE")]


def test_otoco_with_bad_prices_at_its_second_phase_expires_both_pending_legs(engine):
    working, _ = oto(price="90000")
    order_list = place_list(engine, "OTO", working, *sell_oco("0.09")).order_list
    trade(engine, "89000")  # below the stop leg
    assert [order.expiry_reason for order in order_list.orders] == [None, "REJECTED", "REJECTED"]
    assert not order_list.is_open


def test_list_counts_in_the_filters_that_count():
    engine = new_engine(replace(RULES, max_order_lists=1, max_orders=3, max_algo_orders=1))
    place_list(engine, "OCO", *sell_oco())
    legs = tuple(replace_id(leg, f"{leg.client_order_id}-2") for leg in sell_oco())
    with pytest.raises(OrderRefused, match="Filter failure: MAX_NUM_ORDERS"):
        place_list(engine, "OCO", *legs)
    engine.listings["BTCUSDT"].rules = replace(RULES, max_order_lists=1, max_algo_orders=1)
    with pytest.raises(OrderRefused, match="Filter failure: MAX_NUM_ALGO_ORDERS"):
        place_list(engine, "OCO", *legs)
    engine.listings["BTCUSDT"].rules = replace(RULES, max_order_lists=1)
    with pytest.raises(OrderRefused, match="Duplicate order sent"):  # the list's client id
        place_list(engine, "OCO", *legs)
    second = OrderListRequest("main", "BTCUSDT", Contingency.OCO, "l-2", legs)
    with pytest.raises(OrderRefused, match="Filter failure: MAX_NUM_ORDER_LISTS"):
        engine.place_list(second, 2)
    engine.listings["BTCUSDT"].rules = RULES
    engine.limits = ExchangeLimits(max_order_lists=1)
    with pytest.raises(OrderRefused, match="Filter failure: EXCHANGE_MAX_NUM_ORDER_LISTS"):
        engine.place_list(second, 2)


def replace_id(leg, client_order_id):
    return request(
        leg.side,
        leg.type,
        str(leg.quantity),
        price=str(leg.price),
        client_order_id=client_order_id,
        **({"stop_price": str(leg.stop_price)} if leg.stop_price else {}),
    )


def test_lists_are_found_by_either_id(engine):
    order_list = place_list(engine, "OCO", *sell_oco()).order_list
    assert engine.history.find_list("main", 1) is order_list
    assert engine.history.find_list_by_client_id("main", "l-1") is order_list
    assert engine.history.find_list_by_client_id("main", "l-2") is None
    assert engine.history.find_list("other", 1) is None

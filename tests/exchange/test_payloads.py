"""Payloads as Binance documents them (binance-protocol.md 1.2 to 1.4 and 4.5)."""

from decimal import Decimal

import pytest

from binance_trade_agent.domain.orders import Side
from binance_trade_agent.exchange.payloads import (
    cancelled,
    candle,
    execution_report,
    order_report,
    replacement,
    trade_fill,
)

REPORT = {
    "e": "executionReport",
    "E": 1_700_000_000_005,
    "s": "BTCUSDT",
    "c": "bta-BTCUSDT-1",
    "S": "BUY",
    "o": "MARKET",
    "f": "GTC",
    "q": "0.20000000",
    "p": "0.00000000",
    "C": "",
    "x": "TRADE",
    "X": "PARTIALLY_FILLED",
    "r": "NONE",
    "i": 28,
    "l": "0.10000000",
    "z": "0.10000000",
    "L": "100000.00000000",
    "n": "0.00010000",
    "N": "BTC",
    "T": 1_700_000_000_001,
    "t": 56,
    "m": False,
    "Z": "10000.00000000",
    "Y": "10000.00000000",
}


def test_trade_event_is_a_report_with_its_fill():
    report = execution_report(REPORT)
    (fill,) = report.fills
    assert (report.client_order_id, report.exchange_order_id, report.status) == (
        "bta-BTCUSDT-1",
        28,
        "PARTIALLY_FILLED",
    )
    assert (report.executed_base, report.executed_quote, report.detail) == (Decimal("0.1"), 10_000, "")
    assert (fill.trade_id, fill.side, fill.quantity, fill.quote_quantity) == (56, Side.BUY, Decimal("0.1"), 10_000)
    assert (fill.commission, fill.commission_asset, fill.is_maker, fill.traded_ms) == (
        Decimal("0.0001"),
        "BTC",
        False,
        1_700_000_000_001,
    )


def test_new_event_has_no_fill_and_its_null_commission_is_no_matter():
    report = execution_report({**REPORT, "x": "NEW", "X": "NEW", "n": "0", "N": None, "t": -1, "z": "0", "Z": "0"})
    assert (report.status, report.fills) == ("NEW", ())


def test_trade_without_a_commission_costs_nothing():
    (fill,) = execution_report({**REPORT, "n": None, "N": None}).fills
    assert (fill.commission, fill.commission_asset) == (0, "")


def test_cancelled_order_keeps_the_id_under_which_it_was_placed():
    report = execution_report({**REPORT, "x": "CANCELED", "X": "CANCELED", "c": "cancel-7", "C": "bta-BTCUSDT-1"})
    assert report.client_order_id == "bta-BTCUSDT-1"


@pytest.mark.parametrize(
    ("fields", "detail"),
    [
        ({"x": "EXPIRED", "X": "EXPIRED", "eR": "INSUFFICIENT_LIQUIDITY"}, "INSUFFICIENT_LIQUIDITY"),
        ({"x": "REJECTED", "X": "REJECTED", "r": "INSUFFICIENT_BALANCES"}, "INSUFFICIENT_BALANCES"),
    ],
)
def test_reason_of_the_end_is_kept(fields, detail):
    assert execution_report({**REPORT, **fields}).detail == detail


def test_trade_row_of_the_account_does_not_know_our_id():
    fill = trade_fill(
        {
            "symbol": "BTCUSDT",
            "id": 56,
            "orderId": 28,
            "price": "100000.00000000",
            "qty": "0.10000000",
            "quoteQty": "10000.00000000",
            "commission": "10.00000000",
            "commissionAsset": "USDT",
            "time": 5,
            "isBuyer": False,
            "isMaker": True,
        }
    )
    assert (fill.side, fill.is_maker, fill.client_order_id, fill.quote_quantity) == (Side.SELL, True, "", 10_000)


def test_answer_without_fills_is_a_report_without_fills():
    answer = {
        "symbol": "BTCUSDT",
        "orderId": 28,
        "side": "SELL",
        "status": "NEW",
        "origQty": "0.1",
        "executedQty": "0.0",
        "cummulativeQuoteQty": "0.0",
        "updateTime": 9,
        "time": 8,
    }
    report = order_report(answer, "bta-1")
    assert (report.side, report.at_ms, report.fills, report.client_order_id) == (Side.SELL, 9, (), "bta-1")


def test_candle_row_is_read_exactly():
    row = [60_000, "0.1", "0.3", "0.1", "0.2", "5.00000000", 119_999, "1.0", 3, "0", "0", "0"]
    read = candle(row)
    assert (read.open_time_ms, read.close_time_ms) == (60_000, 119_999)
    assert (read.open, read.high, read.low, read.close, read.volume) == tuple(
        Decimal(text) for text in ("0.1", "0.3", "0.1", "0.2", "5")
    )


OWN_ID, CANCEL_ID = "btaabc-BTCUSDT-2s-0f3c5a9be1d274", "btxabc-BTCUSDT-2s-0f3c5a9be1d274"
CANCELLED = {
    "symbol": "BTCUSDT",
    "origClientOrderId": OWN_ID,
    "orderId": 28,
    "orderListId": -1,
    "clientOrderId": CANCEL_ID,
    "transactTime": 1_684_804_350_068,
    "price": "99000.00000000",
    "origQty": "0.10000000",
    "executedQty": "0.04000000",
    "origQuoteOrderQty": "0.00000000",
    "cummulativeQuoteQty": "3960.00000000",
    "status": "CANCELED",
    "timeInForce": "GTC",
    "type": "LIMIT",
    "side": "SELL",
    "selfTradePreventionMode": "NONE",
}
OTHER_LEG = {**CANCELLED, "orderId": 29, "origClientOrderId": "bta-other"}
LIST = {"orderListId": 0, "listOrderStatus": "ALL_DONE", "symbol": "BTCUSDT"}


def numbers(reports) -> list[int]:
    return [report.exchange_order_id for report in reports]


def test_answer_to_a_cancel_tells_of_the_order_as_it_was_placed():
    (report,) = cancelled(CANCELLED)
    assert (report.client_order_id, report.exchange_order_id, report.status) == (OWN_ID, 28, "CANCELED")
    assert (report.quantity, report.executed_base, report.executed_quote) == (Decimal("0.1"), Decimal("0.04"), 3960)
    assert (report.side, report.at_ms, report.fills) == (Side.SELL, 1_684_804_350_068, ())


def test_answer_to_the_cancel_of_a_leg_tells_of_each_leg():
    reports = cancelled({**LIST, "orderReports": [CANCELLED, OTHER_LEG]})
    assert [(report.client_order_id, report.exchange_order_id) for report in reports] == [
        (OWN_ID, 28),
        ("bta-other", 29),
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {"executedQty": "NaN"},
        {"executedQty": "sNaN"},
        {"origQty": "Infinity"},
        {"cummulativeQuoteQty": None},
        {"cummulativeQuoteQty": "a lot"},
        {"orderId": "none"},
        {"orderId": float("inf")},
        {"side": "HOLD"},
        {"symbol": "ETHUSDT"},
        {"origClientOrderId": None},
        {"transactTime": None},  # the docs' own example of a replacement that is half done has none
    ],
    ids=str,
)
def test_row_that_cannot_be_read_is_left_out_and_the_others_are_told(changes):
    assert numbers(cancelled({**LIST, "orderReports": [{**CANCELLED, **changes}, OTHER_LEG]})) == [29]


@pytest.mark.parametrize("rows", [None, {}, "CANCELED", [None, 5, "x", [], {}]], ids=str)
def test_rows_that_are_none_tell_nothing(rows):
    assert cancelled({**LIST, "orderReports": rows}) == ()


@pytest.mark.parametrize("payload", [{}, [], [CANCELLED], "CANCELED", 5, None], ids=str)
def test_answer_that_is_about_no_symbol_is_none(payload):
    with pytest.raises((KeyError, TypeError)):
        cancelled(payload)


NEW = {**CANCELLED, "orderId": 30, "status": "NEW", "executedQty": "0", "cummulativeQuoteQty": "0", "fills": []}


@pytest.mark.parametrize(
    ("old", "told"),
    [
        (CANCELLED, [28]),
        ({**LIST, "orderReports": [CANCELLED, OTHER_LEG]}, [28, 29]),
        ({**CANCELLED, "executedQty": "NaN"}, []),
        ({}, []),
        ([], []),
        (None, []),
        ("SUCCESS", []),
    ],
    ids=str,
)
def test_replacement_tells_of_the_new_order_and_of_the_old_one_where_that_can_be_read(old, told):
    halves = {"cancelResult": "SUCCESS", "newOrderResult": "SUCCESS", "newOrderResponse": NEW, "cancelResponse": old}
    replaced = replacement(halves, "bta-new")
    assert (replaced.placed.client_order_id, replaced.placed.exchange_order_id) == ("bta-new", 30)
    assert numbers(replaced.cancelled) == told


@pytest.mark.parametrize("field", ["origQty", "executedQty", "cummulativeQuoteQty"])
@pytest.mark.parametrize("number", ["NaN", "sNaN", "Infinity", "-Infinity"])
def test_report_in_numbers_that_are_none_is_no_report(field, number):
    with pytest.raises(ValueError, match="is no amount"):
        order_report({**CANCELLED, field: number}, OWN_ID)

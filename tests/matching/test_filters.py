"""Which filter of binance-protocol.md section 3 refuses what."""

from dataclasses import replace
from decimal import Decimal

import pytest

from binance_trade_agent.matching.errors import FilterRefused
from binance_trade_agent.matching.filters import check_filters
from tests.matching.f0 import RULES, request

STRICT = replace(
    RULES,
    multiplier_up=Decimal(2),
    multiplier_down=Decimal("0.5"),
    iceberg_parts=10,
    min_trailing_above_delta=10,
    max_trailing_above_delta=2000,
    min_trailing_below_delta=20,
    max_trailing_below_delta=1000,
)


@pytest.mark.parametrize(
    ("order", "filter_name"),
    [
        (request("BUY", "LIMIT", "0.00004", price="99000"), "NOTIONAL"),
        (request("BUY", "LIMIT", "0.100005", price="99000"), "LOT_SIZE"),
        (request("BUY", "MARKET", "120"), "MARKET_LOT_SIZE"),
        (request("BUY", "LIMIT", "0.1", price="99000.005"), "PRICE_FILTER"),
        (request("BUY", "LIMIT", "0.0001", price="600000"), "PERCENT_PRICE_BY_SIDE"),
        (request("SELL", "LIMIT", "0.001", price="19000"), "PERCENT_PRICE_BY_SIDE"),
        (request("BUY", "MARKET", quote_quantity="4.99"), "NOTIONAL"),
    ],
)
def test_filter_refuses_by_name(order, filter_name):
    with pytest.raises(FilterRefused) as refusal:
        check_filters(order, RULES, Decimal(100_000))
    assert refusal.value.filter_name == filter_name


@pytest.mark.parametrize(
    ("order", "filter_name"),
    [
        (request("BUY", "LIMIT", "0.1", price="250000"), "PERCENT_PRICE"),
        (request("SELL", "STOP_LOSS", "0.1", stop_price="95000.005"), "PRICE_FILTER"),
        (request("SELL", "STOP_LOSS", "0.00006", stop_price="80000"), "NOTIONAL"),
        (request("SELL", "STOP_LOSS_LIMIT", "0.1", stop_price="95000", price="40000"), "PERCENT_PRICE"),
        (request("BUY", "LIMIT", "1", price="99000", iceberg_quantity="0.09"), "ICEBERG_PARTS"),
        (request("BUY", "LIMIT", "1", price="99000", iceberg_quantity="0.100001"), "LOT_SIZE"),
        (request("BUY", "STOP_LOSS", "1", trailing_delta=9), "TRAILING_DELTA"),
        (request("SELL", "TAKE_PROFIT", "1", trailing_delta=2001), "TRAILING_DELTA"),
        (request("SELL", "STOP_LOSS", "1", trailing_delta=19), "TRAILING_DELTA"),
        (request("BUY", "TAKE_PROFIT_LIMIT", "1", price="99000", trailing_delta=1001), "TRAILING_DELTA"),
    ],
)
def test_filter_of_stops_and_icebergs_refuses_by_name(order, filter_name):
    with pytest.raises(FilterRefused) as refusal:
        check_filters(order, STRICT, Decimal(100_000))
    assert refusal.value.filter_name == filter_name


@pytest.mark.parametrize(
    "order",
    [
        request("SELL", "STOP_LOSS", "0.1", stop_price="10000"),  # PERCENT_PRICE is not for stop prices
        request("BUY", "LIMIT", "1", price="99000", iceberg_quantity="0.1"),
        request("BUY", "STOP_LOSS", "1", trailing_delta=2000),
        request("SELL", "STOP_LOSS", "1", trailing_delta=1000),
    ],
)
def test_order_at_the_bounds_passes(order):
    check_filters(order, STRICT, Decimal(100_000))

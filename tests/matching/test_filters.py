"""Which filter of binance-protocol.md section 3 refuses what."""

from decimal import Decimal

import pytest

from binance_trade_agent.domain.values import replace
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
        check_filters(order, RULES, lambda _: Decimal(100_000))
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
        check_filters(order, STRICT, lambda _: Decimal(100_000))
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
    check_filters(order, STRICT, lambda _: Decimal(100_000))


AVERAGES = {0: Decimal(100), 1: Decimal(200), 5: Decimal(300), 7: Decimal(400), 9: Decimal(500)}
BY_AVERAGE = replace(
    RULES,
    min_notional=Decimal(0),
    max_notional=Decimal(0),
    multiplier_up=Decimal(2),
    percent_price_minutes=1,
    percent_price_by_side_minutes=7,
    notional_minutes=9,
    extra_min_notional_minutes=0,
)


@pytest.mark.parametrize(
    ("order", "rules", "filter_name"),
    [
        (request("BUY", "LIMIT", "1", price="400"), {}, None),
        (request("BUY", "LIMIT", "1", price="400.01"), {}, "PERCENT_PRICE"),
        (request("SELL", "LIMIT", "1", price="80"), {}, None),
        (request("SELL", "LIMIT", "1", price="79.99"), {}, "PERCENT_PRICE_BY_SIDE"),
        (request("BUY", "MARKET", "1"), {"min_notional": Decimal(500)}, None),
        (request("BUY", "MARKET", "1"), {"min_notional": Decimal("500.01")}, "NOTIONAL"),
        (request("BUY", "MARKET", "1"), {"extra_min_notional": Decimal(100)}, None),
        (request("BUY", "MARKET", "1"), {"extra_min_notional": Decimal("100.01")}, "MIN_NOTIONAL"),
    ],
)
def test_each_filter_goes_by_the_average_price_of_its_own_minutes(order, rules, filter_name):
    if filter_name is None:
        check_filters(order, replace(BY_AVERAGE, **rules), AVERAGES.__getitem__)
        return
    with pytest.raises(FilterRefused) as refusal:
        check_filters(order, replace(BY_AVERAGE, **rules), AVERAGES.__getitem__)
    assert refusal.value.filter_name == filter_name

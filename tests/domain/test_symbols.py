from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from binance_trade_agent.domain.orders import OrderType, Side
from binance_trade_agent.domain.symbols import SymbolRules, symbol_rules
from binance_trade_agent.domain.values import replace
from tests.domain.strategies import STEPS, amounts

BTCUSDT = {
    "symbol": "BTCUSDT",
    "status": "TRADING",
    "baseAsset": "BTC",
    "quoteAsset": "USDT",
    "baseAssetPrecision": 8,
    "quoteAssetPrecision": 8,
    "orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET"],
    "filters": [
        {"filterType": "PRICE_FILTER", "minPrice": "0.01", "maxPrice": "1000000.00", "tickSize": "0.01"},
        {"filterType": "LOT_SIZE", "minQty": "0.00001", "maxQty": "9000", "stepSize": "0.00001"},
        {"filterType": "MARKET_LOT_SIZE", "minQty": "0", "maxQty": "100", "stepSize": "0"},
        {
            "filterType": "PERCENT_PRICE_BY_SIDE",
            "bidMultiplierUp": "5",
            "bidMultiplierDown": "0.2",
            "askMultiplierUp": "4",
            "askMultiplierDown": "0.5",
            "avgPriceMins": 5,
        },
        {
            "filterType": "NOTIONAL",
            "minNotional": "5",
            "applyMinToMarket": True,
            "maxNotional": "9000000",
            "applyMaxToMarket": False,
            "avgPriceMins": 5,
        },
        {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": 200},
        {"filterType": "MAX_POSITION", "maxPosition": "10"},
    ],
}
RULES = symbol_rules(BTCUSDT)
MARKET, LIMIT = OrderType.MARKET, OrderType.LIMIT


def with_filter(**fields) -> SymbolRules:
    return symbol_rules({**BTCUSDT, "filters": [fields]})


def test_every_filter_is_read():
    assert (RULES.base_asset, RULES.quote_asset, RULES.status) == ("BTC", "USDT", "TRADING")
    assert (RULES.tick_size, RULES.step_size, RULES.market_max_quantity) == (Decimal("0.01"), Decimal("0.00001"), 100)
    assert (RULES.min_notional, RULES.max_notional, RULES.notional_filter) == (5, 9_000_000, "NOTIONAL")
    assert (RULES.bid_multiplier_up, RULES.ask_multiplier_down) == (5, Decimal("0.5"))
    assert (RULES.max_orders, RULES.max_position, RULES.notional_minutes) == (200, 10, 5)


def test_symbol_without_filters_allows_everything():
    rules = symbol_rules({**BTCUSDT, "filters": []})
    tiny = Decimal("0.00000001")
    assert rules.quantity_violation(MARKET, tiny) is None
    assert rules.price_violation(tiny) is None
    assert rules.notional_violation(MARKET, tiny) is None
    assert rules.percent_price_violation(Side.BUY, tiny, lambda _: Decimal(1)) is None
    assert rules.round_market_quantity(tiny) == tiny


@pytest.mark.parametrize("on_market", [True, False])
def test_the_older_minimum_notional_says_itself_whether_it_meets_market_orders(on_market):
    rules = with_filter(filterType="MIN_NOTIONAL", minNotional="10", applyToMarket=on_market, avgPriceMins=1)
    assert rules.notional_violation(LIMIT, Decimal("9.99")) == "MIN_NOTIONAL"
    assert rules.notional_violation(MARKET, Decimal("9.99")) == ("MIN_NOTIONAL" if on_market else None)
    assert rules.notional_violation(LIMIT, Decimal(10)) is None


def test_of_two_filters_of_the_notional_both_hold():
    older = {"filterType": "MIN_NOTIONAL", "minNotional": "10", "applyToMarket": False, "avgPriceMins": 0}
    rules = symbol_rules({**BTCUSDT, "filters": [*BTCUSDT["filters"], older]})
    assert (rules.notional_minutes, rules.extra_min_notional_minutes) == (5, 0)
    for notional, broken in (("4.99", "NOTIONAL"), ("9.99", None), ("9000001", "NOTIONAL")):
        assert rules.notional_violation(LIMIT, Decimal(notional)) == broken
    assert rules.extra_notional_violation(LIMIT, Decimal("9.99")) == "MIN_NOTIONAL"
    assert rules.extra_notional_violation(LIMIT, Decimal(10)) is None
    assert rules.extra_notional_violation(MARKET, Decimal("9.99")) is None
    assert (rules.smallest_market_notional, rules.is_dust(Decimal("0.1"), Decimal("49.99"))) == (5, True)
    both = replace(rules, extra_min_notional_on_market=True)
    assert (both.smallest_market_notional, both.is_dust(Decimal("0.1"), Decimal("99.99"))) == (10, True)


@pytest.mark.parametrize("broken", ["symbol", "baseAsset", "status", "filters"])
def test_missing_field_is_a_key_error(broken):
    with pytest.raises(KeyError):
        symbol_rules({name: value for name, value in BTCUSDT.items() if name != broken})


def test_filter_that_is_no_number_is_an_arithmetic_error():
    with pytest.raises(ArithmeticError):
        with_filter(filterType="LOT_SIZE", minQty="few", maxQty="1", stepSize="1")


@pytest.mark.parametrize(
    ("order_type", "quantity", "broken"),
    [
        (LIMIT, "0.00001", None),
        (LIMIT, "9000", None),
        (LIMIT, "0.000009", "LOT_SIZE"),
        (LIMIT, "0.000015", "LOT_SIZE"),
        (LIMIT, "9000.00001", "LOT_SIZE"),
        (LIMIT, "100.00001", None),
        (MARKET, "100", None),
        (MARKET, "100.00001", "MARKET_LOT_SIZE"),
    ],
)
def test_quantity_filters(order_type, quantity, broken):
    assert RULES.quantity_violation(order_type, Decimal(quantity)) == broken


@pytest.mark.parametrize(
    ("price", "broken"),
    [("0.01", None), ("0.009", "PRICE_FILTER"), ("100.005", "PRICE_FILTER"), ("1000000.01", "PRICE_FILTER")],
)
def test_price_filter(price, broken):
    assert RULES.price_violation(Decimal(price)) == broken


@pytest.mark.parametrize(
    ("side", "price", "is_allowed"),
    [
        (Side.BUY, "500", True),
        (Side.BUY, "500.01", False),
        (Side.BUY, "20", True),
        (Side.BUY, "19.99", False),
        (Side.SELL, "400", True),
        (Side.SELL, "400.01", False),
        (Side.SELL, "50", True),
        (Side.SELL, "49.99", False),
    ],
)
def test_each_side_has_its_own_price_band(side, price, is_allowed):
    broken = RULES.percent_price_violation(side, Decimal(price), lambda _: Decimal(100))
    assert broken == (None if is_allowed else "PERCENT_PRICE_BY_SIDE")


@pytest.mark.parametrize(
    ("order_type", "notional", "broken"),
    [
        (LIMIT, "5", None),
        (LIMIT, "4.99999999", "NOTIONAL"),
        (MARKET, "4.99999999", "NOTIONAL"),
        (LIMIT, "9000000.01", "NOTIONAL"),
        (MARKET, "9000000.01", None),
    ],
)
def test_notional_filter(order_type, notional, broken):
    assert RULES.notional_violation(order_type, Decimal(notional)) == broken


@st.composite
def rules_by_chance(draw) -> SymbolRules:
    step = draw(STEPS)
    lot = draw(st.integers(0, 50)) * step
    return replace(
        RULES,
        step_size=step,
        min_quantity=lot,
        max_quantity=draw(st.sampled_from([Decimal(0), lot + 500 * step])),
        market_step_size=draw(st.sampled_from([Decimal(0), step, step * 10])),
        market_min_quantity=draw(st.integers(0, 3)) * step * 10,
        market_max_quantity=draw(st.sampled_from([Decimal(0), lot + 300 * step])),
    )


@given(rules_by_chance(), amounts(most="1000"))
def test_rounded_market_quantity_passes_its_own_filters_or_is_zero(rules, quantity):
    rounded = rules.round_market_quantity(quantity)
    assert 0 <= rounded <= quantity
    assert not rounded or rules.quantity_violation(MARKET, rounded) is None


@given(rules_by_chance(), amounts(most="1000"))
def test_no_larger_market_quantity_would_have_passed(rules, quantity):
    larger = rules.round_market_quantity(quantity) + rules.market_step
    if larger >= rules.smallest_market_quantity:
        assert larger > quantity or rules.quantity_violation(MARKET, larger) is not None


@given(amounts("0.01", "1000000"))
def test_rounded_price_passes_the_price_filter(price):
    assert RULES.price_violation(RULES.round_price(price)) is None


@pytest.mark.parametrize(
    ("quantity", "price", "is_dust"),
    [
        ("0.00000999", "50000", True),
        ("0.00009999", "50000", True),
        ("0.0001", "50000", False),
        ("0.0001", "49999", True),
    ],
)
def test_dust_is_what_cannot_be_sold(quantity, price, is_dust):
    assert RULES.is_dust(Decimal(quantity), Decimal(price)) is is_dust


def test_lot_is_the_only_bound_where_the_notional_spares_market_orders():
    rules = replace(RULES, min_notional_on_market=False)
    assert not rules.is_dust(Decimal("0.00001"), Decimal(1))

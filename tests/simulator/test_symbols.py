from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from binance_trade_agent.domain.money import is_multiple
from binance_trade_agent.domain.orders import OrderType
from binance_trade_agent.domain.symbols import symbol_rules
from binance_trade_agent.simulator.symbols import (
    UnknownSymbolError,
    check_synthetic,
    listing,
    split_symbol,
    typical_price,
)

FILTERS_IN_ORDER = [  # binance-protocol.md 3
    "PRICE_FILTER",
    "LOT_SIZE",
    "ICEBERG_PARTS",
    "MARKET_LOT_SIZE",
    "TRAILING_DELTA",
    "PERCENT_PRICE_BY_SIDE",
    "NOTIONAL",
    "MAX_NUM_ORDERS",
    "MAX_NUM_ORDER_LISTS",
    "MAX_NUM_ALGO_ORDERS",
    "MAX_NUM_ORDER_AMENDS",
]
assets = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", min_size=1, max_size=8)
symbols = st.builds(str.__add__, assets, st.sampled_from(["USDT", "BTC"])).filter(lambda name: name != "BTCBTC")


@pytest.mark.parametrize(
    ("symbol", "tick", "max_price", "step", "max_quantity", "market_max_quantity"),
    [
        ("BTCUSDT", "0.01", "1000000", "0.00001", "9000", "100"),
        ("ETHUSDT", "0.01", "1000000", "0.0001", "9000", "2000"),
        ("BNBUSDT", "0.01", "100000", "0.001", "900000", "5000"),
        ("SOLUSDT", "0.01", "100000", "0.001", "90000", "20000"),
    ],
)
def test_the_tabled_symbols_have_the_tabled_filters(symbol, tick, max_price, step, max_quantity, market_max_quantity):
    rules = symbol_rules(listing(symbol))

    assert (rules.tick_size, rules.min_price, rules.max_price) == (Decimal(tick), Decimal("0.01"), Decimal(max_price))
    assert (rules.step_size, rules.min_quantity, rules.max_quantity) == (
        Decimal(step),
        Decimal(step),
        Decimal(max_quantity),
    )
    assert (rules.market_max_quantity, rules.market_step_size) == (Decimal(market_max_quantity), 0)
    assert (rules.min_notional, rules.max_notional) == (5, 9_000_000)


@given(symbols)
def test_any_symbol_can_be_traded_at_its_typical_price(symbol):
    price = typical_price(symbol)
    rules = symbol_rules(listing(symbol))

    assert price > 0
    assert rules.price_violation(price) is None
    affordable = rules.round_market_quantity(4 * rules.min_notional / price + rules.min_quantity)
    assert rules.quantity_violation(OrderType.MARKET, affordable) is None
    assert rules.notional_violation(OrderType.MARKET, affordable * price) is None


def test_an_entry_lists_filters_in_binances_order_with_eight_decimals():
    filters = listing("ADAUSDT")["filters"]

    assert [entry["filterType"] for entry in filters] == FILTERS_IN_ORDER
    assert all(len(filters[0][name].split(".")[1]) == 8 for name in ("minPrice", "maxPrice", "tickSize"))


def test_the_grid_follows_the_price_that_is_given():
    assert symbol_rules(listing("ADAUSDT", Decimal("0.5123"))).tick_size == Decimal("0.00001")
    assert is_multiple(Decimal("51230.5"), symbol_rules(listing("ADAUSDT", Decimal(51_230))).tick_size)


def test_base_and_quote_are_told_apart():
    assert split_symbol("ETHBTC") == ("ETH", "BTC")
    assert split_symbol("BTCUSDT") == ("BTC", "USDT")


@pytest.mark.parametrize("symbol", ["BTCUSD", "USDT", "btcusdt", "BTC-USDT", "", "BTCEUR"])
def test_a_name_that_is_no_symbol_is_refused_with_what_is_allowed(symbol):
    with pytest.raises(UnknownSymbolError, match=r"USDT or BTC, such as BTCUSDT"):
        split_symbol(symbol)


def test_a_slip_is_answered_with_the_nearest_name():
    with pytest.raises(UnknownSymbolError, match=r"did you mean ETHUSDT\?"):
        split_symbol("ETHUSD")


@pytest.mark.parametrize(
    ("symbol", "nearest_one"), [("BTCUSTD", None), ("BCTUSDT", "BTCUSDT"), ("DOGUSDT", "DOGEUSDT")]
)
def test_a_slip_of_the_pen_is_no_symbol_of_a_synthetic_market(symbol, nearest_one):
    with pytest.raises(UnknownSymbolError, match=nearest_one or "is unknown"):
        check_synthetic(symbol)


@pytest.mark.parametrize("symbol", ["BTCUSDT", "ETHBTC", "XRPUSDT", "SIM1USDT", "SIM500BTC"])
def test_known_and_numbered_assets_are_in_a_synthetic_market(symbol):
    check_synthetic(symbol)

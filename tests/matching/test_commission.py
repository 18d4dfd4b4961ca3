"""What fills cost, in the received asset or in BNB."""

from decimal import Decimal

import pytest

from binance_trade_agent.domain.symbols import SymbolRules
from binance_trade_agent.matching.commission import CommissionRates, CommissionSchedule
from binance_trade_agent.matching.engine import MatchingEngine
from binance_trade_agent.matching.invariants import violations
from tests.matching.f0 import ASKS, BIDS, RULES, balances, place, request

BNBUSDT = SymbolRules("BNBUSDT", "BNB", "USDT", step_size=Decimal("0.001"))
BNBBTC = SymbolRules("BNBBTC", "BNB", "BTC", step_size=Decimal("0.001"))


def exchange(schedule=None, bnb="10", prices=((BNBUSDT, 800),)):
    engine = MatchingEngine(schedule)
    engine.list_symbol(RULES, Decimal(100_000))
    for rules, price in prices:
        engine.list_symbol(rules, Decimal(price))
    engine.open_account("main", {"USDT": Decimal(100_000), "BTC": Decimal(1), "BNB": Decimal(bnb)})
    engine.apply_book("BTCUSDT", BIDS, ASKS, 0)
    return engine


def own_trade(engine, *args, **fields):
    place(engine, *args, **fields)
    return engine.history.trades("main", "BTCUSDT")[-1]


@pytest.fixture
def discounted():
    schedule = CommissionSchedule()
    schedule.discount.accounts.add("main")
    return schedule


def test_discounted_commission_is_taken_in_bnb_and_all_that_was_bought_is_credited(discounted):
    engine = exchange(discounted)
    transaction = engine.place(request("BUY", "MARKET", "0.5"), 1)
    row = engine.history.trades("main", "BTCUSDT")[-1]
    assert (row.commission, row.commission_asset) == (Decimal("0.046875"), "BNB")  # 50,000 * 0.00075 / 800
    assert balances(engine, "BTC") == (Decimal("1.5"), 0)
    assert balances(engine, "BNB") == (Decimal("9.953125"), 0)
    assert transaction.assets["main"] == {"BTC", "USDT", "BNB"}
    assert violations(engine) == []


def test_without_enough_bnb_the_full_commission_is_taken_from_what_was_received(discounted):
    engine = exchange(discounted, bnb="0.046")
    row = own_trade(engine, "BUY", "MARKET", "0.5")
    assert (row.commission, row.commission_asset) == (Decimal("0.0005"), "BTC")
    assert balances(engine, "BNB") == (Decimal("0.046"), 0)


def test_bnb_without_a_price_in_quote_is_priced_in_base(discounted):
    engine = exchange(discounted, prices=((BNBBTC, "0.008"),))
    row = own_trade(engine, "BUY", "MARKET", "0.5")
    assert (row.commission, row.commission_asset) == (Decimal("0.046875"), "BNB")


@pytest.mark.parametrize("excluded", [True, False])
def test_without_a_price_of_bnb_or_on_an_excluded_symbol_there_is_no_discount(discounted, excluded):
    if excluded:
        discounted.discount.excluded_symbols.add("BTCUSDT")
    engine = exchange(discounted, prices=((BNBUSDT, 800),) if excluded else ())
    assert own_trade(engine, "SELL", "MARKET", "0.1").commission == Decimal("9.999")


def test_rates_by_role_and_side_add_up_and_only_the_standard_ones_are_discounted():
    standard = CommissionRates(Decimal("0.001"), Decimal("0.002"), Decimal("0.0001"), Decimal("0.0002"))
    tax = CommissionRates(Decimal(0), Decimal("0.0004"), Decimal(0), Decimal("0.0005"))
    special = CommissionRates(Decimal("0.01"), Decimal("0.02"))
    schedule = CommissionSchedule(standard, tax, special)
    engine = exchange(schedule)
    assert own_trade(engine, "SELL", "MARKET", "0.1").commission == Decimal(9999) * Decimal("0.0231")
    schedule.discount.accounts.add("main")
    row = own_trade(engine, "SELL", "MARKET", "0.1", client_order_id="c-2")
    expected = Decimal(9999) * (Decimal("0.0022") * Decimal("0.75") + Decimal("0.0209")) / 800
    assert row.commission == expected.quantize(Decimal("0.00000001"), "ROUND_DOWN")


def test_commission_is_truncated_to_eight_decimals():
    engine = exchange(CommissionSchedule(CommissionRates(Decimal("0.001"), Decimal("0.00123456789"))))
    assert own_trade(engine, "BUY", "MARKET", "0.1").commission == Decimal("0.00012345")


def test_maker_pays_the_maker_rate():
    engine = exchange(CommissionSchedule(CommissionRates(Decimal("0.0005"), Decimal("0.001"))))
    order = place(engine, "BUY", "LIMIT", "0.1", price="99500")
    engine.apply_book("BTCUSDT", [], [(Decimal(99_400), Decimal(1))], 2)
    row = engine.history.trades("main", "BTCUSDT")[-1]
    assert (row.is_maker, row.commission, order.executed_base) == (True, Decimal("0.00005"), Decimal("0.1"))

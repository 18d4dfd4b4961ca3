"""What a person writes as an order: every amount becomes a quantity in whole steps, every mistake a sentence."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from binance_trade_agent.domain.manual_orders import OrderKind
from binance_trade_agent.domain.money import is_multiple
from binance_trade_agent.domain.symbols import SymbolRules
from binance_trade_agent.domain.values import replace
from binance_trade_agent.reports.order_draft import Draft, Free, IncompleteError, base_for_quote, sized

RULES = SymbolRules("BTCUSDT", "BTC", "USDT", step_size=Decimal("0.00001"), tick_size=Decimal("0.01"))
BIDS = ((Decimal(59_990), Decimal(1)), (Decimal(59_900), Decimal(2)))
ASKS = ((Decimal(60_000), Decimal("0.001")), (Decimal(61_000), Decimal(1)))
FREE = Free(quote=Decimal(1_000), reserve_fraction=Decimal("0.002"), base=Decimal("0.0123456"))
BUY = Draft("BTCUSDT", amount="120")


def order_of(draft: Draft = BUY, free: Free = FREE, **changes: str):
    return sized(replace(draft, **changes), RULES, BIDS, ASKS, free)


class TestAmounts:
    def test_in_quote_asset_it_is_what_the_book_gives_for_it(self):
        # 60 USDT buy 0.001 at 60,000, the other 60 buy 60/61,000 = 0.0009836... at 61,000.
        assert order_of().order.quantity == Decimal("0.00198")

    def test_in_base_asset_it_is_taken_as_it_is(self):
        found = order_of(unit="base", amount="0.00150")
        assert (found.order.quantity, found.note) == (Decimal("0.0015"), "")

    def test_in_quote_asset_with_a_limit_it_is_what_the_limit_gives_for_it(self):
        assert order_of(type="limit", price="40000").order.quantity == Decimal("0.003")

    def test_in_percent_a_purchase_leaves_what_rules_want_left(self):
        # 500 USDT less the reserve of 0.2 %, at 50,000.
        found = order_of(unit="percent", amount="50", type="limit", price="50000")
        assert found.order.quantity == Decimal("0.00998")

    def test_in_percent_a_sale_takes_a_part_of_what_is_free_of_the_position(self):
        assert order_of(side="SELL", unit="percent", amount="50").order.quantity == Decimal("0.00617")

    def test_what_is_rounded_is_told(self):
        note = order_of(unit="base", amount="0.0015678").note
        assert note == "0.0015678 BTC is rounded down to 0.00156 BTC, in steps of 0.00001"

    def test_market_orders_obey_the_coarser_step(self):
        coarse = replace(RULES, market_step_size=Decimal("0.001"))
        draft = replace(BUY, unit="base", amount="0.0025")
        assert sized(draft, coarse, BIDS, ASKS, FREE).order.quantity == Decimal("0.002")
        limit = replace(draft, type="limit", price="1")
        assert sized(limit, coarse, BIDS, ASKS, FREE).order.quantity == Decimal("0.0025")

    @given(amount=st.decimals("0.01", "900000", places=4), unit=st.sampled_from(("base", "quote")))
    def test_a_quantity_is_in_whole_steps_and_never_more_than_asked_for(self, amount, unit):
        wanted = amount if unit == "base" else base_for_quote(ASKS, amount)
        if wanted < RULES.step_size:
            with pytest.raises(ValueError, match="less than the least step"):
                order_of(amount=str(amount), unit=unit)
            return
        quantity = order_of(amount=str(amount), unit=unit).order.quantity
        assert is_multiple(quantity, RULES.step_size)
        assert wanted - RULES.step_size < quantity <= wanted


def test_base_for_quote_goes_on_at_the_last_price_where_the_book_ends():
    assert base_for_quote(((Decimal(10), Decimal(1)),), Decimal(25)) == Decimal("2.5")


class TestMistakes:
    @pytest.mark.parametrize(
        ("changes", "sentence"),
        [
            ({"amount": "1e5"}, "the amount is '1e5': write digits with a dot, such as 0.015"),
            ({"amount": "0,5"}, "the amount is '0,5': write digits with a dot, such as 0.015"),
            ({"amount": "-5"}, "the amount is '-5': write digits with a dot, such as 0.015"),
            ({"amount": "0"}, "the amount is 0: it must be above 0"),
            ({"amount": "9" * 40}, "the amount is '999999999999999999999999…': write digits"),
            ({"amount": "NaN"}, "the amount is 'NaN'"),
            ({"unit": "percent", "amount": "101"}, "is 101 %: at most 100 % of what is free can be taken"),
            ({"unit": "base", "amount": "0.000001"}, "0.000001 BTC is less than the least step, 0.00001 BTC"),
            ({"type": "markt"}, "did you mean market?"),
            ({"side": "BYU"}, "did you mean BUY?"),
            ({"unit": "quotes"}, "did you mean quote?"),
            ({"type": "limit", "price": "abc"}, "the limit price is 'abc'"),
            ({"worst_price": "x"}, "the worst price is 'x'"),
        ],
    )
    def test_each_is_a_sentence(self, changes, sentence):
        with pytest.raises(ValueError, match="is") as told:
            order_of(**changes)
        assert sentence in str(told.value)
        assert not isinstance(told.value, IncompleteError)

    @pytest.mark.parametrize(
        ("changes", "missing"),
        [
            ({"amount": " "}, "the amount is missing"),
            ({"type": "limit"}, "the limit price is missing"),
            ({"type": "stop_limit", "price": "1"}, "the stop price is missing"),
            ({"type": "oco", "price": "1", "stop_price": "1"}, "the stop's limit price is missing"),
        ],
    )
    def test_what_is_not_written_yet_is_none(self, changes, missing):
        with pytest.raises(IncompleteError, match=missing):
            order_of(**changes)

    def test_there_may_be_nothing_to_take_a_part_of(self):
        with pytest.raises(ValueError, match="there is no free BTC to take a part of"):
            order_of(side="SELL", unit="percent", free=replace(FREE, base=Decimal(0)), amount="50")


def test_prices_of_other_types_are_left_out():
    found = order_of(price="1", stop_price="2", stop_limit_price="3", worst_price="70000").order
    assert (found.kind, found.price, found.stop_price, found.worst_price) == (
        OrderKind.MARKET,
        None,
        None,
        Decimal(70_000),
    )

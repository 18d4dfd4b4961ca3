from collections import defaultdict
from decimal import Decimal

import pytest

from binance_trade_agent.domain.orders import Side
from binance_trade_agent.ledger.accounting import Account, balances, external_postings, fill_postings
from tests.ledger.bookkeeping import BTCUSDT, fill


def wallet_of(one_fill):
    return balances(fill_postings(one_fill, **BTCUSDT), Account.WALLET)


def test_a_buy_with_its_fee_in_base_brings_less_base_and_takes_the_whole_quote():
    assert wallet_of(fill()) == {"BTC": Decimal("0.000999"), "USDT": Decimal(-60)}


def test_a_sale_with_its_fee_in_quote_brings_less_quote():
    sale = fill(side=Side.SELL, commission=Decimal("0.06"), commission_asset="USDT")
    assert wallet_of(sale) == {"BTC": Decimal("-0.001"), "USDT": Decimal("59.94")}


def test_a_fee_in_a_third_asset_is_taken_from_that_asset():
    bought = fill(commission=Decimal("0.0001"), commission_asset="BNB")
    assert wallet_of(bought) == {"BTC": Decimal("0.001"), "USDT": Decimal(-60), "BNB": Decimal("-0.0001")}


def test_a_free_trade_posts_nothing_to_the_fees():
    assert balances(fill_postings(fill(commission=Decimal(0)), **BTCUSDT), Account.FEES) == {}


@pytest.mark.parametrize("side", list(Side))
@pytest.mark.parametrize("asset", ["BTC", "USDT", "BNB"])
def test_the_postings_of_a_fill_sum_to_zero_for_each_asset(side, asset):
    sums = defaultdict(Decimal)
    for posting in fill_postings(fill(side=side, commission_asset=asset), **BTCUSDT):
        sums[posting.asset] += posting.amount
    assert set(sums.values()) == {Decimal(0)}


def test_external_amounts_come_in_the_order_of_their_assets_and_leave_zeros_out():
    postings = external_postings({"USDT": Decimal(5), "BTC": Decimal(-1), "ETH": Decimal(0)})
    assert [(posting.asset, posting.account, posting.amount) for posting in postings] == [
        ("BTC", Account.WALLET, Decimal(-1)),
        ("BTC", Account.EXTERNAL, Decimal(1)),
        ("USDT", Account.WALLET, Decimal(5)),
        ("USDT", Account.EXTERNAL, Decimal(-5)),
    ]

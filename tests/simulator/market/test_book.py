from decimal import Decimal
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from binance_trade_agent.domain.money import is_multiple
from binance_trade_agent.domain.orders import Side
from binance_trade_agent.simulator.market.book import LEVELS, Liquidity, OutsideBook

TICK, STEP = Decimal("0.01"), Decimal("0.00001")
LARGEST = Decimal("0.6")


def make_book(seed: int = 1) -> OutsideBook:
    return OutsideBook(tick=TICK, step=STEP, largest_level=LARGEST, random=Random(seed))


@given(
    price=st.decimals("0.01", "200000", places=3),
    side=st.sampled_from(Side),
    liquidity=st.builds(Liquidity, st.integers(1, 500), st.integers(0, 2)),
    draw=st.integers(0, 2**16),
)
def test_any_book_is_sorted_positive_uncrossed_and_on_the_grid(price, side, liquidity, draw):
    bids, asks = make_book().around(price, side, liquidity, draw)

    bid_prices, ask_prices = [level[0] for level in bids], [level[0] for level in asks]
    assert bid_prices == sorted(set(bid_prices), reverse=True)
    assert ask_prices == sorted(set(ask_prices))
    assert len(asks) == LEVELS
    assert len(bids) <= LEVELS
    assert all(bid > 0 for bid in bid_prices)
    assert not bids or bids[0][0] < asks[0][0]
    for level_price, size in [*bids, *asks]:
        assert is_multiple(level_price, TICK)
        assert is_multiple(size, STEP)
        assert STEP <= size <= LARGEST


def test_after_a_buy_the_traded_price_is_the_best_ask():
    bids, asks = make_book().around(Decimal("65000.10"), Side.BUY, Liquidity(3, 0), 0)

    assert (bids[0][0], asks[0][0]) == (Decimal("65000.07"), Decimal("65000.10"))


def test_after_a_sell_the_traded_price_is_the_best_bid():
    bids, asks = make_book().around(Decimal("65000.10"), Side.SELL, Liquidity(3, 0), 0)

    assert (bids[0][0], asks[0][0]) == (Decimal("65000.10"), Decimal("65000.13"))


def test_near_zero_the_bids_end_above_zero():
    bids, _ = make_book().around(Decimal("0.05"), Side.SELL, Liquidity(1, 0), 0)

    assert [price for price, _ in bids] == [Decimal(ticks) * TICK for ticks in (5, 4, 3, 2, 1)]


def test_a_wider_range_widens_the_spread_and_a_still_market_has_one_tick():
    book = make_book()

    assert [book.liquidity(Decimal(50_000), Decimal(width)).spread_ticks for width in (0, 50, 500)] == [1, 100, 1_000]


def test_the_faster_prices_move_the_less_is_offered():
    book = make_book()
    price = Decimal(50_000)

    offered = [
        sum(size for _, size in book.around(price, Side.BUY, book.liquidity(price, Decimal(width)), 5)[0])
        for width in (20, 120, 300)
    ]

    assert offered[1] == pytest.approx(offered[0] / 2, rel=Decimal("0.01"))
    assert offered[2] == pytest.approx(offered[0] / 4, rel=Decimal("0.01"))


def test_the_same_seed_and_draw_give_the_same_sizes():
    def sizes(seed: int, draw: int):
        return make_book(seed).around(Decimal(100), Side.BUY, Liquidity(1, 0), draw)

    assert sizes(1, 7) == sizes(1, 7)
    assert sizes(1, 7) != sizes(1, 8)
    assert sizes(1, 7) != sizes(2, 7)

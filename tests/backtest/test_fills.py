"""Fill rules as tables: a candle, what rests or is sent, and what fills."""

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from binance_trade_agent.backtest.fills import Barriers, CandleFills, FillSettings, Hit, Part
from binance_trade_agent.domain.orders import Side
from tests.backtest.made import MINUTE_MS, NO_COST, START_MS, rules, table

CALM = (100.0, 101.0, 99.0, 100.0, 50.0)
D = Decimal


def fills(*rows, settings=NO_COST, detail=None, tick="0.01"):
    finer = table(detail, interval="1m") if detail else None
    return CandleFills(
        table([CALM, *rows], interval="5m" if detail else "1m", times_ms=_times(rows, detail)),
        rules(tick_size=D(tick)),
        settings,
        finer,
    )


def _times(rows, detail):
    length_ms = 5 * MINUTE_MS if detail else MINUTE_MS
    first_ms = START_MS - length_ms
    return [first_ms + length_ms * index for index in range(len(rows) + 1)]


STOP_98_TARGET_103 = Barriers(D(98), D(103))


@pytest.mark.parametrize(
    ("candle", "hit"),
    [
        pytest.param((100, 102.99, 98.01, 100, 50), None, id="between the barriers nothing happens"),
        pytest.param((100, 101, 98, 99, 50), ("stop", "98"), id="a touched stop sells at its trigger"),
        pytest.param((100, 101, 97, 99, 50), ("stop", "98"), id="a pierced stop sells at its trigger"),
        pytest.param((97, 99, 96, 98, 50), ("stop", "97"), id="a gap through the stop sells at the open"),
        pytest.param((100, 103, 99, 102, 50), ("target", "103"), id="a touched target sells at its price"),
        pytest.param((104, 105, 103.5, 104, 50), ("target", "103"), id="a gap over the target gets no better price"),
        pytest.param((100, 104, 97, 100, 50), ("stop", "98"), id="of both within a candle the stop is first"),
        pytest.param((104, 105, 97, 98, 50), ("target", "103"), id="both, but it opens over the target"),
        pytest.param((97, 105, 96, 104, 50), ("stop", "97"), id="both, but it opens under the stop"),
        pytest.param((100, 104, 97, 100, 0), None, id="nobody trades, nothing fills"),
    ],
)
def test_what_a_candle_does_to_a_stop_and_a_target(candle, hit):
    found = fills(candle).resting(1, STOP_98_TARGET_103, D(1))
    if hit is None:
        assert found is None
    else:
        name, price = hit
        assert found == Hit(is_stop=name == "stop", parts=(Part(D(price), D(1)),))


@pytest.mark.parametrize(
    ("finer", "is_stop"),
    [
        ([(100, 103.5, 100, 103, 9), (103, 103, 97, 97, 9)], False),
        ([(100, 101, 97.5, 98, 9), (98, 104, 98, 104, 9)], True),
        ([(100, 103.5, 97.5, 98, 9), (98, 104, 98, 104, 9)], True),  # not told apart even there: the worse
    ],
)
def test_finer_candles_say_which_barrier_came_first(finer, is_stop):
    found = fills((100, 104, 97, 100, 50), detail=finer).resting(1, STOP_98_TARGET_103, D(1))
    assert found is not None
    assert found.is_stop is is_stop


def test_a_market_order_fills_at_the_open_with_half_the_spread_against_it():
    rows = fills((200, 210, 190, 205, 50), settings=FillSettings(D(0), D("0.1"), "none", volume_share_pct=D(0)))
    assert rows.market(1, Side.BUY, D(1)) == (Part(D("200.10"), D(1)),)
    assert rows.market(1, Side.SELL, D(1)) == (Part(D("199.90"), D(1)),)
    assert rows.quote(1) == (D("199.90"), D("200.10"), D(200))


def test_a_spread_rounds_against_the_account():
    rows = fills((33.33, 34, 33, 33, 50), settings=FillSettings(D(0), D("0.1"), "none"))
    assert rows.quote(1).bid == D("33.31")  # 33.313335
    assert rows.quote(1).ask == D("33.35")  # 33.346665


def test_fixed_slippage_is_a_part_of_the_price():
    rows = fills((100, 101, 99, 100, 50), settings=FillSettings(D(0), D(0), "fixed", D("0.5"), volume_share_pct=D(0)))
    assert rows.market(1, Side.BUY, D(1))[0].price == D("100.50")
    assert rows.resting(1, Barriers(D(99), None), D(1)) == Hit(is_stop=True, parts=(Part(D("98.50"), D(1)),))


def test_square_root_slippage_doubles_with_four_times_the_quantity():
    up_and_down = [(100 + i % 2, 102, 99, 100 + (i + 1) % 2, 1000.0) for i in range(50)]
    rows = fills(*up_and_down, settings=FillSettings(D(0), D(0), "sqrt", impact=D(1), volume_share_pct=D(0)), tick="0")
    one, four = (rows.market(41, Side.BUY, D(quantity))[0].price - 100 for quantity in (10, 40))
    assert four == pytest.approx(2 * one, rel=D("0.001"))
    # a candle moves by about 1 %, and a hundredth of its volume by a tenth of that
    assert one == pytest.approx(D("0.1"), rel=D("0.1"))


def test_an_order_gets_no_more_than_its_share_of_the_volume():
    settings = FillSettings(D(0), D(0), "none", volume_share_pct=D(10))
    assert fills((100, 101, 99, 100, 3), settings=settings).market(1, Side.BUY, D(1)) == (Part(D(100), D("0.3")),)
    assert fills((100, 101, 99, 100, 0), settings=settings).market(1, Side.BUY, D(1)) == ()


prices = st.integers(1, 20_000).map(lambda cents: cents / 100)


@given(st.lists(st.tuples(prices, prices), min_size=1, max_size=30), prices, prices, st.integers(0, 30))
def test_the_search_finds_every_candle_that_hits(pairs, stop, target, spread):
    candles = [(low, max(low, high), low, max(low, high), 5.0) for low, high in pairs]
    rows = fills(*candles, settings=FillSettings(D(0), D(spread) / 10, "none", volume_share_pct=D(0)))
    barriers = Barriers(D(str(stop)), D(str(max(stop, target))))
    found = set(rows.rows_hit(barriers, 0, len(candles) + 1))
    hit = {row for row in range(len(candles) + 1) if rows.resting(row, barriers, D(1))}
    assert hit <= found
    assert len(found - hit) <= 1  # a float next to the limit


@given(
    st.lists(prices, min_size=1, max_size=30),
    st.decimals(0, 5, places=3),
    st.sampled_from(["0.01", "0.1", "0.00001", "0"]),
)
def test_whole_columns_of_bids_are_the_floats_of_the_exact_ones(opens, spread, tick):
    rows = fills(*[(p, p, p, p, 1.0) for p in opens], settings=FillSettings(D(0), spread, "none"), tick=tick)
    exact = [float(rows.bid(row)) for row in range(len(opens) + 1)]
    assert np.allclose(rows.bids(np.arange(len(opens) + 1)), exact, rtol=1e-15, atol=0)

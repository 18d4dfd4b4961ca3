from decimal import Decimal
from itertools import pairwise
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from binance_trade_agent.domain.money import ZERO, is_multiple
from binance_trade_agent.domain.orders import Side
from binance_trade_agent.simulator.market.candle_columns import CandleColumns
from binance_trade_agent.simulator.market.path import PathTrade, path_of, trade_count, trade_counts
from tests.simulator.market.candles import START_MS, candle, sound_candles

TICK, STEP = Decimal("0.01"), Decimal("0.00001")

seeds = st.integers(0, 2**32)


def path(source, seed=1) -> list[PathTrade]:
    return list(path_of(source, tick=TICK, step=STEP, random=Random(seed)))


@given(sound_candles(), seeds)
def test_the_trades_of_any_candle_rebuild_it_exactly(source, seed):
    trades = path(source, seed)

    assert sum((trade.quantity for trade in trades), ZERO) == source.volume
    assert len(trades) == trade_count(source, STEP)
    if source.volume:
        prices = [trade.price for trade in trades]
        assert (prices[0], max(prices), min(prices), prices[-1]) == (
            source.open,
            source.high,
            source.low,
            source.close,
        )
        assert all(trade.quantity > 0 for trade in trades)


@given(sound_candles(), seeds)
def test_trades_come_in_time_order_within_the_candle_and_the_first_at_its_open(source, seed):
    times = [trade.at_ms for trade in path(source, seed)]

    assert times == sorted(set(times))
    assert all(source.open_time_ms <= at_ms <= source.close_time_ms for at_ms in times)
    assert not times or times[0] == source.open_time_ms


@given(sound_candles(), seeds)
def test_all_quantities_but_the_last_are_whole_steps_when_there_are_enough(source, seed):
    quantities = [trade.quantity for trade in path(source, seed)]

    if source.volume >= 4 * STEP:
        assert all(is_multiple(quantity, STEP) for quantity in quantities[:-1])
        assert quantities[-1] >= STEP


@given(seeds)
def test_prices_of_a_candle_on_the_grid_stay_on_the_grid(seed):
    source = candle(START_MS, "65000.00 65060.13 64950.07 65010.50", "12.34567")

    assert all(is_multiple(trade.price, TICK) for trade in path(source, seed))


def test_a_minute_has_a_trade_every_five_seconds():
    source = candle(START_MS, "100 101 99 100.5", "10")

    assert [trade.at_ms - START_MS for trade in path(source)] == list(range(0, 60_000, 5_000))


def test_half_an_hour_has_a_trade_every_five_seconds_too():
    source = candle(START_MS, "100 101 99 100.5", "10", "30m")

    assert len(path(source)) == 360


def test_a_candle_without_volume_has_no_trades():
    assert path(candle(START_MS, "100 100 100 100", "0")) == []


def test_the_taker_buys_when_the_price_rises_and_sells_when_it_falls():
    trades = path(candle(START_MS, "100 110 90 105", "10"))

    for before, after in pairwise(trades):
        if before.price != after.price:
            assert after.taker_side is (Side.BUY if after.price > before.price else Side.SELL)


def test_the_same_random_state_gives_the_same_path_and_another_gives_another():
    source = candle(START_MS, "100 110 90 105", "10")

    assert path(source, 5) == path(source, 5)
    assert path(source, 5) != path(source, 6)


@given(st.lists(sound_candles(), max_size=5), st.sampled_from([STEP, Decimal(1), Decimal("0.00000001")]))
def test_trades_are_counted_alike_for_one_candle_and_for_many(candles, step):
    beyond_64_bits = candle(START_MS, "5 6 4 5", "300000000000")

    for many in (candles, [*candles, beyond_64_bits]):
        counts = trade_counts(CandleColumns.of(many), step, spacing_ms=15_000)
        assert counts.tolist() == [trade_count(source, step, 15_000) for source in many]

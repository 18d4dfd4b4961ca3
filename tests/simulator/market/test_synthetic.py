import hashlib
import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from binance_trade_agent.simulator.market.candle_columns import CandleColumns
from binance_trade_agent.simulator.market.feed import Feed, FeedError
from binance_trade_agent.simulator.market.synthetic import SyntheticFeed
from binance_trade_agent.simulator.market.synthetic_candles import SyntheticCandles
from tests.simulator.market.candles import MINUTE_MS, START_MS, rows_of

DAY_MS = 1_440 * MINUTE_MS

FINGERPRINT = """
import hashlib, sys
from binance_trade_agent.simulator.market.synthetic import SyntheticFeed
feed = SyntheticFeed(["ETHUSDT", "BTCUSDT"], seed=7, start_ms=int(sys.argv[1]), history_minutes=30)
prints = [repr(item) for item in feed.prints_until(feed.start_ms + 600_000)]
print(hashlib.sha256("".join(prints).encode()).hexdigest())
"""


def feed_of(*symbols: str, seed: int = 7, **options) -> SyntheticFeed:
    return SyntheticFeed(symbols, seed=seed, start_ms=START_MS, history_minutes=30, **options)


def prints_of(feed: Feed, symbol: str, minutes: int = 10):
    return [item for item in feed.prints_until(feed.start_ms + minutes * MINUTE_MS) if item.symbol == symbol]


def test_the_same_seed_gives_the_same_market_in_another_process():
    feed = feed_of("ETHUSDT", "BTCUSDT")
    prints = [repr(item) for item in feed.prints_until(START_MS + 600_000)]

    other = subprocess.run(
        [sys.executable, "-c", FINGERPRINT, str(START_MS)], capture_output=True, text=True, check=True
    )

    assert other.stdout.strip() == hashlib.sha256("".join(prints).encode()).hexdigest()


def test_another_seed_gives_another_market():
    assert prints_of(feed_of("BTCUSDT", seed=1), "BTCUSDT") != prints_of(feed_of("BTCUSDT", seed=2), "BTCUSDT")


@pytest.mark.parametrize("others", [(), ("ETHUSDT",), ("SOLUSDT", "ETHUSDT")])
def test_a_symbol_does_not_depend_on_the_others_or_on_their_order(others):
    alone = feed_of("BTCUSDT")
    together = feed_of(*others, "BTCUSDT")

    assert rows_of(together.history("BTCUSDT")) == rows_of(alone.history("BTCUSDT"))
    assert prints_of(together, "BTCUSDT") == prints_of(alone, "BTCUSDT")


@given(st.lists(st.tuples(st.integers(-20, 200), st.integers(0, 60)), min_size=1, max_size=8))
@settings(max_examples=30)
def test_candles_do_not_depend_on_the_order_in_which_they_are_asked_for(spans):
    whole = SyntheticCandles("BTCUSDT", seed=3, genesis_ms=START_MS).between(START_MS, START_MS + 300 * MINUTE_MS)
    asked = SyntheticCandles("BTCUSDT", seed=3, genesis_ms=START_MS)

    for first, length in spans:
        part = asked.between(START_MS + first * MINUTE_MS, START_MS + (first + length) * MINUTE_MS)
        assert part == whole[max(0, first) : max(0, first + length)]


def test_candles_are_sound_and_join_without_a_gap():
    candles = SyntheticCandles("SOLUSDT", seed=3, genesis_ms=START_MS).between(0, START_MS + DAY_MS)

    assert len(candles) == 1_440
    assert all(candle.is_sound and candle.volume for candle in candles)
    for before, after in pairwise(candles):
        assert after.open_time_ms == before.close_time_ms + 1
        assert after.open == before.close


@pytest.mark.parametrize("symbol", ["BTCUSDT", "ETHUSDT", "BNBUSDT", "SOLUSDT", "DOGEUSDT", "ETHBTC"])
def test_prices_stay_plausible_for_a_week_and_move_each_minute(symbol):
    candles = SyntheticCandles(symbol, seed=11, genesis_ms=START_MS).between(START_MS, START_MS + 7 * DAY_MS)

    first = candles[0].open
    moves = [abs(candle.close / candle.open - 1) for candle in candles]
    assert all(first / 2 < candle.low <= candle.high < first * 2 for candle in candles)
    assert 0.0003 < sum(moves) / len(moves) < 0.0015
    assert max(moves) < 0.03


WEEK = {
    (symbol, seed): SyntheticCandles(symbol, seed=seed, genesis_ms=START_MS).between(START_MS, START_MS + 7 * DAY_MS)
    for symbol in ("BTCUSDT", "ETHUSDT", "SIM1USDT")
    for seed in (5, 7)
}


def returns(symbol: str, seed: int) -> np.ndarray:
    return np.array([float(candle.close / candle.open) - 1 for candle in WEEK[symbol, seed]])


@pytest.mark.parametrize("seed", [5, 7])
@pytest.mark.parametrize(("symbol", "least", "most"), [("ETHUSDT", 0.85, 0.97), ("SIM1USDT", 0.65, 0.9)])
def test_symbols_move_together_but_not_as_one(seed, symbol, least, most):
    assert least < np.corrcoef(returns("BTCUSDT", seed), returns(symbol, seed))[0, 1] < most


@pytest.mark.parametrize(("symbol", "seed"), WEEK)
def test_extreme_minutes_are_more_frequent_than_in_a_normal_distribution(symbol, seed):
    moves = returns(symbol, seed)

    kurtosis = np.mean((moves - moves.mean()) ** 4) / moves.var() ** 2
    assert 3.5 < kurtosis < 12


@pytest.mark.parametrize(("symbol", "seed"), WEEK)
def test_volatility_comes_in_clusters(symbol, seed):
    sizes = np.abs(returns(symbol, seed))

    correlations = [np.corrcoef(sizes[:-lag], sizes[lag:])[0, 1] for lag in (1, 5, 20)]
    assert correlations[0] > correlations[1] > correlations[2] > 0.02


def test_spreads_widen_and_depth_thins_with_volatility():
    feed = feed_of("BTCUSDT")
    prints = prints_of(feed, "BTCUSDT", minutes=360)
    candles = {candle.open_time_ms: candle for candle in feed.candles("BTCUSDT", 0, START_MS + 360 * MINUTE_MS)}
    ranges, spreads, depths = [], [], []
    for item in prints:
        candle = candles[item.at_ms // MINUTE_MS * MINUTE_MS]
        ranges.append(float(candle.high - candle.low))
        spreads.append(float(item.asks[0][0] - item.bids[0][0]))
        depths.append(float(sum(size for _, size in item.bids)))

    assert np.corrcoef(ranges, spreads)[0, 1] > 0.9
    assert np.corrcoef(ranges, depths)[0, 1] < -0.4


def test_calm_hours_are_calmer_than_volatile_ones():
    spread = np.sort([returns("BTCUSDT", 7)[hour : hour + 60].std() for hour in range(0, 10_080, 60)])

    assert spread[-17:].mean() > 2 * spread[:17].mean()


def test_the_past_has_a_thousand_hours_and_ends_where_the_history_begins():
    feed = SyntheticFeed(["BTCUSDT"], seed=7, start_ms=START_MS + 25 * MINUTE_MS)

    history = rows_of(feed.history("BTCUSDT"))

    assert all(candle.is_sound and candle.volume for candle in history)
    for before, after in pairwise(history):
        assert after.open_time_ms == before.close_time_ms + 1
        assert after.open == before.close
    lengths = [candle.close_time_ms + 1 - candle.open_time_ms for candle in history]
    assert lengths == sorted(lengths, reverse=True)
    assert lengths.count(MINUTE_MS) >= 1_500
    assert lengths.count(5 * MINUTE_MS) == 9 * 288
    assert START_MS - history[0].open_time_ms > 1_000 * 60 * MINUTE_MS
    assert all(candle.open_time_ms % length == 0 for candle, length in zip(history, lengths, strict=True))


@pytest.mark.parametrize("symbol", ["BTCUSDT", "SIM1USDT", "ETHBTC"])
def test_the_history_has_the_same_candles_as_the_market(symbol):
    feed = feed_of(symbol)

    history = feed.history(symbol)

    assert rows_of(history) == list(feed.candles(symbol, 0, START_MS - 1))


@pytest.mark.parametrize("symbol", ["BTCUSDT", "SIM1USDT", "ETHBTC"])
def test_candles_have_as_many_prints_as_they_are_said_to_have(symbol):
    feed = feed_of(symbol)
    candles = CandleColumns.of(feed.candles(symbol, START_MS - 1, START_MS + 9 * MINUTE_MS))

    assert feed.print_counts(symbol, candles).sum() == len(list(feed.prints_until(START_MS + 10 * MINUTE_MS - 1)))


def test_the_past_changes_nothing_after_it():
    def prints(history_minutes):
        return prints_of(
            SyntheticFeed(["BTCUSDT"], seed=7, start_ms=START_MS, history_minutes=history_minutes), "BTCUSDT"
        )

    assert prints(None) == prints(1_500)


def test_less_traded_symbols_print_less_often():
    feed = feed_of("BTCUSDT", "SIM1USDT")

    prints = list(feed.prints_until(START_MS + 10 * MINUTE_MS - 1))

    assert [sum(item.symbol == symbol for item in prints) for symbol in feed.symbols] == [120, 40]


def test_prints_come_by_time_then_by_the_order_of_the_symbols_and_each_once():
    feed = feed_of("ETHUSDT", "BTCUSDT")
    first = list(feed.prints_until(START_MS + 12_000))
    later = list(feed.prints_until(START_MS + 30_000))

    assert [(item.at_ms - START_MS, item.symbol) for item in first] == [
        (second * 1_000, symbol) for second in (0, 5, 10) for symbol in ("ETHUSDT", "BTCUSDT")
    ]
    assert later[0].at_ms == START_MS + 15_000
    assert list(feed.prints_until(START_MS + 30_000)) == []


def test_a_reader_that_stops_early_loses_nothing():
    feed, twin = feed_of("BTCUSDT"), feed_of("BTCUSDT")
    wanted = list(twin.prints_until(START_MS + MINUTE_MS))

    got = [next(iter(feed.prints_until(START_MS + MINUTE_MS)))]
    got += feed.prints_until(START_MS + MINUTE_MS)

    assert got == wanted


@pytest.mark.parametrize("offset_ms", [0, 1, 17_000, MINUTE_MS, 7 * MINUTE_MS + 30_001])
def test_a_continued_session_goes_on_with_the_same_prints(offset_ms):
    whole = list(feed_of("BTCUSDT").prints_until(START_MS + 10 * MINUTE_MS))

    continued = feed_of("BTCUSDT", resume_ms=START_MS + offset_ms)

    rest = list(continued.prints_until(START_MS + 10 * MINUTE_MS))
    assert rest == [item for item in whole if item.at_ms >= START_MS + offset_ms]
    assert len(continued.history("BTCUSDT")) == 30 + offset_ms // MINUTE_MS


def test_a_session_that_starts_within_a_minute_has_the_minutes_beginning_in_its_prelude():
    feed = SyntheticFeed(["BTCUSDT"], seed=7, start_ms=START_MS + 20_000, history_minutes=30)

    prelude = feed.prelude("BTCUSDT")

    assert (prelude[0].at_ms, prelude[-1].at_ms) == (START_MS + 20_000 - 5 * MINUTE_MS, START_MS + 15_000)
    assert next(feed.prints_until(START_MS + MINUTE_MS)).at_ms == START_MS + 20_000
    assert len(feed.history("BTCUSDT")) == 30


@pytest.mark.parametrize(
    ("symbols", "reason"),
    [((), "at least one symbol"), (("BTCUSDT", "BTCUSDT"), "named twice"), (("BTCEUR",), "'BTCEUR' is unknown")],
)
def test_symbols_that_make_no_market_are_refused(symbols, reason):
    with pytest.raises(FeedError, match=reason):
        feed_of(*symbols)

import hashlib
import subprocess
import sys
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from binance_trade_agent.simulator.market.feed import Feed, FeedError
from binance_trade_agent.simulator.market.synthetic import SyntheticCandles, SyntheticFeed
from tests.simulator.market.candles import MINUTE_MS, START_MS

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

    assert together.history("BTCUSDT") == alone.history("BTCUSDT")
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


def test_symbols_share_a_common_factor():
    start, end = START_MS, START_MS + 2 * DAY_MS
    returns = {
        symbol: [
            float(candle.close / candle.open - 1)
            for candle in SyntheticCandles(symbol, seed=5, genesis_ms=START_MS).between(start, end)
        ]
        for symbol in ("BTCUSDT", "ETHUSDT")
    }

    assert 0.5 < correlation(*returns.values()) < 0.99


def correlation(left: list[float], right: list[float]) -> float:
    mean_left, mean_right = sum(left) / len(left), sum(right) / len(right)
    left, right = [value - mean_left for value in left], [value - mean_right for value in right]
    covariance = sum(a * b for a, b in zip(left, right, strict=True))
    return covariance / (sum(a * a for a in left) * sum(b * b for b in right)) ** 0.5


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

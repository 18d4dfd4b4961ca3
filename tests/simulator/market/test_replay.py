from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from binance_trade_agent.domain.candles import INTERVAL_MS
from binance_trade_agent.simulator.market.feed import FeedError
from binance_trade_agent.simulator.market.replay import ReplayFeed
from binance_trade_agent.simulator.market.state import Market
from binance_trade_agent.simulator.market.synthetic_candles import SyntheticCandles
from tests.simulator.market.candles import MINUTE_MS, START_MS, candle, sound_candles, write_candles
from tests.simulator.market.playing import PlayedMarket, opened


def recorded(symbol: str, minutes: int, first_ms: int = START_MS):
    return SyntheticCandles(symbol, seed=1, genesis_ms=first_ms).between(first_ms, first_ms + minutes * MINUTE_MS)


def flat(open_ms: int, price: str):
    return candle(open_ms, " ".join([price] * 4), "0")


def played(feed: ReplayFeed) -> Market:
    market = PlayedMarket(feed).play(feed.ends_ms - 1)
    market.advance_to(feed.ends_ms + 10 * MINUTE_MS)
    return market


def rows_of(market: Market, symbol: str, interval: str = "1m"):
    klines = market.klines(symbol, interval, start_ms=0, limit=100_000)
    return [(row.open_time_ms, row.open, row.high, row.low, row.close, row.volume) for row in klines]


def rows(candles):
    return [(row.open_time_ms, row.open, row.high, row.low, row.close, row.volume) for row in candles]


def test_klines_after_a_replay_equal_the_files_rows_exactly(tmp_path):
    bitcoin, ether = recorded("BTCUSDT", 90), recorded("ETHUSDT", 90)
    paths = [
        write_candles(tmp_path / "BTCUSDT-1m.csv.gz", bitcoin),
        write_candles(tmp_path / "ETHUSDT-1m.csv", ether),
    ]

    market = played(ReplayFeed(paths, start_ms=START_MS + 20 * MINUTE_MS))

    assert rows_of(market, "BTCUSDT") == rows(bitcoin)
    assert rows_of(market, "ETHUSDT") == rows(ether)


@given(st.lists(sound_candles(), min_size=1, max_size=6), st.lists(st.integers(1, 4), min_size=5, max_size=5))
@settings(max_examples=60)
def test_any_sound_candles_with_any_gaps_come_back_exactly(tmp_path_factory, candles, gaps):
    placed, open_ms = [], START_MS
    for source, gap in zip(candles, [1, *gaps], strict=False):
        shape = f"{source.open:f} {source.high:f} {source.low:f} {source.close:f}"
        if not source.volume:
            shape = " ".join([f"{source.open:f}"] * 4)
        placed.append(candle(open_ms, shape, f"{source.volume:f}"))
        open_ms += gap * MINUTE_MS
    path = write_candles(tmp_path_factory.mktemp("replay") / "XYZUSDT-1m.csv", placed)

    assert rows_of(played(ReplayFeed([path], start_ms=START_MS)), "XYZUSDT") == rows(placed)


def test_a_halt_shows_its_recorded_minutes_without_volume_and_leaves_its_gap(tmp_path):
    before, after = recorded("BTCUSDT", 5), recorded("BTCUSDT", 5, START_MS + 20 * MINUTE_MS)
    halt = [flat(START_MS + minute * MINUTE_MS, "28080.0") for minute in range(5, 9)]
    path = write_candles(tmp_path / "BTCUSDT-1m.csv", [*before, *halt, *after])

    market = played(ReplayFeed([path], start_ms=START_MS + 3 * MINUTE_MS))

    assert rows_of(market, "BTCUSDT") == rows([*before, *halt, *after])


def test_a_session_that_starts_in_a_gap_stands_at_the_last_price_before_it(tmp_path):
    before, after = recorded("BTCUSDT", 5), recorded("BTCUSDT", 5, START_MS + 60 * MINUTE_MS)
    halt = [flat(START_MS + 5 * MINUTE_MS, "64000")]
    path = write_candles(tmp_path / "BTCUSDT-1m.csv", [*before, *halt, *after])

    feed = ReplayFeed([path], start_ms=START_MS + 30 * MINUTE_MS)
    market = opened(feed)

    assert market.last_price("BTCUSDT") == before[-1].close
    assert feed.prelude("BTCUSDT")[-1].bids
    assert market.average_price("BTCUSDT") == before[-1].close
    assert rows_of(market, "BTCUSDT") == rows([*before, *halt])


def test_coarser_candles_are_played_and_shorter_intervals_are_made_of_their_trades(tmp_path):
    half_hours = [candle(START_MS + n * INTERVAL_MS["30m"], "10 12 9 11", "500", "30m") for n in range(6)]
    path = write_candles(tmp_path / "BTCUSDT-30m.csv", half_hours)

    market = played(ReplayFeed([path], start_ms=START_MS + 40 * MINUTE_MS))

    assert rows_of(market, "BTCUSDT", "30m") == rows(half_hours)
    assert len(rows_of(market, "BTCUSDT", "1h")) == 3
    minutes = market.klines("BTCUSDT", "1m", limit=30)
    (last,) = market.klines("BTCUSDT", "30m", limit=1)
    assert sum(minute.volume for minute in minutes) == last.volume
    assert (minutes[0].open_time_ms, minutes[-1].close_time_ms) == (last.open_time_ms, last.close_time_ms)


def test_the_market_ends_with_the_last_candle(tmp_path):
    candles = recorded("BTCUSDT", 5)
    feed = ReplayFeed([write_candles(tmp_path / "BTCUSDT-1m.csv", candles)], start_ms=START_MS)

    market = played(feed)

    assert feed.ends_ms == START_MS + 5 * MINUTE_MS
    assert list(feed.prints_until(feed.ends_ms + 10**9)) == []
    assert market.last_price("BTCUSDT") == candles[-1].close
    assert market.klines("BTCUSDT", "1m", limit=1)[0].open_time_ms == candles[-1].open_time_ms


def test_by_default_1500_candles_are_history(tmp_path):
    path = write_candles(tmp_path / "BTCUSDT-1m.csv", recorded("BTCUSDT", 1_600))

    feed = ReplayFeed([path])

    assert feed.start_ms == START_MS + 1_500 * MINUTE_MS
    assert len(feed.history("BTCUSDT")) == 1_500


def test_a_short_file_starts_in_its_middle(tmp_path):
    feed = ReplayFeed([write_candles(tmp_path / "BTCUSDT-1m.csv", recorded("BTCUSDT", 10))])

    assert feed.start_ms == START_MS + 5 * MINUTE_MS


def test_a_continued_replay_gives_the_rest_and_the_same_klines(tmp_path):
    candles = recorded("BTCUSDT", 30)
    path = write_candles(tmp_path / "BTCUSDT-1m.csv", candles)
    whole = list(ReplayFeed([path], start_ms=START_MS).prints_until(START_MS + 10**9))

    feed = ReplayFeed([path], start_ms=START_MS, resume_ms=START_MS + 7 * MINUTE_MS + 31_000)

    assert rows_of(played(feed), "BTCUSDT") == rows(candles)
    continued = ReplayFeed([path], start_ms=START_MS, resume_ms=feed.resume_ms)
    assert list(continued.prints_until(START_MS + 10**9)) == [item for item in whole if item.at_ms >= feed.resume_ms]


@pytest.mark.parametrize("minute", [-1, 10])
def test_a_start_outside_the_data_is_refused_with_their_span(tmp_path, minute):
    path = write_candles(tmp_path / "BTCUSDT-1m.csv", recorded("BTCUSDT", 10))
    start_ms = START_MS + minute * MINUTE_MS
    start = datetime.fromtimestamp(start_ms / 1000, UTC).strftime("%H:%M:%SZ")

    with pytest.raises(FeedError) as caught:
        ReplayFeed([path], start_ms=start_ms)

    assert start in str(caught.value)
    assert "go from 2026-01-05T00:00:00Z to 2026-01-05T00:09:59Z" in str(caught.value)


def test_two_files_of_one_symbol_are_refused(tmp_path):
    paths = [write_candles(tmp_path / name, recorded("BTCUSDT", 10)) for name in ("BTCUSDT-1m.csv", "BTCUSDT-1m-b.csv")]

    with pytest.raises(FeedError, match=r"BTCUSDT-1m\.csv and BTCUSDT-1m-b\.csv are both of BTCUSDT"):
        ReplayFeed(paths)


def test_files_without_a_common_time_are_refused(tmp_path):
    paths = [
        write_candles(tmp_path / "BTCUSDT-1m.csv", recorded("BTCUSDT", 10)),
        write_candles(tmp_path / "ETHUSDT-1m.csv", recorded("ETHUSDT", 10, START_MS + 600 * MINUTE_MS)),
    ]

    with pytest.raises(FeedError, match="no time in common"):
        ReplayFeed(paths)


def test_no_file_is_refused():
    with pytest.raises(FeedError, match="at least one candle file"):
        ReplayFeed([])

"""Candle streams: each candle closes once and equals REST, at any step of the market."""

from itertools import pairwise

import pytest

from binance_trade_agent.domain.candles import DAY_MS, MINUTE_MS
from binance_trade_agent.simulator.exchange import Exchange
from binance_trade_agent.simulator.market.payloads import kline_row
from binance_trade_agent.simulator.streams.names import INTERVALS
from tests.simulator.streams.market import Market

ZONE_MS = 8 * 60 * MINUTE_MS


def as_row(kline: dict) -> list:
    """A stream's candle as the row of GET klines."""
    return [kline[name] for name in ("t", "o", "h", "l", "c", "v", "T", "q", "n", "V", "Q", "B")]


def rest_rows(exchange: Exchange, interval: str, start_ms: int, zone_ms: int = 0) -> list[list]:
    klines = exchange.market.klines("BTCUSDT", interval, start_ms=start_ms, limit=1000, zone_ms=zone_ms)
    return [kline_row(kline) for kline in klines]


def check_closed_once(market: Market, messages: list[dict], interval: str, *, zone_ms: int = 0) -> None:
    closed = [message["k"] for message in messages if message["k"]["x"]]
    rows = rest_rows(market.exchange, interval, messages[0]["k"]["t"], zone_ms)
    assert [as_row(kline) for kline in closed] == rows[: len(closed)]
    assert len(closed) == sum(row[6] < market.exchange.now_ms for row in rows)
    assert all(later["t"] == kline["T"] + 1 for kline, later in pairwise(closed))


@pytest.mark.parametrize("step_ms", [50, 700, 1_000, 4_999])
def test_minutes_and_seconds_close_once_and_equal_rest(step_ms):
    market = Market(history_minutes=30)
    minutes, seconds = market.listen("btcusdt@kline_1m"), market.listen("btcusdt@kline_1s")
    market.run(125_000, step_ms)
    check_closed_once(market, minutes.take(), "1m")
    check_closed_once(market, seconds.take(), "1s")


def test_longer_candles_of_all_lengths_and_zones_close_once_and_equal_rest():
    market = Market(history_minutes=30)
    listeners = {
        (interval, zone): market.listen(f"btcusdt@kline_{interval}{zone}")
        for interval in INTERVALS[2:]
        for zone in ("", "@+08:00")
    }
    for _ in range(6):
        market.advance(7 * 60 * MINUTE_MS)
    for (interval, zone), listener in listeners.items():
        check_closed_once(market, listener.take(), interval, zone_ms=ZONE_MS if zone else 0)


def test_day_in_another_zone_opens_at_its_midnight():
    market = Market(history_minutes=30)
    listener = market.listen("btcusdt@kline_1d@+08:00")
    market.advance(DAY_MS)
    messages = listener.take()
    assert all((message["k"]["t"] + ZONE_MS) % DAY_MS == 0 for message in messages)
    assert messages[0]["k"]["i"] == "1d"


def test_far_jump_closes_every_candle_in_between():
    market = Market(history_minutes=30)
    listener = market.listen("btcusdt@kline_1m")
    market.advance(3 * 60 * MINUTE_MS)
    messages = listener.take()
    assert [message["k"]["x"] for message in messages] == [True] * 180 + [False]
    check_closed_once(market, messages, "1m")


def test_open_candle_comes_every_two_seconds_and_every_second_for_one_second_candles():
    market = Market(history_minutes=30)
    minutes, seconds = market.listen("btcusdt@kline_1m"), market.listen("btcusdt@kline_1s")
    market.run(20_000)
    times = [message["E"] for message in minutes.take() if message["E"] % 2_000 == 0]
    assert {later - earlier for earlier, later in pairwise(times)} == {2_000}
    opened = {message["E"] // 1_000 for message in seconds.take()}
    assert opened == set(range(min(opened), min(opened) + 21))


def test_candle_without_a_trade_has_no_trade_ids():
    market = Market(history_minutes=30)
    listener = market.listen("btcusdt@kline_1s")
    market.run(10_000)
    klines = [message["k"] for message in listener.take()]
    assert {(kline["f"], kline["L"]) for kline in klines if not kline["n"]} == {(-1, -1)}
    assert all(kline["L"] - kline["f"] == kline["n"] - 1 for kline in klines if kline["n"])


def test_times_are_in_microseconds_on_request():
    market = Market(history_minutes=30)
    plain = market.listen("btcusdt@kline_1m")
    fine = market.listen("btcusdt@kline_1m", in_microseconds=True)
    market.advance(2_000)
    [message], [micro] = plain.take(), fine.take()
    times = {"t": message["k"]["t"] * 1000, "T": message["k"]["T"] * 1000 + 999}
    assert micro == {**message, "E": message["E"] * 1000, "k": {**message["k"], **times}}

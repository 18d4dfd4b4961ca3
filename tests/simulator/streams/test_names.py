"""Names of market streams."""

import pytest

from binance_trade_agent.simulator.streams.names import INTERVALS, Kind, StreamName, parse_name


@pytest.mark.parametrize("kind", ["trade", "aggTrade", "bookTicker", "miniTicker", "ticker", "avgPrice"])
def test_plain_streams_of_a_symbol(kind):
    assert parse_name(f"btcusdt@{kind}") == StreamName(Kind(kind), "BTCUSDT")


@pytest.mark.parametrize("interval", INTERVALS)
def test_candles_of_every_interval_and_zone(interval):
    assert parse_name(f"btcusdt@kline_{interval}") == StreamName(Kind.KLINE, "BTCUSDT", interval=interval)
    shifted = parse_name(f"btcusdt@kline_{interval}@+08:00")
    assert (shifted.interval, shifted.zone_ms) == (interval, 8 * 3_600_000)


@pytest.mark.parametrize(
    ("name", "levels", "is_fast"),
    [
        ("btcusdt@depth", None, False),
        ("btcusdt@depth@100ms", None, True),
        ("btcusdt@depth5", 5, False),
        ("btcusdt@depth10@100ms", 10, True),
        ("btcusdt@depth20", 20, False),
    ],
)
def test_depth_streams(name, levels, is_fast):
    parsed = parse_name(name)
    assert (parsed.kind, parsed.levels, parsed.is_fast) == (Kind.DEPTH, levels, is_fast)


def test_window_tickers_and_streams_of_all_symbols():
    assert parse_name("ethusdt@ticker_4h") == StreamName(Kind.WINDOW_TICKER, "ETHUSDT", window="4h")
    assert parse_name("!ticker_1d@arr") == StreamName(Kind.WINDOW_TICKER, window="1d")
    assert parse_name("!miniTicker@arr") == StreamName(Kind.MINI_TICKER)


@pytest.mark.parametrize(
    "name",
    [
        "0", "", "@", "btcusdt", "btcusdt@", "btcusdt@nope", "BTCUSDT@trade", "btcusdt@kline_2m", "btcusdt@kline_",
        "btcusdt@kline_1m@+09:00", "btcusdt@depth7", "btcusdt@depth5@250ms", "btcusdt@ticker_2h", "!trade@arr",
        "!ticker@arr", "!bookTicker", "btcusdt@trade/ethusdt@trade", "btc usdt@trade", "btcusdt@trade\n",
    ],
)  # fmt: skip
def test_unknown_and_removed_names_are_none(name):
    assert parse_name(name) is None

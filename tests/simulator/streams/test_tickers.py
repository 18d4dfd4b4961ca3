"""Statistics streams: the numbers of REST once a second, and for all symbols only those that have traded."""

from decimal import Decimal

import pytest

from binance_trade_agent.domain.orders import Side
from binance_trade_agent.simulator.market.payloads import mini_ticker_row, ticker_24hr_row, ticker_row
from binance_trade_agent.simulator.streams.names import WINDOWS_MS
from tests.simulator.streams.market import Market

MINI = {"c": "lastPrice", "o": "openPrice", "h": "highPrice", "l": "lowPrice", "v": "volume", "q": "quoteVolume"}
WINDOW = {
    **MINI, "p": "priceChange", "P": "priceChangePercent", "w": "weightedAvgPrice", "O": "openTime", "C": "closeTime",
    "F": "firstId", "L": "lastId", "n": "count",
}  # fmt: skip
FULL = {
    **WINDOW, "x": "prevClosePrice", "Q": "lastQty", "b": "bidPrice", "B": "bidQty", "a": "askPrice", "A": "askQty",
}  # fmt: skip


@pytest.fixture
def market():
    return Market("BTCUSDT", "ETHUSDT", history_minutes=30)


def last_message(market: Market, name: str):
    listener = market.listen(name)
    market.run(3_000, 1_000)
    messages = listener.take()
    assert len(messages) == 3
    return messages[-1]


def check(message: dict, event: str, fields: dict, row: dict, market: Market) -> None:
    assert message == {
        "e": event, "E": market.exchange.now_ms, "s": "BTCUSDT", **{short: row[name] for short, name in fields.items()},
    }  # fmt: skip


def test_mini_ticker_equals_rest(market):
    message = last_message(market, "btcusdt@miniTicker")
    row = mini_ticker_row(market.exchange.market.ticker_24hr("BTCUSDT"))
    check(message, "24hrMiniTicker", MINI, row, market)


def test_ticker_equals_rest(market):
    message = last_message(market, "btcusdt@ticker")
    book = market.exchange.engine.listings["BTCUSDT"].book
    best = book.depth(Side.BUY, 1)[0], book.depth(Side.SELL, 1)[0]
    check(message, "24hrTicker", FULL, ticker_24hr_row(market.exchange.market.ticker_24hr("BTCUSDT"), *best), market)


@pytest.mark.parametrize("window", WINDOWS_MS)
def test_window_ticker_equals_rest(market, window):
    message = last_message(market, f"btcusdt@ticker_{window}")
    row = ticker_row(market.exchange.market.ticker("BTCUSDT", WINDOWS_MS[window]))
    check(message, f"{window}Ticker", WINDOW, row, market)


def test_average_price_equals_rest(market):
    message = last_message(market, "btcusdt@avgPrice")
    assert message == {
        "e": "avgPrice",
        "E": market.exchange.now_ms,
        "s": "BTCUSDT",
        "i": "5m",
        "w": f"{market.exchange.market.average_price('BTCUSDT'):.8f}",
        "T": market.exchange.market.recent_trades("BTCUSDT", 1)[0].at_ms,
    }


@pytest.mark.parametrize(
    ("name", "event"),
    [("!miniTicker@arr", "24hrMiniTicker"), ("!ticker_1h@arr", "1hTicker"), ("!ticker_1d@arr", "1dTicker")],
)
def test_stream_of_all_symbols_has_those_that_have_traded(market, name, event):
    listener = market.listen(name)
    market.run(10_000)
    first, *_ = listener.take()
    assert [(row["e"], row["s"]) for row in first] == [(event, "BTCUSDT"), (event, "ETHUSDT")]
    market.run(900)
    listener.take()
    price = Decimal(market.exchange.market.last_price("ETHUSDT"))
    market.exchange.print_trade("ETHUSDT", price, Decimal(1), Side.BUY)
    market.run(1_000)
    rows = [row["s"] for message in listener.take() for row in message]
    assert rows == ["ETHUSDT"]

"""CandleNews: readers who take in every bell, and all that is written, have the feed's candles; each is sent once."""

import pytest

from binance_trade_agent.domain.candle_window import CandleWindow
from binance_trade_agent.domain.candles import MINUTE_MS
from binance_trade_agent.feed.candle_news import CandleNews
from binance_trade_agent.feed.candles import CandleFeed
from binance_trade_agent.feed.notes import rows_of, window_of_rows
from binance_trade_agent.ops.clock import ScaledClock
from tests.feed.test_store import candles

BTC, ETH = ("BTCUSDT", "1m"), ("ETHUSDT", "1m")
HISTORY = 8


async def never(*_):
    raise AssertionError("nothing is asked for")


class Feed:
    """A feed that has minutes 1 to 5 of each key, and its news."""

    def __init__(self, keys=(BTC,)):
        self.candles = CandleFeed(ScaledClock(), fetch=never, closed=self._hear)
        self.news = CandleNews(self.candles)
        self.candles.follow(keys, HISTORY)
        for key in keys:
            self.candles.take_history(key, candles(1, 5))

    def _hear(self, *told):
        self.news.hear(*told)

    def close(self, minute, key=BTC):
        times = (minute * MINUTE_MS, (minute + 1) * MINUTE_MS - 1)
        self.candles.take(key, (*times, *candles(minute, minute).numbers[0].tolist()))


def told(rows):
    return [((symbol, interval), window_of_rows(value)) for symbol, interval, value in rows]


@pytest.fixture
def feed():
    feed = Feed()
    feed.news.changes()
    return feed


def test_at_first_everything_is_written_and_to_be_read():
    first = Feed((BTC, ETH)).news.changes()
    assert {key: window_of_rows(rows) for key, rows in first.renewed.items()} == dict.fromkeys(
        (BTC, ETH), candles(1, 5)
    )
    assert (first.added, first.rows, list(first.reread)) == ({}, [], [BTC, ETH])


def test_a_candle_that_closes_is_told_at_once_and_written_later(feed):
    feed.close(6)
    assert told(feed.news.rows()) == [(BTC, candles(6, 6))]
    assert feed.news.rows() == []
    later = feed.news.changes()
    assert later.added == {BTC: rows_of(candles(6, 6))}
    assert (later.renewed, later.rows, later.reread) == ({}, [], [])
    assert feed.news.changes().added == {}


def test_what_was_not_told_before_it_is_written_is_told_with_it(feed):
    feed.close(6)
    feed.close(7)
    later = feed.news.changes()
    assert later.added == {BTC: rows_of(candles(6, 7))}
    assert told(later.rows) == [(BTC, candles(6, 7))]
    assert feed.news.rows() == []


def test_with_much_behind_it_a_ring_is_written_anew_and_its_readers_need_not_read_it(feed):
    for minute in range(6, 9):
        feed.close(minute)
        assert told(feed.news.rows()) == [(BTC, candles(minute, minute))]
        changes = feed.news.changes()
    assert changes.added == {}
    assert window_of_rows(changes.renewed[BTC]) == candles(1, 8)
    assert changes.reread == []


def test_what_changes_otherwise_is_to_be_read_anew(feed):
    numbers = candles(4, 4).numbers + 1
    feed.candles.rings[BTC].merge(CandleWindow(candles(4, 4).times, numbers))
    feed.close(6)
    assert feed.news.rows() == [], "a reader that took it in would still have the other candle"
    changes = feed.news.changes()
    assert window_of_rows(changes.renewed[BTC]) == feed.candles.rings[BTC].window()
    assert (changes.rows, changes.reread) == ([], [BTC])


def test_what_is_not_followed_any_more_is_dropped(feed):
    feed.candles.follow([ETH], HISTORY)
    changes = feed.news.changes()
    assert (changes.dropped, changes.renewed) == ([BTC], {})
    assert feed.news.changes().dropped == []


def test_many_are_written_some_at_a_time():
    keys = [(f"SIM{number}USDT", "1m") for number in range(120)]
    feed = Feed(keys)
    written = [list(feed.news.changes().renewed) for _ in range(4)]
    assert [len(part) for part in written] == [50, 50, 20, 0]
    assert [key for part in written for key in part] == keys


def test_after_it_has_forgotten_all_is_written_anew(feed):
    feed.news.forget()
    feed.close(6)
    assert feed.news.rows() == []
    changes = feed.news.changes()
    assert list(changes.renewed) == list(changes.reread) == [BTC]

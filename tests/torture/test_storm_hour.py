"""The storm over many symbols, in small; the whole one is run by hand."""

from tests.torture.loop import run_virtual
from tests.torture.storm_hour import STORM, hour


def weathered(minutes=15, symbols=4):
    return run_virtual(hour, symbols, minutes, 1, STORM, seed=1).failures


def test_after_broken_sockets_no_candle_is_lost_and_the_books_agree():
    assert weathered() == []


def test_a_candle_that_is_kept_otherwise_than_the_exchange_tells_it_is_found(monkeypatch):
    from binance_trade_agent.feed.candles import CandleFeed

    take = CandleFeed.take

    def wrong(self, key, row):
        take(self, key, (*row[:5], row[5] * 1.001, row[6]) if key[0] == "SIM2USDT" else row)

    monkeypatch.setattr(CandleFeed, "take", wrong)
    assert any("SIM2USDT: the candle of" in each for each in weathered(minutes=5))

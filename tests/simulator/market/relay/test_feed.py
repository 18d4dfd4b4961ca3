"""What was told of the relayed market, given on along the market clock."""

from decimal import Decimal

import pytest

from binance_trade_agent.domain.candles import INTERVAL_MS
from binance_trade_agent.domain.orders import Side
from binance_trade_agent.simulator.market.feed import OutsideTrade, Quote
from binance_trade_agent.simulator.market.relay.feed import RelayFeed, Snapshot
from binance_trade_agent.simulator.symbols import listing
from tests.simulator.market.candles import MINUTE_MS, START_MS, candle, rows_of

RESUME_MS = START_MS + 10 * MINUTE_MS + 20_000
BIDS, ASKS = [(Decimal(99), Decimal(5))], [(Decimal(101), Decimal(5))]


@pytest.fixture
def feed() -> RelayFeed:
    minutes = [candle(START_MS + n * MINUTE_MS, "100 102 98 101", "12") for n in range(11)]
    day = candle(START_MS - INTERVAL_MS["1d"], "90 110 80 100", "1000", "1d")
    snapshot = Snapshot(listing("BTCUSDT"), [day, *minutes], BIDS, ASKS, last_trade_id=7)
    return RelayFeed({"BTCUSDT": snapshot}, start_ms=RESUME_MS, resume_ms=RESUME_MS, behind_wall_ms=0)


def trade(at_ms: int, price: str = "100") -> OutsideTrade:
    return OutsideTrade("BTCUSDT", at_ms, Decimal(price), Decimal(1), Side.BUY)


def test_closed_candles_are_history_and_the_open_one_is_in_the_prelude(feed):
    history, prelude = rows_of(feed.history("BTCUSDT")), feed.prelude("BTCUSDT")

    assert len(history) == 11
    assert history[-1].close_time_ms == START_MS + 10 * MINUTE_MS - 1
    in_open_minute = [item for item in prelude if item.at_ms > history[-1].close_time_ms]
    assert sum(item.quantity for item in in_open_minute) == 12
    assert all(item.at_ms < RESUME_MS for item in prelude)
    assert (prelude[-1].price, prelude[-1].bids, prelude[-1].asks) == (Decimal(101), BIDS, ASKS)
    assert prelude[0].at_ms == START_MS + 5 * MINUTE_MS


def test_events_wait_for_their_time(feed):
    feed.tell_trade(trade(RESUME_MS + 500))

    assert list(feed.prints_until(RESUME_MS + 499)) == []
    assert list(feed.prints_until(RESUME_MS + 500)) == [trade(RESUME_MS + 500)]
    assert list(feed.prints_until(RESUME_MS + 900)) == []


def test_time_never_goes_back_and_a_book_is_as_new_as_what_was_told_last(feed):
    feed.tell_trade(trade(RESUME_MS + 500))
    feed.tell_trade(trade(RESUME_MS + 400, "99"))
    feed.tell_book("BTCUSDT", BIDS, ASKS)

    assert list(feed.prints_until(RESUME_MS + 500)) == [
        trade(RESUME_MS + 500),
        trade(RESUME_MS + 500, "99"),
        Quote("BTCUSDT", RESUME_MS + 500, BIDS, ASKS),
    ]


def test_a_minute_opens_at_the_last_price_when_the_exchange_is_heard(feed):
    feed.status.is_connected = True
    feed.tell_trade(trade(RESUME_MS + 500, "103"))
    list(feed.prints_until(RESUME_MS + 500))

    (_, opened) = feed.candles("BTCUSDT", 0, START_MS + 11 * MINUTE_MS)

    assert (opened.open_time_ms, opened.open, opened.volume) == (START_MS + 11 * MINUTE_MS, Decimal(103), 0)


def test_minutes_of_a_gap_open_when_it_is_over(feed):
    assert feed.candles("BTCUSDT", 0, START_MS + 12 * MINUTE_MS) == []

    feed.status.is_connected = True
    opened = feed.candles("BTCUSDT", START_MS + 12 * MINUTE_MS, START_MS + 13 * MINUTE_MS)

    assert [(row.open_time_ms - START_MS) // MINUTE_MS for row in opened] == [10, 11, 12, 13]

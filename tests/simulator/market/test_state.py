from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from binance_trade_agent.domain.orders import Side
from binance_trade_agent.simulator.market.state import Market
from binance_trade_agent.simulator.market.synthetic import SyntheticFeed
from tests.simulator.market.candles import MINUTE_MS, START_MS, rows_of
from tests.simulator.market.playing import PlayedMarket, SilentFeed, opened

SYMBOL = "BTCUSDT"
DAY_MINUTES = 1_440


def make_feed(history_minutes: int = 30, **options) -> SyntheticFeed:
    return SyntheticFeed([SYMBOL, "ETHUSDT"], seed=7, start_ms=START_MS, history_minutes=history_minutes, **options)


def played(until_ms: int, feed: SyntheticFeed | None = None) -> Market:
    return PlayedMarket(feed or make_feed()).play(until_ms)


def test_before_the_first_print_the_market_stands_where_its_history_ended():
    feed = make_feed()
    market = opened(feed)

    closes = [row.close for row in rows_of(feed.history(SYMBOL))]
    assert market.now_ms == START_MS
    assert market.last_price(SYMBOL) == closes[-1]
    assert len(market.recent_trades(SYMBOL, 1_000)) == 60
    assert [kline.close for kline in market.klines(SYMBOL, "1m")] == closes


def test_a_trade_moves_price_trades_and_the_open_kline():
    feed = make_feed()
    session = PlayedMarket(feed)
    market = session.market
    item = next(feed.prints_until(START_MS))

    trade = session.print(item)

    assert market.last_price(SYMBOL) == item.price
    assert market.recent_trades(SYMBOL, 1) == [trade]
    (kline,) = market.klines(SYMBOL, "1m", limit=1)
    assert (kline.open_time_ms, kline.open, kline.volume) == (START_MS, item.price, item.quantity)


def test_the_played_market_equals_the_feeds_candles():
    market = played(START_MS + 30 * MINUTE_MS - 1)

    candles = make_feed().candles(SYMBOL, 0, START_MS + 30 * MINUTE_MS - 1)

    klines = market.klines(SYMBOL, "1m", start_ms=0, limit=1_000)
    assert [(row.open, row.high, row.low, row.close, row.volume) for row in klines] == [
        (row.open, row.high, row.low, row.close, row.volume) for row in candles
    ]


def test_a_users_trade_counts_in_price_and_kline():
    session = PlayedMarket(make_feed())
    market = session.play(START_MS + 1_000)
    before = market.klines(SYMBOL, "1m", limit=1)[0]

    session.trade(SYMBOL, START_MS + 2_000, Decimal(70_000), Decimal(3), Side.BUY)

    after = market.klines(SYMBOL, "1m", limit=1)[0]
    assert market.last_price(SYMBOL) == after.high == after.close == 70_000
    assert after.volume - before.volume == 3
    assert after.trades == before.trades + 1


def test_trade_ids_are_consecutive_and_klines_name_the_first_and_last():
    market = played(START_MS + 3 * MINUTE_MS - 1)

    trades = market.recent_trades(SYMBOL, 1_000)
    ids = [trade.trade_id for trade in trades]
    assert ids == list(range(ids[0], ids[0] + len(ids)))
    (kline,) = market.klines(SYMBOL, "1m", limit=1)
    inside = [trade.trade_id for trade in trades if trade.at_ms >= kline.open_time_ms]
    assert (kline.first_trade_id, kline.last_trade_id, kline.trades) == (inside[0], inside[-1], len(inside))


@given(st.lists(st.tuples(st.integers(0, 100_000), st.integers(1, 10**7), st.integers(1, 10**6)), max_size=20))
@settings(max_examples=50)
def test_the_average_price_weighs_the_trades_of_the_last_five_minutes(steps):
    session = PlayedMarket(make_feed(history_minutes=0))
    market = session.market
    at_ms, trades = START_MS, []
    for wait_ms, price, quantity in steps:
        at_ms += wait_ms
        trades.append((at_ms, Decimal(price).scaleb(-2), Decimal(quantity).scaleb(-5)))
        session.trade(SYMBOL, *trades[-1], Side.SELL)

    recent = [(price, quantity) for traded_ms, price, quantity in trades if traded_ms > at_ms - 5 * MINUTE_MS]
    if recent:
        quote = sum(price * quantity for price, quantity in recent)
        assert market.average_price(SYMBOL) == quote / sum(quantity for _, quantity in recent)
    else:
        assert market.average_price(SYMBOL) is None


def test_without_a_trade_for_five_minutes_the_average_is_the_last_price():
    session = PlayedMarket(make_feed(history_minutes=0))
    market = session.market
    session.trade(SYMBOL, START_MS, Decimal(100), Decimal(1), Side.BUY)
    session.trade(SYMBOL, START_MS + 1, Decimal(200), Decimal(1), Side.BUY)

    assert market.average_price(SYMBOL) == 150
    market.advance_to(START_MS + 5 * MINUTE_MS + 1)
    assert market.average_price(SYMBOL) == 200


def test_the_average_price_of_other_minutes_weighs_the_trades_that_are_kept():
    session = PlayedMarket(make_feed(history_minutes=0))
    market = session.market
    for minute, price in enumerate((100, 200, 600)):
        session.trade(SYMBOL, START_MS + minute * MINUTE_MS, Decimal(price), Decimal(1), Side.BUY)

    averages = {minutes: market.average_price(SYMBOL, minutes) for minutes in (0, 1, 2, 60)}
    assert averages == {0: 600, 1: 600, 2: 400, 60: 300}
    session.trade(SYMBOL, START_MS + 3 * MINUTE_MS, Decimal(800), Decimal(3), Side.BUY)
    assert (market.average_price(SYMBOL, 2), market.average_price(SYMBOL, 0)) == (750, 800)


def test_minutes_that_pass_without_a_print_are_flat_klines():
    market = opened(make_feed())

    market.advance_to(START_MS + 2 * MINUTE_MS)

    for kline in market.klines(SYMBOL, "1m", start_ms=START_MS):
        assert kline.open == kline.high == kline.low == kline.close == market.last_price(SYMBOL)
        assert kline.volume == kline.trades == 0
    assert len(market.klines(SYMBOL, "1m", start_ms=START_MS)) == 3


def test_the_ticker_covers_the_last_24_hours():
    market = played(START_MS + 10 * MINUTE_MS - 1, make_feed(history_minutes=2 * DAY_MINUTES))

    ticker = market.ticker_24hr(SYMBOL)

    klines = market.klines(SYMBOL, "1m", limit=DAY_MINUTES)
    assert ticker.open == klines[0].open
    assert ticker.high == max(kline.high for kline in klines)
    assert ticker.low == min(kline.low for kline in klines)
    assert ticker.volume == sum(kline.volume for kline in klines)
    assert ticker.trades == sum(kline.trades for kline in klines)
    assert ticker.last == market.last_price(SYMBOL)
    assert ticker.previous_close == klines[0].open
    assert ticker.last_trade_id == market.recent_trades(SYMBOL, 1)[0].trade_id
    assert ticker.first_trade_id == ticker.last_trade_id - ticker.trades + 1
    assert ticker.close_time_ms - ticker.open_time_ms == DAY_MINUTES * MINUTE_MS


WINDOW_STEPS = st.lists(
    st.tuples(st.integers(0, 20 * 3_600_000), st.integers(1, 10**7), st.integers(1, 10**6)), min_size=1, max_size=25
)


@given(WINDOW_STEPS, st.integers(0, 3_600_000), st.sampled_from([1, 59, 60, 240, 1_440, 7 * 1_440]))
@settings(max_examples=200)
def test_tickers_equal_what_the_trades_of_their_window_say(steps, wait_ms, window_minutes):
    session = PlayedMarket(SilentFeed(START_MS))
    market, at_ms, trades = session.market, START_MS, []
    for step_ms, price, quantity in steps:
        at_ms += step_ms
        trades.append(session.trade(SYMBOL, at_ms, Decimal(price).scaleb(-2), Decimal(quantity).scaleb(-5), Side.SELL))
    now_ms = at_ms + wait_ms
    market.advance_to(now_ms)

    window_ms = window_minutes * MINUTE_MS
    opened_ms = (now_ms - window_ms) // MINUTE_MS * MINUTE_MS
    _check_ticker(market.ticker(SYMBOL, window_ms), trades, opened_ms, opened_ms)
    day_ms = now_ms - DAY_MINUTES * MINUTE_MS
    _check_ticker(market.ticker_24hr(SYMBOL), trades, day_ms, -(-(day_ms + 1) // MINUTE_MS) * MINUTE_MS)


def _check_ticker(ticker, trades, opened_ms, from_ms) -> None:
    """`from_ms` is the open time of the first minute that counts."""
    assert ticker.open_time_ms == opened_ms
    inside = [trade for trade in trades if trade.at_ms >= from_ms]
    before = [trade for trade in trades if trade.at_ms < from_ms]
    assert ticker.last == trades[-1].price
    assert ticker.trades == len(inside)
    assert ticker.volume == sum(trade.quantity for trade in inside)
    assert ticker.quote_volume == sum(trade.price * trade.quantity for trade in inside)
    prices = [trade.price for trade in inside] or [trades[-1].price]
    assert (ticker.open, ticker.high, ticker.low) == (prices[0], max(prices), min(prices))
    assert ticker.previous_close == (before[-1].price if before else prices[0])
    ids = [trade.trade_id for trade in inside] or [-1]
    assert (ticker.first_trade_id, ticker.last_trade_id) == (ids[0], ids[-1])


def test_minutes_between_two_trades_are_flat_at_the_first_one():
    session = PlayedMarket(make_feed(history_minutes=0))
    session.trade(SYMBOL, START_MS, Decimal(100), Decimal(2), Side.BUY)
    session.trade(SYMBOL, START_MS + 2 * MINUTE_MS, Decimal(200), Decimal(2), Side.BUY)

    assert [kline.close for kline in session.market.klines(SYMBOL, "1m")] == [100, 100, 200]


def test_a_market_without_history_or_trade_has_no_prices():
    market = opened(make_feed(history_minutes=0))

    assert market.last_price(SYMBOL) is None
    assert market.average_price(SYMBOL) is None
    ticker = market.ticker_24hr(SYMBOL)
    assert (ticker.open, ticker.last, ticker.trades, ticker.first_trade_id) == (0, 0, 0, -1)
    assert market.klines(SYMBOL, "1m") == []


@pytest.mark.parametrize("offset_ms", [0, 25_000, 2 * MINUTE_MS, 12 * MINUTE_MS + 59_999])
def test_a_continued_market_shows_what_the_first_one_showed(offset_ms):
    first = played(START_MS + offset_ms - 1)

    continued = opened(make_feed(resume_ms=START_MS + offset_ms))
    for market in (first, continued):
        market.advance_to(START_MS + offset_ms)

    assert continued.last_price(SYMBOL) == first.last_price(SYMBOL)
    assert continued.average_price(SYMBOL) == first.average_price(SYMBOL)
    assert continued.recent_trades(SYMBOL, 60) == first.recent_trades(SYMBOL, 60)
    prices = [
        [(row.open_time_ms, row.open, row.high, row.low, row.close, row.volume) for row in market.klines(SYMBOL, "1m")]
        for market in (first, continued)
    ]
    assert prices[0] == prices[1]


def test_an_unknown_symbol_raises():
    with pytest.raises(KeyError):
        Market(make_feed()).last_price("NOPE")

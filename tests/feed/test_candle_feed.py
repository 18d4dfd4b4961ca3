"""CandleFeed by itself: which candles it asks for, and which of them it is sure of."""

from decimal import Decimal

from binance_trade_agent.domain.candles import MINUTE_MS, Candle
from binance_trade_agent.exchange.errors import UnavailableError
from binance_trade_agent.feed.candles import CandleFeed
from binance_trade_agent.ops.clock import ScaledClock, sleep_seconds
from tests.torture.loop import START_WALL_MS, run_virtual

KEY = ("BTCUSDT", "1m")
HISTORY = 10


class Exchange:
    """Says what it is asked for, unless it is away."""

    def __init__(self):
        self.clock = ScaledClock()
        self.asked = []
        self.is_away = False

    async def candles(self, _symbol, _interval, limit):
        self.asked.append(limit)
        if self.is_away:
            raise UnavailableError("the exchange is away")
        last = (self.clock.now_ms() - START_WALL_MS) // MINUTE_MS
        return [candle(number) for number in range(last - limit + 1, last + 1)]


def candle(number):
    """The candle of this minute since the start."""
    opened_ms = START_WALL_MS + number * MINUTE_MS
    return Candle(opened_ms, opened_ms + MINUTE_MS - 1, *(Decimal(1000 + number),) * 5)


def row(number):
    return (START_WALL_MS + number * MINUTE_MS, START_WALL_MS + (number + 1) * MINUTE_MS - 1, *(1000.0 + number,) * 5)


def followed(story):
    async def work():
        exchange = Exchange()
        closed = []
        feed = CandleFeed(exchange.clock, fetch=exchange.candles, closed=lambda *told: closed.append(told[2]))
        feed.follow([KEY], HISTORY)
        await feed.series(*KEY)
        exchange.asked.clear()
        await story(exchange, feed, closed)

    run_virtual(work)


def test_a_candle_that_was_left_out_is_asked_for_though_a_later_one_has_come():
    async def story(exchange, feed, closed):
        exchange.is_away = True
        await sleep_seconds(70)
        await feed.fill_overdue()
        await sleep_seconds(51)
        feed.take(KEY, row(1))
        assert not feed.is_complete(KEY)
        exchange.is_away = False
        await feed.fill_overdue()
        assert feed.is_complete(KEY)
        assert list((await feed.series(*KEY)).candles) == [candle(number) for number in range(2 - HISTORY, 2)]
        assert closed == [row(1)[1]], "the later one was told already"
        assert max(exchange.asked) < HISTORY, "only since the gap"

    followed(story)


def test_more_history_is_asked_for_once_while_what_is_there_is_used():
    async def story(exchange, feed, _):
        feed.follow([KEY], 2 * HISTORY)
        assert not feed.are_long
        assert len((await feed.series(*KEY)).candles) == HISTORY
        await feed.fill_overdue()
        assert feed.are_long
        assert len((await feed.series(*KEY)).candles) == 2 * HISTORY
        await feed.fill_overdue()
        assert len(exchange.asked) == 1

    followed(story)


def test_a_strategy_that_looks_further_back_gets_what_it_wants_at_once():
    async def story(exchange, feed, _):
        assert len((await feed.series(*KEY, HISTORY)).candles) == HISTORY
        assert exchange.asked == []
        for _ in range(2):
            assert len((await feed.series(*KEY, 3 * HISTORY)).candles) == 3 * HISTORY
        assert len(exchange.asked) == 1

    followed(story)


def test_what_is_not_followed_any_more_is_neither_kept_nor_asked_for():
    async def story(exchange, feed, closed):
        feed.follow([], HISTORY)
        feed.take(KEY, row(0))
        await sleep_seconds(200)
        assert await feed.fill_overdue() == []
        await feed.fill_histories()
        await feed.compare_one()
        assert (exchange.asked, closed, dict(feed.rings)) == ([], [], {})

    followed(story)


def told(price, *, at, symbol="BTCUSDT", interval="1m", closes=False, trade_id=-1):
    """An event of a kline stream, so many ms after the start; one that closes tells of the minute before."""
    closed_ms = START_WALL_MS + at - at % MINUTE_MS - 1 if closes else START_WALL_MS + at + MINUTE_MS
    kline = {"s": symbol, "i": interval, "t": closed_ms - MINUTE_MS + 1, "T": closed_ms, "c": price, "x": closes}
    return {"E": START_WALL_MS + at, "k": {**kline, "o": "1", "h": "1", "l": "1", "v": "1", "L": trade_id}}


class TestTheLastTrade:
    def test_is_the_newest_of_all_intervals_whatever_comes_last(self):
        async def story(_, feed, __):
            assert feed.last_trade("BTCUSDT") is None
            feed.hear(told("1001.5", at=59_000, trade_id=7))
            assert feed.last_trade("BTCUSDT") == ("1001.5", START_WALL_MS + 59_000, 7)
            feed.hear(told("1003.0", at=60_500, interval="1h"))
            feed.hear(told("1002.0", at=60_600, closes=True))
            assert feed.last_trade("BTCUSDT").price == "1003.0", "the minute has closed before"
            feed.hear(told("1004.0", at=62_000))
            assert feed.last_trade("BTCUSDT").price == "1004.0"
            assert feed.last_trade("ETHUSDT") is None

        followed(story)

    def test_keeps_its_number_through_a_candle_without_a_trade_and_never_goes_back(self):
        async def story(_, feed, __):
            feed.hear(told("1001.5", at=59_000))
            assert feed.last_trade("BTCUSDT").trade_id == -1
            for at, number, kept in ((59_500, 7, 7), (61_000, -1, 7), (62_000, 9, 9), (63_000, 8, 9)):
                feed.hear(told("1001.5", at=at, trade_id=number))
                assert feed.last_trade("BTCUSDT").trade_id == kept

        followed(story)

    def test_of_what_a_connection_has_just_begun_to_carry_or_nobody_follows_any_more_is_not_known(self):
        async def story(_, feed, __):
            for forget in (lambda: feed.forget_trades(["BTCUSDT", "ETHUSDT"]), lambda: feed.follow([], HISTORY)):
                feed.hear(told("1001.5", at=1_000))
                forget()
                assert feed.last_trade("BTCUSDT") is None

        followed(story)

"""The last trades that a feed process tells its daemons, in virtual time: right, or not known."""

import pytest

from binance_trade_agent.feed import links
from binance_trade_agent.ops.clock import sleep_seconds
from binance_trade_agent.ops.tasks import stop
from tests.feed.shared_world import end_redis, freeze_feed, kill_feed, told, wish
from tests.feed.world import SYMBOLS


def last_trade(world, symbol):
    return world.exchange.exchange.market.recent_trades(symbol, 1)[-1]


async def known_trades(daemon):
    """Of which symbols a last price is known where a decision asks for it, right after its quote; and its number too."""
    known = []
    for symbol, _ in daemon.wanted.keys:
        await daemon.feed.quote(symbol)
        price, number = daemon.feed.last_price(symbol), daemon.feed.last_trade_id(symbol)
        assert (price is None) == (number is None)
        if price is not None:
            known.append(symbol)
    return known


class OtherClock:
    """The exchange's time, but for so much; it goes at the same pace."""

    speed = 1.0

    def __init__(self, clock, ahead_ms):
        self._clock, self._ahead_ms = clock, ahead_ms

    def now_ms(self):
        return self._clock.now_ms() + self._ahead_ms


def test_the_last_trade_is_that_of_rest_but_for_what_was_traded_in_the_last_seconds_and_costs_nothing():
    async def story(world):
        world.server()
        daemon = world.daemon(wish(*SYMBOLS))
        await world.look(minutes=1)
        trades = {symbol: [] for symbol in SYMBOLS}
        known = 0
        for _ in range(120):
            await sleep_seconds(1)
            for symbol in SYMBOLS:
                trades[symbol].append(last_trade(world, symbol))
                known += symbol in await known_trades(daemon)
                price, number = daemon.feed.last_price(symbol), daemon.feed.last_trade_id(symbol)
                newest = trades[symbol][-6:]
                assert price is None or price in {trade.price for trade in newest}
                assert number is None or newest[0].trade_id <= number <= newest[-1].trade_id
        assert daemon.gateway.asked == []
        return known / 120 / len(SYMBOLS)

    assert told(story) > 0.9


def test_the_last_trade_is_not_known_before_anybody_is_heard_nor_of_a_symbol_that_nobody_follows():
    async def story(world):
        world.server()
        daemon = world.daemon(wish("BTCUSDT"))
        assert daemon.feed.last_price("BTCUSDT") is daemon.feed.last_trade_id("BTCUSDT") is None
        await world.look()
        assert await known_trades(daemon) == ["BTCUSDT"]
        assert daemon.feed.last_price("ETHUSDT") is daemon.feed.last_trade_id("ETHUSDT") is None

    told(story)


@pytest.mark.parametrize("harm", [kill_feed, freeze_feed, end_redis])
def test_the_last_trade_holds_no_longer_than_three_seconds_after_the_feed_has_told_something(harm):
    async def story(world):
        server = world.server()
        daemon = world.daemon(wish("BTCUSDT", "ETHUSDT"))
        await world.look()
        assert await known_trades(daemon) == ["BTCUSDT", "ETHUSDT"]
        await harm(world, server)
        daemon.task.cancel()  # it does not even notice
        await sleep_seconds(3.1)
        assert daemon.feed.is_shared
        assert daemon.feed.last_price("BTCUSDT") is daemon.feed.last_trade_id("BTCUSDT") is None
        assert await known_trades(daemon) == []

    told(story)


def test_the_last_trade_of_a_feed_that_thaws_is_as_old_as_what_it_hears_though_it_hears_it_now():
    async def story(world):
        server = world.server()
        daemon = world.daemon(wish("BTCUSDT"))
        await world.look()
        hear, late = server.feed.candles.hear, []
        (link,) = server.feed._candle_links.links
        link._hear = late.append
        await sleep_seconds(10)
        assert await known_trades(daemon) == []
        hear(late[0])
        await sleep_seconds(1.5)
        assert server.feed.told_trades() != [], "its connection has just brought something"
        assert await known_trades(daemon) == []

    told(story)


@pytest.mark.parametrize(
    ("kind", "fields"),
    [("ws_no_upgrade", {"status": 503, "for_seconds": 60}), ("ws_freeze_data", {}), ("ws_freeze_all", {})],
)
def test_the_last_trade_of_a_connection_of_the_feed_that_is_down_or_silent_is_not_known(kind, fields):
    async def story(world):
        server = world.server()
        daemon = world.daemon(wish("BTCUSDT", "ETHUSDT"))
        await world.look()
        assert await known_trades(daemon) == ["BTCUSDT", "ETHUSDT"]
        world.exchange.fault(kind, target="streams", **fields)
        if kind == "ws_no_upgrade":
            world.exchange.fault("ws_abort", target="streams")
        await sleep_seconds(5)
        assert daemon.feed.is_shared
        assert await known_trades(daemon) == []
        assert server.feed.told_trades() == [], "the feed itself is not sure"

    told(story)


def test_the_last_trade_of_a_symbol_that_its_connection_says_nothing_of_is_not_known_for_longer_than_a_minute():
    async def story(world):
        server = world.server()
        daemon = world.daemon(wish("BTCUSDT", "ETHUSDT"))
        await world.look()
        (link,) = server.feed._candle_links.links
        hear = link._hear
        link._hear = lambda event: None if event["s"] == "BTCUSDT" else hear(event)
        await sleep_seconds(50)
        assert await known_trades(daemon) == ["BTCUSDT", "ETHUSDT"]
        await sleep_seconds(12)
        assert await known_trades(daemon) == ["ETHUSDT"]

    told(story)


def test_the_last_trade_of_symbols_on_the_one_of_two_connections_that_is_silent_is_not_known(monkeypatch):
    monkeypatch.setattr(links, "MOST_STREAMS", 1)

    async def story(world):
        server = world.server()
        daemon = world.daemon(wish("BTCUSDT", "ETHUSDT"))
        await world.look()
        assert await known_trades(daemon) == ["BTCUSDT", "ETHUSDT"]
        link = server.feed._candle_links.of("btcusdt@kline_1m")
        heard = link.heard_seconds
        link._hear = lambda _: setattr(link, "heard_seconds", heard)
        await sleep_seconds(3.1)
        assert await known_trades(daemon) == ["ETHUSDT"]

    told(story)


@pytest.mark.parametrize(("ahead_ms", "is_known"), [(-10_000, {False}), (-1_000, {False, True}), (10_000, {True})])
def test_the_last_trade_is_right_or_not_known_whatever_clock_the_feed_has(ahead_ms, is_known):
    async def story(world):
        server = world.server(own=wish("BTCUSDT"), clock=OtherClock(world.clock, ahead_ms))
        daemon = world.daemon(wish("BTCUSDT"))
        await sleep_seconds(20)
        daemon.feed._begin(await world.store.beat())  # by another clock it may have no candles to be relied on
        daemon.feed._is_shared = True
        daemon.task.cancel()
        was_known = set()
        for _ in range(30):
            before = last_trade(world, "BTCUSDT").trade_id
            await sleep_seconds(0.5)
            await daemon.feed._shared_quote("BTCUSDT")
            number = daemon.feed.last_trade_id("BTCUSDT")
            assert number is None or before - 20 < number <= last_trade(world, "BTCUSDT").trade_id
            was_known.add(number is not None)
        assert was_known <= is_known
        await stop(server.task)
        await sleep_seconds(3.1)
        assert daemon.feed.last_price("BTCUSDT") is None

    told(story)


@pytest.mark.parametrize("ahead_ms", [-10_000, 10_000])
def test_the_last_trade_is_not_known_to_a_daemon_on_another_clock_than_the_exchange_s(ahead_ms):
    async def story(world):
        world.server()
        daemon = world.daemon(wish("BTCUSDT"))
        await world.look()
        assert await known_trades(daemon) == ["BTCUSDT"]
        daemon.feed._clock = OtherClock(world.clock, ahead_ms)
        await sleep_seconds(0.5)
        await daemon.feed._shared_quote("BTCUSDT")
        assert daemon.feed.last_price("BTCUSDT") is daemon.feed.last_trade_id("BTCUSDT") is None

    told(story)


def test_the_last_trade_holds_no_longer_where_the_daemon_s_clock_stands_still(monkeypatch):
    async def story(world):
        world.server()
        daemon = world.daemon(wish("BTCUSDT"))
        await world.look()
        assert await known_trades(daemon) == ["BTCUSDT"]
        now_ms = world.clock.now_ms()
        monkeypatch.setattr(world.clock, "now_ms", lambda: now_ms)
        daemon.task.cancel()
        await sleep_seconds(2.8)
        assert daemon.feed.last_price("BTCUSDT") is not None
        await sleep_seconds(0.3)
        assert daemon.feed.last_price("BTCUSDT") is None

    told(story)


def test_the_last_trade_that_an_older_feed_does_not_tell_is_not_known_and_all_else_is_as_ever():
    async def story(world):
        world.store.is_old = True
        world.server()
        daemon = world.daemon(wish("BTCUSDT"))
        await world.look()
        assert daemon.feed.is_shared
        assert await known_trades(daemon) == []
        await world.all_is_right()
        assert daemon.gateway.asked == []

    told(story)


def test_the_last_trade_is_told_without_a_feed_process_by_the_connections_of_one_s_own():
    async def story(world):
        server = world.server()
        daemon = world.daemon(wish("BTCUSDT"))
        await world.look()
        await stop(server.task)
        await sleep_seconds(12)
        assert not daemon.feed.is_shared
        assert await known_trades(daemon) == ["BTCUSDT"]

    told(story)

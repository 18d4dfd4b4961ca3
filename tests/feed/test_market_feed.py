"""The market feed on the simulated exchange's real streams, in virtual time: whatever happens, no closed candle is lost."""

import asyncio
import random

import pytest

from binance_trade_agent.domain.candles import MINUTE_MS
from binance_trade_agent.feed import link
from binance_trade_agent.feed.link import MOST_STREAMS
from binance_trade_agent.feed.links import Links
from binance_trade_agent.feed.market_feed import MarketFeed
from binance_trade_agent.feed.quotes import MAX_AGE_MS
from binance_trade_agent.feed.streams import Streams
from binance_trade_agent.ops.clock import monotonic_seconds, sleep_seconds
from binance_trade_agent.ops.tasks import spawn, stop
from tests.feed.world import SYMBOLS, reached_exchange
from tests.said import warnings_in
from tests.torture.loop import run_virtual

HISTORY = 60


class World:
    """A feed on an exchange, and what the exchange was asked."""

    def __init__(self, exchange, gateway, feed):
        self.exchange, self.gateway, self.feed = exchange, gateway, feed
        self.asked, self.closed = [], []
        exchange.request_listeners.append(lambda _, target, __: self.asked.append(target))
        feed.on_closed.append(lambda symbol, interval, close_ms: self.closed.append((symbol, interval, close_ms)))

    def asked_of(self, path):
        return [target for target in self.asked if f"/{path}" in target]

    async def rings_are_right(self):
        """Hold every ring against what the exchange says, in the middle of a minute."""
        await sleep_seconds(60 - (self.feed._clock.now_ms() / 1000 + 30) % 60)
        for symbol in SYMBOLS:
            theirs = (await self.gateway.candles(symbol, "1m", HISTORY + 1))[:-1][-HISTORY:]
            ours = (await self.feed.series(symbol, "1m")).candles
            assert list(ours) == theirs, symbol

    def closes_of(self, symbol):
        return [close_ms for of, _, close_ms in self.closed if of == symbol]


def followed(story, *, symbols=SYMBOLS, intervals=("1m",), **faults):
    """Run `story` with a feed that is warm."""

    async def work():
        async with reached_exchange(**faults) as (exchange, gateway, clock, connector):
            streams = Streams(exchange.endpoints.market_streams, random.Random(1), connector=connector)
            feed = MarketFeed(gateway, clock, streams)
            feed.follow([(symbol, interval) for symbol in symbols for interval in intervals], history=HISTORY)
            world = World(exchange, gateway, feed)
            task = spawn(feed.run(), name="feed under test")
            try:
                await sleep_seconds(3)
                for symbol in symbols:
                    await feed.series(symbol, intervals[0])
                result = await story(world)
                assert not task.done(), "the feed goes on for ever"
                return result
            finally:
                await stop(task)

    return run_virtual(work)


def test_an_hour_costs_no_request_but_its_comparisons_and_each_candle_is_told_once(caplog):
    async def story(world):
        world.asked.clear()
        for _ in range(60):
            await sleep_seconds(60)
            for symbol in SYMBOLS:
                await world.feed.series(symbol, "1m")
                await world.feed.quote(symbol)
        asked = list(world.asked)
        await world.rings_are_right()
        return world, asked

    world, asked = followed(story)
    assert {target.split("?")[0] for target in asked} <= {"/api/v3/klines", "/api/v3/ticker/bookTicker"}
    assert len(asked) <= 61, "one comparison a minute; quotes of those that have not moved yet"
    assert warnings_in(caplog) == []
    assert world.feed.candles.disagreements.total() == 0
    for symbol in SYMBOLS:
        closes = world.closes_of(symbol)
        assert closes == list(range(closes[0], closes[0] + 60 * MINUTE_MS, MINUTE_MS))


@pytest.mark.parametrize(
    ("kind", "fields", "seconds"),
    [
        ("ws_close", {"code": 1001}, 0),
        ("ws_abort", {}, 0),
        ("server_shutdown", {"lead_ms": 500}, 0),
        ("ws_no_upgrade", {"status": 503, "for_seconds": 200}, 200),
        ("ws_freeze_data", {}, 200),
        ("ws_freeze_all", {}, 200),
    ],
)
def test_after_an_outage_of_the_streams_nothing_is_missing(kind, fields, seconds):
    async def story(world):
        await sleep_seconds(30)
        fault = world.exchange.fault(kind, target="streams", **fields)
        if kind == "ws_no_upgrade":
            world.exchange.fault("ws_abort", target="streams")
        await sleep_seconds(seconds)
        if seconds:
            world.exchange.end_fault(fault)
        await sleep_seconds(240)
        assert all(vitals.is_live for vitals in world.feed.vitals().values())
        await world.rings_are_right()
        return {symbol: world.closes_of(symbol) for symbol in SYMBOLS}

    for closes in followed(story).values():
        assert closes == sorted(set(closes)), "told once, in order"
        assert closes[-1] - closes[0] >= (seconds + 200) * 1000 - 2 * MINUTE_MS


def deaf_to(world, symbols):
    """Let the candle stream's connection work and tell nothing of these."""
    (candles,) = world.feed._candle_links.links
    hear = candles._hear
    candles._hear = lambda event: None if event["s"] in symbols else hear(event)


def test_a_candle_that_a_stream_keeps_to_itself_is_asked_for_and_the_connection_kept(caplog):
    async def story(world):
        deaf_to(world, {"BTCUSDT"})
        await sleep_seconds(600)
        await world.rings_are_right()
        return world

    world = followed(story)
    assert 9 <= world.feed.candles.filled["gap"] <= 11, "once a candle"
    assert len(set(world.closes_of("BTCUSDT"))) == len(world.closes_of("BTCUSDT")) >= 9
    assert warnings_in(caplog) == []


def test_a_connection_that_answers_and_brings_no_candles_is_replaced(caplog):
    async def story(world):
        deaf_to(world, {*SYMBOLS})
        before = world.feed.vitals()["candle stream 1"].connections
        await sleep_seconds(90)
        await world.rings_are_right()
        return world.feed.vitals()["candle stream 1"].connections - before

    assert followed(story) >= 1
    assert "3 of 3 symbols got no candle that has closed" in warnings_in(caplog)[0]


def test_a_connection_is_followed_by_the_next_before_the_exchange_cuts_it(caplog, monkeypatch):
    assert max(link._RENEW_SECONDS) < 24 * 3600
    monkeypatch.setattr(link, "_RENEW_SECONDS", (600.0, 700.0))

    async def story(world):
        first = list(world.exchange.simulation.streams.connections)
        await sleep_seconds(1500)
        assert not set(first) & set(world.exchange.simulation.streams.connections)
        await world.rings_are_right()
        return world

    world = followed(story)
    assert warnings_in(caplog) == [], "a renewal is no outage"
    assert world.feed.candles.filled["gap"] == 0
    for symbol in SYMBOLS:
        closes = world.closes_of(symbol)
        assert closes == list(range(closes[0], closes[-1] + 1, MINUTE_MS)), "told once, though both connections told it"


def test_a_renewal_that_fails_is_tried_again_soon_and_the_old_connection_followed_meanwhile(caplog, monkeypatch):
    monkeypatch.setattr(link, "_RENEW_SECONDS", (600.0, 600.0))

    async def story(world):
        first = list(world.exchange.simulation.streams.connections)
        await sleep_seconds(500)
        world.exchange.fault("ws_no_upgrade", target="streams", status=503, for_seconds=300)
        await sleep_seconds(250)
        assert set(first) <= set(world.exchange.simulation.streams.connections)
        await sleep_seconds(200)
        assert not set(first) & set(world.exchange.simulation.streams.connections)
        await world.rings_are_right()
        return world.feed.candles.filled["gap"]

    assert followed(story) == 0
    assert warnings_in(caplog) == [], "a renewal that fails is no outage"


def test_a_candle_that_rest_tells_otherwise_is_counted_and_what_rest_says_is_taken(caplog):
    async def story(world):
        ring = world.feed.candles._rings["BTCUSDT", "1m"]
        window = ring.window()[-1:]
        numbers = window.numbers.copy()
        numbers[0, 3] += 0.01
        ring.merge(type(window)(window.times, numbers))
        await sleep_seconds(200)
        await world.rings_are_right()
        return world.feed.candles.disagreements

    assert followed(story) == {"1m": 1}
    assert len(warnings_in(caplog)) == 1
    assert "BTCUSDT: 1 of the last 50 1m candles" in warnings_in(caplog)[0]


class TestQuotes:
    def test_they_are_what_the_exchange_says_and_cost_nothing_while_the_stream_lives(self):
        async def story(world):
            world.asked.clear()
            for _ in range(20):
                await sleep_seconds(1)
                for symbol in SYMBOLS:
                    quote = await world.feed.quote(symbol)
                    theirs = await world.gateway.book_ticker(symbol)
                    assert (quote.bid, quote.ask) == (theirs.bid, theirs.ask)
                    assert theirs.read_ms - quote.read_ms <= MAX_AGE_MS
            return len(world.asked_of("ticker/bookTicker?symbols"))

        assert followed(story) <= 1, "a first time for who has not moved yet"

    def test_one_that_is_known_is_had_without_a_request_and_another_one_not(self):
        async def story(world):
            for symbol in SYMBOLS:
                await world.feed.quote(symbol)  # one that has not moved yet is asked for
            world.asked.clear()
            await sleep_seconds(30)
            for symbol in SYMBOLS:
                quote, theirs = await world.feed.fresh_quote(symbol), await world.gateway.book_ticker(symbol)
                assert (quote.bid, quote.ask) == (theirs.bid, theirs.ask)
            assert world.asked_of("ticker/bookTicker?symbols") == []
            assert await world.feed.fresh_quote("NEVERUSDT") is None
            world.exchange.fault("ws_no_upgrade", target="streams", status=503, for_seconds=60)
            world.exchange.fault("ws_abort", target="streams")
            await sleep_seconds(5)
            assert await world.feed.fresh_quote("BTCUSDT") is None

        followed(story)

    def test_without_the_stream_one_request_serves_all(self):
        async def story(world):
            world.exchange.fault("ws_no_upgrade", target="streams", status=503, for_seconds=60)
            world.exchange.fault("ws_abort", target="streams")
            await sleep_seconds(5)
            world.asked.clear()
            quotes = await asyncio.gather(*(world.feed.quote(symbol) for symbol in SYMBOLS for _ in range(3)))
            assert {quote.symbol for quote in quotes} == {*SYMBOLS}
            return world.asked

        (asked,) = followed(story)
        assert asked.startswith("/api/v3/ticker/bookTicker?symbols=")


def last_trade(world, symbol):
    return world.exchange.exchange.market.recent_trades(symbol, 1)[-1]


class TestTheLastPrice:
    def test_is_that_of_rest_but_for_what_was_traded_in_the_last_seconds_and_costs_nothing(self):
        async def story(world):
            trades = {symbol: [] for symbol in SYMBOLS}
            known = 0
            for _ in range(120):
                await sleep_seconds(1)
                for symbol in SYMBOLS:
                    trades[symbol].append(world.exchange.exchange.market.last_price(symbol))
                    price = world.feed.last_price(symbol)
                    known += price is not None
                    assert price is None or price in trades[symbol][-4:]
                    number, newest = world.feed.last_trade_id(symbol), last_trade(world, symbol).trade_id
                    assert (number is None) is (price is None)
                    assert number is None or newest - 20 < number <= newest
            asked = [target for target in world.asked if "/ticker/price" in target]
            return known / 120 / len(SYMBOLS), asked

        share, asked = followed(story, intervals=("1m", "5m"))
        assert share > 0.9
        assert asked == []

    @pytest.mark.parametrize(
        ("kind", "fields"),
        [("ws_no_upgrade", {"status": 503, "for_seconds": 60}), ("ws_freeze_data", {}), ("ws_freeze_all", {})],
    )
    def test_of_a_connection_that_is_down_or_silent_is_not_known(self, kind, fields):
        async def story(world):
            await sleep_seconds(30)
            assert any(world.feed.last_price(symbol) for symbol in SYMBOLS)
            world.exchange.fault(kind, target="streams", **fields)
            if kind == "ws_no_upgrade":
                world.exchange.fault("ws_abort", target="streams")
            await sleep_seconds(5)
            assert not any(world.feed.last_price(symbol) for symbol in SYMBOLS)

        followed(story)

    def test_of_a_new_connection_is_not_known_until_it_tells_of_a_trade(self):
        async def story(world):
            await sleep_seconds(30)
            deaf_to(world, {"BTCUSDT"})
            world.exchange.fault("ws_abort", target="streams")
            await sleep_seconds(20)
            assert world.feed.last_price("ETHUSDT") is not None
            assert world.feed.last_price("BTCUSDT") is None

        followed(story)

    def test_of_a_symbol_that_its_connection_says_nothing_of_is_not_known_for_longer_than_a_minute(self):
        async def story(world):
            await sleep_seconds(30)
            deaf_to(world, {"BTCUSDT"})
            assert world.feed.last_price("BTCUSDT") is not None
            await sleep_seconds(62)
            assert world.feed.last_price("ETHUSDT") is not None
            assert world.feed.last_price("BTCUSDT") is None

        followed(story)


def test_messages_to_the_exchange_are_never_more_than_five_a_second():
    class Conversation:
        def __init__(self):
            self.said = []

        async def ask(self, method, parameters):
            self.said.append((monotonic_seconds(), method, len(parameters)))

    async def story():
        said = Conversation()
        link = Streams("ws://nowhere.test", random.Random(1)).link("stream", lambda _: None)
        link.follow([str(number) for number in range(MOST_STREAMS)])
        await asyncio.gather(link._change(said), *(link._say(said, "GET_PROPERTY", ["combined"]) for _ in range(8)))
        link.follow([str(number) for number in range(500, 500 + MOST_STREAMS)])
        await link._change(said)
        return said.said

    said = run_virtual(story)
    assert sum(count for _, method, count in said if method == "SUBSCRIBE") == MOST_STREAMS + 500
    assert sum(count for _, method, count in said if method == "UNSUBSCRIBE") == 500
    times = [seconds for seconds, _, _ in said]
    assert all(later - earlier >= 1 for earlier, later in zip(times, times[4:], strict=False))


class TestStreamsOverConnections:
    @pytest.fixture
    def links(self):
        return Links("stream", Streams("ws://nowhere.test", random.Random(1)), lambda _: None)

    @staticmethod
    def sizes(links):
        return sorted(len(link.streams) for link in links.links)

    def test_they_are_shared_out_evenly_over_as_few_as_carry_them(self, links):
        names = [str(number) for number in range(2_100)]
        links.follow(names)
        assert self.sizes(links) == [700, 700, 700]
        assert sorted(name for link in links.links for name in link.streams) == sorted(names)
        assert all(name in links.of(name).streams for name in names)

    def test_one_stays_on_its_connection_while_others_come_and_go(self, links):
        links.follow(["a", "b", "c"])
        (link,) = links.links
        links.follow(["b", "d"])
        assert links.of("b") is link
        assert link.streams == ("b", "d")
        assert links.of("a") is None
        links.follow(["b", *(str(number) for number in range(MOST_STREAMS))])
        assert links.of("b") is link
        assert self.sizes(links) == [MOST_STREAMS // 2, MOST_STREAMS // 2 + 1]

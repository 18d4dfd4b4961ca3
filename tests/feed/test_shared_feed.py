"""One feed process for several daemons, in virtual time: what they know is the same, whatever becomes of the process."""

from collections import Counter

import pytest

from binance_trade_agent.feed import shared_feed
from binance_trade_agent.feed.quotes import MAX_AGE_MS
from binance_trade_agent.feed.shared_feed import PATIENCE_SECONDS
from binance_trade_agent.ops.clock import sleep_seconds
from binance_trade_agent.ops.tasks import stop
from tests.feed.shared_world import HISTORY, end_redis, freeze_feed, kill_feed, told, wish
from tests.feed.world import SYMBOLS
from tests.said import warnings_in


def wanted_and_live(world):
    """Of what the first daemon wants to hear the market from: how many connections live, and how many do not."""
    return Counter(told.is_live for told in world.daemons[0].feed.vitals().values() if told.is_wanted)


def test_two_daemons_know_everything_and_the_exchange_is_asked_once(caplog):
    async def story(world):
        server = world.server()
        first, second = world.daemon(wish("BTCUSDT", "ETHUSDT")), world.daemon(wish("ETHUSDT", "SOLUSDT"))
        await world.look(minutes=5)
        assert first.feed.is_shared
        assert second.feed.is_shared
        asked = [daemon.gateway.asked for daemon in (first, second)]
        assert asked == [[], []], "the feed has all of it"
        starts = [symbol for symbol, _, limit in server.gateway.of("candles") if limit > HISTORY]
        assert sorted(starts) == sorted(SYMBOLS)
        assert len(server.gateway.of("candles")) <= len(SYMBOLS) + 6, "and one comparison a minute"
        await world.all_is_right()
        world.each_candle_was_told_once()
        return world

    world = told(story)
    assert warnings_in(caplog) == []
    assert world.store.written["whole"] <= 2 * len(SYMBOLS), "candles are written behind those that are there"
    assert all(len(daemon.closes_of("ETHUSDT")) >= 4 for daemon in world.daemons)


def test_a_quote_that_the_feed_knows_is_had_without_a_request_and_before_anybody_is_heard_there_is_none():
    async def story(world):
        world.server()
        daemon = world.daemon(wish("BTCUSDT"))
        assert await daemon.feed.fresh_quote("BTCUSDT") is None
        await world.look()
        quote, theirs = await daemon.feed.fresh_quote("BTCUSDT"), await world.gateway.book_ticker("BTCUSDT")
        assert theirs.read_ms - quote.read_ms <= MAX_AGE_MS
        assert daemon.gateway.asked == []

    told(story)


def test_the_histories_of_many_symbols_are_taken_over_a_few_at_a_time(monkeypatch):
    monkeypatch.setattr(shared_feed, "_TAKEN_AT_ONCE", 2)

    async def story(world):
        read, candles = [], world.store.candles

        def reading(feed, keys, most):
            read.append((len(keys), most))
            return candles(feed, keys, most)

        world.store.candles = reading
        world.server()
        world.daemon(wish(*SYMBOLS))
        await world.look()
        await world.all_is_right()
        return [count for count, most in read if most == HISTORY]

    counts = told(story)
    assert counts[:2] == [2, 1]
    assert max(counts) == 2


def test_a_feed_says_what_it_does():
    async def story(world):
        server, beats = world.server(), []
        server.on_beat.append(lambda: beats.append(server.state()))
        world.daemon(wish("BTCUSDT", "ETHUSDT"))
        other = world.server(name="other")
        await world.look()
        assert server.state() == ("serving", "2 symbols for 1 daemons")
        assert (await world.store.beat()).symbols == 2
        assert other.state() == ("waiting", "another feed serves this market (feed)")
        assert len(beats) >= 60, "several a second"
        world.store.is_down = True
        await sleep_seconds(3)
        for each in (server, other):
            assert each.state() == ("away", "Redis does not answer: it is down; daemons go on by themselves")

    told(story)


async def flush_redis(world, server):
    world.store.flush()


async def lose_bells(world, server):
    world.store.loses_bells = True


async def nothing_overdue():
    return []


class TestWhenTheFeedIsNotToBeReliedOn:
    @pytest.mark.parametrize(
        ("harm", "said"),
        [
            (kill_feed, "the feed process is gone"),
            (end_redis, "Redis does not answer: it is down"),
        ],
    )
    def test_daemons_go_on_by_themselves_within_seconds_and_come_back(self, caplog, harm, said):
        async def story(world):
            server = world.server()
            world.daemon(wish("BTCUSDT", "ETHUSDT"))
            world.daemon(wish("SOLUSDT"))
            await world.look(minutes=1)
            await harm(world, server)
            await sleep_seconds(6)
            assert not any(daemon.feed.is_shared for daemon in world.daemons)
            assert wanted_and_live(world) == {False: 1, True: 2}, (
                "the feed process is missed, the own connections are there"
            )
            await world.look(minutes=2)
            await world.all_is_right()
            own = [daemon.gateway.of("candles") for daemon in world.daemons]
            assert all(limit < HISTORY for asked in own for _, _, limit in asked), "what is known is not asked anew"
            if harm is end_redis:
                world.store.is_down = False
            else:
                await stop(server.task)
                world.server(name="another")
            await world.look(minutes=1)
            assert all(daemon.feed.is_shared for daemon in world.daemons)
            assert wanted_and_live(world) == {True: 1}, "nobody misses the own connections"
            before = [len(daemon.gateway.asked) for daemon in world.daemons]
            await world.look(minutes=2)
            await world.all_is_right()
            assert [len(daemon.gateway.asked) for daemon in world.daemons] == before
            world.each_candle_was_told_once()

        told(story)
        warnings = [text for text in warnings_in(caplog) if "daemon" in text and "daemons go" not in text]
        assert sum(text.startswith(f"{said}; this daemon follows the market by itself") for text in warnings) == 2
        assert sum(text.startswith("the feed process tells the market again") for text in warnings) == 2
        assert len(warnings) == 4, warnings

    @pytest.mark.parametrize("harm", [flush_redis, lose_bells, freeze_feed])
    def test_what_is_lost_on_the_way_is_noticed(self, harm):
        async def story(world):
            server = world.server()
            world.daemon(wish("BTCUSDT", "ETHUSDT"))
            await world.look(minutes=1)
            await harm(world, server)
            await world.look(minutes=2)
            assert world.daemons[0].feed.is_shared == (harm is not freeze_feed)
            await world.all_is_right()
            world.each_candle_was_told_once()

        told(story)

    def test_a_feed_that_is_behind_is_left(self, caplog):
        async def story(world):
            server = world.server()
            daemon = world.daemon(wish("BTCUSDT", "ETHUSDT"))
            await world.look(minutes=1)
            server.feed.candles.take = lambda *_: None
            server.feed.candles.fill_overdue = nothing_overdue
            await sleep_seconds(90)
            assert not daemon.feed.is_shared
            await world.look(minutes=1)
            assert not daemon.feed.is_shared
            await world.all_is_right()
            world.each_candle_was_told_once()

        told(story)
        assert "the feed process is behind: the exchange has newer candles of 2 symbols" in warnings_in(caplog)[0]

    def test_without_one_at_the_start_a_daemon_does_not_wait(self, caplog):
        async def story(world):
            daemon = world.daemon(wish("BTCUSDT"))
            begun = world.clock.now_ms()
            await daemon.feed.series("BTCUSDT", "1m")
            assert world.clock.now_ms() - begun < 2_000
            await sleep_seconds(3)
            await world.all_is_right()

        told(story)
        assert "no feed process serves this market" in warnings_in(caplog)[0]

    def test_one_that_has_not_got_the_candles_is_waited_for_a_while_at_the_start(self):
        async def story(world):
            server = world.server()
            await sleep_seconds(5)
            server.feed.candles.fill_histories = nothing_overdue
            daemon = world.daemon(wish("BTCUSDT"))
            begun = world.clock.now_ms()
            await daemon.feed.series("BTCUSDT", "1m")
            assert PATIENCE_SECONDS * 1000 <= world.clock.now_ms() - begun < (PATIENCE_SECONDS + 2) * 1000
            assert not daemon.feed.is_shared

        told(story)


def test_what_the_comparison_with_the_exchange_mends_is_mended_for_the_daemons():
    async def story(world):
        server = world.server()
        daemon = world.daemon(wish("BTCUSDT"))
        await world.look(minutes=1)
        ring = server.feed.candles.rings["BTCUSDT", "1m"]
        window = ring.window()[-1:]
        numbers = window.numbers.copy()
        numbers[0, 3] += 0.01
        ring.merge(type(window)(window.times, numbers))
        await sleep_seconds(2)
        assert daemon.feed._own.candles.rings["BTCUSDT", "1m"].window()[-1:].numbers == pytest.approx(numbers)
        await world.look(minutes=2)
        assert server.feed.candles.disagreements.total() == 1
        await world.all_is_right()
        assert daemon.gateway.asked == []

    told(story)


class TestWhatIsWanted:
    def test_symbols_come_and_go_on_one_connection(self, caplog):
        async def story(world):
            server = world.server(own=wish("BTCUSDT"))
            await world.look(minutes=1)
            connections = list(world.exchange.simulation.streams.connections)
            for symbol in ("ETHUSDT", "SOLUSDT"):
                world.daemon(wish(symbol))
                await world.look(minutes=1)
            assert {symbol for symbol, _ in server.feed.candles.rings} == {*SYMBOLS}
            await world.all_is_right()
            await stop(world.daemons.pop().task)
            await world.look(minutes=1)
            assert {symbol for symbol, _ in server.feed.candles.rings} == {"BTCUSDT", "ETHUSDT"}
            (link,) = server.feed.quote_links.links
            assert link.streams == ("btcusdt@bookTicker", "ethusdt@bookTicker")
            assert list(world.exchange.simulation.streams.connections) == connections
            await world.all_is_right()

        told(story)
        assert warnings_in(caplog) == []

    def test_a_longer_history_is_fetched_while_the_shorter_one_is_served(self, caplog):
        async def story(world):
            world.server()
            world.daemon(wish("BTCUSDT"))
            await world.look(minutes=1)
            world.daemon(wish("BTCUSDT", history=100))
            await world.look(minutes=1)
            assert all(daemon.feed.is_shared for daemon in world.daemons)
            assert [daemon.gateway.asked for daemon in world.daemons] == [[], []]
            await world.all_is_right()
            world.each_candle_was_told_once()

        told(story)
        assert warnings_in(caplog) == []

    def test_a_strategy_that_looks_further_back_gets_what_it_wants_at_once(self, caplog):
        async def story(world):
            world.server()
            daemon = world.daemon(wish("BTCUSDT"))
            await world.look(minutes=1)
            assert len((await daemon.feed.series("BTCUSDT", "1m", 100)).candles) == 100
            assert len(daemon.gateway.of("candles")) == 1, "the feed keeps fewer yet"
            await world.look(minutes=1)
            assert daemon.feed.is_shared
            assert daemon.feed._beat.history == 100, "by now it keeps as many"
            assert len(daemon.gateway.of("candles")) == 1
            await world.all_is_right()
            world.each_candle_was_told_once()

        told(story)
        assert warnings_in(caplog) == []

    def test_a_symbol_that_the_exchange_does_not_list_harms_nobody(self, caplog):
        async def story(world):
            world.server(own=wish("NOSUCHUSDT"))
            world.daemon(wish("BTCUSDT"))
            await world.look(minutes=1)
            assert world.daemons[0].feed.is_shared
            await world.all_is_right()

        told(story)
        assert warnings_in(caplog) == ["the exchange does not list NOSUCHUSDT; left out"]

    def test_rules_that_an_order_was_refused_by_are_read_from_the_exchange(self):
        async def story(world):
            world.server()
            daemon = world.daemon(wish("BTCUSDT"))
            await world.look(minutes=1)
            assert daemon.gateway.of("symbol_rules") == []
            daemon.feed.forget_rules()
            await daemon.feed.rules("BTCUSDT")
            assert len(daemon.gateway.of("symbol_rules")) == 1

        told(story)


def test_of_two_feeds_one_serves_and_the_other_takes_its_place():
    async def story(world):
        first = world.server(own=wish("BTCUSDT"), name="first")
        await sleep_seconds(5)
        second = world.server(own=wish("BTCUSDT"), name="second")
        daemon = world.daemon(wish("BTCUSDT"))
        await world.look(minutes=1)
        assert (first.is_serving.is_set(), second.is_serving.is_set()) == (True, False)
        assert second.gateway.asked == [], "one that waits costs nothing"
        await stop(first.task)
        await world.look(minutes=1)
        assert second.is_serving.is_set()
        assert daemon.feed.is_shared
        await world.all_is_right()

    told(story)

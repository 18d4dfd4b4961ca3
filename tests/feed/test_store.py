"""The store of a shared feed, in a real Redis; and the one in memory, which stands for it in virtual time, does the same."""

import numpy as np
import pytest
from msgspec import msgpack
from redis.asyncio import Redis

from binance_trade_agent.domain.candle_window import CandleWindow
from binance_trade_agent.domain.candles import MINUTE_MS
from binance_trade_agent.domain.symbols import SymbolRules
from binance_trade_agent.feed.candles import LastTrade
from binance_trade_agent.feed.notes import (
    Beat,
    QuoteNote,
    RulesNote,
    ToldTrades,
    TradesNote,
    Wish,
    packed,
    rows_of,
    single_rows,
    unpacked,
    window_of_rows,
)
from binance_trade_agent.feed.redis_store import RedisStore
from binance_trade_agent.feed.store import (
    BEAT_KEPT_SECONDS,
    SERVER_KEPT_SECONDS,
    WISH_KEPT_SECONDS,
    StoreError,
    Writing,
)
from tests.cache.redis_server import needs_redis, running_redis
from tests.feed.memory_store import MemoryStore

BTC, ETH = ("BTCUSDT", "1m"), ("ETHUSDT", "5m")
BEAT = Beat("feed", 1, 0, 500, (None, 123))


def candles(first, last):
    """Candles of these minutes, each with its own numbers."""
    opened = np.arange(first, last + 1, dtype=np.int64) * MINUTE_MS
    times = np.stack([opened, opened + MINUTE_MS - 1], axis=1)
    return CandleWindow(times, opened[:, None] / 7 + np.arange(5, dtype=np.float64))


@pytest.fixture(params=[pytest.param("redis", marks=needs_redis), "memory"])
async def store(request, tmp_path):
    if request.param == "memory":
        yield MemoryStore()
        return
    async with running_redis(tmp_path) as server:
        opened = RedisStore(server.url, "simulated market")
        yield opened
        await opened.close()


async def test_candles_are_added_behind_those_that_are_there(store):
    await store.write(Writing(BEAT, renewed={BTC: rows_of(candles(1, 5)), ETH: rows_of(candles(1, 3))}))
    await store.write(Writing(BEAT, added={BTC: rows_of(candles(6, 7))}))
    btc, eth = await store.candles("feed", [BTC, ETH], 10)
    assert window_of_rows(btc) == candles(1, 7)
    assert window_of_rows(eth) == candles(1, 3)
    (newest,) = await store.candles("feed", [BTC], 2)
    assert window_of_rows(newest) == candles(6, 7)
    assert window_of_rows((await store.candles("another feed", [BTC], 2))[0]) is None
    await store.write(Writing(BEAT, renewed={BTC: rows_of(candles(7, 7))}, dropped=[ETH]))
    assert [window_of_rows(rows) for rows in await store.candles("feed", [BTC, ETH], 10)] == [candles(7, 7), None]


async def test_quotes_come_with_the_sign_of_life_that_they_were_written_with(store):
    await store.write(Writing(BEAT, quotes={"BTCUSDT": b"one", "ETHUSDT": b"two"}))
    later = Beat("feed", 2, 0, 500, (None, 456))
    await store.write(Writing(later, quotes={"ETHUSDT": None}))
    assert await store.quotes("feed", ["ETHUSDT", "BTCUSDT", "SOLUSDT"]) == (later, [None, b"one", None], None)


async def test_trades_come_with_the_quotes_and_are_those_of_this_feed_that_were_written_last(store):
    await store.write(Writing(BEAT, trades=b"first"))
    await store.write(Writing(BEAT))
    assert await store.quotes("feed", ["BTCUSDT"]) == (BEAT, [None], b"first")
    await store.write(Writing(BEAT, trades=b"second"))
    assert (await store.quotes("feed", ["BTCUSDT"]))[2] == b"second"
    assert (await store.quotes("another feed", ["BTCUSDT"]))[2] is None


async def test_rules_are_those_that_were_written_last(store):
    assert await store.rules("feed") is None
    note = RulesNote(5, (SymbolRules("BTCUSDT", "BTC", "USDT"),))
    await store.write(Writing(BEAT, rules=packed(note)))
    await store.write(Writing(BEAT))
    assert await store.rules("feed") == note


async def test_one_feed_serves_until_it_lets_go(store):
    assert await store.hold("first") is None
    assert await store.hold("second") == "first"
    assert await store.hold("first") is None
    await store.let_go("second")
    assert await store.hold("second") == "first"
    await store.write(Writing(BEAT))
    assert await store.beat() == BEAT
    await store.let_go("first")
    assert await store.beat() is None
    assert await store.hold("second") is None


async def test_every_wish_is_known(store):
    assert await store.wishes() == []
    wishes = [Wish((BTC,), 500), Wish((BTC, ETH), 600)]
    await store.wish("one", Wish((), 1))
    await store.wish("one", wishes[0])
    await store.wish("two", wishes[1])
    assert sorted(await store.wishes(), key=str) == sorted(wishes, key=str)


async def test_a_bell_reaches_all_who_listen(store):
    async with store.listening() as one, store.listening() as other:
        await store.ring(b"first")
        await store.write(Writing(BEAT, bell=b"second"))
        for bells in (one, other):
            assert [await bells.next(10), await bells.next(10)] == [b"first", b"second"]
        assert await one.next(0.01) is None


def test_what_programs_wrote_before_they_told_trades_is_read_and_they_read_what_is_written_now():
    """The form of version 1: whoever changes it has to count the version of the keys up."""
    beat = Beat("feed", 1, 2, 500, (None, 123), 3, 4, 5)
    names = ("feed", "number", "bells", "history", "proofs", "symbols", "daemons", "since_wall_ms")
    assert msgpack.decode(packed(beat)) == dict(zip(names, ("feed", 1, 2, 500, [None, 123], 3, 4, 5), strict=True))
    quote = QuoteNote(0, "1.0", "2", "1.1", "3")
    assert msgpack.decode(packed(quote)) == [0, "1.0", "2", "1.1", "3"]
    note = TradesNote((ToldTrades(9, {"BTCUSDT": LastTrade("1.05", 8, 7)}),))
    assert msgpack.decode(packed(note)) == [[[9, {"BTCUSDT": ["1.05", 8, 7]}]]]
    for each in (beat, quote, note):
        assert unpacked(packed(each), type(each)) == each
    assert unpacked(packed(quote), TradesNote) is unpacked(b"rubbish", TradesNote) is None


def test_of_several_connections_that_tell_of_a_symbol_the_one_heard_last_proves_its_trade():
    trades = {symbol: LastTrade("1", 3, 1) for symbol in ("BTCUSDT", "ETHUSDT")}
    note = TradesNote((ToldTrades(5, trades), ToldTrades(9, {"BTCUSDT": trades["BTCUSDT"]})))
    assert [note.of(symbol) for symbol in ("BTCUSDT", "ETHUSDT", "SOLUSDT")] == [
        (trades["BTCUSDT"], 9),
        (trades["ETHUSDT"], 5),
        None,
    ]


def test_single_rows_are_the_candles_of_the_window():
    window = candles(3, 5)
    assert [(row[:2], row[2:]) for row in single_rows(rows_of(window))] == [
        (tuple(times), tuple(numbers))
        for times, numbers in zip(window.times.tolist(), window.numbers.tolist(), strict=True)
    ]
    assert list(single_rows(b"rubbish")) == []


class TestRedis:
    pytestmark = needs_redis

    @pytest.fixture
    async def store(self, redis_server):
        opened = RedisStore(redis_server.url, "simulated market")
        yield opened
        await opened.close()

    @pytest.fixture
    async def redis(self, redis_server):
        async with Redis.from_url(redis_server.url, decode_responses=True) as client:
            yield client

    async def test_everything_ends_by_itself_and_is_called_by_its_version(self, store, redis):
        await store.hold("feed")
        await store.wish("one", Wish((BTC,), 500))
        rows = rows_of(candles(1, 1))
        await store.write(
            Writing(BEAT, {BTC: rows}, {ETH: rows}, quotes={"BTCUSDT": b"one"}, rules=b"rules", trades=b"trades")
        )
        prefix = "bta:feed:1:simulated-market:"
        kept = {key.removeprefix(prefix): await redis.pttl(key) for key in await redis.keys()}
        most = {
            "server": SERVER_KEPT_SECONDS,
            "beat": BEAT_KEPT_SECONDS,
            "wish:one": WISH_KEPT_SECONDS,
            "candles:feed:BTCUSDT:1m": 420,
            "candles:feed:ETHUSDT:5m": 900,
            "quotes:feed": 60,
            "rules:feed": 600,
            "trades:feed": BEAT_KEPT_SECONDS,
        }
        assert kept.pop("daemons") == -1, "names only; one whose wish has ended is taken out"
        assert kept.keys() == most.keys()
        assert all(0 < kept[name] <= most[name] * 1000 for name in kept)
        await redis.delete(f"{prefix}wish:one")
        assert await store.wishes() == []
        assert await redis.exists(f"{prefix}daemons") == 0

    async def test_rubbish_is_nothing_or_a_trouble_of_the_store(self, store, redis):
        await redis.set("bta:feed:1:simulated-market:beat", "rubbish")
        assert await store.beat() is None
        await redis.hset("bta:feed:1:simulated-market:candles:feed:BTCUSDT:1m", "of", "another kind")
        with pytest.raises(StoreError, match="WRONGTYPE"):
            await store.candles("feed", [BTC], 1)

    async def test_what_is_written_in_another_form_is_not_looked_at(self, store, redis):
        await store.write(Writing(BEAT, quotes={"BTCUSDT": b"one"}))
        for version in (0, 2):
            other = f"bta:feed:{version}:simulated-market:"
            await redis.set(f"{other}trades:feed", "of another form")
            await redis.set(f"{other}beat", "of another form")
        assert await store.quotes("feed", ["BTCUSDT"]) == (BEAT, [b"one"], None)

    async def test_a_redis_that_is_away_is_said(self, store, redis_server):
        async with store.listening() as bells:
            redis_server.kill()
            with pytest.raises(StoreError, match="Redis does not answer"):
                await bells.next(60)
            for ask in (store.beat, store.wishes, lambda: store.hold("feed"), lambda: store.write(Writing(BEAT))):
                with pytest.raises(StoreError, match="Redis does not answer"):
                    await ask()

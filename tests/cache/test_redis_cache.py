"""The cache on a real Redis that is killed, restarted, flushed, full, and talks rubbish."""

import asyncio
from contextlib import asynccontextmanager

import pytest
from redis.asyncio import Redis

from binance_trade_agent.cache import redis_cache
from binance_trade_agent.cache.redis_cache import RedisCache
from binance_trade_agent.ops.clock import monotonic_seconds, sleep_seconds
from tests.cache.redis_server import needs_redis
from tests.said import warnings_in


@pytest.fixture
async def cache(redis_server):
    opened = RedisCache(redis_server.url)
    yield opened
    await opened.close()


@pytest.fixture
async def redis(redis_server):
    """What another program sees and does."""
    async with Redis.from_url(redis_server.url) as client:
        yield client


@pytest.fixture
def short_rest(monkeypatch):
    monkeypatch.setattr(redis_cache, "_REST_SECONDS", 0.05)


class TestWithRedis:
    pytestmark = needs_redis

    async def test_value_is_kept_in_redis_for_its_time(self, cache, redis):
        await cache.put("bta:book", b"\x00value", 30)
        assert await cache.get("bta:book") == b"\x00value"
        assert await redis.get("bta:book") == b"\x00value"
        assert 29_000 < await redis.pttl("bta:book") <= 30_000

    async def test_expired_value_is_gone(self, cache):
        await cache.put("key", b"value", 0.03)
        await sleep_seconds(0.06)
        assert await cache.get("key") is None

    async def test_even_the_shortest_time_is_accepted(self, cache, caplog):
        await cache.put("key", b"value", 0)
        assert warnings_in(caplog) == []

    async def test_flushed_redis_has_nothing_and_takes_values_again(self, cache, redis):
        await cache.put("key", b"value", 30)
        await redis.flushall()
        assert await cache.get("key") is None
        await cache.put("key", b"value", 30)
        assert await cache.get("key") == b"value"

    async def test_something_of_another_kind_under_the_key_is_replaced(self, cache, redis, caplog):
        await redis.rpush("key", "a", "b")
        assert await cache.get("key") is None
        await cache.put("key", b"value", 30)
        assert await cache.get("key") == b"value"
        assert warnings_in(caplog) == []

    async def test_killed_redis_is_replaced_by_the_process_with_one_warning(self, cache, redis_server, caplog):
        await cache.put("key", b"value", 30)
        redis_server.kill()
        assert await cache.get("key") is None
        await cache.put("key", b"newer", 30)
        for _ in range(20):
            assert await cache.get("key") == b"newer"
        assert len(warnings_in(caplog)) == 1
        assert "Redis does not answer" in warnings_in(caplog)[0]

    @pytest.mark.usefixtures("short_rest")
    async def test_restarted_redis_is_used_again_and_that_is_said(self, cache, redis_server, caplog):
        redis_server.kill()
        await cache.put("key", b"old", 30)
        await redis_server.start()
        await sleep_seconds(0.06)
        await cache.put("key", b"value", 30)
        async with Redis.from_url(redis_server.url) as redis:
            assert await redis.get("key") == b"value"
        assert [text.partition(";")[0] for text in warnings_in(caplog)] == [
            "Redis does not answer",
            "Redis answers again",
        ]

    async def test_restart_between_two_calls_is_no_outage(self, cache, redis_server, caplog):
        await cache.put("key", b"value", 30)
        redis_server.kill()
        await redis_server.start()
        assert await cache.get("key") is None
        await cache.put("key", b"value", 30)
        assert await cache.get("key") == b"value"
        assert warnings_in(caplog) == []

    @pytest.mark.usefixtures("short_rest")
    async def test_full_redis_is_said_once_though_it_still_answers_questions(self, cache, redis, caplog):
        await redis.config_set("maxmemory", "1")
        for number in range(3):
            await cache.put("key", b"%d" % number, 30)
            assert await cache.get("key") == b"%d" % number
            await sleep_seconds(0.06)
            assert await cache.get("key") is None
        assert len(warnings_in(caplog)) == 1

    async def test_wrong_password_is_one_warning_without_the_password(self, redis_server, redis, caplog):
        await redis.config_set("requirepass", "right")
        cache = RedisCache(redis_server.url.replace("//", "//:wrong-secret@"))
        await cache.put("key", b"value", 30)
        assert await cache.get("key") == b"value"
        await cache.close()
        assert len(warnings_in(caplog)) == 1
        assert "wrong-secret" not in caplog.text


RUBBISH = [
    b"HTTP/1.1 400 Bad Request\r\n\r\n",
    b"$abc\r\n",
    b"*x\r\n",
    b"\xff\xfe\x00\r\n",
    b":12\r\n",
    b"-ERR no\r\n",
    b"-LOADING Redis is loading the dataset in memory\r\n",
    b"*1\r\n*1\r\n*1\r\n$-1\r\n",
    b"",
]


@asynccontextmanager
async def talking(answer: bytes):
    """A port that answers everything with `answer`, or with nothing but silence when it is empty."""
    silent = asyncio.Event()

    async def serve(reader, writer):
        while await reader.read(1000):
            writer.write(answer)
            if not answer:
                await silent.wait()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        silent.set()
        server.close()


@pytest.mark.parametrize("answer", RUBBISH)
async def test_rubbish_for_an_answer_never_raises_and_never_becomes_a_value(answer, caplog):
    async with talking(answer) as url:
        cache = RedisCache(url)
        assert await cache.get("key") is None
        await cache.put("key", b"value", 30)
        assert await cache.get("key") in {b"value", None}
        await cache.close()
    assert len(warnings_in(caplog)) <= 1


async def test_silent_redis_costs_a_tick_half_a_second_once():
    async with talking(b"") as url:
        cache = RedisCache(url)
        began = monotonic_seconds()
        for _ in range(10):
            await cache.get("key")
            await cache.put("key", b"value", 30)
        assert monotonic_seconds() - began < 5, "each wait would be half a second"
        await cache.close()

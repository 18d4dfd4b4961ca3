"""RedisStore: the feed process' place in Redis."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import TypeVar

from redis.asyncio.client import PubSub

from binance_trade_agent.domain.candles import INTERVAL_MS
from binance_trade_agent.feed.candles import Key
from binance_trade_agent.feed.notes import ROW_BYTES, Beat, RulesNote, Wish, packed, unpacked
from binance_trade_agent.feed.store import (
    BEAT_KEPT_SECONDS,
    SERVER_KEPT_SECONDS,
    WISH_KEPT_SECONDS,
    Bells,
    StoreError,
    Writing,
)
from binance_trade_agent.ops.redis_client import redis_client

_VERSION = 1  # of what is written: programs that write otherwise use other keys
_TIMEOUT_SECONDS = 2.0
_QUOTES_KEPT_SECONDS = 60
_RULES_KEPT_SECONDS = 600
_CANDLES_KEPT_MS = 300_000  # beyond two of them
_KEYS_A_QUESTION = 50  # 28 kB each: more would keep the event loop for long

# Be the one that serves, or go on being it; else say who is.
_HOLD = """
local held = redis.call('GET', KEYS[1])
if held and held ~= ARGV[1] then return held end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return false
"""
_LET_GO = "if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1], KEYS[2]) end"

T = TypeVar("T")


class RedisStore:
    """See Store.

    Args:
        url: of Redis.
        market: names what is traded on; another market's feed is another one.
    """

    def __init__(self, url: str, market: str) -> None:
        self._redis = redis_client(url, _TIMEOUT_SECONDS)
        self._prefix = f"bta:feed:{_VERSION}:{market.replace(' ', '-')}"

    async def hold(self, feed: str) -> str | None:
        """See Store."""
        keys = [self._key("server"), feed, round(SERVER_KEPT_SECONDS * 1000)]
        held = await _asked(lambda: self._redis.eval(_HOLD, 1, *keys))
        return None if held is None else held.decode(errors="replace")

    async def let_go(self, feed: str) -> None:
        """See Store."""
        keys = [self._key("server"), self._key("beat"), feed]
        await _asked(lambda: self._redis.eval(_LET_GO, 2, *keys))

    async def wishes(self) -> list[Wish]:
        """See Store."""
        daemons = await _asked(lambda: self._redis.smembers(self._key("daemons")))
        if not daemons:
            return []
        names = sorted(daemons)
        values = await _asked(lambda: self._redis.mget([self._wish_key(name.decode()) for name in names]))
        if gone := [name for name, value in zip(names, values, strict=True) if value is None]:
            await _asked(lambda: self._redis.srem(self._key("daemons"), *gone))
        return [wish for value in values if (wish := unpacked(value, Wish)) is not None]

    async def write(self, writing: Writing) -> None:
        """See Store."""
        feed = writing.beat.feed
        quotes, rules, trades = (self._key(each, feed) for each in ("quotes", "rules", "trades"))
        pipe = self._redis.pipeline(transaction=True)
        for key, rows in writing.renewed.items():
            pipe.set(self._candle_key(feed, key), rows, px=_kept_ms(key))
        for key, rows in writing.added.items():
            pipe.append(self._candle_key(feed, key), rows)
            pipe.pexpire(self._candle_key(feed, key), _kept_ms(key))
        if writing.dropped:
            pipe.delete(*(self._candle_key(feed, key) for key in writing.dropped))
        if known := {symbol: value for symbol, value in writing.quotes.items() if value is not None}:
            pipe.hset(quotes, mapping=known)
        if forgotten := [symbol for symbol, value in writing.quotes.items() if value is None]:
            pipe.hdel(quotes, *forgotten)
        pipe.expire(quotes, _QUOTES_KEPT_SECONDS)
        if writing.rules is not None:
            pipe.set(rules, writing.rules, ex=_RULES_KEPT_SECONDS)
        if writing.trades is not None:
            pipe.set(trades, writing.trades, px=round(BEAT_KEPT_SECONDS * 1000))
        pipe.set(self._key("beat"), packed(writing.beat), px=round(BEAT_KEPT_SECONDS * 1000))
        if writing.bell is not None:
            pipe.publish(self._key("bell"), writing.bell)
        await _asked(pipe.execute)

    async def ring(self, bell: bytes) -> None:
        """See Store."""
        await _asked(lambda: self._redis.publish(self._key("bell"), bell))

    async def wish(self, daemon: str, wish: Wish) -> None:
        """See Store."""
        pipe = self._redis.pipeline(transaction=True)
        pipe.set(self._wish_key(daemon), packed(wish), px=round(WISH_KEPT_SECONDS * 1000))
        pipe.sadd(self._key("daemons"), daemon)
        await _asked(pipe.execute)

    async def beat(self) -> Beat | None:
        """See Store."""
        return unpacked(await _asked(lambda: self._redis.get(self._key("beat"))), Beat)

    async def candles(self, feed: str, keys: Sequence[Key], most: int) -> list[bytes | None]:
        """See Store."""
        found: list[bytes | None] = []
        for first in range(0, len(keys), _KEYS_A_QUESTION):
            pipe = self._redis.pipeline(transaction=False)
            for key in keys[first : first + _KEYS_A_QUESTION]:
                pipe.getrange(self._candle_key(feed, key), -most * ROW_BYTES, -1)
            found += await _asked(pipe.execute)
        return found

    async def quotes(self, feed: str, symbols: Sequence[str]) -> tuple[Beat | None, list[bytes | None], bytes | None]:
        """See Store."""
        pipe = self._redis.pipeline(transaction=True)
        pipe.get(self._key("beat"))
        pipe.hmget(self._key("quotes", feed), list(symbols))
        pipe.get(self._key("trades", feed))
        beat, values, trades = await _asked(pipe.execute)
        return unpacked(beat, Beat), values, trades

    async def rules(self, feed: str) -> RulesNote | None:
        """See Store."""
        return unpacked(await _asked(lambda: self._redis.get(self._key("rules", feed))), RulesNote)

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[Bells]:
        """See Store."""
        pubsub = self._redis.pubsub()
        try:
            await _asked(lambda: pubsub.subscribe(self._key("bell")))
            if await _asked(lambda: pubsub.get_message(timeout=_TIMEOUT_SECONDS), _TIMEOUT_SECONDS) is None:
                raise StoreError("Redis does not answer to SUBSCRIBE")
            yield _RedisBells(pubsub)
        finally:
            with contextlib.suppress(Exception):  # the connection may be gone
                await pubsub.aclose()

    async def close(self) -> None:
        """See Store."""
        with contextlib.suppress(Exception):
            await self._redis.aclose()

    def _key(self, *parts: str) -> str:
        return ":".join((self._prefix, *parts))

    def _wish_key(self, daemon: str) -> str:
        return self._key("wish", daemon)

    def _candle_key(self, feed: str, key: Key) -> str:
        return self._key("candles", feed, *key)


class _RedisBells:
    def __init__(self, pubsub: PubSub) -> None:
        self._pubsub = pubsub

    async def next(self, timeout_seconds: float) -> bytes | None:
        message = await _asked(lambda: self._pubsub.get_message(timeout=timeout_seconds), timeout_seconds)
        return message["data"] if message and message["type"] == "message" else None


def _kept_ms(key: Key) -> int:
    return 2 * INTERVAL_MS[key[1]] + _CANDLES_KEPT_MS


async def _asked(ask: Callable[[], Awaitable[T]], longer_seconds: float = 0.0) -> T:
    try:
        async with asyncio.timeout(_TIMEOUT_SECONDS + longer_seconds):
            return await ask()
    except Exception as failure:  # (rubbish for an answer raises ValueError and more)
        raise StoreError(f"Redis does not answer: {str(failure) or type(failure).__name__}") from failure

"""The cache in Redis, which may be absent, slow, flushed or full of rubbish without any effect on decisions."""

import logging

from redis.exceptions import ResponseError

from binance_trade_agent.cache.cache import Cache, InProcessCache
from binance_trade_agent.ops.clock import monotonic_seconds, wall_ms
from binance_trade_agent.ops.redis_client import redis_client

_TIMEOUT_SECONDS = 0.25
_REST_SECONDS = 15.0  # after a failure Redis is left alone for so long, so that a tick never waits for it twice

log = logging.getLogger(__name__)


class RedisCache:
    """See Cache. While Redis does not answer another cache serves; that is said once, and its end too.

    Attributes:
        away_since_wall_ms: since when Redis does not answer, None while it does.

    Args:
        url: where Redis is.
        stand_in: that other cache; without one, one of the process's own.
    """

    def __init__(self, url: str, stand_in: Cache | None = None) -> None:
        self._redis = redis_client(url, _TIMEOUT_SECONDS)
        self._stand_in = stand_in or InProcessCache()
        self._silent_until = 0.0
        self.away_since_wall_ms: int | None = None

    async def get(self, key: str) -> bytes | None:
        """See Cache."""
        if monotonic_seconds() >= self._silent_until:
            try:
                value = await self._redis.get(key)
            except ResponseError:  # under the key is something of another kind; the next `put` replaces it
                return None
            except Exception as failure:  # noqa: BLE001 (rubbish for an answer raises ValueError and more)
                self._went_down(failure)
            else:
                return value if isinstance(value, bytes) else None
        return await self._stand_in.get(key)

    async def put(self, key: str, value: bytes, ttl_seconds: float) -> None:
        """See Cache."""
        if monotonic_seconds() >= self._silent_until:
            try:
                await self._redis.set(key, value, px=max(1, round(ttl_seconds * 1000)))
            except Exception as failure:  # noqa: BLE001 (see get)
                self._went_down(failure)
            else:
                self._came_back()  # only here: a full Redis still answers questions
                return
        await self._stand_in.put(key, value, ttl_seconds)

    async def close(self) -> None:
        """See Cache."""
        await self._redis.aclose()
        await self._stand_in.close()

    def _went_down(self, failure: Exception) -> None:
        self._silent_until = monotonic_seconds() + _REST_SECONDS
        if self.away_since_wall_ms is None:
            self.away_since_wall_ms = wall_ms()
            log.warning("Redis does not answer; going on without it: %s", failure)

    def _came_back(self) -> None:
        if self.away_since_wall_ms is not None:
            self.away_since_wall_ms = None
            log.warning("Redis answers again")

"""The cache's interface and its in-process form."""

from typing import Protocol

from binance_trade_agent.ops.clock import monotonic_seconds


class Cache(Protocol):
    """Bytes by key, each for a limited time (wall seconds). Neither method ever raises."""

    async def get(self, key: str) -> bytes | None:
        """The value, None when it is not there, has expired, or the cache cannot be asked."""
        ...

    async def put(self, key: str, value: bytes, ttl_seconds: float) -> None:
        """Keep `value` for at most `ttl_seconds`."""
        ...

    async def close(self) -> None:
        """Give back connections."""
        ...


class InProcessCache:
    """The stand-in when there is no Redis."""

    def __init__(self) -> None:
        self._entries: dict[str, tuple[float, bytes]] = {}

    async def get(self, key: str) -> bytes | None:
        """See Cache."""
        expires, value = self._entries.get(key, (0.0, b""))
        if expires > monotonic_seconds():
            return value
        self._entries.pop(key, None)
        return None

    async def put(self, key: str, value: bytes, ttl_seconds: float) -> None:
        """See Cache."""
        self._entries[key] = (monotonic_seconds() + ttl_seconds, value)

    async def close(self) -> None:
        """See Cache."""
        self._entries.clear()

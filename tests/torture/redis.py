"""A Redis in memory, on virtual time: as much of it as claims and leases need, and what may go wrong with one."""

import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import OutOfMemoryError, RedisError, WatchError
from redis.exceptions import TimeoutError as RedisTimeoutError

from binance_trade_agent.ops.clock import monotonic_seconds, sleep_seconds
from tests.torture.machine import Machine

_TRIP_SECONDS = 0.002
_SILENCE_SECONDS = 4.0  # two time-outs of 2 s, after which the client gives up
TROUBLES = ("away", "silent", "slow", "full", "answers lost")
LOSSES = ("flush", "evict", "rubbish")


@dataclass
class MemoryRedis:
    """The server.

    Attributes:
        counts: what has gone wrong, by kind.
        hashes, strings: what is kept; of strings with when they expire.
        versions: how often each key has changed, for WATCH.
        on_change: told when what is kept in hashes has changed.
    """

    chance: random.Random
    counts: Counter[str] = field(default_factory=Counter)
    hashes: dict[str, dict[bytes, bytes]] = field(default_factory=dict)
    strings: dict[str, tuple[bytes, float]] = field(default_factory=dict)
    versions: Counter[str] = field(default_factory=Counter)
    on_change: Callable[[], None] = lambda: None
    _until: dict[str, float] = field(default_factory=dict)

    def trouble(self, kind: str, seconds: float) -> None:
        """Let one of TROUBLES go on for so long."""
        self._until[kind] = monotonic_seconds() + seconds

    def lose(self, kind: str) -> None:
        """Let one of LOSSES happen now."""
        self.counts[f"redis {kind}"] += 1
        for key in [*self.hashes, *self.strings] if kind == "flush" else [*self.hashes]:
            if kind == "rubbish":
                self.hashes[key][b"rubbish"] = self.chance.choice((b"{", b'"NaN"', b"\xff"))
            else:
                self.hashes.pop(key, None)
                self.strings.pop(key, None)
            self.versions[key] += 1
        self.on_change()

    def heal(self) -> None:
        """No troubles from now on."""
        self._until.clear()

    def client(self, machine: Machine) -> "MemoryRedisClient":
        """As the program on `machine` sees it."""
        return MemoryRedisClient(self, machine)

    def alive(self, key: str) -> bytes | None:
        """A string that has not expired."""
        value, expires = self.strings.get(key, (None, 0.0))
        return value if expires > monotonic_seconds() else None

    def is_in(self, kind: str) -> bool:
        """Whether this goes wrong now; counted."""
        is_now = self._until.get(kind, 0.0) > monotonic_seconds()
        self.counts[f"redis {kind}"] += is_now
        return is_now


class MemoryRedisClient:
    """Takes the place of redis.asyncio.Redis in RedisClaims."""

    def __init__(self, server: MemoryRedis, machine: Machine) -> None:
        self._server = server
        self._machine = machine

    def pipeline(self, *, transaction: bool) -> "_Pipeline":
        assert transaction
        return _Pipeline(self)

    async def aclose(self) -> None:
        """Nothing is open."""

    async def set(self, key: str, value: str, seconds: float) -> None:
        """SET with EX."""
        await self.do(lambda: self._set(key, value.encode(), seconds), writes=True)

    async def delete(self, key: str) -> None:
        """DEL of a string."""
        await self.do(lambda: self._set(key, b"", 0.0), writes=True)

    async def lrange(self, *_: Any) -> list[bytes]:
        """LRANGE of a list in which nobody leaves anything."""
        left: list[bytes] = await self.do(list)
        return left

    def _set(self, key: str, value: bytes, seconds: float) -> None:
        self._server.strings[key] = value, monotonic_seconds() + seconds
        self._server.versions[key] += 1

    async def do(self, work: Callable[[], Any], *, writes: bool = False) -> Any:
        """A round trip with `work` at its far end.

        Raises:
            RedisError: what goes wrong now.
        """
        server = self._server
        self._machine.check()
        if server.is_in("away"):
            raise RedisConnectionError("Connection refused")
        if server.is_in("silent"):
            await sleep_seconds(_SILENCE_SECONDS)
            raise RedisTimeoutError("Timeout reading from socket")
        is_slow = server.is_in("slow")
        await sleep_seconds(server.chance.random() * (1.0 if is_slow else _TRIP_SECONDS))
        self._machine.check()
        if writes and server.is_in("full"):
            raise OutOfMemoryError("command not allowed when used memory > 'maxmemory'.")
        try:
            result = work()
        except RedisError as failure:
            result = failure
        await sleep_seconds(server.chance.random() * _TRIP_SECONDS)
        if server.is_in("answers lost") and server.chance.random() < 0.3:
            raise RedisConnectionError("Connection closed by server.")
        if isinstance(result, RedisError):
            raise result
        return result


class _Pipeline:
    def __init__(self, client: MemoryRedisClient) -> None:
        self._client = client
        self._server = client._server
        self._watched: dict[str, int] = {}
        self._queued: list[Callable[[], None]] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._queued.clear()

    async def watch(self, *keys: str) -> None:
        def note() -> None:
            self._watched = {key: self._server.versions[key] for key in keys}

        await self._client.do(note)

    async def hgetall(self, key: str) -> dict[bytes, bytes]:
        found: dict[bytes, bytes] = await self._client.do(lambda: dict(self._server.hashes.get(key, {})))
        return found

    async def mget(self, keys: Sequence[str]) -> list[bytes | None]:
        found: list[bytes | None] = await self._client.do(lambda: [self._server.alive(key) for key in keys])
        return found

    def multi(self) -> None:
        """What follows waits for `execute`."""

    def hset(self, key: str, mapping: Mapping[bytes, bytes]) -> None:
        def put() -> None:
            self._server.hashes.setdefault(key, {}).update(mapping)
            self._server.versions[key] += 1

        self._queued.append(put)

    def expire(self, key: str, seconds: int) -> None:
        """Longer than a world lives."""

    async def execute(self) -> None:
        def run() -> None:
            if any(self._server.versions[key] != version for key, version in self._watched.items()):
                raise WatchError("Watched variable changed.")
            for each in self._queued:
                each()
            self._server.on_change()

        await self._client.do(run, writes=True)

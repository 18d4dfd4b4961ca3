"""S23: Redis down at the start, dying, slow, talking rubbish, flushed: the same decisions, and a warning, not one a tick."""

import logging
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from redis.asyncio import Redis

from binance_trade_agent.agents.signal import SignalAgent
from binance_trade_agent.cache import redis_cache
from binance_trade_agent.cache.redis_cache import RedisCache
from binance_trade_agent.domain.decisions import Decision, Outcome
from binance_trade_agent.strategies.registry import create_strategy
from tests.agents.desk import SYMBOLS, always
from tests.cache.redis_server import RedisServer, needs_redis
from tests.test_orchestrator import pipeline

pytestmark = needs_redis

KEYS = ("rules", "candles", "book")
TICKS = 8
TROUBLE_AT = 3  # the number of the tick before which it begins
EAGER = {"rsi_period": 2, "rsi_oversold": 45.0, "rsi_overbought": 55.0}


@dataclass
class Trouble:
    """What happens to Redis, and whether it answers when the daemon starts."""

    server: RedisServer
    is_up_at_start: bool = True

    async def strike(self) -> None:
        """Once, before a tick in the middle."""

    async def go_on(self) -> None:
        """Before each tick after that."""


class Dying(Trouble):
    async def strike(self) -> None:
        self.server.kill()


class DyingAndComingBack(Dying):
    async def go_on(self) -> None:
        if self.server._process is None:
            await self.server.start()


@dataclass
class Commanding(Trouble):
    """Another program with its own connection."""

    keys: list[bytes] = field(default_factory=list)

    @asynccontextmanager
    async def redis(self):
        async with Redis.from_url(self.server.url) as client:
            yield client


class Flushed(Commanding):
    async def go_on(self) -> None:
        async with self.redis() as redis:
            await redis.flushall()


class Slow(Commanding):
    async def strike(self) -> None:
        async with self.redis() as redis:
            await redis.client_pause(60_000)


class Rubbish(Commanding):
    """Each entry is another's, or cut in half, or of another kind."""

    async def go_on(self) -> None:
        async with self.redis() as redis:
            keys = sorted(await redis.keys("*"))
            assert keys
            for number, key in enumerate(keys):
                value = await redis.get(key) or b""
                wrong = (b"\xff\xfe", value[: len(value) // 2], await redis.get(keys[number - 1]), b"[]", b"null")
                await redis.set(key, wrong[number % len(wrong)] or b"")


class OldCandles(Commanding):
    """The series in Redis has lost candles in its middle, but is still such a series."""

    async def go_on(self) -> None:
        import msgspec

        async with self.redis() as redis:
            keys = await redis.keys("*:candles:*")
            assert keys
            for key in keys:
                candles = msgspec.json.decode(await redis.get(key) or b"[]")
                await redis.set(key, msgspec.json.encode([*candles[:100], *candles[110:]]))


class DownAtTheStart(Trouble):
    def __init__(self, server: RedisServer) -> None:
        super().__init__(server, is_up_at_start=False)


class DownUntilLater(DownAtTheStart):
    async def strike(self) -> None:
        await self.server.start()


def folder(tmp_path: Path, name: str) -> Path:
    made = tmp_path / name
    made.mkdir()
    return made


async def traded(folder: Path, cache=None, trouble: Trouble | None = None) -> list[Decision]:
    """The decisions of some ticks on the market of one seed."""
    async with pipeline(folder) as ready:
        ready.orchestrator._signals = SignalAgent(always(create_strategy("rsi_momentum", EAGER)))
        if cache is not None:
            ready.orchestrator._market_data = ready.desk.market_data(cache)
        decisions: list[Decision] = []
        for number in range(TICKS):
            if trouble is not None and number == TROUBLE_AT:
                await trouble.strike()
            if trouble is not None and number > TROUBLE_AT:
                await trouble.go_on()
            decisions += (await ready.tick()).values()
        await ready.desk.assert_reconciled()
        return decisions


@pytest.mark.parametrize(
    ("kind", "warnings"),
    [
        (Trouble, 0),
        (DownAtTheStart, 1),
        (DownUntilLater, 2),
        (Dying, 1),
        (DyingAndComingBack, 2),
        (Slow, 1),
        (Flushed, 0),
        (Rubbish, None),
        (OldCandles, 0),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
async def test_s23_decisions_are_the_same_whatever_becomes_of_redis(tmp_path, monkeypatch, caplog, kind, warnings):
    monkeypatch.setattr(redis_cache, "_REST_SECONDS", 0.0 if kind in {DownUntilLater, DyingAndComingBack} else 60.0)
    server = RedisServer(tmp_path)
    trouble = kind(server)
    if trouble.is_up_at_start:
        await server.start()
    cache = RedisCache(server.url)
    try:
        without = await traded(folder(tmp_path, "without"))
        beside = await traded(folder(tmp_path, "beside"), cache, trouble)
    finally:
        await cache.close()
        server.kill()
    assert beside == without
    assert {Outcome.EXECUTED, Outcome.HELD} <= {decision.outcome for decision in without}  # there was something to lose
    said = [record for record in caplog.records if "edis" in record.getMessage() or "cache" in record.getMessage()]
    assert all(record.levelno == logging.WARNING for record in said)
    if kind is Rubbish:
        assert 1 <= len(said) <= len(KEYS) * len(SYMBOLS)  # once for each entry
    else:
        assert len(said) == warnings, [record.getMessage() for record in said]

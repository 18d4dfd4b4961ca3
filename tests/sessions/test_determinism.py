"""The same seed gives the same ledger, byte for byte, whatever the machine, the cache or its death do."""

from pathlib import Path

import pytest
import pytest_asyncio

from tests.cache.redis_server import REDIS_SERVER, RedisServer
from tests.sessions.daemon_process import EAGER, assert_books_balance, daemon, lines, session, tables

pytestmark = pytest.mark.slow

# Another time zone, and a terminal that knows few letters.
ELSEWHERE = {"TZ": "Asia/Kathmandu", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def dumped(tmp_path_factory) -> list[str]:
    """What a session leaves to which nothing happens."""
    plain = tmp_path_factory.mktemp("plain")
    await session(plain, **EAGER)
    assert assert_books_balance(plain / "ledger.db") > 0
    return lines(plain / "ledger.db")


def folder(tmp_path: Path, name: str) -> Path:
    made = tmp_path / name
    made.mkdir()
    return made


async def test_same_seed_leaves_the_same_ledger_and_another_does_not(tmp_path, dumped):
    again, other = (folder(tmp_path, name) for name in ("again", "other"))
    # A cold interpreter has a seed of hashes of its own.
    await session(again, is_cold=True, **EAGER, SIMULATION_SPEED="1000", LOG_FORMAT="json", **ELSEWHERE)
    assert lines(again / "ledger.db") == dumped
    await session(other, **{**EAGER, "TRADING_DURATION_MINUTES": "2"}, SIMULATION_SEED="8")
    assert not set(tables(lines(other / "ledger.db"), "decisions")[1:]) & set(tables(dumped, "decisions"))


@pytest.mark.redis
@pytest.mark.skipif(REDIS_SERVER is None, reason="there is no redis-server on this machine")
async def test_redis_on_off_or_killed_on_the_way_leaves_the_same_ledger(tmp_path, dumped):
    beside, losing = (folder(tmp_path, name) for name in ("beside", "losing"))
    redis = RedisServer(tmp_path)
    await redis.start()
    try:
        await session(beside, **EAGER, REDIS_URL=redis.url)
        async with daemon(losing, **EAGER, SIMULATION_SPEED="1000", REDIS_URL=redis.url) as running:
            await running.until_logged("Trading Cycle #5 ")
            redis.kill()
            assert await running.ended() == 0
            assert sum("Redis does not answer; going on without it" in line for line in running.log) == 1
    finally:
        redis.kill()
    assert lines(beside / "ledger.db") == dumped
    assert lines(losing / "ledger.db") == dumped

"""The same seed gives the same ledger, byte for byte, whatever the machine, the cache or its death do."""

from pathlib import Path

import pytest

from tests.cache.redis_server import REDIS_SERVER, RedisServer
from tests.sessions.daemon_process import EAGER, assert_books_balance, daemon, lines, session, tables

pytestmark = pytest.mark.slow

# Another time zone, and a terminal that knows few letters.
ELSEWHERE = {"TZ": "Asia/Kathmandu", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"}


def folder(tmp_path: Path, name: str) -> Path:
    made = tmp_path / name
    made.mkdir()
    return made


async def test_same_seed_leaves_the_same_ledger_and_another_does_not(tmp_path):
    first, second, other = (folder(tmp_path, name) for name in ("first", "second", "other"))
    await session(first, **EAGER)
    await session(second, **EAGER, SIMULATION_SPEED="1000", LOG_FORMAT="json", **ELSEWHERE)
    assert assert_books_balance(first / "ledger.db") > 0
    dumped = lines(first / "ledger.db")
    assert lines(second / "ledger.db") == dumped
    await session(other, **{**EAGER, "TRADING_DURATION_MINUTES": "2"}, SIMULATION_SEED="8")
    assert not set(tables(lines(other / "ledger.db"), "decisions")[1:]) & set(tables(dumped, "decisions"))


@pytest.mark.redis
@pytest.mark.skipif(REDIS_SERVER is None, reason="there is no redis-server on this machine")
async def test_redis_on_off_or_killed_on_the_way_leaves_the_same_ledger(tmp_path):
    without, beside, losing = (folder(tmp_path, name) for name in ("without", "beside", "losing"))
    redis = RedisServer(tmp_path)
    await redis.start()
    try:
        await session(without, **EAGER)
        await session(beside, **EAGER, REDIS_URL=redis.url)
        async with daemon(losing, **EAGER, SIMULATION_SPEED="1000", REDIS_URL=redis.url) as running:
            await running.until_logged("Trading Cycle #5 ")
            redis.kill()
            assert await running.ended() == 0
            assert sum("Redis does not answer; going on without it" in line for line in running.log) == 1
    finally:
        redis.kill()
    dumped = lines(without / "ledger.db")
    assert lines(beside / "ledger.db") == dumped
    assert lines(losing / "ledger.db") == dumped

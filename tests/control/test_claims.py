"""Claims in a real Redis: changed in one step, however many change them at once."""

import asyncio
from decimal import Decimal

import pytest
from redis.asyncio import Redis

from binance_trade_agent.control import redis_claims
from binance_trade_agent.control.claims import ClaimsAwayError
from binance_trade_agent.control.lease import LeaseHeldError, lease_key
from binance_trade_agent.control.redis_claims import RedisClaims, refuse_shared
from binance_trade_agent.domain.claims import AccountLimits, over_limits
from binance_trade_agent.domain.values import changed
from tests.cache.redis_server import needs_redis
from tests.domain.test_claims import claim
from tests.said import warnings_in

pytestmark = needs_redis
ACCOUNT = "testnet.binance.vision:4711"


@pytest.fixture
async def redis(redis_server):
    client = Redis.from_url(redis_server.url, decode_responses=True)
    yield client
    await client.aclose()


@pytest.fixture
async def claims(redis_server):
    async with RedisClaims(redis_server.url, ACCOUNT) as found:
        yield found


async def test_what_is_written_is_what_others_read(claims, redis):
    mine = claim("alpha", cash="1234.50", exposure="17", held=["BTCUSDT"], limits=AccountLimits(Decimal(5), 3))
    assert (await claims.change(lambda _: mine)).by_instance == {}
    await redis.set(lease_key(ACCOUNT, "alpha"), "alive")
    seen = await claims.look()
    assert (seen.by_instance, seen.live, seen.whole) == ({"alpha": mine}, {"alpha"}, "")
    assert seen.others("alpha") == []
    await redis.delete(lease_key(ACCOUNT, "alpha"))
    await redis.set(lease_key(ACCOUNT), "whoever")
    seen = await claims.look()
    assert (list(seen.by_instance), seen.live, seen.whole) == (["alpha"], frozenset(), "whoever"), "what it has stays"


async def test_a_claim_that_is_refused_changes_nothing(claims):
    await claims.change(lambda _: claim())

    def refuse(_):
        raise LeaseHeldError("no")

    with pytest.raises(LeaseHeldError):
        await claims.change(refuse)
    assert (await claims.look()).by_instance == {"alpha": claim()}


async def test_many_that_buy_at_once_stay_within_the_limit(redis_server):
    """Eight daemons want 20 times 10 each, and all may hold 500: exactly 50 purchases are let through."""
    limits = AccountLimits(Decimal(500))

    async def buy(name):
        async with RedisClaims(redis_server.url, ACCOUNT) as own_claims:
            mine = claim(name, [f"{name}USDT"], limits=limits)
            for _ in range(20):

                def decide(seen):
                    if over_limits(mine, seen.others(name), f"{name}USDT", Decimal(10)):  # noqa: B023 (called at once)
                        return mine  # noqa: B023
                    return changed(mine, exposure_quote=mine.exposure_quote + 10)  # noqa: B023

                await own_claims.change(decide)
                mine = (await own_claims.look()).by_instance[name]
            return mine.exposure_quote

    bought = await asyncio.gather(*(buy(f"d{number}") for number in range(8)))
    assert sum(bought) == 500


async def test_rubbish_is_passed_over_and_said_once(claims, redis, caplog):
    await claims.change(lambda _: claim())
    key = f"bta:claims:1:{ACCOUNT}"
    await redis.hset(key, mapping={"beta": "{", "gamma": await redis.hget(key, "alpha")})
    assert list((await claims.look()).by_instance) == ["alpha"]
    await claims.look()
    assert len(warnings_in(caplog)) == 1


async def test_what_does_not_run_any_more_is_let_go(claims):
    await claims.change(lambda _: claim())
    assert await claims.forget("alpha")
    assert not await claims.forget("alpha")
    assert (await claims.look()).by_instance == {}


async def test_without_redis_nothing_is_agreed_on(redis_server, claims):
    redis_server.kill()
    with pytest.raises(ClaimsAwayError, match="does not answer"):
        await claims.look()
    with pytest.raises(ClaimsAwayError):
        await claims.forget("alpha")


class TestAllOfTheAccount:
    @pytest.fixture(autouse=True)
    def impatient(self, monkeypatch):
        monkeypatch.setattr(redis_claims, "_LOOK_SECONDS", 0.01)
        monkeypatch.setattr(redis_claims, "LEASE_SECONDS", 0.2)

    async def test_is_not_to_be_had_while_somebody_has_a_part(self, redis_server, claims, redis):
        await claims.change(lambda _: claim())
        await redis.set(lease_key(ACCOUNT, "alpha"), "alive")
        with pytest.raises(LeaseHeldError, match=r"alpha trades a part of this account \(process of alpha\)"):
            await refuse_shared(redis_server.url, ACCOUNT)

    async def test_is_to_be_had_when_the_lease_of_the_last_one_is_over(self, redis_server, claims, redis):
        await claims.change(lambda _: claim())
        await redis.set(lease_key(ACCOUNT, "alpha"), "killed", px=50)
        await refuse_shared(redis_server.url, ACCOUNT)
        assert await redis.get(lease_key(ACCOUNT, "alpha")) is None

    async def test_is_to_be_had_without_redis(self, redis_server):
        redis_server.kill()
        await refuse_shared(redis_server.url, ACCOUNT)

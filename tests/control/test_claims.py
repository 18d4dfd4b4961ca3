"""Claims in a real Redis: changed in one step, however many change them at once."""

import asyncio
from decimal import Decimal

import msgspec
import pytest
from redis import Redis as SyncRedis
from redis.asyncio import Redis

from binance_trade_agent.control import redis_claims
from binance_trade_agent.control.claims import ClaimsAwayError
from binance_trade_agent.control.lease import LeaseHeldError, lease_key
from binance_trade_agent.control.redis_claims import RedisClaims, refuse_shared
from binance_trade_agent.domain.claims import AccountLimits, Halt, over_limits
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
    rubbish = {"beta": "{", "gamma": await redis.hget(key, "alpha")}
    rubbish |= {f"d{cash}": msgspec.json.encode(claim(f"d{cash}", cash=cash)) for cash in ("NaN", "Infinity", "1e400")}
    await redis.hset(key, mapping=rubbish)
    assert list((await claims.look()).by_instance) == ["alpha"]
    await redis.hset(key, "beta", "{ another")
    await claims.look()
    assert len(warnings_in(caplog)) == len(rubbish)


async def test_something_else_in_their_place_is_replaced(claims, redis):
    await redis.set(f"bta:claims:1:{ACCOUNT}", "rubbish")
    assert (await claims.look()).by_instance == {}
    await claims.change(lambda _: claim())
    assert list((await claims.look()).by_instance) == ["alpha"]


async def test_a_redis_that_is_full_is_as_good_as_none(claims, redis):
    await claims.change(lambda _: claim())
    await redis.config_set("maxmemory", "1")
    await redis.config_set("maxmemory-policy", "noeviction")
    with pytest.raises(ClaimsAwayError, match="used memory") as refused:
        await claims.change(lambda _: claim())
    assert "HSET" not in str(refused.value)


async def test_what_redis_has_forgotten_is_put_back_by_whoever_remembers_it(claims, redis, redis_server):
    async with RedisClaims(redis_server.url, ACCOUNT) as of_beta:
        await of_beta.change(lambda _: claim("beta", ["ETHUSDT"], exposure="70"))
    await claims.change(lambda _: claim())
    await redis.flushall()
    seen = await claims.change(lambda _: claim())
    assert [each.exposure_quote for each in seen.others("alpha")] == [70], "counted at once"
    async with RedisClaims(redis_server.url, ACCOUNT) as another:
        assert set((await another.look()).by_instance) == {"alpha", "beta"}


async def test_what_was_let_go_is_not_put_back(claims, redis, redis_server):
    async with RedisClaims(redis_server.url, ACCOUNT) as of_beta:
        await of_beta.change(lambda _: claim("beta", ["ETHUSDT"]))
        await claims.change(lambda _: claim())
        assert await of_beta.forget("beta")
    assert list((await claims.change(lambda _: claim())).by_instance) == ["alpha"]
    await redis.flushall()
    assert list((await claims.look()).by_instance) == ["alpha"]


async def test_who_takes_all_of_the_account_meanwhile_is_seen(claims, redis_server):
    """The lease of all of it is taken, and nobody is seen, between a look at the claims and the first claim."""
    rival, seen = SyncRedis.from_url(redis_server.url), []

    def decide(found):
        seen.append(found.whole)
        if found.whole:
            return None
        rival.set(lease_key(ACCOUNT), "all of it")
        return claim()

    with rival:
        await claims.change(decide)
    assert seen == ["", "all of it"]
    assert (await claims.look()).by_instance == {}


async def test_what_does_not_run_any_more_is_let_go(claims):
    await claims.change(lambda _: claim())
    assert await claims.forget("alpha")
    assert not await claims.forget("alpha")
    assert (await claims.look()).by_instance == {}


async def test_what_is_left_for_a_daemon_stays_until_it_is_seen_to(claims, redis, caplog):
    kill, pause = Halt("kill", "enough", "cli", 1), Halt("pause", "entries", "cli", 2)
    heard = []

    async def obey(halts):
        heard.extend(halts)

    async def fail(_):
        raise ZeroDivisionError

    await claims.ask(["alpha", "beta"], kill)
    await redis.rpush(f"bta:halts:1:{ACCOUNT}/alpha", '{"kind": "close"}')
    await claims.ask(["alpha"], pause)
    with pytest.raises(ZeroDivisionError):
        await claims.hear("alpha", fail)
    await claims.hear("alpha", obey)
    assert heard == [kill, pause]
    assert "cannot be read" in caplog.text
    await claims.hear("alpha", obey)
    assert len(heard) == 2
    await claims.forget("beta")
    await claims.hear("beta", obey)
    assert len(heard) == 2, "another one of that name is not meant"


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

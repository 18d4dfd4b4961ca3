"""The account's lease on a real Redis that is flushed, killed, restarted and full of rubbish."""

import asyncio
import json
import logging
import signal
from dataclasses import asdict

import pytest
from redis.asyncio import Redis

from binance_trade_agent.control import redis_lease
from binance_trade_agent.control.lease import LeaseHeldError, LeaseHolder, NoLease, account_name, leased
from binance_trade_agent.control.redis_lease import RedisLease
from binance_trade_agent.domain.order_ids import LARGEST_FENCE
from binance_trade_agent.ledger.ledger import Ledger
from binance_trade_agent.ops.clock import machine_time, monotonic_seconds, sleep_seconds
from tests.cache.redis_server import needs_redis
from tests.said import warnings_in

ACCOUNT = "testnet.binance.vision:4711"
FIRST = LeaseHolder("host-a", 12, "run-a", "default", "2026-01-05T00:00:00Z")
SECOND = LeaseHolder("host-b", 13, "run-b", "default", "2026-01-05T00:01:00Z")


@pytest.fixture
async def redis(redis_server):
    """What another program sees and does."""
    async with Redis.from_url(redis_server.url, decode_responses=True) as client:
        yield client


@pytest.fixture
async def of(redis_server):
    """Makes leases; those that a test has left open are given back."""
    made: list[RedisLease] = []

    def make(holder: LeaseHolder = FIRST, *, least_fence: int = 1, dead_run: str | None = None) -> RedisLease:
        made.append(RedisLease(redis_server.url, ACCOUNT, holder, least_fence=least_fence, dead_run=dead_run))
        return made[-1]

    yield make
    for lease in made:
        await lease.let_go()


class LaterMachine:
    """This machine, some seconds later."""

    def __init__(self, seconds: float) -> None:
        self._now = monotonic_seconds() + seconds

    def wall_ms(self) -> int:
        return 0

    def monotonic_seconds(self) -> float:
        return self._now


async def written(redis) -> dict:
    return json.loads(await redis.get(f"bta:lease:{ACCOUNT}"))


class TestWithRedis:
    pytestmark = needs_redis

    async def test_lease_names_its_holder_and_lasts_30_s(self, of, redis):
        lease = of()
        await lease.take(takeover=False)
        assert await written(redis) == {
            "host": "host-a",
            "pid": 12,
            "run_id": "run-a",
            "instance": "default",
            "started": "2026-01-05T00:00:00Z",
            "fence": 1,
        }
        assert 29_000 < await redis.pttl(f"bta:lease:{ACCOUNT}") <= 30_000
        assert lease.may_send()
        assert not lease.is_lost

    async def test_renewing_makes_it_last_again(self, of, redis):
        lease = of()
        await lease.take(takeover=False)
        await redis.pexpire(f"bta:lease:{ACCOUNT}", 5_000)
        await lease.renew()
        assert await redis.pttl(f"bta:lease:{ACCOUNT}") > 29_000

    async def test_lease_is_renewed_by_itself(self, of, redis, monkeypatch):
        monkeypatch.setattr(redis_lease, "RENEW_SECONDS", 0.02)
        lease = of()
        await lease.take(takeover=False)
        keeping = asyncio.ensure_future(lease.keep())
        for _ in range(2):
            await redis.pexpire(f"bta:lease:{ACCOUNT}", 5_000)
            async with asyncio.timeout(5):
                while await redis.pttl(f"bta:lease:{ACCOUNT}") <= 5_000:
                    await sleep_seconds(0.01)
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)

    async def test_given_back_it_is_free_at_once(self, of, redis):
        lease = of()
        await lease.take(takeover=False)
        await lease.let_go()
        assert await redis.get(f"bta:lease:{ACCOUNT}") is None
        assert not lease.may_send()
        later = of(SECOND)
        await later.take(takeover=False)
        assert later.fence == 2

    async def test_second_is_refused_with_the_name_of_the_first(self, of, redis, monkeypatch):
        monkeypatch.setattr(redis_lease, "_LOOK_SECONDS", 0.02)
        first = of()
        await first.take(takeover=False)

        async def live() -> None:
            while True:
                await sleep_seconds(0.05)
                await first.renew()

        living = asyncio.ensure_future(live())
        with pytest.raises(
            LeaseHeldError, match=r"process 12 on host-a \(run run-a, TRADING_INSTANCE default, generation 1, since"
        ) as refusal:
            await of(SECOND).take(takeover=False)
        living.cancel()
        await asyncio.gather(living, return_exceptions=True)
        assert "--takeover" in str(refusal.value)
        assert (await written(redis))["run_id"] == "run-a"

    async def test_lease_of_a_killed_trader_is_waited_for(self, of, redis, monkeypatch, caplog):
        monkeypatch.setattr(redis_lease, "_LOOK_SECONDS", 0.02)
        await of().take(takeover=False)
        await redis.pexpire(f"bta:lease:{ACCOUNT}", 300)  # nobody renews it any more
        caplog.set_level(logging.INFO)
        later = of(SECOND)
        await later.take(takeover=False)
        assert (await written(redis))["run_id"] == "run-b"
        assert "looking whether it still renews it" in caplog.text

    async def test_own_lease_from_before_a_kill_is_taken_at_once(self, of, redis):
        await of().take(takeover=False)
        begun = monotonic_seconds()
        later = of(SECOND, dead_run="run-a")
        await later.take(takeover=False)
        assert monotonic_seconds() - begun < 2
        assert ((await written(redis))["run_id"], later.fence) == ("run-b", 2)

    async def test_takeover_waits_for_the_other_to_end_and_the_other_sends_nothing_more(self, of, redis, monkeypatch):
        monkeypatch.setattr(redis_lease, "_LOOK_SECONDS", 0.02)
        first, told = of(), []
        first.when_lost(told.append)
        await first.take(takeover=False)
        second = of(SECOND)
        taking = asyncio.ensure_future(second.take(takeover=True))
        async with asyncio.timeout(5):
            while (await written(redis))["run_id"] != "run-b":
                await sleep_seconds(0.01)
        await first.renew()
        assert first.is_lost
        assert not first.may_send()
        assert len(told) == 1
        assert "another daemon took over: process 13 on host-b" in told[0]
        assert not taking.done()
        await first.let_go()
        async with asyncio.timeout(5):
            await taking
        assert (await written(redis))["run_id"] == "run-b"
        assert (second.fence, second.may_send()) == (2, True)

    async def test_takeover_from_one_that_says_nothing_goes_on_after_a_while(self, of, monkeypatch, caplog):
        monkeypatch.setattr(redis_lease, "_LOOK_SECONDS", 0.02)
        monkeypatch.setattr(redis_lease, "_FAREWELL_SECONDS", 0.1)
        await of().take(takeover=False)
        second = of(SECOND)
        await second.take(takeover=True)
        assert second.may_send()
        assert any("has said nothing" in text for text in warnings_in(caplog))

    async def test_takeover_is_of_a_later_generation_even_when_the_counter_was_lost(self, of, redis, monkeypatch):
        monkeypatch.setattr(redis_lease, "_FAREWELL_SECONDS", 0.0)
        first = of(least_fence=40)
        await first.take(takeover=False)
        await redis.delete(f"bta:fence:{ACCOUNT}")
        second = of(SECOND)
        await second.take(takeover=True)
        assert second.fence == 41
        await first.renew()
        assert first.is_lost

    async def test_loss_is_told_to_who_asks_later_too(self, of, monkeypatch):
        monkeypatch.setattr(redis_lease, "_FAREWELL_SECONDS", 0.0)
        first, told = of(), []
        await first.take(takeover=False)
        await of(SECOND).take(takeover=True)
        await first.renew()
        first.when_lost(told.append)
        assert len(told) == 1
        await asyncio.wait_for(first.keep(), 1)  # there is nothing to keep

    async def test_fences_rise_and_the_ledger_has_its_say(self, of):
        fences = []
        for least_fence in (1, 1, 7, 2):
            lease = of(least_fence=least_fence)
            await lease.take(takeover=False)
            fences.append(lease.fence)
            await lease.let_go()
        assert fences == [1, 2, 7, 8]

    async def test_forgotten_lease_is_taken_anew_and_the_counter_with_it(self, of, redis):
        lease = of(least_fence=5)
        await lease.take(takeover=False)
        await redis.flushall()
        await lease.renew()
        assert (await written(redis))["run_id"] == "run-a"
        await lease.let_go()
        later = of(SECOND)
        await later.take(takeover=False)
        assert later.fence == 6

    async def test_earlier_generation_gives_way_when_both_meet_after_a_flush(self, of, redis):
        first, second = of(least_fence=5), of(SECOND)
        await first.take(takeover=False)
        await redis.flushall()
        await second.take(takeover=False)
        assert second.fence == 1
        await first.renew()
        assert not first.is_lost
        await second.renew()
        assert second.is_lost

    @pytest.mark.parametrize(
        "rubbish",
        [
            ("SET", "x"),
            ("SET", "{}"),
            ("SET", json.dumps({**asdict(SECOND), "fence": LARGEST_FENCE + 1})),
            ("SET", json.dumps({**asdict(SECOND), "fence": "x"})),
            ("LPUSH", "x"),
        ],
    )
    async def test_rubbish_is_nobodys_lease(self, of, redis, rubbish):
        command, value = rubbish
        for key in (f"bta:lease:{ACCOUNT}", f"bta:fence:{ACCOUNT}"):
            await redis.execute_command(command, key, value)
        lease = of(least_fence=3)
        await lease.take(takeover=False)
        assert (await written(redis))["fence"] == lease.fence == 3
        await redis.delete(f"bta:lease:{ACCOUNT}")
        await redis.execute_command(command, f"bta:lease:{ACCOUNT}", value)
        await lease.renew()
        assert (await written(redis))["run_id"] == "run-a"

    async def test_counter_too_large_for_an_order_id_is_rubbish(self, of, redis):
        await redis.set(f"bta:fence:{ACCOUNT}", str(10**15))
        lease = of(least_fence=3)
        await lease.take(takeover=False)
        assert lease.fence == 3

    async def test_frozen_trader_may_not_send_until_it_has_renewed(self, of):
        lease = of()
        await lease.take(takeover=False)
        with machine_time(LaterMachine(29)):
            assert lease.may_send()
        with machine_time(LaterMachine(31)):
            assert not lease.may_send()
            await lease.renew()
            assert lease.may_send()

    async def test_frozen_trader_that_was_taken_over_from_meanwhile_never_sends(self, of, redis):
        lease = of()
        await lease.take(takeover=False)
        await redis.delete(f"bta:lease:{ACCOUNT}")  # its 30 s are over
        await of(SECOND).take(takeover=False)
        with machine_time(LaterMachine(31)):
            assert not lease.may_send()
            await lease.renew()
            assert not lease.may_send()
            assert lease.is_lost

    async def test_trading_goes_on_without_redis_and_the_lease_is_taken_anew(self, of, redis_server, redis, caplog):
        lease = of()
        await lease.take(takeover=False)
        redis_server.kill()
        with machine_time(LaterMachine(25)):
            await lease.renew()
        with machine_time(LaterMachine(50)):
            assert lease.may_send()
            await lease.renew()
            assert lease.may_send()
        await redis_server.start()
        await lease.renew()
        assert (await written(redis))["run_id"] == "run-a"
        assert warnings_in(caplog) == [caplog.messages[0], "the account's lease is held again"]
        assert "another daemon on this account would not be seen" in caplog.messages[0]

    async def test_redis_that_hangs_is_as_good_as_none(self, of, redis_server, monkeypatch):
        monkeypatch.setattr(redis_lease, "_TIMEOUT_SECONDS", 0.1)
        lease = of()
        await lease.take(takeover=False)
        redis_server._process.send_signal(signal.SIGSTOP)
        await lease.renew()
        assert lease.may_send()
        begun = monotonic_seconds()
        await lease.let_go()
        assert monotonic_seconds() - begun < 2
        redis_server._process.send_signal(signal.SIGCONT)

    async def test_whole_of_it(self, tmp_path, redis_server, redis):
        async with await Ledger.open(tmp_path / "ledger.db") as ledger:
            opened = leased(redis_server.url, ACCOUNT, ledger, FIRST, dead_run=None, takeover=False)
            async with opened as lease:
                assert (lease.fence, lease.may_send()) == (1, True)
                assert (await written(redis))["run_id"] == "run-a"
            assert await redis.get(f"bta:lease:{ACCOUNT}") is None


async def test_start_without_redis_has_the_fence_of_the_ledger_and_may_send(caplog):
    lease = RedisLease("redis://127.0.0.1:9/0", ACCOUNT, FIRST, least_fence=4, dead_run=None)
    await lease.take(takeover=False)
    assert (lease.fence, lease.may_send()) == (4, True)
    await lease.renew()
    assert lease.may_send()
    assert len(warnings_in(caplog)) == 1
    await lease.let_go()


async def test_without_a_redis_url_there_is_a_fence_and_no_lease(tmp_path):
    async with (
        await Ledger.open(tmp_path / "ledger.db") as ledger,
        leased(None, "", ledger, FIRST, dead_run=None, takeover=False) as lease,
    ):
        assert lease == NoLease(1)
        assert lease.may_send()
        lease.when_lost(pytest.fail)


def test_account_is_named_by_its_uid_and_never_by_its_key():
    assert account_name("https://testnet.binance.vision/api", "4711", "k" * 64) == ACCOUNT
    named_by_key = account_name("https://testnet.binance.vision/api", "", "k" * 64)
    assert named_by_key.startswith("testnet.binance.vision:key-")
    assert "kkkk" not in named_by_key
    assert named_by_key != account_name("https://testnet.binance.vision/api", "", "j" * 64)

"""What the processes of a machine tell each other: the file, and a real Redis."""

import asyncio
import json
import logging

import pytest
from redis.asyncio import Redis

from binance_trade_agent.exchange import limits_store
from binance_trade_agent.exchange.errors import BannedError, OrderLimitError, RateLimitedError
from binance_trade_agent.exchange.limits_store import ALL, ORDERS, LimitsFile, RedisLimits, place_of
from binance_trade_agent.exchange.rate_budget import RateBudget
from binance_trade_agent.exchange.weights import Cost, Priority
from binance_trade_agent.ops.clock import ScaledClock, machine_time, monotonic_seconds, wall_ms
from tests.cache.redis_server import REDIS_SERVER

PLACE = "127.0.0.1:8090"
QUESTION = Cost(4, Priority.ESSENTIAL)


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("https://api.binance.com/api", "api.binance.com:443"),
        ("http://127.0.0.1:8090/api", PLACE),
        ("http://exchange/api", "exchange:80"),
    ],
)
def test_place_is_host_and_port(address, place):
    assert place_of(address) == place


class TestFile:
    def test_silences_are_read_when_the_file_has_changed(self, tmp_path):
        writer, reader = LimitsFile(tmp_path, PLACE), LimitsFile(tmp_path, PLACE)
        assert reader.changes() == {}
        until = wall_ms() + 60_000
        writer.write({ALL: until})
        assert reader.changes() == {ALL: until}
        assert reader.changes() == {}
        writer.write({ORDERS: until + 1})
        assert reader.changes() == {ALL: until, ORDERS: until + 1}
        writer.write({ALL: until - 30_000})
        assert reader.changes() == {ALL: until, ORDERS: until + 1}
        assert [path.name for path in tmp_path.iterdir()] == ["limits-127.0.0.1-8090.json"]

    def test_another_exchange_has_another_file(self, tmp_path):
        LimitsFile(tmp_path, PLACE).write({ALL: wall_ms() + 60_000})
        assert LimitsFile(tmp_path, "127.0.0.1:8091").changes() == {}

    @pytest.mark.parametrize(
        "content",
        [
            b"",
            b"{",
            b"\xff\xfe",
            b"[]",
            b"null",
            b'{"place": "127.0.0.1:8090"}',
            b'{"place": "127.0.0.1:8090", "silent_until_ms": [1]}',
            b'{"place": "127.0.0.1:8090", "silent_until_ms": {"all": "soon"}}',
            b'{"place": "127.0.0.1:8090", "silent_until_ms": {"all": 99999999999999}}',
            b'{"place": "elsewhere:1", "silent_until_ms": {"all": 1}}',
        ],
    )
    def test_rubbish_is_no_silence_and_is_replaced(self, tmp_path, content):
        path = tmp_path / "limits-127.0.0.1-8090.json"
        path.write_bytes(content)
        file = LimitsFile(tmp_path, PLACE)
        assert file.changes() == {}
        until = wall_ms() + 60_000
        file.write({ALL: until})
        document = json.loads(path.read_text())
        assert (document["place"], document["silent_until_ms"]) == (PLACE, {ALL: until})

    def test_clock_that_was_set_back_makes_no_silence_longer(self, tmp_path):
        now_ms = wall_ms()
        LimitsFile(tmp_path, PLACE).write({ALL: now_ms + 60_000})

        class SetBack:
            passed_ms = 0

            def wall_ms(self) -> int:
                return now_ms - 3_600_000 + self.passed_ms

            def monotonic_seconds(self) -> float:
                return self.passed_ms / 1000

        with machine_time(SetBack()) as _, pytest.MonkeyPatch.context() as patched:
            until_ms = LimitsFile(tmp_path, PLACE).changes()[ALL]
            assert until_ms == pytest.approx(now_ms - 3_600_000 + 60_000, abs=1000)
            patched.setattr(SetBack, "passed_ms", 40_000)  # a later start: the wait has gone on meanwhile
            assert LimitsFile(tmp_path, PLACE).changes()[ALL] == until_ms

    def test_folder_that_takes_nothing_is_said_and_borne(self, tmp_path, caplog):
        LimitsFile(tmp_path / "missing", PLACE).write({ALL: wall_ms() + 60_000})
        assert "cannot be written" in caplog.text

    async def test_silence_is_known_to_a_second_budget_and_after_a_restart(self, tmp_path):
        first, second = (RateBudget(ScaledClock(), file=LimitsFile(tmp_path, PLACE)) for _ in range(2))
        async with second.spend(QUESTION):
            pass
        await first.block(BannedError(120, "Banned."))
        await first.block(OrderLimitError(3600, "Too many new orders."))
        third = RateBudget(ScaledClock(), file=LimitsFile(tmp_path, PLACE))
        for budget in (second, third):
            with pytest.raises(RateLimitedError) as refusal:
                budget.check()
            assert 119 <= refusal.value.retry_after_seconds <= 120
            with pytest.raises(OrderLimitError):
                async with budget.spend(Cost(1, Priority.ENTRY, orders=1)):
                    pass


@pytest.mark.redis
@pytest.mark.skipif(REDIS_SERVER is None, reason="there is no redis-server on this machine")
class TestRedis:
    @pytest.fixture
    async def daemons(self, redis_server):
        """Two budgets that share the Redis; both clocks are in the middle of the same minute."""
        budgets = []
        for _ in range(2):
            clock = ScaledClock()
            clock.synchronise(1_800_000_020_000, age_seconds=0)
            budgets.append(RateBudget(clock, shared=RedisLimits(redis_server.url, PLACE)))
        yield budgets
        for budget in budgets:
            await budget.close()

    @pytest.fixture
    async def redis(self, redis_server):
        async with Redis.from_url(redis_server.url) as client:
            yield client

    async def test_two_daemons_share_one_minute(self, daemons):
        first, second = daemons
        async with first.spend(Cost(3000, Priority.ESSENTIAL)), second.spend(Cost(2990, Priority.ESSENTIAL)):
            pass
        for budget in daemons:
            with pytest.raises(RateLimitedError, match="5990 of the 6000"):
                async with budget.spend(Cost(20, Priority.ESSENTIAL)):
                    pass
            async with budget.spend(QUESTION):
                pass

    async def test_what_the_exchange_says_to_one_is_known_to_the_other(self, daemons):
        first, second = daemons
        async with first.spend(QUESTION) as spending:
            spending.note({"x-mbx-used-weight-1m": "5500"})
        async with first.spend(QUESTION):
            pass
        with pytest.raises(RateLimitedError, match="5504 of the 6000"):
            async with second.spend(Cost(2, Priority.MARKET_DATA)):
                pass

    async def test_what_did_not_fit_is_not_counted(self, daemons, redis):
        for budget in daemons:
            async with budget.spend(Cost(2900, Priority.ESSENTIAL)):
                pass
        with pytest.raises(RateLimitedError):
            async with daemons[0].spend(Cost(300, Priority.ESSENTIAL)):
                pass
        (key,) = await redis.keys("bta:limits:127.0.0.1:8090:weight:*")
        assert await redis.get(key) == b"5800"
        assert 0 < await redis.pttl(key) <= 120_000

    async def test_silence_of_one_is_the_silence_of_all(self, daemons, redis):
        first, second = daemons
        await first.block(BannedError(120, "Banned."))
        with pytest.raises(RateLimitedError) as refusal:
            async with second.spend(QUESTION):
                pass
        assert 119 <= refusal.value.retry_after_seconds <= 120
        assert 110 < await redis.ttl("bta:limits:127.0.0.1:8090:silent_until_ms:all") <= 120

    async def test_orders_that_one_may_not_place_the_other_may_not_either(self, daemons):
        first, second = daemons
        await first.block(OrderLimitError(120, "Too many new orders."))
        async with second.spend(QUESTION):
            pass
        with pytest.raises(OrderLimitError):
            async with second.spend(Cost(1, Priority.ENTRY, orders=1)):
                pass

    async def test_rubbish_in_redis_changes_nothing(self, daemons, redis, caplog):
        await redis.set("bta:limits:127.0.0.1:8090:silent_until_ms:all", "soon")
        await redis.set(f"bta:limits:127.0.0.1:8090:weight:{1_800_000_020_000 // 60_000}", "many")
        for _ in range(2):
            async with daemons[0].spend(QUESTION):
                pass
        assert len(caplog.records) == 1
        await redis.set("bta:limits:127.0.0.1:8090:silent_until_ms:all", "99999999999999")
        async with daemons[1].spend(QUESTION):
            pass

    async def test_redis_that_is_gone_costs_one_warning_and_one_short_wait(
        self, redis_server, daemons, caplog, monkeypatch
    ):
        caplog.set_level(logging.WARNING)
        redis_server.kill()
        began = monotonic_seconds()
        for _ in range(50):
            async with daemons[0].spend(QUESTION):
                pass
        await daemons[0].block(OrderLimitError(1, "Too many new orders."))
        assert monotonic_seconds() - began < 8, "each wait would be half a second"
        assert [record.message.partition("(")[0] for record in caplog.records] == ["Redis does not answer "]
        await redis_server.start()
        monkeypatch.setattr(limits_store, "monotonic_seconds", lambda: monotonic_seconds() + 16)
        async with daemons[0].spend(QUESTION):
            pass
        assert "answers again" in caplog.records[-1].message

    async def test_redis_that_hangs_is_waited_for_once(self, unused_tcp_port_factory, caplog):
        port = unused_tcp_port_factory()
        connections: list[asyncio.StreamWriter] = []
        silent = await asyncio.start_server(lambda _, writer: connections.append(writer), "127.0.0.1", port)
        budget = RateBudget(ScaledClock(), shared=RedisLimits(f"redis://127.0.0.1:{port}/0", PLACE))
        began = monotonic_seconds()
        for _ in range(20):
            async with budget.spend(QUESTION):
                pass
        assert monotonic_seconds() - began < 8, "each wait would be half a second"
        assert len(caplog.records) == 1
        await budget.close()
        for connection in connections:
            connection.close()
            await connection.wait_closed()
        silent.close()

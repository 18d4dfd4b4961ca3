"""S25: two daemons on one ledger or on one account. The second is refused by name; `--takeover` is deliberate."""

import json
import signal
from contextlib import asynccontextmanager
from decimal import Decimal

import pytest
from redis.asyncio import Redis

from binance_trade_agent.control.lease import LEASE_SECONDS
from binance_trade_agent.domain.order_ids import instance_tag, is_own_order_id, parse_order_id
from binance_trade_agent.ledger import queries
from binance_trade_agent.ledger.reader import LedgerReader
from binance_trade_agent.ops.clock import monotonic_seconds, sleep_seconds
from tests.cache.redis_server import RedisServer, needs_redis
from tests.exchange_process import RunningExchange, running_exchange
from tests.sessions.daemon_process import EAGER, assert_books_balance, assert_equal_to_exchange, daemon, ids_sent

# A tick a second, until it is told to stop.
ENDLESS = {**EAGER, "TRADING_DURATION_MINUTES": "0"}
SPEED = Decimal(60)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


@pytest.fixture
def folders(tmp_path):
    """Of two daemons with a ledger each."""
    both = [tmp_path / "first", tmp_path / "second"]
    for folder in both:
        folder.mkdir()
    return both


def places(exchange: RunningExchange, redis_server: RedisServer | None = None) -> dict[str, str]:
    redis = {"REDIS_URL": redis_server.url} if redis_server else {}
    return {"EXCHANGE_URL": exchange.url, **redis}


async def fences_sent(exchange: RunningExchange) -> list[int]:
    """Generation of each order, as they came to the exchange."""
    parsed = [parse_order_id(order_id) for order_id in await ids_sent(exchange)]
    assert None not in parsed
    return [own.fence for own in parsed if own is not None]


async def until_orders(exchange: RunningExchange, number: int, fence: int) -> None:
    """Return when so many orders of a generation have come."""
    deadline = monotonic_seconds() + 60
    while (await fences_sent(exchange)).count(fence) < number:
        assert monotonic_seconds() < deadline, await fences_sent(exchange)
        await sleep_seconds(0.1)


def fences_of_runs(folder) -> list[int]:
    with LedgerReader.open(folder / "ledger.db") as reader:
        return [run.fence for run in reader.snapshot(queries.runs)]


@asynccontextmanager
async def lease_of(redis_server: RedisServer, exchange: RunningExchange):
    """The one lease that is in Redis, its key and a client."""
    async with Redis.from_url(redis_server.url, decode_responses=True) as redis:
        (key,) = [key async for key in redis.scan_iter("bta:lease:*") if ":ended:" not in key]
        assert key.startswith(f"bta:lease:{exchange.url.removeprefix('http://')}:")
        yield json.loads(await redis.get(key)), key, redis


async def test_s25_second_daemon_on_one_ledger_is_refused_by_name(tmp_path):
    async with running_exchange(speed=SPEED) as exchange, daemon(tmp_path, **ENDLESS, **places(exchange)) as first:
        await first.until_logged("Trading Cycle #1")
        async with daemon(tmp_path, **ENDLESS, **places(exchange)) as second:
            assert await second.ended() == 2
            assert len(second.log) == 1
            assert f"process {first.process.pid} (run " in second.log[0]
            assert "--takeover" in second.log[0]
        first.send(signal.SIGTERM)
        assert await first.ended() == 0


async def test_s25_takeover_of_the_ledger_ends_the_first_in_good_order(tmp_path):
    async with running_exchange(speed=SPEED) as exchange:
        async with daemon(tmp_path, **ENDLESS, **places(exchange)) as first:
            await until_orders(exchange, 2, fence=1)
            async with daemon(tmp_path, "--takeover", **ENDLESS, **places(exchange)) as second:
                assert await first.ended() == 0
                assert "ended: SIGTERM" in first.report
                assert any(f"process {first.process.pid} " in line and "asked to end" in line for line in second.log)
                await until_orders(exchange, 2, fence=2)
                second.send(signal.SIGTERM)
                assert await second.ended() == 0
        assert fences_of_runs(tmp_path) == [1, 2]
        sent = await fences_sent(exchange)
        assert sent == sorted(sent)  # the first sent nothing after the second had begun
        assert assert_books_balance(tmp_path / "ledger.db") > 0
        await assert_equal_to_exchange(tmp_path / "ledger.db", exchange)


async def test_s25_takeover_of_the_ledger_kills_a_daemon_that_hangs(tmp_path):
    async with running_exchange(speed=SPEED) as exchange:
        async with daemon(tmp_path, **ENDLESS, **places(exchange)) as first:
            await until_orders(exchange, 2, fence=1)
            first.send(signal.SIGSTOP)
            async with daemon(tmp_path, "--takeover", **ENDLESS, **places(exchange)) as second:
                await second.until_logged("was killed; its ledger is taken")
                assert await first.ended() == -signal.SIGKILL
                await until_orders(exchange, 2, fence=2)
                second.send(signal.SIGTERM)
                assert await second.ended() == 0
        await assert_equal_to_exchange(tmp_path / "ledger.db", exchange)


async def test_s25_two_daemons_on_one_account_without_redis_recognise_each_other_by_their_orders(folders):
    """Nothing keeps the second away, so each says what it sees, and neither takes the other's orders for its own."""
    first_folder, second_folder = folders
    async with (
        running_exchange(speed=SPEED) as exchange,
        daemon(first_folder, **ENDLESS, **places(exchange)) as first,
    ):
        await until_orders(exchange, 1, fence=1)
        async with daemon(second_folder, **ENDLESS, **places(exchange), TRADING_INSTANCE="b") as second:
            await second.until_logged("TRADE EXECUTED")
            await first.until_logged(f"generation 1 of another TRADING_INSTANCE (tag {instance_tag('b')})")
            second.send(signal.SIGTERM)
            assert await second.ended() == 0
        first.send(signal.SIGTERM)
        assert await first.ended() == 0
        for folder, instance in ((first_folder, "default"), (second_folder, "b")):
            with LedgerReader.open(folder / "ledger.db") as reader:
                ours = [entry.order.client_order_id for entry in reader.snapshot(queries.orders)]
            assert ours
            assert all(is_own_order_id(order_id, instance) for order_id in ours)


class TestWithRedis:
    pytestmark = needs_redis

    async def test_s25_second_daemon_on_one_account_is_refused_by_name(self, folders, redis_server):
        first_folder, second_folder = folders
        async with running_exchange(speed=SPEED) as exchange:
            async with daemon(first_folder, **ENDLESS, **places(exchange, redis_server)) as first:
                await first.until_logged("Trading Cycle #1")
                async with lease_of(redis_server, exchange) as (lease, key, _):
                    assert (lease["pid"], lease["instance"], lease["fence"]) == (first.process.pid, "default", 1)
                    assert "K" * 8 not in key
                asked = monotonic_seconds()
                async with daemon(second_folder, **ENDLESS, **places(exchange, redis_server)) as second:
                    assert await second.ended() == 2
                    assert f"process {first.process.pid} on " in second.log[-1]
                    assert "--takeover" in second.log[-1]
                assert monotonic_seconds() - asked < LEASE_SECONDS, "it does not wait for the lease to end"
                first.send(signal.SIGTERM)
                assert await first.ended() == 0
            assert set(await fences_sent(exchange)) <= {1}

    async def test_s25_takeover_of_the_account_stops_the_first_for_good(self, folders, redis_server):
        first_folder, second_folder = folders
        async with running_exchange(speed=SPEED) as exchange:
            async with daemon(first_folder, **ENDLESS, **places(exchange, redis_server)) as first:
                await until_orders(exchange, 2, fence=1)
                async with daemon(
                    second_folder, "--takeover", **ENDLESS, **places(exchange, redis_server), TRADING_INSTANCE="b"
                ) as second:
                    assert await first.ended() == 2  # a supervisor must not start it again
                    assert "ended: another daemon took over: process " in first.report
                    await until_orders(exchange, 2, fence=2)
                    second.send(signal.SIGTERM)
                    assert await second.ended() == 0
            sent = await fences_sent(exchange)
            assert sent == sorted(sent)

    async def test_s25_killed_daemon_starts_again_at_once_although_its_lease_still_stands(self, tmp_path, redis_server):
        async with running_exchange(speed=SPEED) as exchange:
            async with daemon(tmp_path, **ENDLESS, **places(exchange, redis_server)) as first:
                await until_orders(exchange, 2, fence=1)
                first.send(signal.SIGKILL)
            asked = monotonic_seconds()
            async with daemon(tmp_path, **ENDLESS, **places(exchange, redis_server)) as second:
                await second.until_logged("Trading Cycle #1")
                assert monotonic_seconds() - asked < LEASE_SECONDS
                second.send(signal.SIGTERM)
                assert await second.ended() == 0
            assert fences_of_runs(tmp_path) == [1, 2]
            await assert_equal_to_exchange(tmp_path / "ledger.db", exchange)

    async def test_s25_daemon_that_was_frozen_past_its_lease_sends_nothing_more(self, folders, redis_server):
        first_folder, second_folder = folders
        async with (
            running_exchange(speed=SPEED) as exchange,
            daemon(first_folder, **ENDLESS, **places(exchange, redis_server)) as first,
        ):
            await until_orders(exchange, 2, fence=1)
            first.send(signal.SIGSTOP)
            async with daemon(second_folder, **ENDLESS, **places(exchange, redis_server)) as second:
                await until_orders(exchange, 2, fence=2)  # it has waited for the first one's lease to end
                before = (await fences_sent(exchange)).count(1)
                first.send(signal.SIGCONT)
                assert await first.ended() == 2
                assert (await fences_sent(exchange)).count(1) == before
                second.send(signal.SIGTERM)
                assert await second.ended() == 0

    async def test_s25_trading_goes_on_without_redis_and_the_lease_is_taken_anew(self, tmp_path, redis_server):
        async with running_exchange(speed=SPEED) as exchange:
            async with daemon(tmp_path, **ENDLESS, **places(exchange, redis_server)) as running:
                await until_orders(exchange, 1, fence=1)
                redis_server.kill()
                await running.until_logged("another daemon on this account would not be seen")
                sent = len(await ids_sent(exchange))
                await until_orders(exchange, sent + 1, fence=1)
                await redis_server.start()
                await running.until_logged("the account's lease is held again")
                async with lease_of(redis_server, exchange) as (lease, _, _):
                    assert lease["pid"] == running.process.pid
                running.send(signal.SIGTERM)
                assert await running.ended() == 0
                assert sum("would not be seen" in line for line in running.log) == 1
            await assert_equal_to_exchange(tmp_path / "ledger.db", exchange)

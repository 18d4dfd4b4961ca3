"""Two daemons on one account: what only such a world can show."""

import random

import pytest
from redis.exceptions import WatchError

from binance_trade_agent.agents.account_share import SHARED_ACCOUNT, SharedAccount
from binance_trade_agent.ledger.alarms import raise_alarm
from tests.torture.episode import SHARED_SYMBOLS, run_seed
from tests.torture.loop import run_virtual
from tests.torture.machine import Machine
from tests.torture.redis import MemoryRedis
from tests.torture.shared import SharedAccountOfWorld
from tests.torture.world import World


def test_purchases_that_nobody_agreed_on_are_found(monkeypatch):
    async def let_through(*_):
        return None

    monkeypatch.setattr(SharedAccount, "_reserve", let_through)
    assert any("all hold" in violation for violation in run_seed(9).violations)


def test_an_alarm_about_a_shared_account_ends_when_it_is_shared_no_more():
    async def work():
        async with World(2, symbols=SHARED_SYMBOLS) as world:
            trader = SharedAccountOfWorld(world).traders[0]
            first = trader.start()
            await world.until(lambda: first.traded_at is not None, 30)
            await first.ledger.write(
                lambda connection: raise_alarm(connection, SHARED_ACCOUNT, "", "too little", 0, blocks=True)
            )
            await first.stop()
            second = world.start(settings=trader.settings.model_copy(update={"trading_capital_quote": 0}))
            await world.until(lambda: second.traded_at is not None, 30)
            return await second.ledger.alarms()

    assert run_virtual(work) == []


def test_the_redis_of_a_world_keeps_what_is_watched():
    async def work():
        client = MemoryRedis(random.Random(1)).client(Machine("one"))
        async with client.pipeline(transaction=True) as pipe, client.pipeline(transaction=True) as other:
            for each in (pipe, other):
                await each.watch("key")
                each.multi()
                each.hset("key", {b"name": b"value"})
            await pipe.execute()
            with pytest.raises(WatchError):
                await other.execute()

    run_virtual(work)

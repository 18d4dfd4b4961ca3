"""`trade-agent feed` around its server: signs of life for health checks, the doctor's line, a market that is another."""

import asyncio
import re
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest
import yaml

from binance_trade_agent.configuration import load
from binance_trade_agent.domain.checks import Verdict
from binance_trade_agent.feed import command
from binance_trade_agent.feed.notes import Beat
from binance_trade_agent.feed.signs import SignsOfLife, feed_health, signs_path
from binance_trade_agent.feed.store import StoreError, Writing
from binance_trade_agent.ops import heartbeat
from binance_trade_agent.ops.clock import machine_time, monotonic_seconds, sleep_seconds, wall_ms
from binance_trade_agent.ops.doctor_feed import found_feed
from binance_trade_agent.ops.tasks import spawn, stop
from tests.exchange_process import running_exchange
from tests.feed.memory_store import MemoryStore

_LONGEST_SECONDS = 60
DEAD = Beat("host:4711-1a2b3c", 1, 0, 500, (None, 5), 27, 2, 0)


@pytest.fixture
def path(tmp_path):
    return signs_path(tmp_path / "ledger.db")


class Machine:
    """Time by hand."""

    seconds = 100.0

    def wall_ms(self):
        return round(1000 * self.seconds)

    def monotonic_seconds(self):
        return self.seconds


class TestHealth:
    def test_a_feed_that_never_ran_is_not_healthy(self, path):
        assert feed_health(path) == (False, f"no feed has ever run here: {path} is not there.")

    def test_one_that_starts_is_not_healthy_yet(self, path):
        SignsOfLife(path, "host:4711").starting(60)
        is_healthy, said = feed_health(path)
        assert not is_healthy
        assert re.fullmatch(r"feed host:4711 of \S+Z: starting, heartbeat \d+ s old.", said)

    @pytest.mark.parametrize("state", ["serving", "waiting", "away"])
    def test_one_that_lives_is_healthy_and_says_what_it_does(self, path, state):
        SignsOfLife(path, "host:4711").beat(7, lambda: (state, "27 symbols for 2 daemons"))
        is_healthy, said = feed_health(path)
        assert is_healthy
        assert re.search(rf": {state}, heartbeat \d+ s old; 27 symbols for 2 daemons\.$", said)

    def test_one_that_gives_no_more_signs_is_not_healthy(self, path):
        late = {"run_id": "host:4711", "state": "serving", "cycle": 7, "next_within_seconds": -3600}
        heartbeat.beat(path, **late)
        assert not feed_health(path)[0]

    def test_one_that_was_stopped_is_healthy_and_one_that_failed_is_not(self, path):
        signs = SignsOfLife(path, "host:4711")
        signs.starting(60)
        signs.ended("stopped")
        assert feed_health(path)[0]
        signs.ended("failed", "REDIS_URL is not what it was")
        is_healthy, said = feed_health(path)
        assert not is_healthy
        assert said.endswith("; REDIS_URL is not what it was.")

    def test_signs_are_written_at_most_every_two_seconds(self, path):
        signs, machine = SignsOfLife(path, "host:4711"), Machine()
        with machine_time(machine):
            for number in range(10):  # at 0, 0.3, 0.6 ... 2.7 s
                signs.beat(number, lambda: ("serving", ""))
                machine.seconds += 0.3
        assert heartbeat.read(path).cycle == 7


class TestDoctor:
    """What the doctor says of the feed."""

    MARKET = SimpleNamespace(is_stepped=False, market="live")

    async def test_where_none_serves_that_is_said_to_who_wants_one(self):
        found = await found_feed(MemoryStore(), self.MARKET, is_shared=True)
        assert found.verdict is Verdict.WARNING
        assert "no feed serves the market live: the daemon follows the market by itself" in str(found)
        assert await found_feed(MemoryStore(), self.MARKET, is_shared=False) is None

    async def test_one_that_serves_is_named_with_its_age_and_what_it_follows(self):
        store = MemoryStore()
        await store.write(Writing(Beat("a-host:4711-1a2b3c", 1, 0, 500, (5, 5), 27, 2, wall_ms() - 3_720_000)))
        found = await found_feed(store, self.MARKET, is_shared=True)
        assert found.verdict is Verdict.OK
        assert str(found).endswith(" a-host:4711 serves since 1 h 2 min; 27 symbols for 2 daemons")
        unused = await found_feed(store, self.MARKET, is_shared=False)
        assert str(unused).endswith("27 symbols for 2 daemons; not used by this daemon, as TRADING_FEED=own")

    async def test_its_connections_that_do_not_live_are_said(self):
        store = MemoryStore()
        await store.write(Writing(DEAD))
        found = await found_feed(store, self.MARKET, is_shared=True)
        assert str(found).endswith("daemons; 1 of its 2 connections for prices do not live")

    async def test_a_store_that_does_not_answer(self):
        store = MemoryStore()
        store.is_down = True
        with pytest.raises(StoreError):
            await store.beat()
        found = await found_feed(store, self.MARKET, is_shared=True)
        assert found.verdict is Verdict.WARNING
        assert await found_feed(store, self.MARKET, is_shared=False) is None

    async def test_a_stepped_market_has_no_feed(self):
        stepped = SimpleNamespace(is_stepped=True, market="simulated x")
        assert "has no effect" in str(await found_feed(MemoryStore(), stepped, is_shared=True))


async def until(what):
    deadline = monotonic_seconds() + _LONGEST_SECONDS
    while not await what():
        assert monotonic_seconds() < deadline
        await sleep_seconds(0.02)


async def test_it_follows_another_market_that_the_exchange_has_begun_at_its_address(tmp_path, monkeypatch):
    stores, services = {}, []
    monkeypatch.setattr(command, "redis_store", lambda _, reached: stores.setdefault(reached.market, MemoryStore()))
    listening = SimpleNamespace(listen_for=services.append)

    async def a_market_is_served(number):
        return len(stores) == number and await list(stores.values())[-1].beat() is not None

    async with running_exchange(speed=Decimal(1), seed=1) as exchange:
        port = urlsplit(exchange.url).port
        environment = {"EXCHANGE_URL": exchange.url, "REDIS_URL": "redis://127.0.0.1:1/0", "TRADING_SYMBOLS": "BTCUSDT"}
        settings = load(environment=environment, folder=tmp_path).settings
        signs = SignsOfLife(signs_path(settings.ledger_path), "feed")
        serving = spawn(command._serve(settings, None, listening, "feed", signs), name="feed")
        await until(lambda: a_market_is_served(1))
        opened = next(iter(stores.values()))

        async def prices_are_told():
            beat = await opened.beat()
            return beat is not None and beat.proofs != () and None not in beat.proofs

        await until(prices_are_told)
    async with running_exchange(speed=Decimal(1), seed=2, port=port):
        await until(lambda: a_market_is_served(2))
        assert await opened.hold("another feed") is None, "let go"
        services[-1].request_stop("SIGTERM")
        await asyncio.wait({serving}, timeout=_LONGEST_SECONDS)
        assert serving.done()
        serving.result()
        await stop(serving)


def test_the_service_in_the_guide_is_checked_by_the_feeds_own_health():
    """The image's own check is the trader's, which would find that none has ever run."""
    guide = (Path(__file__).parents[2] / "docs" / "guide" / "several-daemons.md").read_text(encoding="utf-8")
    (compose,) = re.findall(r"```yaml\n(.*?)```", guide, re.DOTALL)
    service = yaml.safe_load(compose)["services"]["feed"]
    kind, program, *words = service["healthcheck"]["test"]
    assert (kind, program, words) == ("CMD", "trade-agent", ["health", "--feed"])
    assert service["command"][:2] == ["trade-agent", "feed"]

"""Reaching the exchange of the mode: which one, with which keys, on which clock."""

import asyncio
from decimal import Decimal
from pathlib import Path

import pytest
from aiohttp import web

from binance_trade_agent.configuration import ConfigError
from binance_trade_agent.exchange import connect
from binance_trade_agent.exchange.connect import SIMULATED_KEY, SIMULATED_SECRET, connected
from binance_trade_agent.exchange.endpoints import TESTNET
from binance_trade_agent.exchange.errors import UnavailableError
from binance_trade_agent.ops.clock import ScaledClock, SteppedClock, monotonic_seconds, sleep_seconds
from binance_trade_agent.ops.tasks import spawn
from binance_trade_agent.settings import Settings
from tests.exchange_process import API_KEY, API_SECRET, running_exchange

REAL_KEYS = {"binance_api_key": "a1" * 32, "binance_api_secret": "b2" * 32}
START = "2026-01-05T00:00:00Z"
START_MS = 1_767_571_200_000


async def test_simulated_exchange_is_met_with_its_own_keys_even_when_real_ones_are_set(exchange):
    settings = Settings(exchange_url=exchange.url, trading_mode="simulated", **REAL_KEYS)
    async with connected(settings) as connection:
        assert (connection.api_key, connection.api_secret) == (SIMULATED_KEY, SIMULATED_SECRET) == (API_KEY, API_SECRET)
        assert (await connection.gateway.account()).can_trade
    assert "a1a1" not in str(await exchange.log())


async def test_clock_runs_at_the_pace_that_the_exchange_states():
    async with (
        running_exchange(start=START, speed=Decimal(100)) as exchange,
        connected(Settings(exchange_url=exchange.url)) as connection,
    ):
        assert isinstance(connection.clock, ScaledClock)
        assert (connection.clock.speed, connection.is_stepped) == (100, False)
        before = connection.clock.now_ms()
        await sleep_seconds(0.05)
        assert connection.clock.now_ms() - before >= 5_000


async def test_stepped_exchange_is_moved_by_waiting_and_stands_still_otherwise():
    async with running_exchange(start=START, speed=None) as exchange:
        settings = Settings(
            exchange_url=exchange.url, exchange_control_url=exchange.control_url, simulation_speed="100000"
        )
        async with connected(settings) as connection:
            clock = connection.clock
            assert isinstance(clock, SteppedClock)
            assert connection.is_stepped
            assert clock.now_ms() == START_MS
            await clock.sleep_until(clock.monotonic_ms() + 90_000)
            assert clock.now_ms() == START_MS + 90_000 == (await exchange.state())["now"]


async def test_stepped_exchange_without_its_control_port_is_refused_in_a_sentence():
    async with running_exchange(speed=None) as exchange:
        with pytest.raises(ConfigError, match="is stepped: set EXCHANGE_CONTROL_URL"):
            async with connected(Settings(exchange_url=exchange.url)):
                pass


async def test_address_that_is_no_simulated_exchange_gets_no_key():
    requests = []

    async def answer(request: web.Request) -> web.Response:
        requests.append(request)
        return web.json_response({"serverTime": 1})

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    with pytest.raises(ConfigError, match="is not a simulated exchange"):
        async with connected(Settings(exchange_url=f"http://127.0.0.1:{runner.addresses[0][1]}")):
            pass
    await runner.cleanup()
    (request,) = requests
    assert "X-MBX-APIKEY" not in request.headers


async def test_exchange_that_comes_up_late_is_waited_for_with_one_warning(unused_tcp_port, caplog):
    settings = Settings(exchange_url=f"http://127.0.0.1:{unused_tcp_port}", exchange_startup_seconds=20)
    is_done = asyncio.Event()

    async def open_late() -> None:
        await sleep_seconds(0.3)
        async with running_exchange(fixture="F0", port=unused_tcp_port):
            await is_done.wait()

    late = spawn(open_late(), name="late exchange")
    async with connected(settings) as connection:
        assert (await connection.gateway.account()).can_trade
    assert [record.getMessage().partition(":")[0] for record in caplog.records] == ["the exchange cannot be reached"]
    is_done.set()
    await late


async def test_exchange_that_never_comes_up_is_unavailable_after_the_time_that_is_set(unused_tcp_port):
    began = monotonic_seconds()
    settings = Settings(exchange_url=f"http://127.0.0.1:{unused_tcp_port}", exchange_startup_seconds=1)
    with pytest.raises(UnavailableError, match="cannot be reached"):
        async with connected(settings):
            pass
    assert 1 <= monotonic_seconds() - began < 15


async def test_maintenance_at_the_start_is_waited_for(exchange):
    await exchange.fault("http", status=503, path="time", count=2)
    async with connected(Settings(exchange_url=exchange.url)) as connection:
        assert (await connection.gateway.account()).can_trade


async def test_testnet_is_met_with_the_keys_and_nothing_else(monkeypatch):
    async def reached(self: object) -> None:
        """Instead of a request to the network, which no test may need."""

    monkeypatch.setattr(connect.BinanceGateway, "synchronise", reached)
    async with connected(Settings(**REAL_KEYS, exchange_url="http://127.0.0.1:1", ledger_path=Path("x"))) as connection:
        assert connection.endpoints == TESTNET
        assert connection.api_key == "a1" * 32

"""S13: the clock is off or jumps: it is measured again on -1021, and a skew that nothing corrects refuses to start."""

import asyncio
import logging
import time

import pytest

from binance_trade_agent import daemon, exit_codes
from binance_trade_agent.configuration import Configuration
from binance_trade_agent.exchange import binance_gateway
from binance_trade_agent.exchange.binance_gateway import BinanceGateway
from binance_trade_agent.exchange.endpoints import simulated
from binance_trade_agent.exchange.errors import ClockError, RejectedError, UnavailableError
from binance_trade_agent.ops.clock import ScaledClock, wall_ms
from tests.exchange.orders import order
from tests.exchange_process import API_KEY, API_SECRET, RunningExchange, running_exchange
from tests.test_daemon import configured

TOO_OLD = '{"code":-1021,"msg":"Timestamp for this request is outside of the recvWindow."}'


@pytest.fixture
async def exchange():
    async with running_exchange(fixture="F0") as running:
        yield running


@pytest.fixture
def clock():
    return ScaledClock()


@pytest.fixture
async def gateway(exchange, clock):
    async with BinanceGateway(simulated(exchange.url), API_KEY, API_SECRET, clock) as opened:
        await opened.synchronise()
        yield opened


async def times_asked(exchange: RunningExchange) -> int:
    return sum(entry["target"].startswith("/api/v3/time") for entry in await exchange.log())


@pytest.mark.parametrize("skew_ms", [60_000, -60_000, 3_600_000])
async def test_s13_clock_that_goes_off_while_running_is_measured_again(exchange, gateway, clock, skew_ms):
    await exchange.fault("clock_skew", ms=skew_ms)
    with pytest.raises(RejectedError) as refusal:
        await gateway.place_order(order())
    assert refusal.value.code == -1021
    assert abs(clock.now_ms() - wall_ms() - skew_ms) < 1_000
    assert (await gateway.place_order(order())).status == "FILLED"
    assert await times_asked(exchange) == 6


async def test_s13_the_account_is_asked_again_by_itself(exchange, gateway):
    await exchange.fault("clock_skew", ms=60_000)
    assert (await gateway.account()).can_trade


async def test_s13_many_refusals_at_once_are_one_measurement(exchange, gateway):
    await exchange.fault("clock_skew", ms=60_000)
    outcomes = await asyncio.gather(*(gateway.open_orders("BTCUSDT") for _ in range(8)), return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {RejectedError}
    assert await times_asked(exchange) == 6
    assert await gateway.open_orders("BTCUSDT") == []


async def test_s13_jump_of_the_machine_s_wall_clock_changes_nothing(exchange, gateway, clock, monkeypatch):
    for jump_seconds in (3_600, -7_200):
        before = clock.now_ms()
        with monkeypatch.context() as jumped:
            real, real_ns = time.time, time.time_ns  # noqa: TID251 (which the library signs with)
            jumped.setattr(time, "time", lambda: real() + jump_seconds)  # noqa: B023 (used within the turn)
            jumped.setattr(time, "time_ns", lambda: real_ns() + jump_seconds * 10**9)  # noqa: B023
            assert (await gateway.account()).can_trade
            assert 0 <= clock.now_ms() - before < 10_000
    assert await times_asked(exchange) == 3


async def test_s13_of_three_samples_the_quickest_counts(exchange, gateway, clock):
    await exchange.fault("clock_skew", ms=60_000)
    await exchange.fault("latency", path="time", ms=1_500, count=2)
    await gateway.synchronise()
    assert abs(clock.now_ms() - wall_ms() - 60_000) < 500, "by a slow one it would be 750 ms off"


async def test_s13_round_trips_too_long_to_set_a_clock_by_set_none(exchange, gateway, clock, monkeypatch):
    monkeypatch.setattr(binance_gateway, "RECV_WINDOW_MS", 100)
    await exchange.fault("clock_skew", ms=60_000)
    await exchange.fault("latency", path="time", ms=60, count=3)
    with pytest.raises(UnavailableError, match="no clock is set by that"):
        await gateway.synchronise()
    assert abs(clock.now_ms() - wall_ms()) < 1_000


async def test_s13_skew_that_nothing_corrects_refuses_to_start_in_one_line(exchange, tmp_path, monkeypatch, caplog):
    await exchange.fault("http", status=400, body=TOO_OLD, path="account", count=None)
    with pytest.raises(ClockError, match=r"although its own was taken over: [+-]\d\.\d s from .* let NTP") as failure:
        await daemon._run(configured(tmp_path, exchange))

    async def fail(_: Configuration, *, takeover: bool) -> int:
        assert not takeover
        raise failure.value

    monkeypatch.setattr(daemon, "_run", fail)
    caplog.clear()
    assert await asyncio.to_thread(daemon.run, configured(tmp_path)) == exit_codes.FAILURE
    (record,) = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert record.getMessage() == str(failure.value)
    assert "\n" not in record.getMessage()

"""Clocks: the machine's, a scaled one, and one that moves a stepped market."""

import pytest

from binance_trade_agent.ops import clock as module
from binance_trade_agent.ops.clock import (
    MarketGoneError,
    ScaledClock,
    SteppedClock,
    monotonic_seconds,
    sleep_seconds,
    wall_ms,
)
from tests.exchange_process import running_exchange

START = "2026-01-05T00:00:00Z"
START_MS = 1_767_571_200_000


@pytest.fixture
def machine(monkeypatch):
    """The machine's clocks, standing still until a test moves them: wall ms and monotonic seconds."""
    times = {"wall_ms": 1_700_000_000_000, "seconds": 50.0}
    monkeypatch.setattr(module, "wall_ms", lambda: times["wall_ms"])
    monkeypatch.setattr(module, "monotonic_seconds", lambda: times["seconds"])
    return times


class TestScaledClock:
    @pytest.mark.usefixtures("machine")
    def test_starts_at_wall_time(self):
        assert ScaledClock().now_ms() == 1_700_000_000_000

    @pytest.mark.parametrize(("speed", "passed_ms"), [(1.0, 2_000), (60.0, 120_000), (0.5, 1_000)])
    def test_runs_at_its_speed(self, machine, speed, passed_ms):
        clock = ScaledClock(speed=speed)
        before, monotonic = clock.now_ms(), clock.monotonic_ms()
        machine["seconds"] += 2
        assert clock.now_ms() - before == passed_ms
        assert clock.monotonic_ms() - monotonic == passed_ms

    def test_jumps_of_the_machine_s_wall_clock_are_harmless(self, machine):
        clock = ScaledClock()
        machine["wall_ms"] += 3_600_000
        machine["seconds"] += 1
        assert clock.now_ms() == 1_700_000_001_000

    @pytest.mark.usefixtures("machine")
    def test_takes_over_the_exchange_s_time_with_its_age(self):
        clock = ScaledClock(speed=10)
        monotonic = clock.monotonic_ms()
        clock.synchronise(5_000, age_seconds=0.2)
        assert clock.now_ms() == 7_000
        assert clock.monotonic_ms() == monotonic, "what is scheduled stays where it is"

    async def test_sleeps_in_market_time(self):
        clock = ScaledClock(speed=1000)
        began = monotonic_seconds()
        await clock.sleep_until(clock.monotonic_ms() + 50_000)
        assert 0.05 <= monotonic_seconds() - began < 10

    async def test_does_not_sleep_for_what_has_passed(self):
        clock = ScaledClock()
        began = monotonic_seconds()
        await clock.sleep_until(clock.monotonic_ms() - 60_000)
        assert monotonic_seconds() - began < 10


class TestSteppedClock:
    @pytest.fixture
    async def exchange(self):
        async with running_exchange(start=START, speed=None) as running:
            yield running

    async def test_waiting_moves_the_market_to_exactly_the_time(self, exchange):
        clock = SteppedClock(exchange.control_url, speed=1_000_000, now_ms=START_MS)
        await clock.sleep_until(START_MS + 61_234)
        assert clock.now_ms() == START_MS + 61_234 == (await exchange.state())["now"]

    async def test_waiting_takes_as_long_as_the_speed_says(self, exchange):
        clock = SteppedClock(exchange.control_url, speed=100, now_ms=START_MS)
        began = monotonic_seconds()
        await clock.sleep_until(START_MS + 25_000)
        assert 0.24 <= monotonic_seconds() - began < 10

    async def test_market_stands_still_while_nobody_waits(self, exchange):
        clock = SteppedClock(exchange.control_url, speed=1000, now_ms=START_MS)
        await sleep_seconds(0.1)
        assert clock.now_ms() == START_MS == (await exchange.state())["now"]

    async def test_market_that_somebody_else_has_moved_is_followed(self, exchange):
        clock = SteppedClock(exchange.control_url, speed=1_000_000, now_ms=START_MS)
        await exchange.advance(120_000)
        await clock.sleep_until(START_MS + 60_000)
        assert clock.now_ms() == START_MS + 120_000

    async def test_market_that_is_gone_is_said_so(self, unused_tcp_port):
        clock = SteppedClock(f"http://127.0.0.1:{unused_tcp_port}", speed=60, now_ms=START_MS)
        with pytest.raises(MarketGoneError, match="is gone"):
            await clock.sleep_until(START_MS + 1_000)

    def test_takes_over_the_exchange_s_time_as_it_is(self):
        clock = SteppedClock("http://127.0.0.1:1", speed=60, now_ms=START_MS)
        clock.synchronise(START_MS + 5, age_seconds=10)
        assert clock.now_ms() == clock.monotonic_ms() == START_MS + 5


def test_wall_time_is_in_milliseconds():
    assert 1_700_000_000_000 < wall_ms() < 4_000_000_000_000

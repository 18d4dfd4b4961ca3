"""S29: the exchange is unreachable at the start. It is tried with back-off for a set time; health says so meanwhile."""

import asyncio
import signal
from decimal import Decimal

import pytest

from binance_trade_agent.ops.clock import monotonic_seconds
from tests.exchange_process import exchange_process
from tests.free_ports import free_port
from tests.sessions.command import trade_agent
from tests.sessions.daemon_process import assert_equal_to_exchange, daemon

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]
SHORT = {"TRADING_DURATION_MINUTES": "3"}


async def test_s29_gives_up_after_the_set_time_with_one_clear_line(tmp_path):
    nowhere = f"http://127.0.0.1:{free_port()}"
    begun = monotonic_seconds()
    async with daemon(tmp_path, EXCHANGE_URL=nowhere, EXCHANGE_STARTUP_SECONDS="12") as running:
        await running.until_logged("trying again for 12 s")
        meanwhile = await trade_agent(tmp_path, "health")
        assert meanwhile.code == 1
        assert ": starting, " in meanwhile.err
        assert "the exchange cannot be reached" in meanwhile.err
        assert await running.ended() == 1
    assert 12 <= monotonic_seconds() - begun < 60
    errors = [line for line in running.log if line.startswith("❌")]
    assert len(errors) == 1
    assert "the exchange cannot be reached" in errors[0]
    assert sum("cannot be reached" in line for line in running.log) == 2  # at the first try and at the end
    afterwards = await trade_agent(tmp_path, "health")
    assert afterwards.code == 1
    assert ": failed, " in afterwards.err
    assert "the exchange cannot be reached" in afterwards.err


async def test_s29_starts_when_the_exchange_comes_within_the_time(tmp_path):
    port = free_port()
    async with daemon(tmp_path, **SHORT, EXCHANGE_URL=f"http://127.0.0.1:{port}") as running:
        await running.until_logged("trying again")
        async with exchange_process(port=port, speed=Decimal(60)) as exchange:
            assert await running.ended() == 0, running.everything
            await assert_equal_to_exchange(tmp_path / "ledger.db", exchange)
    healthy = await trade_agent(tmp_path, "health")
    assert healthy.code == 0
    assert "reached" not in healthy.out


async def test_s29_exchange_under_maintenance_is_waited_for_at_each_step_of_the_start(tmp_path):
    async with exchange_process(speed=Decimal(60)) as exchange:
        for path in ("time", "exchangeInfo", "account"):
            await exchange.fault("http", method="GET", path=path, status=503, count=3)
        async with daemon(tmp_path, **SHORT, EXCHANGE_URL=exchange.url) as running:
            assert await running.ended() == 0
            assert sum("trying again" in line for line in running.log) >= 2
        await assert_equal_to_exchange(tmp_path / "ledger.db", exchange)


async def test_s29_exchange_that_accepts_and_says_nothing_is_given_up_too(tmp_path):
    async with exchange_process(speed=Decimal(60)) as exchange:
        exchange.process.send_signal(signal.SIGSTOP)
        begun = monotonic_seconds()
        async with daemon(tmp_path, EXCHANGE_URL=exchange.url, EXCHANGE_STARTUP_SECONDS="3") as running:
            assert await asyncio.wait_for(running.ended(), 40) == 1
            assert sum(line.startswith("❌") for line in running.log) == 1
        assert monotonic_seconds() - begun < 30
        exchange.process.send_signal(signal.SIGCONT)

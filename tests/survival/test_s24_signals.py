"""S24: SIGTERM or SIGINT in a tick, during the call, twice, and while something hangs that the end has to wait for."""

import signal
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from decimal import Decimal

import pytest

from binance_trade_agent.ledger import queries
from binance_trade_agent.ledger.reader import LedgerReader
from binance_trade_agent.ops.clock import monotonic_seconds, sleep_seconds
from tests.cache.redis_server import REDIS_SERVER, RedisServer
from tests.exchange_process import RunningExchange, exchange_process, running_exchange
from tests.sessions.daemon_process import (
    EAGER,
    Daemon,
    assert_books_balance,
    assert_equal_to_exchange,
    daemon,
    ids_sent,
    session,
)

# A tick a second, until it is told to stop.
ENDLESS = {**EAGER, "TRADING_DURATION_MINUTES": "0"}
END_SECONDS = 10.0

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


@asynccontextmanager
async def trading(
    folder, exchange_of=running_exchange, **settings: str
) -> AsyncIterator[tuple[RunningExchange, Daemon]]:
    """An exchange whose market moves by itself, and a daemon that has sent two orders there."""
    async with (
        exchange_of(speed=Decimal(60)) as exchange,
        daemon(folder, **ENDLESS, EXCHANGE_URL=exchange.url, **settings) as running,
    ):
        await until_sent(exchange, 2)
        yield exchange, running


async def until_sent(exchange: RunningExchange, number: int) -> None:
    deadline = monotonic_seconds() + 60
    while len(await ids_sent(exchange)) < number:
        assert monotonic_seconds() < deadline
        await sleep_seconds(0.02)


async def end(running: Daemon, number: signal.Signals = signal.SIGTERM) -> None:
    """Send the signal; the daemon ends well, in time and with its report."""
    asked = monotonic_seconds()
    running.send(number)
    assert await running.ended() == 0, running.everything
    took = monotonic_seconds() - asked
    assert took < END_SECONDS, running.everything
    print(f"ended in {took:.1f} s")
    assert "  cycles " in running.report
    assert f"Stopped: {number.name}" in running.log


async def go_on(folder, exchange: RunningExchange) -> None:
    """The next start recovers; then ledger and exchange are equal."""
    await session(folder, **{**EAGER, "TRADING_DURATION_MINUTES": "1"}, EXCHANGE_URL=exchange.url)
    assert assert_books_balance(folder / "ledger.db") > 0
    await assert_equal_to_exchange(folder / "ledger.db", exchange)


def intents(folder) -> list[str]:
    with LedgerReader.open(folder / "ledger.db") as reader:
        return [entry.order.client_order_id for entry in reader.snapshot(queries.orders)]


def states(folder) -> set[str]:
    with LedgerReader.open(folder / "ledger.db") as reader:
        return {str(entry.order.state) for entry in reader.snapshot(queries.orders)}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_s24_running_call_ends_and_no_other_is_begun(tmp_path, number):
    # Of two symbols the other one may begin its order just before the signal comes.
    async with trading(tmp_path, TRADING_SYMBOLS="BTCUSDT") as (exchange, running):
        await exchange.fault("latency", method="POST", path="order", count=None, ms=3000)
        await until_sent(exchange, len(await ids_sent(exchange)) + 1)
        begun = intents(tmp_path)
        await end(running, number)
        assert intents(tmp_path) == begun
        (asked,) = [place for place, line in enumerate(running.log) if line.startswith(f"{number.name}: ending")]
        assert not any("Trading Cycle #" in line for line in running.log[asked:]), "no tick begins"
        assert states(tmp_path) == {"FILLED"}
        await assert_equal_to_exchange(tmp_path / "ledger.db", exchange)


async def test_s24_signal_at_any_moment_of_a_tick_leaves_ledger_and_exchange_equal(tmp_path):
    async with running_exchange(speed=Decimal(60)) as exchange:
        for delay_ms in (0, 3, 9, 27, 81):
            async with daemon(tmp_path, **ENDLESS, EXCHANGE_URL=exchange.url) as running:
                await running.until_logged("Trading Cycle #2")
                await sleep_seconds(delay_ms / 1000)
                await end(running)
            await assert_equal_to_exchange(tmp_path / "ledger.db", exchange)


async def test_s24_second_signal_ends_at_once_and_the_next_start_recovers(tmp_path):
    async with trading(tmp_path) as (exchange, running):
        await exchange.fault("latency", method="POST", path="order", ms=6000)
        await until_sent(exchange, len(await ids_sent(exchange)) + 1)
        running.send(signal.SIGTERM)
        await running.until_logged("a second signal ends at once")
        asked = monotonic_seconds()
        running.send(signal.SIGTERM)
        assert await running.ended() == 1
        assert monotonic_seconds() - asked < 3
        assert any("stopped by force" in line for line in running.log)
        assert "SENT" in states(tmp_path)
        await go_on(tmp_path, exchange)


async def test_s24_exchange_that_answers_nothing_any_more(tmp_path):
    """REST takes orders and says nothing, the sockets are frozen; python-binance would wait for 10 s."""
    async with trading(tmp_path) as (exchange, running):
        sockets = await exchange.fault("ws_freeze_all", target="ws-api")
        lost = await exchange.fault("timeout_after", method="POST", path="order", count=None)
        await until_sent(exchange, len(await ids_sent(exchange)) + 1)
        await end(running)
        for number in (sockets, lost):
            await switch_off(exchange, number)
        await go_on(tmp_path, exchange)


async def test_s24_exchange_that_is_frozen(tmp_path):
    async with trading(tmp_path, exchange_process) as (exchange, running):
        exchange.process.send_signal(signal.SIGSTOP)
        await sleep_seconds(1.5)  # it has begun to wait for an answer
        await end(running)
        exchange.process.send_signal(signal.SIGCONT)
        await go_on(tmp_path, exchange)


async def test_s24_ledger_that_is_locked(tmp_path):
    async with trading(tmp_path) as (exchange, running):
        with closing(sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            await sleep_seconds(1.5)  # it has begun to wait for the lock
            await end(running)
            other.execute("ROLLBACK")
        await go_on(tmp_path, exchange)


@pytest.mark.redis
@pytest.mark.skipif(REDIS_SERVER is None, reason="there is no redis-server on this machine")
async def test_s24_redis_that_hangs(tmp_path):
    server = RedisServer(tmp_path)
    await server.start()
    try:
        async with trading(tmp_path, REDIS_URL=server.url) as (exchange, running):
            server._process.send_signal(signal.SIGSTOP)
            await running.until_logged("Redis does not answer")
            await end(running)
            await assert_equal_to_exchange(tmp_path / "ledger.db", exchange)
    finally:
        server.kill()


async def test_s24_signal_while_the_exchange_is_not_there_at_the_start(tmp_path):
    async with daemon(tmp_path, **ENDLESS, EXCHANGE_URL="http://127.0.0.1:9") as running:
        await running.until_logged("trying again")
        asked = monotonic_seconds()
        running.send(signal.SIGTERM)
        assert await running.ended() == 0
        assert monotonic_seconds() - asked < 3
        assert "Stopped before trading began" in running.log[-1]


async def switch_off(exchange: RunningExchange, number: int) -> None:
    await exchange._request("DELETE", f"fault/{number}", None)

"""`kill -9` at any moment: the next start goes on, nothing is lost, nothing is sent twice."""

import random
import signal

import pytest

from binance_trade_agent.ledger import queries
from binance_trade_agent.ledger.reader import LedgerReader
from binance_trade_agent.ops.clock import sleep_seconds
from tests.exchange_process import RunningExchange, running_exchange
from tests.sessions.daemon_process import (
    EAGER,
    assert_books_balance,
    assert_equal_to_exchange,
    daemon,
    ids_sent,
    session,
)
from tests.sessions.test_session import exchange_processes, reconciled

LONG = {**EAGER, "TRADING_DURATION_MINUTES": "240"}

pytestmark = pytest.mark.slow


async def settled_session(folder, exchange: RunningExchange, **settings: str) -> None:
    """Go on after the kill for a quarter of an hour of market time, and compare."""
    await session(folder, **settings)
    assert assert_books_balance(folder / "ledger.db") > 0
    await assert_equal_to_exchange(folder / "ledger.db", exchange)


async def test_killed_while_an_order_is_on_its_way(tmp_path):
    """The exchange executes the order when the daemon that sent it is gone."""
    async with running_exchange(speed=None) as exchange:
        await exchange.fault("latency", method="POST", path="order", skip=2, ms=500)
        async with daemon(tmp_path, **EAGER, **exchange.urls) as running:
            while len(await ids_sent(exchange)) <= 2:
                assert running.process.returncode is None, running.everything
                await sleep_seconds(0.01)
            running.send(signal.SIGKILL)
        with LedgerReader.open(tmp_path / "ledger.db") as reader:
            orders = reader.snapshot(queries.orders)
        assert [entry.order.state for entry in orders if not entry.is_settled] == ["SENT"]
        await settled_session(tmp_path, exchange, **EAGER, **exchange.urls)


async def test_killed_again_and_again_at_any_moment(tmp_path):
    moments = random.Random(1)
    async with running_exchange(speed=None) as exchange:
        for _ in range(2):
            async with daemon(tmp_path, **LONG, **exchange.urls) as running:
                await running.until_logged("Trading Cycle #1")
                await sleep_seconds(moments.uniform(0, 1))
                running.send(signal.SIGKILL)
        await settled_session(tmp_path, exchange, **EAGER, **exchange.urls)


async def test_killed_under_faults(tmp_path):
    """Lost answers, refused questions, a stream that is cut, and a kill in the middle of it."""
    async with running_exchange(speed=None) as exchange:
        async with daemon(tmp_path, **LONG, **exchange.urls) as running:
            await running.until_logged("Trading Cycle #1")
            for kind in ("drop_after", "unknown_not_executed", "unknown_executed"):
                await exchange.fault(kind, method="POST", path="order")
                await exchange.fault("http", method="GET", path="order", status=503)
                await exchange.control("kick", target="ws-api")
                await sleep_seconds(0.4)
            running.send(signal.SIGKILL)
        await settled_session(tmp_path, exchange, **EAGER, **exchange.urls)
        with LedgerReader.open(tmp_path / "ledger.db") as reader:
            states = {str(entry.order.state) for entry in reader.snapshot(queries.orders)}
        assert states >= {"FILLED", "NOT_PLACED"}


async def test_own_exchange_outlives_the_kill_and_the_next_start_takes_it_over(tmp_path):
    async with daemon(tmp_path, **EAGER, SIMULATION_SPEED="6000") as running:
        await running.until_logged("Trading Cycle #5 ")
        running.send(signal.SIGKILL)
    (left,) = exchange_processes(tmp_path)
    ended = await session(tmp_path, **EAGER)
    assert any(f"still runs (process {left})" in line for line in ended.log)
    assert exchange_processes(tmp_path) == []
    assert assert_books_balance(tmp_path / "ledger.db") > 0
    assert await reconciled(tmp_path) == "0 differences"

"""`kill -9` at any moment: the next start goes on, nothing is lost, nothing is sent twice."""

import random
import signal

import pytest

from binance_trade_agent.ledger import queries
from binance_trade_agent.ledger.ledger import LedgerReader
from binance_trade_agent.ops.clock import sleep_seconds
from tests.exchange_process import RunningExchange, exchange_process
from tests.sessions.daemon_process import (
    assert_books_balance,
    assert_equal_to_exchange,
    daemon,
    ids_sent,
    session,
)
from tests.sessions.test_session import exchange_processes, reconciled

# A strategy that trades at most ticks, so that there is something to interrupt.
EAGER = {
    "STRATEGY_NAME": "rsi_momentum",
    "STRATEGY_PARAMS": "rsi_period=2,rsi_oversold=45,rsi_overbought=55",
    "RISK_COOLDOWN_SECONDS": "0",
    "RISK_MAX_POSITION_QUOTE": "5000",
    "TRADING_DURATION_MINUTES": "30",
}

pytestmark = pytest.mark.slow


async def settled_session(folder, exchange: RunningExchange, **settings: str) -> None:
    """Go on after the kill for half an hour of market time, and compare."""
    await session(folder, **settings)
    assert assert_books_balance(folder / "ledger.db") > 0
    await assert_equal_to_exchange(folder / "ledger.db", exchange)


def urls(exchange: RunningExchange) -> dict[str, str]:
    return {"EXCHANGE_URL": exchange.url, "EXCHANGE_CONTROL_URL": exchange.control_url}


@pytest.mark.parametrize("skip", [0, 3])
async def test_killed_while_an_order_is_on_its_way(tmp_path, skip):
    """The exchange executes the order when the daemon that sent it is gone."""
    async with exchange_process(speed=None) as exchange:
        await exchange.fault("latency", method="POST", path="order", skip=skip, ms=500)
        async with daemon(tmp_path, **EAGER, **urls(exchange)) as running:
            while len(await ids_sent(exchange)) <= skip:
                assert running.process.returncode is None, running.everything
                await sleep_seconds(0.01)
            running.send(signal.SIGKILL)
        with LedgerReader.open(tmp_path / "ledger.db") as reader:
            orders = reader.snapshot(queries.orders)
        assert [entry.order.state for entry in orders if not entry.is_settled] == ["SENT"]
        await settled_session(tmp_path, exchange, **EAGER, **urls(exchange))


@pytest.mark.parametrize("seed", [1, 2])
async def test_killed_again_and_again_at_any_moment(tmp_path, seed):
    moments = random.Random(seed)
    async with exchange_process(speed=None) as exchange:
        for _ in range(3):
            async with daemon(tmp_path, **EAGER, **urls(exchange)) as running:
                await running.until_logged("Trading Cycle #1")
                await sleep_seconds(moments.uniform(0, 0.4))
                running.send(signal.SIGKILL)
        await settled_session(tmp_path, exchange, **EAGER, **urls(exchange))


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

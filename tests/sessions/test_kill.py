"""`kill -9` at any moment: the next start goes on, nothing is lost, nothing is sent twice."""

import asyncio
import random
import signal
from decimal import Decimal

import pytest

from binance_trade_agent.ledger import queries
from binance_trade_agent.ledger.ledger import LedgerReader
from binance_trade_agent.ops.clock import monotonic_seconds, sleep_seconds
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

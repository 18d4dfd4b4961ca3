"""The fixed market F0 behind real HTTP, and the gateway that trades on it."""

from collections.abc import Callable

import pytest

from binance_trade_agent.domain.orders import OrderIntent
from binance_trade_agent.exchange.binance_gateway import BinanceGateway
from binance_trade_agent.exchange.endpoints import simulated
from binance_trade_agent.ops.clock import ScaledClock
from tests.exchange.orders import order
from tests.exchange_process import API_KEY, API_SECRET, running_exchange


@pytest.fixture
async def exchange():
    async with running_exchange(fixture="F0") as running:
        yield running
        await running.state()  # which checks the invariants


@pytest.fixture
async def gateway(exchange):
    async with BinanceGateway(simulated(exchange.url), API_KEY, API_SECRET, ScaledClock()) as opened:
        yield opened


@pytest.fixture(scope="session")
def intent() -> Callable[..., OrderIntent]:
    """A market order for 0.1 BTC unless said otherwise."""
    return order

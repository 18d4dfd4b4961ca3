"""A simulated exchange on a network in memory, and a gateway to it, on virtual time."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal

import aiohttp

from binance_trade_agent.exchange.binance_gateway import BinanceGateway
from binance_trade_agent.exchange.connect import SIMULATED_KEY, SIMULATED_SECRET
from binance_trade_agent.ops.clock import ScaledClock
from tests.torture.exchange import WorldExchange
from tests.torture.network import Network, NetworkFaults

SYMBOLS = ("BTCUSDT", "ETHUSDT", "SOLUSDT")


@asynccontextmanager
async def reached_exchange(
    **faults: float,
) -> AsyncIterator[tuple[WorldExchange, BinanceGateway, ScaledClock, aiohttp.BaseConnector]]:
    """An exchange of SYMBOLS that runs, a gateway to it, its clock, and what opens further connections."""
    network = Network(1, NetworkFaults(**faults))
    exchange = WorldExchange(network, seed=1, symbols=SYMBOLS, usdt=Decimal(1000))
    clock = ScaledClock()
    async with exchange.running(), network.connector() as connector:
        arguments = exchange.endpoints, SIMULATED_KEY, SIMULATED_SECRET, clock
        async with BinanceGateway(*arguments, connector=connector) as gateway:
            await gateway.synchronise()
            yield exchange, gateway, clock, connector

"""What an entry asks the exchange where a feed process tells the market: a whole daemon, on virtual time."""

import random
from collections import Counter
from contextlib import asynccontextmanager
from decimal import Decimal

import pytest

from binance_trade_agent.agents import in_question
from binance_trade_agent.exchange.binance_gateway import BinanceGateway
from binance_trade_agent.exchange.connect import SIMULATED_KEY, SIMULATED_SECRET
from binance_trade_agent.feed import choice
from binance_trade_agent.feed.market_feed import MarketFeed
from binance_trade_agent.feed.notes import Wish
from binance_trade_agent.feed.serving import FeedServer
from binance_trade_agent.feed.streams import Streams
from binance_trade_agent.ops.clock import ScaledClock
from binance_trade_agent.ops.tasks import spawn, stop
from tests.feed.memory_store import MemoryStore
from tests.torture.loop import run_virtual
from tests.torture.strategy import CoinStrategy
from tests.torture.world import SYMBOLS, World

SETTINGS = {
    "TRADING_FEED": "shared",
    "REDIS_URL": "redis://nowhere",
    "TRADING_INTERVAL_SECONDS": "10",
    "TRADING_ORDER_QUOTE": "100",
    "RISK_MAX_POSITION_QUOTE": "1000000",
    "RISK_MAX_EXPOSURE_PCT": "100",
}


@pytest.fixture
def store(monkeypatch):
    """Where feed process and daemon meet. Symbols count as many: of each the first order has to know where trades stand."""
    store = MemoryStore()
    monkeypatch.setattr(choice, "redis_store", lambda *_: store)
    monkeypatch.setattr(in_question, "FEW_SYMBOLS", 0)
    return store


def asked_by_entries(store):
    """How often each path was asked by GET while positions were entered, and how many were."""

    async def work():
        strategy = CoinStrategy(random.Random(1), buy=1, sell=0)
        strategy.is_quiet = True
        async with (
            World(1, usdt=Decimal(10_000_000), strategy=strategy, **SETTINGS) as world,
            feed_process(world, store),
        ):
            daemon = world.start()
            assert await world.until(lambda: daemon.traded_at is not None, 60)
            await world.sleep(40)
            asked: Counter[str] = Counter()
            world.exchange.request_listeners.append(
                lambda method, target, _: asked.update([target.partition("?")[0]] if method == "GET" else [])
            )
            strategy.is_quiet = False
            await world.sleep(35)
            assert daemon.assembly._feed.is_shared
            return asked, world.read(entries)

    return run_virtual(work)


@asynccontextmanager
async def feed_process(world, store):
    """One beside the daemon, which reaches the exchange by itself."""
    clock, endpoints = ScaledClock(), world.exchange.endpoints
    async with world.network.connector() as connector:
        keys = SIMULATED_KEY, SIMULATED_SECRET
        async with BinanceGateway(endpoints, *keys, clock, connector=connector) as gateway:
            await gateway.synchronise()
            streams = Streams(endpoints.market_streams, random.Random(1), connector=connector)
            server = FeedServer(MarketFeed(gateway, clock, streams), gateway, store, Wish((), 0), "feed")
            task = spawn(server.run(), name="feed process")
            try:
                yield
            finally:
                await stop(task)


def entries(inside):
    found = "SELECT count(*) FROM orders WHERE role = 'ENTRY' AND executed_base != '0'"
    return inside.execute(found).fetchone()[0]


def test_an_entry_asks_for_no_last_price_and_the_first_one_on_a_symbol_for_no_trades(store):
    asked, made = asked_by_entries(store)
    assert made >= 3 * len(SYMBOLS), "two symbols, three ticks"
    assert asked["/api/v3/ticker/price"] == asked["/api/v3/myTrades"] == asked["/api/v3/ticker/bookTicker"] == 0


def test_with_a_feed_process_that_does_not_tell_trades_yet_it_asks_as_before(store):
    store.is_old = True
    asked, made = asked_by_entries(store)
    assert made >= 3 * len(SYMBOLS)
    assert (asked["/api/v3/ticker/price"], asked["/api/v3/myTrades"]) == (made, len(SYMBOLS))

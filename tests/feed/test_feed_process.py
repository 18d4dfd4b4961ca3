"""`trade-agent feed` and two daemons as processes of their own, over a real Redis: what each asks of the exchange."""

import asyncio
import contextlib
import signal
from contextlib import AsyncExitStack, asynccontextmanager
from decimal import Decimal
from urllib.parse import parse_qs

import pytest

from binance_trade_agent.configuration import ConfigError, load
from binance_trade_agent.exchange.binance_gateway import BinanceGateway
from binance_trade_agent.exchange.connect import connected_without_keys
from binance_trade_agent.exchange.endpoints import LIVE, TESTNET
from binance_trade_agent.feed import command
from binance_trade_agent.feed.choice import redis_store, streams_of, wanted_of
from binance_trade_agent.feed.shared_feed import SharedFeed
from binance_trade_agent.feed.signs import feed_health, signs_path
from binance_trade_agent.ops import heartbeat
from binance_trade_agent.ops.clock import monotonic_seconds, sleep_seconds
from binance_trade_agent.ops.tasks import spawn, stop
from tests.cache.redis_server import REDIS_SERVER
from tests.exchange_process import exchange_process
from tests.sessions.command import trade_agent
from tests.sessions.daemon_process import EAGER, assert_equal_to_exchange, daemon, started
from tests.torture.loop import run_virtual

SYMBOLS = ("BTCUSDT", "ETHUSDT")
HISTORY = 500  # candles that a start asks for, at least
_LONGEST_SECONDS = 60


def feed_process(folder, **settings):
    return started(folder, "binance_trade_agent.cli", "feed", **settings)


async def ticks(folder, count):
    """Return when the daemon has ended so many more ticks."""
    path = heartbeat.heartbeat_path(folder / "ledger.db")
    before, deadline = heartbeat.read(path).cycle, monotonic_seconds() + _LONGEST_SECONDS
    while heartbeat.read(path).cycle < before + count:
        assert monotonic_seconds() < deadline
        await sleep_seconds(0.05)


async def histories_asked(exchange):
    """Symbols whose history was asked of the exchange, in the order of asking."""
    targets = [entry["target"].partition("?") for entry in await exchange.log()]
    asked = [parse_qs(query) for path, _, query in targets if path == "/api/v3/klines"]
    return [each["symbol"][0] for each in asked if int(each.get("limit", ["500"])[0]) >= HISTORY]


@pytest.mark.redis
@pytest.mark.skipif(REDIS_SERVER is None, reason="there is no redis-server on this machine")
async def test_what_daemons_want_is_asked_once_and_without_the_feed_they_go_on(tmp_path, redis_server):
    folders = [tmp_path / name for name in ("feed", "one", "other")]
    for folder in folders:
        folder.mkdir()
    async with exchange_process(symbols=SYMBOLS, speed=Decimal(30)) as exchange, AsyncExitStack() as stack:
        settings = {"REDIS_URL": redis_server.url, "EXCHANGE_URL": exchange.url, "TRADING_SYMBOLS": SYMBOLS[0]}
        trading = {**EAGER, **settings, "TRADING_FEED": "shared", "TRADING_DURATION_MINUTES": "0"}
        # An account has one trader; by another name of its exchange it is another one to the lease. This one only looks.
        elsewhere = {
            "EXCHANGE_URL": exchange.url.replace("127.0.0.1", "localhost"),
            "TRADING_SYMBOLS": SYMBOLS[1],
            "TRADING_INSTANCE": "other",
            "RISK_MIN_CONFIDENCE": "1",
        }
        feed = await stack.enter_async_context(feed_process(folders[0], **settings))
        await feed.until_logged("following 1 symbols for 0 daemons")
        signs = signs_path(folders[0] / "ledger.db")
        daemons = [
            await stack.enter_async_context(daemon(folders[1], **trading)),
            await stack.enter_async_context(daemon(folders[2], **{**trading, **elsewhere})),
        ]
        for each, folder in zip(daemons, folders[1:], strict=True):
            await each.until_logged("the market is heard from the feed process")
            await ticks(folder, 2)
        assert sorted(await histories_asked(exchange)) == sorted(SYMBOLS), "of each symbol once, by the feed"
        assert feed_health(signs)[0]

        feed.send(signal.SIGKILL)
        for each, folder in zip(daemons, folders[1:], strict=True):
            await each.until_logged("this daemon follows the market by itself")
            await ticks(folder, 2)
        assert len(await histories_asked(exchange)) == len(SYMBOLS), "what is known is not asked anew"

        feed = await stack.enter_async_context(feed_process(folders[0], **settings))
        for each, folder in zip(daemons, folders[1:], strict=True):
            await each.until_logged("the feed process tells the market again")
            await ticks(folder, 2)
        assert sorted(await histories_asked(exchange)) == sorted(2 * SYMBOLS)

        for each in daemons:
            each.send(signal.SIGTERM)
            assert await each.ended() == 0, each.everything
        feed.send(signal.SIGTERM)
        assert await feed.ended() == 0, feed.everything
        assert heartbeat.read(signs).state == "stopped"
        await assert_equal_to_exchange(folders[1] / "ledger.db", exchange)


@asynccontextmanager
async def listener(folder, **settings):
    """What a daemon hears the market by."""
    loaded = load(environment=settings, folder=folder).settings
    async with connected_without_keys(loaded) as connection:
        store = redis_store(loaded, connection)
        wanted, streams = wanted_of(loaded, 60), streams_of(connection, "listener")
        feed = SharedFeed(connection.gateway, connection.clock, streams, store, daemon="listener", wanted=wanted)
        task = spawn(feed.run(), name="listener")
        try:
            yield feed
        finally:
            await stop(task)
            await store.close()


async def told_trade(feed, symbol, is_enough):
    """Number of the last trade, as it is known when `is_enough` of it."""
    deadline = monotonic_seconds() + _LONGEST_SECONDS
    while True:
        await feed.quote(symbol)
        if is_enough(number := feed.last_trade_id(symbol)):
            return number
        assert monotonic_seconds() < deadline
        await sleep_seconds(0.02)


async def newest_trade(exchange, symbol):
    return (await exchange.state())["sequence"][symbol]["tradeId"]


@pytest.mark.redis
@pytest.mark.skipif(REDIS_SERVER is None, reason="there is no redis-server on this machine")
async def test_the_last_trade_is_told_until_the_process_stops_in_whatever_way(tmp_path, redis_server):
    symbol = SYMBOLS[0]
    async with exchange_process(symbols=SYMBOLS, speed=Decimal(1)) as exchange, AsyncExitStack() as stack:
        settings = {"REDIS_URL": redis_server.url, "EXCHANGE_URL": exchange.url, "TRADING_SYMBOLS": ",".join(SYMBOLS)}
        process = await stack.enter_async_context(feed_process(tmp_path, **settings))
        await process.until_logged("following 2 symbols for 0 daemons")
        feed = await stack.enter_async_context(listener(tmp_path, **settings))
        first = await told_trade(feed, symbol, lambda number: number is not None)
        assert feed.is_shared
        later = await told_trade(feed, symbol, lambda number: number is not None and number > first)
        assert later <= await newest_trade(exchange, symbol)
        price = await feed._gateway.last_price(symbol)
        assert abs(feed.last_price(symbol) / price - 1) < Decimal("0.01")
        for how in (signal.SIGSTOP, signal.SIGKILL):
            await told_trade(feed, symbol, lambda number: number is not None and feed.is_shared)
            process.send(how)
            await told_trade(feed, symbol, lambda number: number is None)
            process.send(signal.SIGCONT)
            again = await told_trade(feed, symbol, lambda number: number is not None)
            assert later <= again <= await newest_trade(exchange, symbol)


class Deaf:
    """A server that a first cancellation does not end, as asyncio.wait_for of Python 3.11 may swallow it."""

    def __init__(self):
        self.is_cancelled = asyncio.Event()

    async def run(self):
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        self.is_cancelled.set()
        await asyncio.Event().wait()


def test_a_signal_ends_it_though_a_cancellation_gets_lost():
    async def work():
        service, server = command._Service(), Deaf()
        serving = spawn(service.serve(server), name="feed")
        await sleep_seconds(1)
        service.request_stop("SIGTERM")
        await asyncio.wait({serving}, timeout=60)
        assert server.is_cancelled.is_set()
        assert serving.done()

    run_virtual(work)


async def synchronised(_):
    """Instead of the first request to a real exchange."""


@pytest.mark.parametrize(("market", "endpoints"), [("live", LIVE), ("testnet", TESTNET)])
async def test_a_real_market_is_followed_without_keys(tmp_path, monkeypatch, market, endpoints):
    monkeypatch.setattr(BinanceGateway, "synchronise", synchronised)
    keys = {"BINANCE_API_KEY": "a1" * 32, "BINANCE_API_SECRET": "b2" * 32}  # of a daemon: they are not used
    for environment in ({}, keys):
        settings = load(environment=environment, folder=tmp_path).settings
        async with connected_without_keys(settings, market) as connection:
            assert (connection.endpoints, connection.market) == (endpoints, market)
            assert "X-MBX-APIKEY" not in connection.gateway._client.session.headers


async def test_a_simulated_market_has_to_be_one_that_all_can_reach(tmp_path):
    settings = load(environment={}, folder=tmp_path).settings
    with pytest.raises(ConfigError, match="TRADING_MODE=simulated needs EXCHANGE_URL here"):
        async with connected_without_keys(settings):
            pass


async def test_it_says_what_it_needs(tmp_path):
    needs = await trade_agent(tmp_path, "feed")
    assert needs.code == 2
    assert needs.err.strip().endswith("`trade-agent feed` needs REDIS_URL, where it and its daemons meet.")

"""A feed process and daemons that hear it, over a store in memory, in virtual time; and what becomes of the process."""

import random

from binance_trade_agent.domain.candles import MINUTE_MS
from binance_trade_agent.domain.values import replace
from binance_trade_agent.feed.market_feed import MarketFeed
from binance_trade_agent.feed.notes import Wish
from binance_trade_agent.feed.quotes import MAX_AGE_MS
from binance_trade_agent.feed.serving import FeedServer
from binance_trade_agent.feed.shared_feed import SharedFeed
from binance_trade_agent.feed.streams import Streams
from binance_trade_agent.ops.clock import sleep_seconds
from binance_trade_agent.ops.tasks import spawn, stop
from tests.feed.memory_store import MemoryStore
from tests.feed.world import reached_exchange
from tests.torture.loop import run_virtual

HISTORY = 60
NOTHING = Wish((), 0)


def wish(*symbols, interval="1m", history=HISTORY):
    return Wish(tuple((symbol, interval) for symbol in symbols), history)


class Asking:
    """A gateway that remembers what it was asked for."""

    def __init__(self, gateway):
        self._gateway = gateway
        self.asked = []

    def of(self, what):
        return [arguments for kind, arguments in self.asked if kind == what]

    def __getattr__(self, name):
        async def ask(*arguments):
            self.asked.append((name, arguments))
            return await getattr(self._gateway, name)(*arguments)

        return ask


class Daemon:
    """What a daemon has of the market, and what it was told."""

    def __init__(self, world, name, wanted):
        self.wanted = wanted
        self.gateway = Asking(world.gateway)
        self.feed = SharedFeed(self.gateway, world.clock, world.streams(), world.store, daemon=name, wanted=wanted)
        self.closed = []
        self.feed.on_closed.append(lambda symbol, interval, close_ms: self.closed.append((symbol, interval, close_ms)))
        self.task = spawn(self.feed.run(), name=name)

    def closes_of(self, symbol):
        return [close_ms for of, _, close_ms in self.closed if of == symbol]


class World:
    def __init__(self, exchange, gateway, clock, connector):
        self.exchange, self.gateway, self.clock = exchange, gateway, clock
        self.store = MemoryStore()
        self.daemons = []
        self._connector = connector
        self._servers = []

    def streams(self):
        return Streams(self.exchange.endpoints.market_streams, random.Random(1), connector=self._connector)

    def server(self, own=NOTHING, name="feed", clock=None):
        """A feed process. Its task is killed by `stop`: nothing more is written and nobody is told."""
        gateway = Asking(self.gateway)
        feed = MarketFeed(gateway, clock or self.clock, self.streams())
        server = FeedServer(feed, gateway, self.store, own, name)
        server.gateway, server.feed = gateway, feed
        server.task = spawn(server.run(), name=name)
        self._servers.append(server)
        return server

    def daemon(self, wanted, name=None):
        self.daemons.append(Daemon(self, name or f"daemon {len(self.daemons)}", wanted))
        return self.daemons[-1]

    async def look(self, minutes=1):
        """What daemons do at each tick, for so long."""
        for _ in range(minutes * 6):
            await sleep_seconds(10)
            for daemon in self.daemons:
                for symbol, interval in daemon.wanted.keys:
                    await daemon.feed.series(symbol, interval)
                    await daemon.feed.quote(symbol)
                    await daemon.feed.rules(symbol)

    async def all_is_right(self):
        """Hold everything that a daemon knows against what the exchange says, in the middle of a minute."""
        await sleep_seconds(60 - (self.clock.now_ms() / 1000 + 30) % 60)
        for daemon in self.daemons:
            for symbol, interval in daemon.wanted.keys:
                history = daemon.wanted.history
                theirs = (await self.gateway.candles(symbol, interval, history + 1))[:-1][-history:]
                ours = (await daemon.feed.series(symbol, interval)).candles
                assert list(ours)[-history:] == theirs, symbol
                books = []
                while len(books) < 1 + MAX_AGE_MS // 100:
                    await sleep_seconds(0.1)
                    books.append(replace(await self.gateway.book_ticker(symbol), read_ms=0))
                quote = await daemon.feed.quote(symbol)
                assert replace(quote, read_ms=0) in books
                assert 0 <= self.clock.now_ms() - quote.read_ms <= MAX_AGE_MS
                assert await daemon.feed.rules(symbol) == (await self.gateway.symbol_rules([symbol]))[symbol]

    def each_candle_was_told_once(self):
        for daemon in self.daemons:
            for symbol, _ in daemon.wanted.keys:
                closes = daemon.closes_of(symbol)
                assert closes == list(range(closes[0], closes[-1] + 1, MINUTE_MS)), "each once, in order"

    async def end(self):
        for each in (*self.daemons, *self._servers):
            assert not each.task.done() or each.task.cancelled(), "it goes on for ever"
            await stop(each.task)


def told(story):
    """Run `story` with a world."""

    async def work():
        async with reached_exchange() as reached:
            world = World(*reached)
            try:
                return await story(world)
            finally:
                await world.end()

    return run_virtual(work)


def kill_feed(world, server):
    return stop(server.task)


async def freeze_feed(world, server):
    class Frozen:
        def __getattr__(self, _):
            return lambda *_: sleep_seconds(10_000)

    server._store = Frozen()


async def end_redis(world, server):
    world.store.is_down = True
    world.store.flush()

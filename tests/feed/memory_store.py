"""A store of a shared feed in memory, for tests in virtual time: it forgets as Redis does, and may be made to fail."""

import asyncio
from collections import Counter
from contextlib import asynccontextmanager

from binance_trade_agent.feed.notes import ROW_BYTES, RulesNote, unpacked
from binance_trade_agent.feed.store import BEAT_KEPT_SECONDS, SERVER_KEPT_SECONDS, WISH_KEPT_SECONDS, StoreError
from binance_trade_agent.ops.clock import monotonic_seconds


class MemoryStore:
    """See feed.store.Store.

    Attributes:
        is_down: nothing can be asked.
        is_old: it is written as before there were trades to be read.
        loses_bells: they are not told.
        written: how many symbols were written in which way: whole, added, quotes.
    """

    def __init__(self):
        self.is_down = self.is_old = self.loses_bells = False
        self.written = Counter()
        self.flush()
        self._listeners = set()

    def flush(self):
        self._kept = {}  # key -> value, monotonic end
        self._candles, self._quotes, self._rules = {}, {}, {}

    def _check(self):
        if self.is_down:
            raise StoreError("Redis does not answer: it is down")

    def _get(self, key):
        value, until = self._kept.get(key, (None, 0.0))
        return value if monotonic_seconds() < until else None

    def _put(self, key, value, seconds):
        self._kept[key] = (value, monotonic_seconds() + seconds)

    async def hold(self, feed):
        self._check()
        if (held := self._get("server")) not in (None, feed):
            return held
        self._put("server", feed, SERVER_KEPT_SECONDS)
        return None

    async def let_go(self, feed):
        self._check()
        if self._get("server") == feed:
            del self._kept["server"]
            self._kept.pop("beat", None)

    async def wishes(self):
        self._check()
        return [wish for key in list(self._kept) if key.startswith("wish ") and (wish := self._get(key))]

    async def write(self, writing):
        self._check()
        feed = writing.beat.feed
        for key, rows in writing.renewed.items():
            self._candles[feed, key] = rows
        for key, rows in writing.added.items():
            self._candles[feed, key] = self._candles.get((feed, key), b"") + rows
        for key in writing.dropped:
            self._candles.pop((feed, key), None)
        for symbol, value in writing.quotes.items():
            self._quotes[feed, symbol] = value
        if writing.rules is not None:
            self._rules[feed] = writing.rules
        if writing.trades is not None and not self.is_old:
            self._put(f"trades {feed}", writing.trades, BEAT_KEPT_SECONDS)
        self.written.update(whole=len(writing.renewed), added=len(writing.added), quotes=len(writing.quotes))
        self._put("beat", writing.beat, BEAT_KEPT_SECONDS)
        if writing.bell is not None:
            self._tell(writing.bell)

    async def ring(self, bell):
        self._check()
        self._tell(bell)

    def _tell(self, bell):
        if not self.loses_bells:
            for listener in self._listeners:
                listener.put_nowait(bell)

    async def wish(self, daemon, wish):
        self._check()
        self._put(f"wish {daemon}", wish, WISH_KEPT_SECONDS)

    async def beat(self):
        self._check()
        return self._get("beat")

    async def candles(self, feed, keys, most):
        self._check()
        return [self._candles.get((feed, key), b"")[-most * ROW_BYTES :] for key in keys]

    async def quotes(self, feed, symbols):
        self._check()
        quotes = [self._quotes.get((feed, symbol)) for symbol in symbols]
        return self._get("beat"), quotes, self._get(f"trades {feed}")

    async def rules(self, feed):
        self._check()
        return unpacked(self._rules.get(feed), RulesNote)

    @asynccontextmanager
    async def listening(self):
        self._check()
        bells = asyncio.Queue()
        self._listeners.add(bells)
        try:
            yield _Bells(self, bells)
        finally:
            self._listeners.discard(bells)

    async def close(self):
        pass


class _Bells:
    def __init__(self, store, bells):
        self._store, self._bells = store, bells

    async def next(self, timeout_seconds):
        try:
            async with asyncio.timeout(timeout_seconds):
                told = await self._bells.get()
        except TimeoutError:
            told = None
        self._store._check()
        return told

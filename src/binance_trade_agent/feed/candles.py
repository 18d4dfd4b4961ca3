"""CandleFeed: the closed candles of many symbols, from their kline streams, with REST for what those did not bring.

A candle comes whole with the event that closes it. So REST is needed at the start, for what closed while a connection
was away, and now and then to see that both say the same. Events in between tell the price of the last trade.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from binance_trade_agent.domain.candle_series import CandleSeries
from binance_trade_agent.domain.candle_window import CandleWindow, window_of
from binance_trade_agent.domain.candles import INTERVAL_MS, Candle, interval_open_ms
from binance_trade_agent.domain.clock import Clock
from binance_trade_agent.exchange.errors import ExchangeError
from binance_trade_agent.feed.ring import CandleRing, Row
from binance_trade_agent.ops.clock import monotonic_seconds
from binance_trade_agent.ops.tasks import spawn

OVERDUE_MS = 5_000  # behind its close: the stream sends every two seconds (binance-protocol.md 5.1)
_AGAIN_SECONDS = 15.0  # before what REST did not have either is asked for again
_OVERLAP = 2  # candles asked for beyond the missing ones: the open one, and one to join on
_AT_ONCE = 8  # requests under way together
_COMPARED = 50  # candles of one comparison with REST

log = logging.getLogger(__name__)

Key = tuple[str, str]  # symbol, interval
Fetch = Callable[[str, str, int], Awaitable[Sequence[Candle]]]


class LastTrade(NamedTuple):
    """What a stream says of a symbol's last trade.

    Attributes:
        price: quote per base, as the exchange writes it.
        until_ms: market time (ms) until which it was the last.
        trade_id: its number, or that of one before it; -1 when none was told of.
    """

    price: str
    until_ms: int
    trade_id: int


class CandleFeed:
    """Rings of closed candles, each kept as complete as the exchange lets it be.

    Args:
        fetch: asks for the newest candles of a symbol and an interval, as many as said, the open one included.
        closed: called with symbol, interval and close time of each candle that has just closed, once.

    Attributes:
        filled: how often REST was asked, by what for: start, gap, comparison.
        disagreements: candles that the stream and REST told differently, by interval. What REST says holds.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        fetch: Fetch,
        closed: Callable[[str, str, int], None] = lambda *_: None,
    ) -> None:
        self.filled: Counter[str] = Counter()
        self.disagreements: Counter[str] = Counter()
        self._clock = clock
        self._fetch = fetch
        self._closed = closed
        self._rings: dict[Key, CandleRing] = {}
        self._complete: set[Key] = set()
        self._broken: dict[Key, int] = {}  # complete ones in which candles were left out; close time of the last before
        self._short: set[Key] = set()  # complete ones that are to keep more than they did
        self._filling: dict[Key, asyncio.Task[ExchangeError | None]] = {}
        self._filled_seconds: dict[Key, float] = {}
        self._places = asyncio.Semaphore(_AT_ONCE)
        self._compared_next = 0
        self._trades: dict[str, LastTrade] = {}

    def follow(self, keys: Collection[Key], history: int) -> None:
        """Keep the candles of these symbols and intervals, and no others.

        Args:
            keys: symbols with their intervals.
            history: closed candles that are kept of each, or more where more were kept so far.
        """
        rings = {}
        for key in keys:
            if (ring := self._rings.get(key)) is None:
                ring = CandleRing(history)
                self._filled_seconds.pop(key, None)
            rings[key] = ring
        self._rings = rings
        for key in keys:
            self._keep(key, history)
        for keys_of in (self._complete, self._short):
            keys_of.intersection_update(rings)
        self._broken = {key: close_ms for key, close_ms in self._broken.items() if key in rings}
        self.forget_trades(self._trades.keys() - {symbol for symbol, _ in rings})

    def _keep(self, key: Key, history: int) -> None:
        """Keep so many at least; what is there is used until there are more."""
        if (ring := self._rings[key]).capacity < history:
            ring.grow(history)
            self._filled_seconds.pop(key, None)
            if key in self._complete:
                self._short.add(key)

    @property
    def are_long(self) -> bool:
        """Whether everything that is complete is as long as it is to be."""
        return not self._short

    @property
    def rings(self) -> Mapping[Key, CandleRing]:
        """What is kept, complete or not."""
        return self._rings

    def is_complete(self, key: Key) -> bool:
        """Whether the history is there, and nothing is known to be left out of it."""
        return key in self._complete and key not in self._broken

    def hear(self, event: Mapping[str, Any]) -> None:
        """Take in one event of a `<symbol>@kline_<interval>` stream; of one that closes no candle the last trade."""
        kline = event["k"]
        symbol, is_closed = kline["s"], kline["x"]
        at_ms = kline["T"] if is_closed else event["E"]
        before = self._trades.get(symbol)
        if before is None or before.until_ms <= at_ms:
            # A candle without a trade has none that was its last: -1.
            trade_id = kline["L"] if before is None else max(kline["L"], before.trade_id)
            self._trades[symbol] = LastTrade(kline["c"], at_ms, trade_id)
        if not is_closed:
            return
        opened, high, low, close = float(kline["o"]), float(kline["h"]), float(kline["l"]), float(kline["c"])
        row = (int(kline["t"]), int(kline["T"]), opened, high, low, close, float(kline["v"]))
        self.take((symbol, kline["i"]), row)

    def last_trade(self, symbol: str) -> LastTrade | None:
        """The last trade that was told of, by a candle of whatever interval."""
        return self._trades.get(symbol)

    @property
    def last_trades(self) -> Mapping[str, LastTrade]:
        """The same of all symbols."""
        return self._trades

    def forget_trades(self, symbols: Iterable[str]) -> None:
        """A connection has just begun to carry these: there may have been trades that nobody has told of."""
        for symbol in symbols:
            self._trades.pop(symbol, None)

    def take(self, key: Key, row: Row) -> None:
        """Take in one candle that has closed; of what is not followed it is passed over."""
        ring = self._rings.get(key)
        if ring is None:
            return
        before = ring.last_close_ms
        is_new = ring.put(row)
        if before is not None and row[0] > before + 1:
            self._broken.setdefault(key, before)
        if is_new and (before is None or row[1] > before):
            self._closed(*key, row[1])

    def take_history(self, key: Key, window: CandleWindow) -> None:
        """Take in all that somebody else keeps, complete and in time order."""
        if key in self._rings:
            self._merge(key, self._rings[key], window)

    def known(self, symbol: str, interval: str) -> CandleSeries | None:
        """The symbol's series; None while its history is not there, or a candle of it is missing that has closed."""
        key = (symbol, interval)
        if not self.is_complete(key) or self._missing(key):
            return None
        return self._rings[key].series(self._clock.now_ms())

    async def series(self, symbol: str, interval: str, history: int = 0) -> CandleSeries:
        """The symbol's series as far as it can be known; what is missing is asked for first.

        Args:
            symbol: one that is followed.
            interval: the same.
            history: closed candles that are kept at least from here on.

        Raises:
            ExchangeError: the exchange could not be asked.
        """
        key = (symbol, interval)
        self._keep(key, history)
        is_short = key in self._short and history > 0
        if not is_short and (known := self.known(symbol, interval)) is not None:
            return known
        if self._may_ask(key):
            await self._filled(key)
        return self._rings[key].series(self._clock.now_ms())

    async def fill_overdue(self) -> list[Key]:
        """Ask for what should have come and did not. Returns of what; failures are left to the next time."""
        overdue = [key for key in self._rings if key in self._complete and self._missing(key)]
        await self._fill_all([*overdue, *(self._broken.keys() | self._short).difference(overdue)])
        return overdue

    async def fill_histories(self) -> None:
        """Ask for the histories that are not there; failures are left to the next time."""
        await self._fill_all([key for key in self._rings if key not in self._complete])

    async def _fill_all(self, keys: Collection[Key]) -> None:
        await asyncio.gather(*(self._filled(key) for key in keys if self._may_ask(key)), return_exceptions=True)

    def _may_ask(self, key: Key) -> bool:
        """Whether it was not asked for just now: of a symbol that nobody trades REST has no candle either."""
        return monotonic_seconds() - self._filled_seconds.get(key, float("-inf")) >= _AGAIN_SECONDS

    async def compare_one(self) -> None:
        """Hold the newest candles of the next symbol, in turn, against REST.

        Raises:
            ExchangeError: the exchange could not be asked.
        """
        keys = sorted(self._complete)
        if not keys:
            return
        key = keys[self._compared_next % len(keys)]
        self._compared_next += 1
        ring = self._rings[key]
        self.filled["comparison"] += 1
        fetched = self._closed_of(await self._fetch(*key, _COMPARED))
        theirs = {candle.open_time_ms: candle for candle in fetched}
        differing = [ours for ours in ring.window()[-_COMPARED:] if theirs.get(ours.open_time_ms, ours) != ours]
        if differing:
            self.disagreements[key[1]] += len(differing)
            log.warning(
                "%s: %d of the last %d %s candles came otherwise by the stream than by REST, whose are taken",
                key[0],
                len(differing),
                _COMPARED,
                key[1],
            )
            ring.merge(fetched)

    def _missing(self, key: Key) -> int:
        """Closed candles that are not there and should be by now."""
        last_close_ms = self._rings[key].last_close_ms
        return self._rings[key].capacity if last_close_ms is None else self._due_since(key, last_close_ms)

    def _due_since(self, key: Key, close_ms: int) -> int:
        """Candles that should be there by now and closed later."""
        return max(0, self.due_close_ms(key[1]) - close_ms) // INTERVAL_MS[key[1]]

    def due_close_ms(self, interval: str) -> int:
        """Close time of the last candle that should be there by now."""
        return interval_open_ms(interval, self._clock.now_ms() - OVERDUE_MS) - 1

    async def _filled(self, key: Key) -> None:
        """One filling serves all who wait for it.

        Raises:
            ExchangeError: the exchange could not be asked.
        """
        task = self._filling.get(key)
        if task is None:
            task = self._filling[key] = spawn(self._fill(key), name="candles")
            task.add_done_callback(lambda _: self._filling.pop(key, None))
        if failure := await asyncio.shield(task):
            raise failure

    async def _fill(self, key: Key) -> ExchangeError | None:
        ring = self._rings[key]
        async with self._places:
            is_start = key not in self._complete
            since_gap = self._due_since(key, self._broken[key]) if key in self._broken else 0
            is_whole = is_start or key in self._short or since_gap >= ring.capacity
            wanted = ring.capacity if is_whole else min(ring.capacity, max(since_gap, self._missing(key)))
            self.filled["start" if is_start else "gap"] += 1
            try:
                fetched = await self._fetch(*key, wanted + _OVERLAP)
            except ExchangeError as failure:
                return failure
        self._filled_seconds[key] = monotonic_seconds()
        if self._rings.get(key) is ring:
            self._merge(key, ring, self._closed_of(fetched), is_all=is_whole)
        return None

    def _merge(self, key: Key, ring: CandleRing, window: CandleWindow, *, is_all: bool = True) -> None:
        was_complete = key in self._complete
        before = ring.last_close_ms
        ring.merge(window)
        if is_all:
            self._complete.add(key)
            self._short.discard(key)
        if key in self._broken and len(window) > 0:
            if is_all or window.times[0, 0] <= self._broken[key] + 1:
                del self._broken[key]
            else:
                self._broken[key] = 0  # it did not reach so far: the next one asks for all
        after = ring.last_close_ms
        if was_complete and after is not None and (before is None or after > before):
            self._closed(*key, after)

    def _closed_of(self, candles: Sequence[Candle]) -> CandleWindow:
        now_ms = self._clock.now_ms()
        if isinstance(candles, CandleWindow):
            return candles[: int(np.searchsorted(candles.times[:, 1], now_ms))]
        by_time = {candle.open_time_ms: candle for candle in candles if candle.close_time_ms < now_ms}
        return window_of([by_time[open_ms] for open_ms in sorted(by_time)])

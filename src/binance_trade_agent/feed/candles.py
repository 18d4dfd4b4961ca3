"""CandleFeed: the closed candles of many symbols, from their kline streams, with REST for what those did not bring.

A candle comes whole with the event that closes it. So REST is needed at the start, for what closed while a connection
was away, and now and then to see that both say the same.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from binance_trade_agent.domain.candle_series import CandleSeries
from binance_trade_agent.domain.candle_window import window_of
from binance_trade_agent.domain.candles import INTERVAL_MS, Candle, interval_open_ms
from binance_trade_agent.domain.clock import Clock
from binance_trade_agent.exchange.errors import ExchangeError
from binance_trade_agent.feed.ring import CandleRing
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


class CandleFeed:
    """Rings of closed candles, each kept as complete as the exchange lets it be.

    Args:
        history: closed candles that are kept of each symbol and interval.
        fetch: asks for the newest candles of a symbol and an interval, as many as said, the open one included.
        closed: called with symbol, interval and close time of each candle that has just closed, once.

    Attributes:
        filled: how often REST was asked, by what for: start, gap, comparison.
        disagreements: candles that the stream and REST told differently, by interval. What REST says holds.
    """

    def __init__(
        self,
        symbols: Sequence[str],
        intervals: Sequence[str],
        clock: Clock,
        *,
        history: int,
        fetch: Fetch,
        closed: Callable[[str, str, int], None] = lambda *_: None,
    ) -> None:
        self.filled: Counter[str] = Counter()
        self.disagreements: Counter[str] = Counter()
        self._clock = clock
        self._fetch = fetch
        self._closed = closed
        self._rings: dict[Key, CandleRing] = {
            (symbol, interval): CandleRing(history) for symbol in symbols for interval in intervals
        }
        self._complete: set[Key] = set()
        self._filling: dict[Key, asyncio.Task[ExchangeError | None]] = {}
        self._filled_seconds: dict[Key, float] = {}
        self._places = asyncio.Semaphore(_AT_ONCE)
        self._compared_next = 0

    def hear(self, event: Mapping[str, Any]) -> None:
        """Take in one event of a `<symbol>@kline_<interval>` stream; one that closes no candle is passed over."""
        kline = event["k"]
        if not kline["x"]:
            return
        key = (kline["s"], kline["i"])
        ring = self._rings.get(key)
        if ring is None:
            return
        before = ring.last_close_ms
        closed_ms = int(kline["T"])
        opened, high, low, close = float(kline["o"]), float(kline["h"]), float(kline["l"]), float(kline["c"])
        is_new = ring.put((int(kline["t"]), closed_ms, opened, high, low, close, float(kline["v"])))
        if is_new and (before is None or closed_ms > before):
            self._closed(*key, closed_ms)

    def known(self, symbol: str, interval: str) -> CandleSeries | None:
        """The symbol's series; None while its history is not there, or a candle of it is missing that has closed."""
        key = (symbol, interval)
        if key not in self._complete or self._missing(key):
            return None
        return self._rings[key].series(self._clock.now_ms())

    async def series(self, symbol: str, interval: str) -> CandleSeries:
        """The symbol's series as far as it can be known; what is missing is asked for first.

        Raises:
            ExchangeError: the exchange could not be asked.
        """
        key = (symbol, interval)
        if (known := self.known(symbol, interval)) is not None:
            return known
        if self._may_ask(key):
            await self._filled(key)
        return self._rings[key].series(self._clock.now_ms())

    async def fill_overdue(self) -> list[str]:
        """Ask for what should have come and did not. Returns the symbols; failures are left to the next time."""
        overdue = [key for key in self._rings if key in self._complete and self._missing(key)]
        await asyncio.gather(*(self._filled(key) for key in overdue if self._may_ask(key)), return_exceptions=True)
        return [symbol for symbol, _ in overdue]

    def _may_ask(self, key: Key) -> bool:
        """Whether REST was not asked just now: of a symbol that nobody trades it has no candle either."""
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
            ring.merge(window_of(fetched))

    def _missing(self, key: Key) -> int:
        """Closed candles that are not there and should be by now."""
        interval_ms = INTERVAL_MS[key[1]]
        due_ms = interval_open_ms(key[1], self._clock.now_ms() - OVERDUE_MS)  # opened then, so all before has closed
        last_close_ms = self._rings[key].last_close_ms
        return self._rings[key].capacity if last_close_ms is None else max(0, due_ms - 1 - last_close_ms) // interval_ms

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
            wanted = ring.capacity if is_start else min(ring.capacity, self._missing(key))
            self.filled["start" if is_start else "gap"] += 1
            try:
                fetched = await self._fetch(*key, wanted + _OVERLAP)
            except ExchangeError as failure:
                return failure
        self._filled_seconds[key] = monotonic_seconds()
        before = ring.last_close_ms
        ring.merge(window_of(self._closed_of(fetched)))
        self._complete.add(key)
        after = ring.last_close_ms
        if not is_start and after is not None and (before is None or after > before):
            self._closed(*key, after)
        return None

    def _closed_of(self, candles: Sequence[Candle]) -> list[Candle]:
        now_ms = self._clock.now_ms()
        by_time = {candle.open_time_ms: candle for candle in candles if candle.close_time_ms < now_ms}
        return [by_time[open_ms] for open_ms in sorted(by_time)]

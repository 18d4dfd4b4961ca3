"""MarketDataAgent: closed candles, best bid and ask, the symbol's rules; each with its age, read through the cache."""

import logging
from collections.abc import Sequence
from typing import TypeVar

import msgspec

from binance_trade_agent.cache.cache import Cache
from binance_trade_agent.domain.candles import INTERVAL_MS, Candle
from binance_trade_agent.domain.clock import Clock
from binance_trade_agent.domain.market import BookTicker, MarketView
from binance_trade_agent.domain.symbols import SymbolRules
from binance_trade_agent.exchange.gateway import Gateway

LEAST_HISTORY = 500  # at least 300, so that the start-up of recursive indicators has faded (libraries.md)
_OVERLAP = 2  # candles asked for beyond the missing ones: the open one, and one to join on
_BOOK_MAX_AGE_MS = 500
_RULES_TTL_SECONDS = 3600.0
_STALE_INTERVALS = 2

T = TypeVar("T")

log = logging.getLogger(__name__)


class MarketDataError(Exception):
    """There is nothing sound to decide on. The text says what is missing, for a person."""


class MarketDataAgent:
    """Looks at the market for one symbol at a time.

    Args:
        namespace: begins each key in the cache, so that two exchanges never share an entry.
        warm_up: closed candles that the strategy needs; the same number is handed on at each tick.
    """

    def __init__(
        self, gateway: Gateway, cache: Cache, clock: Clock, *, namespace: str, interval: str, warm_up: int
    ) -> None:
        self._gateway = gateway
        self._cache = cache
        self._clock = clock
        self._namespace = namespace
        self._interval = interval
        self._interval_ms = INTERVAL_MS[interval]
        self._history = max(LEAST_HISTORY, warm_up)

    async def observe(self, symbol: str) -> MarketView:
        """Everything that one decision on `symbol` may look at.

        Raises:
            MarketDataError: candles are missing, stale or unsound, or the book is empty.
            ExchangeError: the exchange could not be asked.
        """
        rules = await self.rules(symbol)
        candles = await self._closed_candles(symbol)
        book = await self.book(symbol)
        now_ms = self._clock.now_ms()
        candle_age_ms = now_ms - candles[-1].close_time_ms if candles else None
        if candle_age_ms is None:
            raise MarketDataError(f"no closed {self._interval} candle")
        if candle_age_ms > _STALE_INTERVALS * self._interval_ms:
            raise MarketDataError(f"the last closed {self._interval} candle is {candle_age_ms // 1000} s old")
        if book.bid <= 0 or book.ask <= 0:
            raise MarketDataError("the order book is empty on one side")
        return MarketView(symbol, rules, candles, book, candle_age_ms, now_ms - book.read_ms)

    async def rules(self, symbol: str) -> SymbolRules:
        """The symbol's rules, at most an hour old."""
        key = self._key("rules", symbol)
        if cached := await self._cached(key, SymbolRules):
            return cached
        rules = (await self._gateway.symbol_rules([symbol]))[symbol]
        await self._cache.put(key, msgspec.json.encode(rules), _RULES_TTL_SECONDS)
        return rules

    async def _closed_candles(self, symbol: str) -> Sequence[Candle]:
        key = self._key("candles", symbol, self._interval)
        now_ms = self._clock.now_ms()
        known = await self._cached(key, list[Candle]) or []
        if known and known[-1].close_time_ms >= now_ms:
            known = []  # ahead of the market, so not of this market
        missing = (now_ms - known[-1].close_time_ms) // self._interval_ms if known else self._history
        if not missing:
            return known
        limit = min(missing, self._history) + _OVERLAP
        fetched = await self._gateway.candles(symbol, self._interval, limit)
        closed = [candle for candle in fetched if candle.close_time_ms < now_ms]
        candles = _joined(known, closed, symbol)[-self._history :]
        await self._cache.put(key, msgspec.json.encode(candles), self._history * self._interval_ms / 1000)
        return candles

    async def book(self, symbol: str) -> BookTicker:
        """Best bid and ask, at most half a second old."""
        key = self._key("book", symbol)
        cached = await self._cached(key, BookTicker)
        if cached and 0 <= self._clock.now_ms() - cached.read_ms <= _BOOK_MAX_AGE_MS:
            return cached
        book = await self._gateway.book_ticker(symbol)
        await self._cache.put(key, msgspec.json.encode(book), self._interval_ms / 1000)
        return book

    async def _cached(self, key: str, kind: type[T]) -> T | None:
        """The cached value, None when there is none or when it is not what we wrote."""
        value = await self._cache.get(key)
        if value is None:
            return None
        try:
            return msgspec.json.decode(value, type=kind)
        except ValueError as failure:  # msgspec's, or text that is not UTF-8
            log.warning("the cache holds something else under %s, ignored: %s", key, failure)
            return None

    def _key(self, *parts: str) -> str:
        return ":".join((self._namespace, *parts))


def _joined(known: Sequence[Candle], fetched: Sequence[Candle], symbol: str) -> list[Candle]:
    """Both series as one, in time order, the fetched ones winning; unsound candles are dropped."""
    by_time = {candle.open_time_ms: candle for candle in (*known, *fetched)}
    sound = [candle for _, candle in sorted(by_time.items()) if candle.is_sound]
    if dropped := len(by_time) - len(sound):
        log.warning("%s: %d unsound candles dropped", symbol, dropped)
    return sound

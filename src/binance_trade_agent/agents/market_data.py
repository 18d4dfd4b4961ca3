"""MarketDataAgent: closed candles, best bid and ask, the symbol's rules; each with its age, read through the cache."""

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import msgspec

from binance_trade_agent.cache.cache import Cache
from binance_trade_agent.domain.candle_series import QUIET_WINDOW, CandleSeries, Dropped, Flaw, candle_series
from binance_trade_agent.domain.candles import INTERVAL_MS, Candle
from binance_trade_agent.domain.clock import Clock
from binance_trade_agent.domain.market import BookTicker, CandleView, MarketView
from binance_trade_agent.domain.symbols import SymbolRules
from binance_trade_agent.domain.wording import iso_utc
from binance_trade_agent.exchange.gateway import Gateway

LEAST_HISTORY = 500  # at least 300, so that the start-up of recursive indicators has faded (libraries.md)
_OVERLAP = 2  # candles asked for beyond the missing ones: the open one, and one to join on
_BOOK_MAX_AGE_MS = 500
# A symbol that does not trade is looked at again sooner: its positions wait for it.
_RULES_MAX_AGE_MS, _RULES_MAX_AGE_CLOSED_MS = 300_000, 30_000
_STALE_INTERVALS = 2
_VIEW_MAX_AGE_MS = 120_000

T = TypeVar("T")

log = logging.getLogger(__name__)


class MarketDataError(Exception):
    """There is nothing sound to decide on. The text says what is missing, for a person."""


@dataclass(frozen=True, slots=True)
class _RulesRead:
    """Rules, and the market time at which they were read."""

    rules: SymbolRules
    read_ms: int

    def are_fresh(self, now_ms: int) -> bool:
        """Whether they still hold, as far as their age tells."""
        oldest_ms = _RULES_MAX_AGE_MS if self.rules.status == "TRADING" else _RULES_MAX_AGE_CLOSED_MS
        return 0 <= now_ms - self.read_ms <= oldest_ms


class Feed(Protocol):
    """Candles, quotes and rules of the traded symbols, most of the time there already.

    What has to be asked for may raise ExchangeError.
    """

    async def rules(self, symbol: str) -> SymbolRules:
        """The symbol's rules."""
        ...

    def forget_rules(self) -> None:
        """Let the next look read the rules anew."""
        ...

    async def series(self, symbol: str, interval: str, history: int) -> CandleSeries:
        """The symbol's closed candles, as complete as can be: so many at least, where there were as many."""
        ...

    def known(self, symbol: str, interval: str) -> CandleSeries | None:
        """The same without asking for anything: None while a candle is missing."""
        ...

    async def quote(self, symbol: str) -> BookTicker:
        """The symbol's best prices."""
        ...


class MarketDataAgent:
    """Looks at the market for one symbol at a time.

    Args:
        namespace: begins each key in the cache, so that two exchanges never share an entry.
        interval: of the candles that strategies look at.
        warm_up: closed candles that the strategy of a symbol needs now; as long as it stays the same, the same number
            is handed on at each tick.
        larger_interval: of the candles that are to confirm entries, None for none. Without sound ones none is
            confirmed.
        feed: has candles and quotes without asking for them; without one they are read by REST, through the cache.

    Attributes:
        dropped: how many candles were left out of the series since the start, by reason; each is counted once.
        looked_up: how often the cache was asked, by (rules, candles or book, and whether what it held was used).
    """

    def __init__(
        self,
        gateway: Gateway,
        cache: Cache,
        clock: Clock,
        *,
        namespace: str,
        interval: str,
        warm_up: Callable[[str], int],
        larger_interval: str | None = None,
        feed: Feed | None = None,
    ) -> None:
        self._feed = feed
        self._gateway = gateway
        self._cache = cache
        self._clock = clock
        self._namespace = namespace
        self._interval = interval
        self._larger_interval = larger_interval
        self._warm_up = warm_up
        self._forgotten: set[str] = set()
        self._counted: dict[tuple[str, str], set[Dropped]] = {}
        self._said: set[tuple[str, str]] = set()
        self.dropped: Counter[str] = Counter()
        self.looked_up: Counter[tuple[str, bool]] = Counter()

    async def observe(self, symbol: str) -> MarketView:
        """Everything that one decision on `symbol` may look at.

        Raises:
            MarketDataError: candles are missing, stale or unsound, or the book is empty.
            ExchangeError: the exchange could not be asked.
        """
        rules = await self.rules(symbol)
        candles = await self._closed_candles(symbol, self._interval)
        larger = await self._larger_candles(symbol, self._larger_interval) if self._larger_interval else None
        book = await self._sound_book(symbol)
        now_ms = self._clock.now_ms()
        return MarketView(
            symbol,
            rules,
            candles,
            book,
            now_ms - candles[-1].close_time_ms,
            now_ms - book.read_ms,
            larger,
            self._larger_interval or "",
        )

    def candles(self, symbol: str) -> CandleView | None:
        """What of `observe` a strategy looks at, where a feed has it already; it may still turn out not to be sound."""
        if self._feed is None or (known := self._feed.known(symbol, self._interval)) is None:
            return None
        if self._larger_interval is None:
            return CandleView(symbol, known.candles, None, "")
        larger = self._feed.known(symbol, self._larger_interval)
        return None if larger is None else CandleView(symbol, known.candles, larger.candles, self._larger_interval)

    async def glance(self, symbol: str) -> MarketView:
        """The same without candles: what a position may be left by though they are not sound.

        Raises:
            MarketDataError: the book is empty.
            ExchangeError: the exchange could not be asked.
        """
        rules, book = await self.rules(symbol), await self._sound_book(symbol)
        return MarketView(symbol, rules, (), book, None, self._clock.now_ms() - book.read_ms)

    async def _sound_book(self, symbol: str) -> BookTicker:
        book = await self.book(symbol)
        if book.bid <= 0 or book.ask <= 0:
            raise MarketDataError("the order book is empty on one side")
        return book

    async def rules(self, symbol: str) -> SymbolRules:
        """The symbol's rules: at most five minutes old, half a minute while it does not trade."""
        if self._feed is not None:
            return await self._feed.rules(symbol)
        key = self._key("rules", symbol)
        known = await self._cached(key, _RulesRead)
        is_hit = known is not None and symbol not in self._forgotten and known.are_fresh(self._clock.now_ms())
        self.looked_up["rules", is_hit] += 1
        if known is not None and is_hit:
            return known.rules
        rules = (await self._gateway.symbol_rules([symbol]))[symbol]
        read = _RulesRead(rules, self._clock.now_ms())
        await self._cache.put(key, msgspec.json.encode(read), _RULES_MAX_AGE_MS / 1000)
        self._forgotten.discard(symbol)
        return rules

    async def forget_rules(self, symbol: str) -> None:
        """Let the next look at `symbol` read its rules anew: the exchange has refused an order that obeyed ours."""
        if self._feed is not None:
            self._feed.forget_rules()
        self._forgotten.add(symbol)

    def refuse_old(self, view: MarketView) -> None:
        """Refuse to act on what was seen too long ago: the machine slept since, or others took very long.

        Raises:
            MarketDataError: it was.
        """
        age_ms = self._clock.now_ms() - view.book.read_ms
        if age_ms > _VIEW_MAX_AGE_MS:
            raise MarketDataError(f"what was decided on is {age_ms // 1000} s old by now")

    async def _larger_candles(self, symbol: str, interval: str) -> Sequence[Candle]:
        """The candles that are to confirm entries; none, so that nothing is confirmed, when they are not sound.

        A position must be left though they are broken.
        """
        try:
            candles = await self._closed_candles(symbol, interval)
        except MarketDataError as failure:  # said once until they are sound again: an age changes with every look
            self._say_once(symbol, interval, f"no entry is confirmed while {failure}")
            return ()
        self._said.discard((symbol, interval))
        return candles

    async def _closed_candles(self, symbol: str, interval: str) -> Sequence[Candle]:
        """The symbol's closed candles, on which something may be decided; MarketDataError when they are not sound."""
        series = await self._series(symbol, interval)
        if bad := series.bad_end:
            raise MarketDataError(f"the newest closed {interval} candle is broken: {bad.flaw}")
        if not series.candles:
            raise MarketDataError(f"no closed {interval} candle")
        age_ms = self._clock.now_ms() - series.candles[-1].close_time_ms
        if age_ms > _STALE_INTERVALS * INTERVAL_MS[interval]:
            raise MarketDataError(f"the last closed {interval} candle is {age_ms // 1000} s old")
        if series.is_quiet:
            window = min(QUIET_WINDOW, len(series.candles))
            raise MarketDataError(f"nobody traded in {series.quiet_candles} of the last {window} {interval} candles")
        return series.candles

    async def _series(self, symbol: str, interval: str) -> CandleSeries:
        """The symbol's series. A hole is believed only when the exchange shows it in one answer of the whole window."""
        history, interval_ms = max(LEAST_HISTORY, self._warm_up(symbol)), INTERVAL_MS[interval]
        if self._feed is not None:
            series = await self._feed.series(symbol, interval, history)
            self._count_dropped(symbol, interval, series, self._clock.now_ms() - (history + _OVERLAP) * interval_ms)
            self._say_hole(symbol, interval, series)
            return series
        # A strategy with a longer warm-up finds no shorter series here that it would have to wait with.
        key = self._key("candles", symbol, interval, str(history))
        known = await self._known_candles(key)
        now_ms = self._clock.now_ms()
        missing = (now_ms - known[-1].close_time_ms) // interval_ms if known else history
        self.looked_up["candles", bool(known) and missing < history] += 1
        if not missing:
            return CandleSeries(known)
        series, oldest_ms = CandleSeries(()), now_ms - (history + _OVERLAP) * interval_ms
        if len(known) >= history and missing < history:
            fetched = await self._gateway.candles(symbol, interval, missing + _OVERLAP)
            series = candle_series(known, fetched, now_ms)
            self._count_dropped(symbol, interval, series, oldest_ms)
        if not series.candles or series.hole:
            fetched = await self._gateway.candles(symbol, interval, history + _OVERLAP)
            series = candle_series((), fetched, now_ms)
            self._count_dropped(symbol, interval, series, oldest_ms)
        self._say_hole(symbol, interval, series)
        candles = series.candles[-history:]
        if candles:
            await self._cache.put(key, msgspec.json.encode(candles), history * interval_ms / 1000)
        return CandleSeries(candles, series.dropped, series.hole)

    async def _known_candles(self, key: str) -> list[Candle]:
        """The candles in the cache; none when they are not what this agent would have put there."""
        known = await self._cached(key, list[Candle]) or []
        series = candle_series((), known, self._clock.now_ms())
        return [] if series.dropped or series.hole else known

    def _count_dropped(self, symbol: str, interval: str, series: CandleSeries, oldest_ms: int) -> None:
        """Count what was dropped, once, though it comes with each answer; say each reason once for a symbol."""
        counted = self._counted.setdefault((symbol, interval), set())
        for each in series.dropped:
            if each in counted:
                continue
            counted.add(each)
            self.dropped[each.flaw] += 1
            if each.flaw is not Flaw.UNCLOSED:  # the running candle ends each answer
                what = f"the {interval} candle of {iso_utc(each.open_time_ms)} was dropped: {each.flaw}"
                self._say_once(symbol, each.flaw, f"{what}; more of them are counted only")
        counted -= {each for each in counted if each.open_time_ms < oldest_ms}

    def _say_hole(self, symbol: str, interval: str, series: CandleSeries) -> None:
        if hole := series.hole:
            gap = f"{interval} candles are missing from {iso_utc(hole.from_ms)} to {iso_utc(hole.until_ms)}"
            self._say_once(symbol, gap, f"{gap}; only the {len(series.candles)} after that are used")

    def _say_once(self, symbol: str, what: str, text: str) -> None:
        if (symbol, what) not in self._said:
            self._said.add((symbol, what))
            log.warning("%s: %s", symbol, text)

    async def book(self, symbol: str) -> BookTicker:
        """Best bid and ask, at most half a second old; of a feed, at most a second."""
        if self._feed is not None:
            return await self._feed.quote(symbol)
        key = self._key("book", symbol)
        cached = await self._cached(key, BookTicker)
        is_hit = cached is not None and 0 <= self._clock.now_ms() - cached.read_ms <= _BOOK_MAX_AGE_MS
        self.looked_up["book", is_hit] += 1
        if cached is not None and is_hit:
            return cached
        book = await self._gateway.book_ticker(symbol)
        await self._cache.put(key, msgspec.json.encode(book), INTERVAL_MS[self._interval] / 1000)
        return book

    async def _cached(self, key: str, kind: type[T]) -> T | None:
        """The cached value, None when there is none or when it is not what we wrote."""
        value = await self._cache.get(key)
        if value is None:
            return None
        try:
            return msgspec.json.decode(value, type=kind)
        except ValueError as failure:  # msgspec's, or text that is not UTF-8
            self._say_once(key, "rubbish", f"the cache holds something else here, ignored: {failure}")
            return None

    def _key(self, *parts: str) -> str:
        return ":".join((self._namespace, *parts))

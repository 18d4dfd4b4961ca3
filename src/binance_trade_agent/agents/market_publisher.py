"""MarketPublisher: puts up on the market board what the ticks saw, and reads more often what somebody looks at.

It runs beside the trading loop and gives way to it: what it asks of the exchange no decision needs.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from binance_trade_agent.agents.indicator_reader import CANDLES_SHOWN, IndicatorReader
from binance_trade_agent.cache.market_board import (
    WANTED_SECONDS,
    BookSeen,
    CandlesSeen,
    DayFigures,
    MarketBoard,
    Quote,
    RulesSeen,
    Wish,
)
from binance_trade_agent.domain.candles import INTERVAL_MS, Candle
from binance_trade_agent.domain.many import FEW_SYMBOLS
from binance_trade_agent.domain.market import BookTicker, Depth, MarketView
from binance_trade_agent.domain.values import as_dict
from binance_trade_agent.exchange.errors import ExchangeError, RejectedError
from binance_trade_agent.exchange.gateway import Gateway
from binance_trade_agent.ops.clock import MarketClock, give_way, monotonic_seconds, sleep_seconds, wall_ms

MOST_SYMBOLS = 3  # read at a time; each takes some 500 of the 6,000 weight that a minute has
MOST_INTERVALS = 2  # a symbol
CANDLES_KEPT = 1000  # more than are shown: indicators have to warm up
BOOK_LEVELS = 100
_BEAT_SECONDS = 1.0
_SHORTEST_PAUSE_SECONDS = 0.2
_CANDLES_SECONDS, _DAY_SECONDS, _RULES_SECONDS = 2.0, 10.0, 300.0
_NEWCOMER_SECONDS = 5.0  # between two questions for symbols that nobody here has heard of
_REST_SECONDS = 10.0  # after a question that failed
_OVERLAP = 2  # candles asked for beyond the missing ones: the running one, and one to join on

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Look:
    """What was read of a symbol that somebody looks at, and when the next reading is due (monotonic seconds)."""

    day_due: float = 0.0
    rules_due: float = 0.0
    candles_due: dict[str, float] = field(default_factory=dict)
    candles: dict[str, list[Candle]] = field(default_factory=dict)


class MarketPublisher:
    """Keeps the market board. One task runs it, until it is cancelled; nothing that goes wrong in it leaves it.

    About each second it reads the wishes on the board. Of a symbol that somebody looks at it reads prices and book each
    time, candles every two seconds and when one closes, the strategy's indicators when one closes, the 24 h figures
    every ten. Of the others it puts up what the
    ticks have seen anyway. While nobody looks it asks the exchange nothing.

    Args:
        board: where the notes go.
        gateway: is asked only while it `has_leisure`, and not for some seconds after a failure.
        clock: market time.
        symbols: what is traded; of others only what the exchange lists is read.
        interval: of the candles that the ticks look at.
        views: what each tick saw, by symbol, as the orchestrator keeps it.
        held: which symbols something is held of now. With many symbols only these, and those that somebody looks at,
            are put up.
        indicators: of the strategies that decide.
    """

    def __init__(
        self,
        board: MarketBoard,
        gateway: Gateway,
        clock: MarketClock,
        symbols: Collection[str],
        interval: str,
        views: Mapping[str, MarketView],
        indicators: IndicatorReader,
        held: Callable[[], Collection[str]],
    ) -> None:
        self._board = board
        self._gateway = gateway
        self._clock = clock
        self._symbols = frozenset(symbols)
        self._interval = interval
        self._views = views
        self._indicators = indicators
        self._held = held
        self._published: dict[str, MarketView] = {}
        self._kept: dict[tuple[str, str], tuple[object, float]] = {}
        self._looks: dict[str, _Look] = {}
        self._unlisted: dict[str, float] = {}
        self._newcomer_due = 0.0
        self._rest_until = 0.0
        self._troubled: set[str] = set()

    async def run(self) -> None:
        """Keep the board for ever."""
        while True:
            began = monotonic_seconds()
            try:
                await self.beat()
            except Exception as failure:  # noqa: BLE001 (whatever it is, trading goes on)
                self._say("all symbols", failure)
            else:
                self._troubled.discard("all symbols")
            pause = _BEAT_SECONDS - (monotonic_seconds() - began)
            await sleep_seconds(max(_SHORTEST_PAUSE_SECONDS, pause))

    async def beat(self) -> None:
        """Put up what is new, and read what is due."""
        wishes = await self._board.wanted()
        wanted = self._chosen(wishes)
        self._looks = {symbol: self._looks.get(symbol) or _Look() for symbol in wanted}
        for symbol in self._shown(wishes):
            view = self._views.get(symbol)
            if view is not None and view is not self._published.get(symbol):
                await self._put_view(view, wanted.get(symbol))
                self._published[symbol] = view
                await give_way()  # with many symbols held there is much to put up when candles have closed
        if wanted and monotonic_seconds() >= self._rest_until:
            await asyncio.gather(*(self._read(symbol, intervals) for symbol, intervals in wanted.items()))

    def _shown(self, wishes: Iterable[Wish]) -> Collection[str]:
        """Symbols of which is put up what a tick saw."""
        if len(self._symbols) <= FEW_SYMBOLS:
            return tuple(self._views)  # while they are put up a tick may see another
        return {wish.symbol for wish in wishes} | set(self._held())

    def _chosen(self, wishes: Iterable[Wish]) -> dict[str, list[str]]:
        """Intervals of candles by symbol: of more wishes than are served, those served already go on."""
        now_ms, now = wall_ms(), monotonic_seconds()
        self._unlisted = {symbol: until for symbol, until in self._unlisted.items() if until > now}
        wanted: dict[str, list[str]] = {}
        for wish in wishes:
            is_fresh = abs(now_ms - wish.wall_ms) <= WANTED_SECONDS * 1000
            if is_fresh and wish.symbol.isalnum() and wish.symbol not in self._unlisted:
                intervals = wanted.setdefault(wish.symbol, [])
                if wish.interval in INTERVAL_MS and wish.interval not in intervals:
                    intervals.append(wish.interval)
        ranked = sorted(wanted, key=lambda symbol: (symbol not in self._looks, symbol not in self._symbols))
        return {symbol: wanted[symbol][:MOST_INTERVALS] for symbol in ranked[:MOST_SYMBOLS]}

    async def _put_view(self, view: MarketView, intervals: Collection[str] | None) -> None:
        """Put up what a tick saw, where nobody's look (at `intervals`, None without one) reads it more often."""
        if intervals is None:
            await self._put_quote(view.book, None)
        candles = view.candles
        if candles and self._interval not in (intervals or ()) and self._is_new(view.symbol, "candles", candles[-1]):
            read_ms = candles[-1].close_time_ms + (view.candle_age_ms or 0)
            wall = self._wall_ms_of(read_ms)
            await self._board.put(
                CandlesSeen(view.symbol, self._interval, tuple(candles[-CANDLES_SHOWN:]), read_ms, wall)
            )
        if self._is_new(view.symbol, "rules", view.rules):
            await self._board.put(RulesSeen(view.rules, view.book.read_ms, self._wall_ms_of(view.book.read_ms)))

    def _is_new(self, symbol: str, what: str, value: object) -> bool:
        """Whether it was not put up so before, or so long ago that the cache may have lost it."""
        known, due = self._kept.get((symbol, what), (None, 0.0))
        if value == known and monotonic_seconds() < due:
            return False
        self._kept[symbol, what] = (value, monotonic_seconds() + _RULES_SECONDS)
        return True

    def _wall_ms_of(self, market_ms: int) -> int:
        """The machine's time at which a market time was, as far as the market has run evenly since."""
        return wall_ms() - round((self._clock.now_ms() - market_ms) / self._clock.speed)

    async def _read(self, symbol: str, intervals: Collection[str]) -> None:
        """Read of a symbol what is due, as long as the exchange has time for it."""
        look = self._looks[symbol]
        try:
            if await self._is_listed(symbol, look) and self._gateway.has_leisure:
                await self._read_prices(symbol)
                for interval in intervals:
                    await self._read_candles(symbol, interval, look)
                await self._read_day(symbol, look)
                self._troubled.discard(symbol)
        except Exception as failure:  # noqa: BLE001 (as above)
            self._say(symbol, failure)
            self._rest_until = monotonic_seconds() + _REST_SECONDS

    async def _is_listed(self, symbol: str, look: _Look) -> bool:
        """Whether the symbol is traded by us, or the exchange lists it; the rules of such a one are read with that."""
        now = monotonic_seconds()
        if symbol in self._symbols or now < look.rules_due:
            return True
        if now < self._newcomer_due or not self._gateway.has_leisure:
            return False
        self._newcomer_due = now + _NEWCOMER_SECONDS
        try:
            rules = (await self._gateway.symbol_rules([symbol]))[symbol]
        except RejectedError:
            self._unlisted[symbol] = now + _RULES_SECONDS
            return False
        look.rules_due = now + _RULES_SECONDS
        await self._board.put(RulesSeen(rules, self._clock.now_ms(), wall_ms()))
        return True

    async def _read_prices(self, symbol: str) -> None:
        depth = await self._gateway.depth(symbol, BOOK_LEVELS)
        await self._board.put(BookSeen(symbol, depth.bids, depth.asks, depth.read_ms, wall_ms()))
        last_price = await self._gateway.last_price(symbol)
        if depth.bids and depth.asks:
            await self._put_quote(_best(symbol, depth), last_price)

    async def _put_quote(self, book: BookTicker, last_price: Decimal | None) -> None:
        best = (book.bid, book.bid_quantity, book.ask, book.ask_quantity)
        await self._board.put(Quote(book.symbol, *best, last_price, book.read_ms, self._wall_ms_of(book.read_ms)))

    async def _read_candles(self, symbol: str, interval: str, look: _Look) -> None:
        """Read the newest candles and join them to those that are up; all of them where they do not join."""
        known = look.candles.get(interval, [])
        has_closed = known and self._clock.now_ms() > known[-1].close_time_ms
        if not has_closed and monotonic_seconds() < look.candles_due.get(interval, 0.0):
            return
        look.candles_due[interval] = monotonic_seconds() + _CANDLES_SECONDS
        joined = await self._joined(symbol, interval, known) if known else []
        candles = joined or await self._sound_candles(symbol, interval, CANDLES_KEPT)
        look.candles[interval] = candles[-CANDLES_KEPT:]
        now_ms = self._clock.now_ms()
        await self._board.put(CandlesSeen(symbol, interval, tuple(candles[-CANDLES_SHOWN:]), now_ms, wall_ms()))
        closed = [candle for candle in look.candles[interval] if candle.close_time_ms < now_ms]
        if seen := await self._indicators.read(symbol, interval, closed, now_ms, anew=not known):
            await self._board.put(seen)

    async def _joined(self, symbol: str, interval: str, known: Sequence[Candle]) -> list[Candle]:
        """`known` with the newest candles; nothing where these do not reach back to it."""
        missing = max(0, self._clock.now_ms() - known[-1].close_time_ms) // INTERVAL_MS[interval]
        if missing + _OVERLAP > CANDLES_KEPT:
            return []
        newest = await self._sound_candles(symbol, interval, missing + _OVERLAP)
        if not newest or newest[0].open_time_ms > known[-1].open_time_ms:
            return []
        return [candle for candle in known if candle.open_time_ms < newest[0].open_time_ms] + newest

    async def _sound_candles(self, symbol: str, interval: str, limit: int) -> list[Candle]:
        candles = await self._gateway.candles(symbol, interval, limit)
        return [candle for candle in candles if candle.is_sound]

    async def _read_day(self, symbol: str, look: _Look) -> None:
        if monotonic_seconds() < look.day_due:
            return
        look.day_due = monotonic_seconds() + _DAY_SECONDS
        day = await self._gateway.day_figures(symbol)
        await self._board.put(DayFigures(**as_dict(day), read_wall_ms=wall_ms()))

    def _say(self, symbol: str, failure: Exception) -> None:
        """Say what went wrong with a symbol once, until it goes well again."""
        if symbol not in self._troubled:
            trace = None if isinstance(failure, ExchangeError) else failure
            log.warning("%s: what is shown of the market is not kept up to date: %s", symbol, failure, exc_info=trace)
        self._troubled.add(symbol)


def _best(symbol: str, depth: Depth) -> BookTicker:
    """The best prices of a book that has two sides."""
    return BookTicker(symbol, *depth.bids[0], *depth.asks[0], depth.read_ms)

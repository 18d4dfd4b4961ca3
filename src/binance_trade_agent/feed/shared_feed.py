"""SharedFeed: the market as a feed process tells it, and a feed of one's own whenever that is not to be relied on.

Both fill the same rings, so going from one to the other loses nothing and asks nothing anew: a daemon whose feed
process dies opens its own connections and goes on with the candles that it has.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from decimal import Decimal

import msgspec

from binance_trade_agent.domain.candle_series import CandleSeries
from binance_trade_agent.domain.candles import Candle
from binance_trade_agent.domain.market import BookTicker
from binance_trade_agent.domain.symbols import SymbolRules
from binance_trade_agent.domain.values import changed
from binance_trade_agent.feed.candles import Key, LastTrade
from binance_trade_agent.feed.market_feed import PRICE_MAX_AGE_MS, SILENT_MS, MarketFeed, MarketQuestions
from binance_trade_agent.feed.notes import (
    Beat,
    Bell,
    QuoteNote,
    TradesNote,
    Wish,
    single_rows,
    unpacked,
    window_of_rows,
)
from binance_trade_agent.feed.one_question import OneQuestion
from binance_trade_agent.feed.quotes import MAX_AGE_MS
from binance_trade_agent.feed.store import Bells, Store, StoreError
from binance_trade_agent.feed.streams import Streams
from binance_trade_agent.ops.clock import MarketClock, monotonic_seconds, sleep_seconds, wall_ms
from binance_trade_agent.ops.tasks import spawn, stop
from binance_trade_agent.ops.vitals import StreamVitals

PATIENCE_SECONDS = 15.0  # at the start, with a feed that lives and does not get on with what is wanted
_LOOK_SECONDS = 0.5
_QUOTES_SECONDS = 0.2  # for which those that were read are not read again: the feed writes as often
_WISH_SECONDS = 5.0
_ALONE_SECONDS = 15.0  # at least, or a feed that comes and goes makes daemons open one connection after the other
_SILENT_SECONDS = 3.0  # of a feed that lived
_AHEAD_MS = 1_000  # of this clock, that what was just told may be: its error; more is another clock
_TAKEN_AT_ONCE = 50  # symbols whose whole history is taken over: 500 at once would hold the event loop for 80 ms
_BEHIND_SHARE = 0.5  # of what is followed, of which the exchange had a candle that the feed had not

log = logging.getLogger(__name__)


class _AwayError(Exception):
    """The feed process is not to be relied on. The text says why."""


class SharedFeed:
    """See MarketFeed, whose face it has.

    Args:
        gateway, clock, streams: of the feed of one's own.
        store: where the feed process writes; closed by whoever made it.
        daemon: tells this one from others.
        wanted: what is followed.
    """

    def __init__(
        self,
        gateway: MarketQuestions,
        clock: MarketClock,
        streams: Streams,
        store: Store,
        *,
        daemon: str,
        wanted: Wish,
    ) -> None:
        self._own = MarketFeed(gateway, clock, streams, fetch=self._fetch)
        self._own.follow(wanted.keys, history=wanted.history)
        self._gateway = gateway
        self._clock = clock
        self._store = store
        self._daemon = daemon
        self._wanted = wanted
        self._symbols = list(dict.fromkeys(symbol for symbol, _ in wanted.keys))
        self._following_alone: asyncio.Task[None] | None = None
        self._filling: asyncio.Task[Collection[Key]] | None = None
        self._is_settled = asyncio.Event()  # it is known from whom the market is heard
        self._is_shared = False
        self._beat = Beat("", 0, 0, 0, ())
        self._beat_seconds = self._wished_seconds = float("-inf")
        self._bell = self._promised_bell = 0
        self._is_bell_missing = False
        self._stale: set[Key] = set()
        self._lacking: set[Key] = set()
        self._quotes: Mapping[str, bytes | None] = {}
        self._quotes_seconds = float("-inf")
        self._proofs: Sequence[int | None] = ()
        self._told_trades: bytes | None = None
        self._trades: TradesNote | None = None
        self._reading_quotes = OneQuestion("shared quotes", self._read_quotes)
        self._reading_rules = OneQuestion("shared rules", self._read_rules)
        self._refused_ms = -1
        self._changed_wall_ms: int | None = None
        self._times_shared = 0
        self._trouble = ""

    @property
    def on_closed(self) -> list[Callable[[str, str, int], None]]:
        """Called with symbol, interval and close time when a candle has closed."""
        return self._own.on_closed

    @property
    def is_shared(self) -> bool:
        """Whether the market is heard from the feed process now."""
        return self._is_shared

    async def series(self, symbol: str, interval: str, history: int = 0) -> CandleSeries:
        """The symbol's closed candles, as complete as can be.

        Args:
            symbol: one that is followed.
            interval: the same.
            history: see MarketFeed.

        Raises:
            ExchangeError: the exchange had to be asked and could not be.
        """
        await self._is_settled.wait()
        if history > self._wanted.history:
            self._wanted = changed(self._wanted, history=history)
            self._wished_seconds = float("-inf")
        return await self._own.series(symbol, interval, history)

    def known(self, symbol: str, interval: str) -> CandleSeries | None:
        """The same without asking for anything: None while a candle is missing."""
        return self._own.known(symbol, interval) if self._is_settled.is_set() else None

    async def quote(self, symbol: str) -> BookTicker:
        """The symbol's best prices.

        Raises:
            ExchangeError: the exchange had to be asked and could not be.
        """
        await self._is_settled.wait()
        return await self._shared_quote(symbol) or await self._own.quote(symbol)

    async def fresh_quote(self, symbol: str) -> BookTicker | None:
        """The symbol's best prices as far as the feed process tells them, or a connection of one's own; else None."""
        return await self._shared_quote(symbol) or await self._own.fresh_quote(symbol)

    def last_price(self, symbol: str) -> Decimal | None:
        """Price of the symbol's last trade, at most some seconds old, by what was read with the last quotes.

        None when neither the feed process nor a connection of one's own proves that.
        """
        trade = self._shared_trade(symbol)
        return self._own.last_price(symbol) if trade is None else Decimal(trade.price)

    def last_trade_id(self, symbol: str) -> int | None:
        """Number of the symbol's last trade, likewise."""
        trade = self._shared_trade(symbol)
        return self._own.last_trade_id(symbol) if trade is None or trade.trade_id < 0 else trade.trade_id

    async def rules(self, symbol: str) -> SymbolRules:
        """The symbol's rules.

        Raises:
            ExchangeError: the exchange had to be asked and could not be.
        """
        await self._is_settled.wait()
        if self._is_shared and not self._own.known_rules.are_fresh():
            await self._reading_rules.answer()
        return await self._own.rules(symbol)

    def forget_rules(self) -> None:
        """Let the next look read the rules anew; those of the feed process only if it has read them since."""
        self._refused_ms = self._clock.now_ms()
        self._own.forget_rules()

    def vitals(self) -> Mapping[str, StreamVitals]:
        """How the feed process is, and each connection of the feed of one's own."""
        shared = StreamVitals(
            is_live=self._is_shared,
            changed_wall_ms=self._changed_wall_ms,
            connections=self._times_shared,
            trouble=self._trouble,
        )
        own = self._own.vitals()
        return {"shared feed": shared} | {
            name: msgspec.structs.replace(each, is_wanted=not self._is_shared) for name, each in own.items()
        }

    async def run(self) -> None:
        """Hear the market, from the feed process or alone, until cancelled."""
        try:
            while True:
                try:
                    await self._hear_feed()
                except (_AwayError, StoreError) as why:
                    reason = str(why)
                except Exception:
                    log.exception("the feed process could not be heard")
                    reason = "the feed process could not be heard"
                was_alone = self._following_alone is not None
                self._go_alone(reason)
                await sleep_seconds(_LOOK_SECONDS if was_alone else _ALONE_SECONDS)
        finally:
            for task in (self._following_alone, self._filling):
                if task is not None:
                    await stop(task)

    async def _hear_feed(self) -> None:
        """Until it is not to be relied on.

        Raises:
            _AwayError, StoreError: it is not.
        """
        await self._wish_now_and_then()
        await self._first_beat()
        async with self._store.listening() as bells:
            self._begin(await self._first_beat())
            await self._wait_for_all()
            await self._load(self._wanted.keys)
            await self._be_shared()
            await self._listen(bells)

    async def _wait_for_all(self) -> None:
        """Until the feed has all that is wanted; at the start only, as long as it gets on.

        Raises:
            _AwayError: it does not get on, or this daemon follows the market itself meanwhile.
        """
        fewest, patient_until = len(self._wanted.keys) + 1, 0.0
        while lacking := await self._lacking_keys():
            if len(lacking) < fewest:
                fewest, patient_until = len(lacking), monotonic_seconds() + PATIENCE_SECONDS
            if self._following_alone is not None or monotonic_seconds() >= patient_until:
                others = f" and {len(lacking) - 1} more" if len(lacking) > 1 else ""
                raise _AwayError(f"the feed process has not got the candles of {lacking[0][0]}{others} yet")
            await sleep_seconds(_LOOK_SECONDS)
            await self._look_at_beat()

    async def _first_beat(self) -> Beat:
        if (beat := await self._store.beat()) is None:
            raise _AwayError("no feed process serves this market")
        return beat

    async def _listen(self, bells: Bells) -> None:
        look_at = monotonic_seconds() + _LOOK_SECONDS
        while True:
            told = await bells.next(max(0.01, look_at - monotonic_seconds()))
            if told is not None:
                self._hear_bell(told)
            if monotonic_seconds() >= look_at:
                look_at = monotonic_seconds() + _LOOK_SECONDS
                await self._look_at_beat()
                self._fill_gaps()
            if self._stale:
                stale, self._stale = self._stale, set()
                await self._load(sorted(stale))

    def _begin(self, beat: Beat) -> None:
        """Everything from here on is as this feed tells it."""
        self._beat, self._beat_seconds = beat, monotonic_seconds()
        self._bell = self._promised_bell = beat.bells
        self._is_bell_missing = False
        self._stale, self._lacking = set(), set()
        self._quotes, self._quotes_seconds = {}, float("-inf")
        self._told_trades = self._trades = None

    async def _look_at_beat(self) -> None:
        """Look whether the feed lives.

        Raises:
            _AwayError: it does not.
        """
        await self._wish_now_and_then()
        beat = await self._store.beat()
        if beat is None:
            raise _AwayError("the feed process is gone")
        if beat.feed != self._beat.feed:
            raise _AwayError("another feed process has begun to serve")
        if beat.number != self._beat.number:
            self._beat_seconds = monotonic_seconds()
        elif monotonic_seconds() - self._beat_seconds >= _SILENT_SECONDS:
            raise _AwayError("the feed process is silent")
        self._beat = beat
        if self._is_bell_missing or self._bell < self._promised_bell:  # by now what they told is written
            self._bell = max(self._bell, beat.bells)
            self._stale.update(self._wanted.keys)
        self._is_bell_missing, self._promised_bell = False, beat.bells

    async def _wish_now_and_then(self) -> None:
        if monotonic_seconds() - self._wished_seconds >= _WISH_SECONDS:
            self._wished_seconds = monotonic_seconds()
            await self._store.wish(self._daemon, self._wanted)

    async def _lacking_keys(self) -> list[Key]:
        """What the feed has not got, or less of than is known here."""
        if self._beat.history < self._wanted.history:
            return list(self._wanted.keys)
        ends = await self._store.candles(self._beat.feed, self._wanted.keys, 1)
        return [key for key, end in zip(self._wanted.keys, ends, strict=True) if self._is_behind(key, end)]

    def _is_behind(self, key: Key, end: bytes | None) -> bool:
        window, ours = window_of_rows(end), self._own.candles.rings[key].last_close_ms
        return window is None or (ours is not None and window.last_close_ms < ours)

    async def _load(self, keys: Sequence[Key]) -> None:
        """Take over all that the feed has of these."""
        for first in range(0, len(keys), _TAKEN_AT_ONCE):
            some = keys[first : first + _TAKEN_AT_ONCE]
            found = await self._store.candles(self._beat.feed, some, self._wanted.history)
            for key, rows in zip(some, found, strict=True):
                if (window := window_of_rows(rows)) is not None:
                    self._own.candles.take_history(key, window)

    def _hear_bell(self, told: bytes) -> None:
        bell = unpacked(told, Bell)
        if bell is None or bell.feed != self._beat.feed or bell.number <= self._bell:
            return
        self._is_bell_missing |= bell.number != self._bell + 1
        self._bell = bell.number
        rings = self._own.candles.rings
        for symbol, interval, rows in bell.rows:
            key = (symbol, interval)
            if key in rings:
                self._lacking.discard(key)
                for row in single_rows(rows):
                    self._own.candles.take(key, row)
        self._stale.update(key for key in bell.reread if key in rings)

    def _fill_gaps(self) -> None:
        """Ask for what is overdue, in the background: the feed first, then the exchange.

        Raises:
            _AwayError: the exchange had what the feed has not.
        """
        if len(self._lacking) >= _BEHIND_SHARE * len(self._wanted.keys):
            raise _AwayError(
                f"the feed process is behind: the exchange has newer candles of {len(self._lacking)} symbols"
            )
        if self._filling is None or self._filling.done():
            self._filling = spawn(self._own.candles.fill_overdue(), name="overdue candles")

    async def _fetch(self, symbol: str, interval: str, limit: int) -> Sequence[Candle]:
        """Candles from the feed when it has the last that has closed, else from the exchange."""
        key = (symbol, interval)
        if not self._is_shared:
            return await self._gateway.candles(symbol, interval, limit)
        due_ms = self._own.candles.due_close_ms(interval)
        try:
            (rows,) = await self._store.candles(self._beat.feed, [key], limit)
        except StoreError:
            rows = None
        window = window_of_rows(rows)
        is_long = window is not None and max(len(window), self._beat.history) >= min(limit, self._wanted.history)
        is_new = window is not None and window.last_close_ms >= due_ms
        if window is not None and is_long and is_new:
            return window
        found = await self._gateway.candles(symbol, interval, limit)
        if not is_new and any(candle.close_time_ms == due_ms for candle in found):
            self._lacking.add(key)
        return found

    async def _shared_quote(self, symbol: str) -> BookTicker | None:
        if not self._is_shared:
            return None
        if monotonic_seconds() - self._quotes_seconds > _QUOTES_SECONDS:
            await self._reading_quotes.answer()
        return self._known_quote(symbol)

    async def _read_quotes(self) -> None:
        try:
            beat, notes, trades = await self._store.quotes(self._beat.feed, self._symbols)
        except StoreError:  # the next look finds out
            return
        if beat is not None and beat.feed == self._beat.feed:
            self._quotes, self._proofs = dict(zip(self._symbols, notes, strict=True)), beat.proofs
            self._told_trades, self._trades = trades, None
            self._quotes_seconds = monotonic_seconds()

    def _known_quote(self, symbol: str) -> BookTicker | None:
        note = unpacked(self._quotes.get(symbol), QuoteNote)
        if note is None or not 0 <= note.link < len(self._proofs) or (proof_ms := self._proofs[note.link]) is None:
            return None
        now_ms = self._clock.now_ms()
        if now_ms - proof_ms > MAX_AGE_MS:
            return None
        bid, ask = Decimal(note.bid), Decimal(note.ask)
        quantities = Decimal(note.bid_quantity), Decimal(note.ask_quantity)
        return BookTicker(symbol, bid, quantities[0], ask, quantities[1], min(proof_ms, now_ms))

    def _shared_trade(self, symbol: str) -> LastTrade | None:
        """By the exchange's own times: so it does not matter when and where it lay, nor by which clock."""
        if not self._is_shared or monotonic_seconds() - self._quotes_seconds > _SILENT_SECONDS:
            return None
        if self._trades is None:  # most of what is read nobody asks for
            self._trades = unpacked(self._told_trades, TradesNote) or TradesNote(())
        if (told := self._trades.of(symbol)) is None:
            return None
        (trade, proof_ms), now_ms = told, self._clock.now_ms()
        is_sure = -_AHEAD_MS <= now_ms - proof_ms <= SILENT_MS and now_ms - trade.until_ms <= PRICE_MAX_AGE_MS
        return trade if is_sure else None

    async def _read_rules(self) -> None:
        try:
            note = await self._store.rules(self._beat.feed)
        except StoreError:  # the next look finds out
            return
        if note is None or note.read_ms <= self._refused_ms:
            return
        rules = {each.symbol: each for each in note.rules}
        if all(symbol in rules for symbol in self._symbols):
            self._own.known_rules.take(rules, note.read_ms)

    async def _be_shared(self) -> None:
        """From here on the feed process tells the market."""
        self._is_shared = True
        self._changed_wall_ms, self._trouble = wall_ms(), ""
        self._times_shared += 1
        self._is_settled.set()
        if self._following_alone is None:
            log.info("the market is heard from the feed process %s", self._beat.feed)
            return
        alone, self._following_alone = self._following_alone, None
        await stop(alone)
        log.warning("the feed process tells the market again; this daemon's own connections are closed")

    def _go_alone(self, why: str) -> None:
        """From here on this daemon follows the market by itself, which is said once."""
        if self._following_alone is None:
            self._is_shared = False
            self._changed_wall_ms, self._trouble = wall_ms(), why
            self._following_alone = spawn(self._own.run(), name="market feed")
            log.warning("%s; this daemon follows the market by itself until that has changed", why)
        self._is_settled.set()

"""FeedServer: a market feed for other processes. It follows what they want, and writes where they read."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from typing import Protocol

from binance_trade_agent.exchange.errors import UNKNOWN_SYMBOL_CODE, ExchangeError, RejectedError
from binance_trade_agent.feed.candle_news import CandleNews
from binance_trade_agent.feed.candles import Key
from binance_trade_agent.feed.market_feed import MarketFeed
from binance_trade_agent.feed.notes import (
    Beat,
    Bell,
    BellRow,
    QuoteNote,
    RulesNote,
    ToldTrades,
    TradesNote,
    Wish,
    packed,
    union,
)
from binance_trade_agent.feed.store import Store, StoreError, Writing
from binance_trade_agent.ops.clock import monotonic_seconds, sleep_seconds, wall_ms
from binance_trade_agent.ops.tasks import spawn, stop

_BEAT_SECONDS = 0.2
_LOOK_SECONDS = 1.0
_TRADES_SECONDS = 1.0
_QUIET_SECONDS = 0.5  # of a connection for quotes, after which it is asked to say something
_RULES_SHARE = 0.8  # of the age that rules may have: readers never find them too old

log = logging.getLogger(__name__)


class Listing(Protocol):
    """What of the gateway the server needs beside what its feed does."""

    async def all_symbols(self) -> tuple[str, ...]:
        """Names of all symbols that the exchange lists."""
        ...


class FeedServer:
    """Serves one market until cancelled. Of several, one serves; the others wait for it to end.

    Args:
        feed: follows nothing yet.
        gateway: names the symbols of the exchange.
        own: what is followed whoever wants it.
        name: tells it from others.

    Attributes:
        is_serving: set while daemons are served.
        beats: signs of life so far.
        on_beat: called with each, and about each second while it does not serve.
    """

    def __init__(self, feed: MarketFeed, gateway: Listing, store: Store, own: Wish, name: str) -> None:
        self.is_serving = asyncio.Event()
        self.on_beat: list[Callable[[], None]] = []
        self.beats = 0
        self._feed = feed
        self._gateway = gateway
        self._store = store
        self._own = own
        self._followed = Wish((), 0)
        self._unlisted: frozenset[str] = frozenset()
        self._has_closed = asyncio.Event()
        self._name = name
        self._version = ""
        self._news = CandleNews(feed.candles)
        self._rules_ms: int | None = None
        self._trades_at = float("-inf")
        self._symbols = self._bells = self._history = self._daemons = self._since_wall_ms = 0
        self._trouble = self._other = ""
        self._looking: asyncio.Task[None] | None = None
        feed.on_closed += [self._news.hear, lambda *_: self._has_closed.set()]

    async def run(self) -> None:
        """Serve, whenever nobody else does."""
        while True:
            await self._until_alone()
            work = spawn(self._feed.run(), name="market feed")
            try:
                await self._serve()
            finally:
                self.is_serving.clear()
                await stop(work)
                await self._end_look()

    async def let_go(self) -> None:
        """Tell the daemons that it ends, after `run` was cancelled."""
        try:
            await self._store.let_go(self._name)
        except StoreError as failure:
            log.debug("not told to the daemons: %s", failure)

    def state(self) -> tuple[str, str]:
        """What it does, and what a person should know of that.

        `serving`; `waiting` for the end of another feed; or `away`, as the store does not answer.
        """
        if self._trouble:
            return "away", f"{self._trouble}; daemons go on by themselves"
        if self._other:
            return "waiting", f"another feed serves this market ({self._other})"
        silent = [name for name, told in self._feed.vitals().items() if told.is_wanted and not told.is_live]
        away = f"; not connected: {', '.join(silent)}" if silent else ""
        return "serving", f"{self._symbols} symbols for {self._daemons} daemons{away}"

    def _tell_beat(self) -> None:
        for tell in self.on_beat:
            tell()

    async def _until_alone(self) -> None:
        self._begin_anew()
        while (other := await self._holder()) != "":
            if other and other != self._other:
                log.info("another feed serves this market (%s); waiting for its end", other)
                self._other = other
            self._tell_beat()
            await sleep_seconds(_LOOK_SECONDS)
        self._other, self._since_wall_ms = "", wall_ms()

    async def _holder(self) -> str | None:
        """Who serves: an empty name for this one, None while the store does not answer."""
        try:
            held = await self._store.hold(self._name)
        except StoreError as failure:
            self._say(str(failure))
            return None
        self._say("")
        return held or ""

    def _begin_anew(self) -> None:
        """Write everything under a new name: what the store still has of it is not known."""
        self._version = f"{self._name}-{wall_ms():x}"
        self._news.forget()
        self._feed.quotes.changed.update(symbol for symbol, _ in self._followed.keys)
        self._rules_ms = None
        self._trades_at = float("-inf")
        self._bells = 0

    async def _serve(self) -> None:
        """Write until somebody else serves."""
        look_at = 0.0
        while True:
            if monotonic_seconds() >= look_at:
                look_at = monotonic_seconds() + _LOOK_SECONDS
                other = await self._holder()
                if other:
                    log.warning("another feed has begun to serve this market (%s); this one waits", other)
                    return
                if other is None or not await self._look():
                    self._begin_anew()
            try:
                await self._store.write(self._writing())
                self._say("")
                self.is_serving.set()
                self._tell_beat()
                await self._ring_until(monotonic_seconds() + _BEAT_SECONDS)
            except StoreError as failure:
                self._say(str(failure))
                self.is_serving.clear()
                self._begin_anew()
                self._tell_beat()
                await sleep_seconds(_LOOK_SECONDS)

    async def _ring_until(self, end: float) -> None:
        """Tell of each candle as it closes, until that time (monotonic).

        Raises:
            StoreError: it cannot be told.
        """
        with contextlib.suppress(TimeoutError):
            while (left := end - monotonic_seconds()) > 0:
                async with asyncio.timeout(left):
                    await self._has_closed.wait()
                self._has_closed.clear()
                if bell := self._bell(self._news.rows()):
                    await self._store.ring(bell)

    async def _look(self) -> bool:
        """Follow what is wanted, and let what is not there be asked for. Returns whether the store has answered."""
        try:
            wishes = await self._store.wishes()
        except StoreError as failure:
            self._say(str(failure))
            return False
        self._daemons = len(wishes)
        wanted = union([self._own, *wishes])
        wanted = Wish(tuple(key for key in wanted.keys if key[0] not in self._unlisted), wanted.history)
        if frozenset(wanted.keys) != frozenset(self._followed.keys) or wanted.history > self._followed.history:
            history = max(wanted.history, self._followed.history)
            self._followed = Wish(wanted.keys, history)
            self._symbols = len({symbol for symbol, _ in wanted.keys})
            log.info("following %d symbols for %d daemons", self._symbols, self._daemons)
            self._feed.follow(wanted.keys, history=history)
        if self._looking is None or self._looking.done():
            self._looking = spawn(self._complete(), name="feed look")
        return True

    async def _end_look(self) -> None:
        if self._looking is not None:
            await stop(self._looking)

    async def _complete(self) -> None:
        """Ask the exchange for what is not there."""
        try:
            if self._followed.keys and not self._feed.known_rules.are_fresh(_RULES_SHARE):
                self._feed.forget_rules()
                await self._feed.rules(self._followed.keys[0][0])
            if self._feed.unknown_quotes():
                await self._feed.quotes.ask()
            await self._feed.candles.fill_histories()
        except RejectedError as refusal:
            if refusal.code != UNKNOWN_SYMBOL_CODE:
                log.warning("the exchange refuses what daemons want: %s", refusal)
                return
            await self._leave_out_unlisted()
        except ExchangeError as failure:
            log.debug("the feed could not ask: %s", failure)

    async def _leave_out_unlisted(self) -> None:
        listed = frozenset(await self._gateway.all_symbols())
        unlisted = sorted({symbol for symbol, _ in self._followed.keys} - listed)
        self._unlisted |= frozenset(unlisted)
        log.warning("the exchange does not list %s; left out", " ".join(unlisted))

    def _writing(self) -> Writing:
        """What has changed since it was last written."""
        changes = self._news.changes()
        bell = self._bell(changes.rows, changes.reread)
        if self._feed.candles.are_long:
            self._history = self._followed.history
        self.beats += 1
        self._ask_for_proof()
        return Writing(
            self._beat(),
            changes.renewed,
            changes.added,
            changes.dropped,
            bell,
            self._changed_quotes(),
            self._changed_rules(),
            self._trades(),
        )

    def _beat(self) -> Beat:
        return Beat(
            self._version,
            self.beats,
            self._bells,
            self._history,
            tuple(self._feed.quote_proofs()),
            self._symbols,
            self._daemons,
            self._since_wall_ms,
        )

    def _bell(self, rows: Sequence[BellRow], reread: Sequence[Key] = ()) -> bytes | None:
        """The next bell; None when there is nothing to tell."""
        if not rows and not reread:
            return None
        self._bells += 1
        return packed(Bell(self._version, self._bells, tuple(rows), tuple(reread)))

    def _changed_quotes(self) -> dict[str, bytes | None]:
        changed, self._feed.quotes.changed = self._feed.quotes.changed, set()
        return {symbol: self._quote(symbol) for symbol in changed}

    def _quote(self, symbol: str) -> bytes | None:
        found = self._feed.quote_texts(symbol)
        return None if found is None else packed(QuoteNote(found[0], *found[1]))

    def _changed_rules(self) -> bytes | None:
        seen = self._feed.known_rules.seen()
        if seen is None or seen[0] == self._rules_ms:
            return None
        self._rules_ms = seen[0]
        return packed(RulesNote(seen[0], tuple(seen[1])))

    def _trades(self) -> bytes | None:
        if monotonic_seconds() < self._trades_at:
            return None
        self._trades_at = monotonic_seconds() + _TRADES_SECONDS
        return packed(TradesNote(tuple(ToldTrades(*told) for told in self._feed.told_trades())))

    def _ask_for_proof(self) -> None:
        for link in self._feed.quote_links.links:
            if self._daemons and link.is_live and monotonic_seconds() - link.heard_seconds >= _QUIET_SECONDS:
                spawn(link.prove(), name="quote proof")

    def _say(self, trouble: str) -> None:
        """Each trouble once, and its end."""
        if bool(trouble) != bool(self._trouble):
            log.warning("%s", f"{trouble}; daemons go on by themselves" if trouble else "Redis answers again")
        self._trouble = trouble

"""MarketFeed: candles and best prices of all traded symbols, over as few connections as Binance allows.

500 symbols are one connection for candles and one for prices, and REST is asked for gaps only. Asked for by REST at
each tick they would cost 2,000 request weight.
"""

import logging
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Protocol

from binance_trade_agent.domain.candle_series import CandleSeries
from binance_trade_agent.domain.candles import Candle
from binance_trade_agent.domain.market import BookTicker
from binance_trade_agent.domain.symbols import SymbolRules
from binance_trade_agent.exchange.errors import ExchangeError
from binance_trade_agent.feed.candles import CandleFeed, Fetch, Key, LastTrade
from binance_trade_agent.feed.link import StreamLink
from binance_trade_agent.feed.links import Links
from binance_trade_agent.feed.quotes import QuoteFeed, Told
from binance_trade_agent.feed.rules import RulesFeed
from binance_trade_agent.feed.streams import Streams
from binance_trade_agent.ops.clock import MarketClock, monotonic_seconds, sleep_seconds
from binance_trade_agent.ops.tasks import spawn, stop
from binance_trade_agent.ops.vitals import StreamVitals

# A candle stream tells of trades every two seconds (binance-protocol.md 5.1). Of a connection that is silent for longer
# it is not known whether nobody trades; nor of a symbol that nothing is told of for a minute, though others are (S10).
SILENT_MS, PRICE_MAX_AGE_MS = 3_000, 60_000
_LOOK_SECONDS = 1.0
_COMPARE_SECONDS = 60.0
_DOUBT_SHARE = 0.5  # of a connection's symbols without the candle that has closed: then the connection is at fault
_FEWEST_IN_DOUBT = 2

log = logging.getLogger(__name__)


class MarketQuestions(Protocol):
    """What of the gateway the feed needs."""

    async def candles(self, symbol: str, interval: str, limit: int) -> list[Candle]:
        """The most recent candles in time order; the last one is usually still open."""
        ...

    async def symbol_rules(self, symbols: Sequence[str]) -> dict[str, SymbolRules]:
        """Rules of each symbol, in one request."""
        ...

    async def book_tickers(self, symbols: Sequence[str]) -> dict[str, BookTicker]:
        """Best bid and ask of each symbol now, in one request."""
        ...


class MarketFeed:
    """Candles, quotes and rules of what is followed.

    Args:
        fetch: asks for candles in place of the gateway, see CandleFeed.

    Attributes:
        on_closed: called with symbol, interval and close time when a candle has closed.
    """

    def __init__(
        self, gateway: MarketQuestions, clock: MarketClock, streams: Streams, *, fetch: Fetch | None = None
    ) -> None:
        self.on_closed: list[Callable[[str, str, int], None]] = []
        self._clock = clock
        self.candles = CandleFeed(clock, fetch=fetch or gateway.candles, closed=self._tell_closed)
        self.quotes = QuoteFeed(clock, ask=gateway.book_tickers, proof_ms=self.proof_ms, prove=self._prove)
        self.known_rules = RulesFeed(clock, gateway.symbol_rules)
        self._intervals: tuple[str, ...] = ()
        self._candle_links = Links("candle stream", streams, self.candles.hear)
        self._candle_links.opened.append(lambda names: self.candles.forget_trades([_symbol_of(name) for name in names]))
        self.quote_links = Links("quote stream", streams, self.quotes.hear)
        self.quote_links.opened.append(lambda names: self.quotes.forget([_symbol_of(name) for name in names]))

    def follow(self, keys: Collection[Key], *, history: int) -> None:
        """Follow these symbols and intervals from now on, and no others.

        Args:
            keys: symbols with their intervals.
            history: closed candles that are kept of each.
        """
        symbols = list(dict.fromkeys(symbol for symbol, _ in keys))
        self._intervals = tuple(dict.fromkeys(interval for _, interval in keys))
        self.candles.follow(keys, history)
        self.quotes.follow(symbols)
        self.known_rules.follow(symbols)
        self._candle_links.follow([_candle_stream(*key) for key in keys])
        self.quote_links.follow([_quote_stream(symbol) for symbol in symbols])

    async def rules(self, symbol: str) -> SymbolRules:
        """The symbol's rules.

        Raises:
            ExchangeError: the exchange had to be asked and could not be.
        """
        return await self.known_rules.rules(symbol)

    def forget_rules(self) -> None:
        """Let the next look read the rules anew."""
        self.known_rules.forget()

    async def series(self, symbol: str, interval: str, history: int = 0) -> CandleSeries:
        """The symbol's closed candles, as complete as can be.

        Args:
            symbol: one that is followed.
            interval: the same.
            history: closed candles that are wanted at least, when a strategy looks further back than those before.

        Raises:
            ExchangeError: the exchange had to be asked and could not be.
        """
        return await self.candles.series(symbol, interval, history)

    def known(self, symbol: str, interval: str) -> CandleSeries | None:
        """The same without asking for anything: None while a candle is missing."""
        return self.candles.known(symbol, interval)

    async def quote(self, symbol: str) -> BookTicker:
        """The symbol's best prices.

        Raises:
            ExchangeError: the exchange had to be asked and could not be.
        """
        return await self.quotes.quote(symbol)

    async def fresh_quote(self, symbol: str) -> BookTicker | None:
        """The symbol's best prices as far as a connection tells them; None when it does not. Nothing is requested."""
        return await self.quotes.fresh(symbol)

    def last_price(self, symbol: str) -> Decimal | None:
        """Price of the symbol's last trade, at most some seconds old; None when no connection proves that."""
        trade = self._last_trade(symbol)
        return None if trade is None else Decimal(trade.price)

    def last_trade_id(self, symbol: str) -> int | None:
        """Number of the symbol's last trade, at most some seconds old; None when no connection proves that."""
        trade = self._last_trade(symbol)
        return None if trade is None or trade.trade_id < 0 else trade.trade_id

    def _last_trade(self, symbol: str) -> LastTrade | None:
        trade, now_ms = self.candles.last_trade(symbol), self._clock.now_ms()
        if trade is None or now_ms - trade.until_ms > PRICE_MAX_AGE_MS:
            return None
        proofs_ms = (self._proof_ms(self._candle_links, _candle_stream(symbol, each)) for each in self._intervals)
        is_sure = any(proof_ms is not None and now_ms - proof_ms <= SILENT_MS for proof_ms in proofs_ms)
        return trade if is_sure else None

    def told_trades(self) -> list[tuple[int, dict[str, LastTrade]]]:
        """What each connection for candles tells that lives and has brought something in the last three seconds.

        Returns:
            the exchange's time (ms) of its newest event, which may have lain on the way, and its symbols' last trades.
        """
        told = []
        for link in self._candle_links.links:
            proof_ms = self._proof_of(link)
            if proof_ms is None or self._clock.now_ms() - proof_ms > SILENT_MS:
                continue
            carried = _symbols_of(link.carried)
            trades = {symbol: trade for symbol, trade in self.candles.last_trades.items() if symbol in carried}
            if trades:  # some may have come over another connection, in another interval: hence its own proof too
                told.append((min(proof_ms, max(trade.until_ms for trade in trades.values())), trades))
        return told

    def vitals(self) -> Mapping[str, StreamVitals]:
        """How each connection is, by name."""
        return {link.name: link.vitals() for link in self._links}

    async def run(self) -> None:
        """Follow the streams, and mend what they leave out, until cancelled."""
        tasks = [
            spawn(self._candle_links.run(), name="candle streams"),
            spawn(self.quote_links.run(), name="quote streams"),
        ]
        try:
            await self._look_after()
        finally:
            for task in tasks:
                await stop(task)

    async def _look_after(self) -> None:
        compare_at = monotonic_seconds() + _COMPARE_SECONDS
        while True:
            await sleep_seconds(_LOOK_SECONDS)
            try:
                self._doubt_links(await self.candles.fill_overdue())
                if monotonic_seconds() >= compare_at:
                    compare_at = monotonic_seconds() + _COMPARE_SECONDS
                    await self.candles.compare_one()
            except ExchangeError as failure:
                log.debug("the feed could not ask: %s", failure)
            except Exception:
                log.exception("the market feed's look-around failed; it goes on")

    def _doubt_links(self, overdue: Collection[Key]) -> None:
        """A connection that answers and brings no candles is replaced: one is overdue alone, many are silence (S10).

        Candles of one interval are due together, so they are counted together.
        """
        missing = frozenset(_candle_stream(*key) for key in overdue)
        for link in self._candle_links.links:
            carried = Counter(_interval_of(name) for name in link.streams)
            silent = Counter(_interval_of(name) for name in missing.intersection(link.streams))
            for interval, count in silent.items():
                if link.is_live and count >= max(_FEWEST_IN_DOUBT, _DOUBT_SHARE * carried[interval]):
                    link.doubt(f"{count} of {carried[interval]} symbols got no candle that has closed")

    @property
    def _links(self) -> list[StreamLink]:
        return [*self._candle_links.links, *self.quote_links.links]

    def proof_ms(self, symbol: str) -> int | None:
        """Market time of the last message on the connection that carries a symbol's quotes; None while none does."""
        return self._proof_ms(self.quote_links, _quote_stream(symbol))

    def _proof_ms(self, links: Links, stream: str) -> int | None:
        link = links.of(stream)
        return None if link is None or not link.carries(stream) else self._proof_of(link)

    def _proof_of(self, link: StreamLink) -> int | None:
        if not link.is_live:
            return None
        age_ms = (monotonic_seconds() - link.heard_seconds) * 1000 * self._clock.speed
        return None if age_ms == float("inf") else self._clock.now_ms() - round(age_ms)

    def quote_proofs(self) -> list[int | None]:
        """Of each connection for quotes, `proof_ms` of the symbols that it carries."""
        return [self._proof_of(link) for link in self.quote_links.links]

    def unknown_quotes(self) -> list[str]:
        """Symbols of which a connection carries the quotes and has told nothing yet, nor was it asked for."""
        carried = (_symbol_of(name) for link in self.quote_links.links for name in link.streams if link.carries(name))
        return [symbol for symbol in carried if not self.quotes.is_told(symbol)]

    def quote_texts(self, symbol: str) -> tuple[int, Told] | None:
        """Number of the symbol's connection among `quote_proofs`, and what it has told; None while it has not."""
        link, texts = self.quote_links.of(stream := _quote_stream(symbol)), self.quotes.texts(symbol)
        if link is None or texts is None or not link.carries(stream):
            return None
        return self.quote_links.links.index(link), texts

    async def _prove(self, symbol: str) -> bool:
        link = self.quote_links.of(_quote_stream(symbol))
        return link is not None and await link.prove()

    def _tell_closed(self, symbol: str, interval: str, close_ms: int) -> None:
        for tell in self.on_closed:
            tell(symbol, interval, close_ms)


def _candle_stream(symbol: str, interval: str) -> str:
    return f"{symbol.lower()}@kline_{interval}"


def _quote_stream(symbol: str) -> str:
    return f"{symbol.lower()}@bookTicker"


def _symbol_of(stream: str) -> str:
    return stream.partition("@")[0].upper()


@lru_cache(maxsize=8)  # connections that are asked about each second
def _symbols_of(streams: frozenset[str]) -> frozenset[str]:
    return frozenset(map(_symbol_of, streams))


def _interval_of(stream: str) -> str:
    return stream.rpartition("_")[2]

"""MarketFeed: candles and best prices of all traded symbols, over as few connections as Binance allows.

500 symbols are one connection for candles and one for prices, and REST is asked for gaps only. Asked for by REST at
each tick they would cost 2,000 request weight.
"""

import logging
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import aiohttp

from binance_trade_agent.domain.candle_series import CandleSeries
from binance_trade_agent.domain.candles import Candle
from binance_trade_agent.domain.market import BookTicker
from binance_trade_agent.domain.symbols import SymbolRules
from binance_trade_agent.exchange.errors import ExchangeError
from binance_trade_agent.feed.candles import CandleFeed
from binance_trade_agent.feed.link import MOST_STREAMS, Hear, StreamLink, shared_out
from binance_trade_agent.feed.quotes import QuoteFeed
from binance_trade_agent.feed.rules import RulesFeed
from binance_trade_agent.ops.clock import MarketClock, monotonic_seconds, sleep_seconds
from binance_trade_agent.ops.tasks import spawn, stop
from binance_trade_agent.ops.vitals import StreamVitals

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


@dataclass(frozen=True, slots=True)
class Streams:
    """Where the market streams are, and how to get there.

    Attributes:
        url: base address, without a path.
        jitter: spreads reconnections.
        before_connecting: raises an ExchangeError while the exchange has asked us to be silent.
        connector: opens the connections instead of TCP; stays open.
    """

    url: str
    jitter: random.Random
    before_connecting: Callable[[], None] = lambda: None
    connector: aiohttp.BaseConnector | None = None

    def link(self, name: str, names: Sequence[str], hear: Hear) -> StreamLink:
        """A connection that carries the streams of these names."""
        return StreamLink(
            name,
            self.url,
            names,
            hear,
            jitter=self.jitter,
            before_connecting=self.before_connecting,
            connector=self.connector,
        )


class MarketFeed:
    """Candles and quotes of `symbols`.

    Args:
        intervals: of the candles.
        history: closed candles that are kept of each.

    Attributes:
        on_closed: called with symbol, interval and close time when a candle has closed.
    """

    def __init__(
        self,
        gateway: MarketQuestions,
        clock: MarketClock,
        streams: Streams,
        symbols: Sequence[str],
        intervals: Sequence[str],
        *,
        history: int,
    ) -> None:
        self.on_closed: list[Callable[[str, str, int], None]] = []
        self._clock = clock
        self.candles = CandleFeed(
            symbols, intervals, clock, history=history, fetch=gateway.candles, closed=self._tell_closed
        )
        self.quotes = QuoteFeed(symbols, clock, ask=gateway.book_tickers, proof_ms=self._proof_ms, prove=self._prove)
        self._rules = RulesFeed(symbols, clock, gateway.symbol_rules)
        self._candle_links: dict[StreamLink, Sequence[str]] = {}
        self._quote_links: dict[str, StreamLink] = {}
        for share in shared_out(symbols, MOST_STREAMS // len(intervals)):
            names = [f"{symbol.lower()}@kline_{interval}" for symbol in share for interval in intervals]
            self._candle_links[
                streams.link(f"candle stream {len(self._candle_links) + 1}", names, self.candles.hear)
            ] = share
        for number, share in enumerate(shared_out(symbols, MOST_STREAMS), start=1):
            names = [f"{symbol.lower()}@bookTicker" for symbol in share]
            link = streams.link(f"quote stream {number}", names, self.quotes.hear)
            link.opened.append(partial(self.quotes.forget, share))
            self._quote_links |= dict.fromkeys(share, link)

    async def rules(self, symbol: str) -> SymbolRules:
        """The symbol's rules.

        Raises:
            ExchangeError: the exchange had to be asked and could not be.
        """
        return await self._rules.rules(symbol)

    def forget_rules(self) -> None:
        """Let the next look read the rules anew."""
        self._rules.forget()

    async def series(self, symbol: str, interval: str) -> CandleSeries:
        """The symbol's closed candles, as complete as can be.

        Raises:
            ExchangeError: the exchange had to be asked and could not be.
        """
        return await self.candles.series(symbol, interval)

    async def quote(self, symbol: str) -> BookTicker:
        """The symbol's best prices.

        Raises:
            ExchangeError: the exchange had to be asked and could not be.
        """
        return await self.quotes.quote(symbol)

    def vitals(self) -> Mapping[str, StreamVitals]:
        """How each connection is, by name."""
        return {link.name: link.vitals() for link in self._links}

    async def run(self) -> None:
        """Follow the streams, and mend what they leave out, until cancelled."""
        tasks = [spawn(link.run(), name=link.name) for link in self._links]
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

    def _doubt_links(self, overdue: Sequence[str]) -> None:
        """A connection that answers and brings no candles is replaced: one is overdue alone, many are silence (S10)."""
        missing = frozenset(overdue)
        for link, symbols in self._candle_links.items():
            silent = missing.intersection(symbols)
            if link.is_live and len(silent) >= max(_FEWEST_IN_DOUBT, _DOUBT_SHARE * len(symbols)):
                link.doubt(f"{len(silent)} of {len(symbols)} symbols got no candle that has closed")

    @property
    def _links(self) -> list[StreamLink]:
        return [*self._candle_links, *dict.fromkeys(self._quote_links.values())]

    def _proof_ms(self, symbol: str) -> int | None:
        link = self._quote_links[symbol]
        if not link.is_live:
            return None
        age_ms = (monotonic_seconds() - link.heard_seconds) * 1000 * self._clock.speed
        return None if age_ms == float("inf") else self._clock.now_ms() - round(age_ms)

    async def _prove(self, symbol: str) -> bool:
        return await self._quote_links[symbol].prove()

    def _tell_closed(self, symbol: str, interval: str, close_ms: int) -> None:
        for tell in self.on_closed:
            tell(symbol, interval, close_ms)

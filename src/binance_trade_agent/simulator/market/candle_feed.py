"""A feed made of candles: whatever the candles come from, their prints are put on one timeline here."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from heapq import merge
from typing import Any, Protocol

from binance_trade_agent.domain.candles import MINUTE_MS, Candle, interval_open_ms
from binance_trade_agent.simulator.market.candle_columns import CandleColumns
from binance_trade_agent.simulator.market.feed import Print
from binance_trade_agent.simulator.market.printer import Printer
from binance_trade_agent.simulator.market.whole_numbers import Column

PRELUDE_MS = 5 * MINUTE_MS  # the span of avgPrice, binance-protocol.md 1.2


class CandleSource(Protocol):
    """One symbol's candles, all of one interval, in time order; they may have gaps, and may never end."""

    interval: str

    def history(self, before_ms: int) -> CandleColumns:
        """Candles that open before `before_ms`; those far back may be longer than the interval, and only be here."""
        ...

    def between(self, from_ms: int, before_ms: int) -> Sequence[Candle]:
        """Candles that open in [from_ms, before_ms)."""
        ...

    def since(self, from_ms: int) -> Iterator[Candle]:
        """Candles that open at `from_ms` or later."""
        ...


class CandleFeed:
    """The `Feed` over candle sources; see there for the attributes."""

    def __init__(
        self,
        sources: Mapping[str, CandleSource],
        printers: Mapping[str, Printer],
        listings: Mapping[str, Mapping[str, Any]],
        *,
        start_ms: int,
        resume_ms: int | None,
        ends_ms: int | None,
    ) -> None:
        self.symbols = tuple(sources)
        self.start_ms = start_ms
        self.resume_ms = start_ms if resume_ms is None else resume_ms
        self.ends_ms = ends_ms
        self.intervals: Mapping[str, str] = {symbol: source.interval for symbol, source in sources.items()}
        self.listings = listings
        self._sources = sources
        self._printers = printers
        self._upcoming = self._merged()
        self._next = next(self._upcoming, None)

    def history(self, symbol: str) -> CandleColumns:
        """Candles that were closed at resume_ms; far back they may be longer."""
        return self._sources[symbol].history(self._open_candle_ms(symbol))

    def print_counts(self, symbol: str, candles: CandleColumns) -> Column:
        """How many prints each of the symbol's candles has."""
        return self._printers[symbol].counts(candles)

    def prelude(self, symbol: str) -> Sequence[Print]:
        """Prints of the five minutes before resume_ms and of the open candle, or else the last one before that."""
        open_ms = self._open_candle_ms(symbol)
        from_ms = min(open_ms, self.resume_ms - PRELUDE_MS)
        first_ms = interval_open_ms(self.intervals[symbol], from_ms)
        candles = self._sources[symbol].between(first_ms, self.resume_ms)
        prints = [item for item in self._prints(symbol, candles) if from_ms <= item.at_ms < self.resume_ms]
        if prints:
            return prints
        closed = self._sources[symbol].between(0, open_ms)
        last_traded = next((candle for candle in reversed(closed) if candle.volume), None)
        return list(self._printers[symbol].prints(last_traded))[-1:] if last_traded else []

    def prints_until(self, until_ms: int) -> Iterator[Print]:
        """Prints from resume_ms to `until_ms` inclusive that were not given yet, by (time, symbol order, sequence)."""
        while (item := self._next) is not None and item.at_ms <= until_ms:
            self._next = next(self._upcoming, None)
            yield item

    def candles(self, symbol: str, after_ms: int, until_ms: int) -> Sequence[Candle]:
        """Candles that open in (after_ms, until_ms], those without volume too; where the market has a gap, none."""
        return self._sources[symbol].between(after_ms + 1, until_ms + 1)

    def _open_candle_ms(self, symbol: str) -> int:
        return interval_open_ms(self.intervals[symbol], self.resume_ms)

    def _prints(self, symbol: str, candles: Iterable[Candle]) -> Iterator[Print]:
        printer = self._printers[symbol]
        for candle in candles:
            yield from printer.prints(candle)

    def _merged(self) -> Iterator[Print]:
        """All prints from resume_ms on; `merge` is stable, so prints of one moment come in the order of the symbols."""
        streams = []
        for symbol, source in self._sources.items():
            prints = self._prints(symbol, source.since(self._open_candle_ms(symbol)))
            streams.append(item for item in prints if item.at_ms >= self.resume_ms)
        return merge(*streams, key=lambda item: item.at_ms)

"""What a feed is: the outside market, as a stream of trades with the book that each of them leaves."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol

from binance_trade_agent.domain.candles import Candle
from binance_trade_agent.domain.orders import Side
from binance_trade_agent.matching.book import Level
from binance_trade_agent.simulator.market.candle_columns import CandleColumns
from binance_trade_agent.simulator.market.whole_numbers import Column


class FeedError(Exception):
    """A market that cannot be made as asked; the message is one sentence for the person who asked."""


@dataclass(frozen=True, slots=True)
class Print:
    """One trade of the outside market, and the outside book right after it.

    Attributes:
        at_ms: market time.
        price: quote per base.
        quantity: base asset, above 0.
        taker_side: BUY when the taker bought, so the maker sold.
        bids, asks: at most 20 levels each, best first; the best ask is above the best bid.
    """

    symbol: str
    at_ms: int
    price: Decimal
    quantity: Decimal
    taker_side: Side
    bids: Sequence[Level]
    asks: Sequence[Level]


@dataclass(frozen=True, slots=True)
class OutsideTrade:
    """One trade of the outside market; what book it leaves is not known yet. See `Print` for the attributes."""

    symbol: str
    at_ms: int
    price: Decimal
    quantity: Decimal
    taker_side: Side


@dataclass(frozen=True, slots=True)
class Quote:
    """The outside book as it is from now on. See `Print` for the attributes."""

    symbol: str
    at_ms: int
    bids: Sequence[Level]
    asks: Sequence[Level]


Event = Print | OutsideTrade | Quote


class Feed(Protocol):
    """The outside market of several symbols on one timeline.

    A feed that is made of candles is deterministic: made again with the same arguments it gives the same prints. A
    relay tells what happens elsewhere, as it comes.

    Attributes:
        symbols: in the order in which prints of the same millisecond come.
        start_ms: market time at which the session begins.
        resume_ms: market time from which prints are given; later than start_ms when a session is continued.
        ends_ms: market time after which nothing happens any more; None when the market never ends.
        intervals: the interval of each symbol's candles.
        listings: each symbol's entry in exchangeInfo.
    """

    symbols: tuple[str, ...]
    start_ms: int
    resume_ms: int
    ends_ms: int | None
    intervals: Mapping[str, str]
    listings: Mapping[str, Mapping[str, Any]]

    def history(self, symbol: str) -> CandleColumns:
        """Candles that were closed at resume_ms; far back they may be longer."""
        ...

    def print_counts(self, symbol: str, candles: CandleColumns) -> Column:
        """How many prints each of the symbol's candles has."""
        ...

    def prelude(self, symbol: str) -> Sequence[Print]:
        """Prints of the five minutes before resume_ms and of the open candle, or else the last one before that."""
        ...

    def prints_until(self, until_ms: int) -> Iterator[Event]:
        """What happens from resume_ms to `until_ms` inclusive and was not given yet, by (time, symbol order, sequence).

        A reader that stops early loses nothing.
        """
        ...

    def candles(self, symbol: str, after_ms: int, until_ms: int) -> Sequence[Candle]:
        """Candles that open in (after_ms, until_ms], those without volume too; where the market has a gap, none."""
        ...

"""What the market data agent hands on: everything that one decision on one symbol may look at."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from binance_trade_agent.domain.candles import Candle
from binance_trade_agent.domain.symbols import SymbolRules


@dataclass(frozen=True, slots=True)
class BookTicker:
    """Best bid and ask with their sizes, and the market time at which they were read."""

    symbol: str
    bid: Decimal
    bid_quantity: Decimal
    ask: Decimal
    ask_quantity: Decimal
    read_ms: int


@dataclass(frozen=True, slots=True)
class MarketView:
    """A symbol at a tick: closed candles in time order, best prices, rules, and how old each is (market ms)."""

    symbol: str
    rules: SymbolRules
    candles: Sequence[Candle]
    book: BookTicker
    candle_age_ms: int
    book_age_ms: int

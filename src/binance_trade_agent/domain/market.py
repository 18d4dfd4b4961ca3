"""What the market data agent hands on: everything that one decision on one symbol may look at."""

from collections.abc import Sequence
from decimal import Decimal

from binance_trade_agent.domain.candles import Candle
from binance_trade_agent.domain.money import ZERO
from binance_trade_agent.domain.symbols import SymbolRules
from binance_trade_agent.domain.values import Value


class BookTicker(Value, frozen=True):
    """Best bid and ask with their sizes, and the market time at which they were read."""

    symbol: str
    bid: Decimal
    bid_quantity: Decimal
    ask: Decimal
    ask_quantity: Decimal
    read_ms: int


# A price of the order book and the quantity that is offered or asked for there: quote per base, and base asset.
Level = tuple[Decimal, Decimal]


class Depth(Value, frozen=True):
    """The order book near the best prices, best first on both sides, and the market time at which it was read."""

    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    read_ms: int


class DayTicker(Value, frozen=True):
    """The exchange's rolling 24 hours, and the market time at which they were read.

    Prices in quote per base, `volume_base` in base and `volume_quote` in quote asset, `trades` their number.
    """

    symbol: str
    open: Decimal
    high: Decimal
    low: Decimal
    last: Decimal
    change_pct: Decimal
    volume_base: Decimal
    volume_quote: Decimal
    trades: int
    read_ms: int


def average_fill_price(levels: Sequence[Level], quantity: Decimal) -> Decimal | None:
    """Average price, quote per base, of a market order that takes `quantity` from these levels.

    Args:
        levels: the side of the book that the order meets, best first: the asks for a BUY, the bids for a SELL.
        quantity: base asset, above 0.

    Returns:
        None when the levels do not hold so much.
    """
    left, spent = quantity, ZERO
    for price, offered in levels:
        if left <= offered:
            return (spent + left * price) / quantity
        left -= offered
        spent += offered * price
    return None


class CandleView(Value, frozen=True):
    """Of a symbol what a strategy looks at; see MarketView."""

    symbol: str
    candles: Sequence[Candle]
    larger_candles: Sequence[Candle] | None
    larger_interval: str


class MarketView(Value, frozen=True):
    """A symbol at a tick: closed candles in time order, best prices, rules, and how old each is (market ms).

    Attributes:
        candles: empty, and candle_age_ms None, where only what a position may be left by was looked at.
        larger_candles: closed candles of `larger_interval`, which is to confirm entries; None when none is.
    """

    symbol: str
    rules: SymbolRules
    candles: Sequence[Candle]
    book: BookTicker
    candle_age_ms: int | None
    book_age_ms: int
    larger_candles: Sequence[Candle] | None = None
    larger_interval: str = ""

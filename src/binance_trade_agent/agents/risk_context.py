"""What a risk decision on an entry needs of the market; the account around it is in `ledger/account.py`."""

import asyncio
import logging
import math
from collections.abc import Awaitable, Collection, Sequence
from decimal import Decimal
from typing import Protocol, TypeVar

from binance_trade_agent.domain.candle_window import CandleWindow
from binance_trade_agent.domain.candles import Candle
from binance_trade_agent.domain.market import Depth, MarketView
from binance_trade_agent.domain.values import Value
from binance_trade_agent.exchange.errors import ExchangeError
from binance_trade_agent.history.window import column
from binance_trade_agent.risk.context import RiskContext
from binance_trade_agent.risk.market_conditions import PriceDeviation
from binance_trade_agent.risk.persons_orders import WorstPrice
from binance_trade_agent.risk.slippage import Slippage
from binance_trade_agent.strategies import indicators

T = TypeVar("T")

DEPTH_LEVELS = 100
_NEED_DEPTH = frozenset({Slippage.name, WorstPrice.name})
# A quote is at most a second old when it is looked at (feed/quotes.py); the strategy and other symbols come in between.
_QUOTE_HOLDS_MS = 2_000
# Wilder's smoothing forgets slowly: after so many periods a thousandth is left of what was before.
_ATR_PERIODS = 7

log = logging.getLogger(__name__)


class EntryMarket(Protocol):
    """What an entry asks the market; what cannot be had raises an ExchangeError."""

    async def depth(self, symbol: str, limit: int) -> Depth:
        """The `limit` best prices of each side of the book now."""
        ...

    async def last_price(self, symbol: str) -> Decimal:
        """Price of the latest trade, quote per base."""
        ...


class LastPrices(Protocol):
    """What a market feed knows of trades."""

    def last_price(self, symbol: str) -> Decimal | None:
        """Price of the latest trade, quote per base; None while it is not sure."""
        ...


class FollowedMarket:
    """An EntryMarket that is asked for no price which a feed knows already."""

    def __init__(self, market: EntryMarket, feed: LastPrices | None) -> None:
        self._market = market
        self._feed = feed

    async def depth(self, symbol: str, limit: int) -> Depth:
        """See EntryMarket."""
        return await self._market.depth(symbol, limit)

    async def last_price(self, symbol: str) -> Decimal:
        """See EntryMarket."""
        known = None if self._feed is None else self._feed.last_price(symbol)
        return await self._market.last_price(symbol) if known is None else known


class Conditions(Value, frozen=True):
    """The market at an order: book and price of the last trade (quote per base), and whether it was asked for them.

    Without being asked a book is what the quote tells of it. None where nothing is known.
    """

    depth: Depth | None = None
    last_price: Decimal | None = None
    is_depth_asked: bool = False
    is_price_asked: bool = False


def quoted(view: MarketView) -> Conditions:
    """What is known without asking: what is offered at the best prices, as long as the view is young."""
    book = view.book
    if view.book_age_ms > _QUOTE_HOLDS_MS:
        return Conditions()
    return Conditions(Depth(((book.bid, book.bid_quantity),), ((book.ask, book.ask_quantity),), book.read_ms))


async def conditions(
    market: EntryMarket, context: RiskContext, unasked: Collection[str], *, at_once: bool = False
) -> Conditions:
    """What is known in a context, and what the market is asked for because some rules cannot do without.

    What cannot be had stays unknown: the rule then refuses. Where nothing has to be waited for nobody else gets to run.

    Args:
        market: is asked.
        context: of the order.
        unasked: names of the rules that need more (risk/policy.py).
        at_once: whether depth and price are asked for at the same time.
    """
    symbol, asks_price = context.view.symbol, PriceDeviation.name in unasked
    asks_depth = not _NEED_DEPTH.isdisjoint(unasked)

    async def depth() -> Depth | None:
        if not asks_depth:
            return context.depth
        return await _if_answered(market.depth(symbol, DEPTH_LEVELS), f"order book of {symbol}")

    async def last_price() -> Decimal | None:
        if not asks_price:
            return context.last_price
        return await _if_answered(market.last_price(symbol), f"last price of {symbol}")

    if at_once and asks_depth and asks_price:
        found = await asyncio.gather(depth(), last_price())
    else:
        found = await depth(), await last_price()
    return Conditions(*found, context.is_depth_asked or asks_depth, context.is_price_asked or asks_price)


async def _if_answered(asked: Awaitable[T], what: str) -> T | None:
    try:
        return await asked
    except ExchangeError as failure:
        log.warning("the %s could not be read: %s", what, failure)
        return None


def average_true_range(candles: Sequence[Candle], period: int) -> Decimal | None:
    """ATR of the last closed candle, quote per base; None with too few candles, or where the market is flat.

    It looks at seven periods, whatever number of candles there is: it must not hang on how many a strategy asks for.
    """
    if not isinstance(candles, CandleWindow):
        return _average_true_range(candles, period)
    known, key = candles.worked_out, (average_true_range, period)
    if key not in known:
        known[key] = _average_true_range(candles, period)
    return known[key]  # type: ignore[return-value]


def _average_true_range(candles: Sequence[Candle], period: int) -> Decimal | None:
    seen = candles[-_ATR_PERIODS * period - 1 :]
    if len(seen) <= period:
        return None
    value = indicators.last_atr(column(seen, "high"), column(seen, "low"), column(seen, "close"), period)
    return Decimal(str(value)) if math.isfinite(value) else None

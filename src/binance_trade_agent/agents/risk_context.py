"""What a risk decision on an entry needs of the market; the account around it is in `ledger/account.py`."""

import asyncio
import logging
import math
from collections.abc import Awaitable, Sequence
from decimal import Decimal
from typing import TypeVar

from binance_trade_agent.domain.candles import Candle
from binance_trade_agent.domain.market import Depth, MarketView
from binance_trade_agent.domain.values import Value
from binance_trade_agent.exchange.errors import ExchangeError
from binance_trade_agent.exchange.gateway import TradingGateway
from binance_trade_agent.history.window import column
from binance_trade_agent.risk.settings import RiskSettings
from binance_trade_agent.strategies import indicators

T = TypeVar("T")

DEPTH_LEVELS = 100
# Wilder's smoothing forgets slowly: after so many periods a thousandth is left of what was before.
_ATR_PERIODS = 7

log = logging.getLogger(__name__)


class Conditions(Value, frozen=True):
    """The market at an entry: order book and price of the last trade (quote per base).

    None where it is not known, or no rule asks for it.
    """

    depth: Depth | None = None
    last_price: Decimal | None = None


def needs_market(settings: RiskSettings) -> bool:
    """Whether some rule on entries asks for these."""
    return bool(settings.max_slippage_pct or settings.max_price_deviation_pct)


async def conditions(
    gateway: TradingGateway,
    view: MarketView,
    settings: RiskSettings,
    *,
    asks_depth: bool = False,
    at_once: bool = False,
) -> Conditions:
    """Ask the market for what the rules on entries need. What cannot be had stays unknown: the rule then refuses.

    With `asks_depth` the book is asked for in any case; `at_once` asks for both at the same time.
    """

    async def depth() -> Depth | None:
        if not (settings.max_slippage_pct or asks_depth):
            return None
        return await _if_answered(gateway.depth(view.symbol, DEPTH_LEVELS), f"order book of {view.symbol}")

    async def last_price() -> Decimal | None:
        if not settings.max_price_deviation_pct:
            return None
        return await _if_answered(gateway.last_price(view.symbol), f"last price of {view.symbol}")

    if at_once:
        return Conditions(*await asyncio.gather(depth(), last_price()))
    return Conditions(await depth(), await last_price())


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
    seen = candles[-_ATR_PERIODS * period - 1 :]
    if len(seen) <= period:
        return None
    value = indicators.last_atr(column(seen, "high"), column(seen, "low"), column(seen, "close"), period)
    return Decimal(str(value)) if math.isfinite(value) else None

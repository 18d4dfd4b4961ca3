"""What a risk decision looks at: the account at one moment of the ledger, and of the market what an entry needs."""

import logging
import math
from collections.abc import Awaitable, Mapping, Sequence
from decimal import Decimal
from typing import TypeVar

from binance_trade_agent.agents.recovery import rests
from binance_trade_agent.agents.valuation import worth_quote
from binance_trade_agent.domain.candles import Candle
from binance_trade_agent.domain.market import Depth, MarketView
from binance_trade_agent.domain.money import ZERO
from binance_trade_agent.domain.orders import OrderState, Side
from binance_trade_agent.domain.positions import Position
from binance_trade_agent.domain.signals import Action, Signal
from binance_trade_agent.domain.values import Value
from binance_trade_agent.exchange.errors import ExchangeError
from binance_trade_agent.exchange.gateway import TradingGateway
from binance_trade_agent.history.window import column
from binance_trade_agent.ledger.books import BooksView
from binance_trade_agent.ledger.on_sale import on_sale_base, to_come
from binance_trade_agent.ledger.records import OrderEntry
from binance_trade_agent.ledger.risk_state import risk_state
from binance_trade_agent.risk.context import RiskContext
from binance_trade_agent.risk.settings import RiskSettings
from binance_trade_agent.risk.state import RiskState
from binance_trade_agent.strategies import indicators

T = TypeVar("T")

DEPTH_LEVELS = 100
# Wilder's smoothing forgets slowly: after so many periods a thousandth is left of what was before.
_ATR_PERIODS = 7

log = logging.getLogger(__name__)

# To look a member up by its name takes longer than to compare it.
_UNKNOWN, _BUY, _BUY_SIDE = OrderState.UNKNOWN, Action.BUY, Side.BUY


class Conditions(Value, frozen=True):
    """The market at an entry: order book, price of the last trade, average true range of a candle (quote per base).

    None where it is not known, or no rule asks for it.
    """

    depth: Depth | None = None
    last_price: Decimal | None = None
    atr_quote: Decimal | None = None


async def conditions(
    gateway: TradingGateway,
    view: MarketView,
    settings: RiskSettings,
    atr_period: int | None,
    *,
    asks_depth: bool = False,
) -> Conditions:
    """Ask the market for what the rules on entries need. What cannot be had stays unknown: the rule then refuses.

    Without `atr_period` the average true range is not measured; with `asks_depth` the book is asked for in any case.
    """
    depth = last_price = None
    if settings.max_slippage_pct or asks_depth:
        depth = await _if_answered(gateway.depth(view.symbol, DEPTH_LEVELS), f"order book of {view.symbol}")
    if settings.max_price_deviation_pct:
        last_price = await _if_answered(gateway.last_price(view.symbol), f"last price of {view.symbol}")
    atr_quote = None if atr_period is None else average_true_range(view.candles, atr_period)
    return Conditions(depth, last_price, atr_quote)


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


def account(
    books: BooksView,
    signal: Signal,
    view: MarketView,
    now_ms: int,
    *,
    marks: Mapping[str, MarketView],
    locked_by_others: Mapping[str, Decimal],
    settings: RiskSettings,
) -> RiskContext:
    """The account as the books have it at this moment, valued at the bids of `view` and, for others, of `marks`.

    A position without a known bid counts at what it cost, and what an unsettled BUY may still add, or has added and
    is not booked yet, as if it was bought at the price of its sizing.
    """
    here, rules, wallet = view.symbol, view.rules, books.wallet()
    held_quote, open_symbols = ZERO, set()
    counted = books.positions(rules.quote_asset)
    for symbol, position in books.positions().items():
        if not position.quantity and not position.cost_quote:
            continue  # most are flat, and need not be looked at
        seen = view if symbol == here else marks.get(symbol)
        if symbol in counted:
            held_quote += worth_quote(position, seen.book.bid if seen else None)
        if _is_open(position, seen):
            open_symbols.add(symbol)
    unknown_orders, open_order = 0, None
    purchases: list[OrderEntry] = []
    purchases_here: list[OrderEntry] = []
    sales_here: list[OrderEntry] = []
    for entry in books.unsettled_orders():
        order = entry.order
        is_same = order.symbol == here
        unknown_orders += order.state is _UNKNOWN
        if is_same and open_order is None and not rests(order):  # what rests does so on purpose
            open_order = f"order {order.client_order_id} is {order.state}"
        if order.side is _BUY_SIDE:
            open_symbols.add(order.symbol)
            purchases.append(entry)
            if is_same:
                purchases_here.append(entry)
        elif is_same:
            sales_here.append(entry)
    to_come_quote = to_come(purchases)[1] if purchases else ZERO
    to_come_base = to_come(purchases_here)[0] if purchases_here else ZERO
    cash_quote = wallet.get(rules.quote_asset, ZERO)
    equity_quote = cash_quote + held_quote
    return RiskContext(
        signal=signal,
        view=view,
        position=books.position(here),
        open_positions=len(open_symbols),
        free_quote=cash_quote,
        equity_quote=equity_quote,
        last_filled_ms=books.last_entry_fill_ms(here),
        now_ms=now_ms,
        pending_buy_quote=to_come_quote + locked_by_others.get(rules.quote_asset, ZERO),
        wallet_base=wallet.get(rules.base_asset, ZERO) + to_come_base,
        pending_buy_base=to_come_base,
        on_sale_base=on_sale_base(sales_here) if sales_here else ZERO,
        exposure_quote=held_quote + to_come_quote,
        state=_limits(books, signal, view, now_ms, equity_quote, settings),
        open_order=open_order,
        unknown_orders=unknown_orders,
        pause_scope=books.pause_scope() if books.is_paused() else None,
        is_killed=books.is_killed(),
    )


def _limits(
    books: BooksView,
    signal: Signal,
    view: MarketView,
    now_ms: int,
    equity_quote: Decimal,
    settings: RiskSettings,
) -> RiskState:
    """Where the limits stand; an exit meets none of them and does not wait for their measures."""
    if signal.action is not _BUY:
        return RiskState(equity_quote=equity_quote)
    return risk_state(
        books,
        view.symbol,
        now_ms,
        equity_quote,
        quote_asset=view.rules.quote_asset,
        exits=settings.sizing.kelly_exits if settings.sizing.sizing == "kelly" else 0,
        losses=settings.max_consecutive_losses,
    )


def _is_open(position: Position, view: MarketView | None) -> bool:
    if view is None or position.quantity <= 0:  # not looked at in this run yet: anything held counts
        return position.quantity > 0
    return not view.rules.is_dust(position.quantity, view.book.bid)

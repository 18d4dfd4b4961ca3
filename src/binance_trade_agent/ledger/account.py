"""The account as risk rules look at it, at one moment of the books: for the trader and for reports elsewhere."""

from collections.abc import Mapping
from decimal import Decimal

from binance_trade_agent.domain.market import MarketView
from binance_trade_agent.domain.money import ZERO
from binance_trade_agent.domain.orders import OrderState, Side
from binance_trade_agent.domain.positions import Position
from binance_trade_agent.domain.signals import Action, Signal
from binance_trade_agent.ledger.books import BooksView
from binance_trade_agent.ledger.on_sale import on_sale_base, to_come
from binance_trade_agent.ledger.records import OrderEntry
from binance_trade_agent.ledger.risk_state import risk_state
from binance_trade_agent.risk.context import RiskContext
from binance_trade_agent.risk.settings import RiskSettings
from binance_trade_agent.risk.state import RiskState

# To look a member up by its name takes longer than to compare it.
_UNKNOWN, _BUY, _BUY_SIDE = OrderState.UNKNOWN, Action.BUY, Side.BUY


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
            held_quote += position.worth_quote(seen.book.bid if seen else None)
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
        if is_same and open_order is None and not order.rests:  # what rests does so on purpose
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

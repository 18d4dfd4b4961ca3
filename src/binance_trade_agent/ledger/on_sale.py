"""What persons have on sale: it is spoken for, so nothing else may sell it, and nothing protects it."""

from collections.abc import Iterable
from decimal import Decimal

from binance_trade_agent.domain.exits import ExitKind
from binance_trade_agent.domain.money import ZERO
from binance_trade_agent.domain.orders import Order, Side
from binance_trade_agent.ledger.records import OrderEntry

# To look one up by its name takes longer than to compare it.
_SELL, _MANUAL = Side.SELL, ExitKind.MANUAL


def is_persons_sale(order: Order) -> bool:
    """Whether a person sells by it, at once or at a price."""
    return order.side is _SELL and order.exit is _MANUAL


def on_sale_base(unsettled: Iterable[OrderEntry]) -> Decimal:
    """Base asset that the sales of persons among these orders of one symbol may still take out of the position.

    It is what has not traded, as far as is known, and what has and is not booked. The two orders of a list sell once.
    """
    alone = ZERO
    lists: dict[str, Decimal] = {}
    for entry in unsettled:
        order = entry.order
        if not is_persons_sale(order):
            continue
        base = order.left_base + max(ZERO, order.executed_base - entry.filled_base)
        if order.list_id is None:
            alone += base
        else:
            lists[order.list_id] = max(base, lists.get(order.list_id, ZERO))
    return alone + sum(lists.values(), start=ZERO)


def to_come(unsettled: Iterable[OrderEntry]) -> tuple[Decimal, Decimal]:
    """Base asset that the BUY orders among these may add to positions and the quote asset that they may spend on it.

    It is what may still trade, and what has traded and is not booked, at the price of its sizing. Of a list one order
    trades: the one that would spend more counts.
    """
    base_sum = quote_sum = ZERO
    lists: dict[str, tuple[Decimal, Decimal]] = {}
    for entry in unsettled:
        order = entry.order
        if order.side is _SELL:
            continue
        base = order.left_base + max(ZERO, order.executed_base - entry.filled_base)
        quote = base * order.reference_price
        if order.list_id is None:
            base_sum, quote_sum = base_sum + base, quote_sum + quote
        else:
            lists[order.list_id] = max((quote, base), lists.get(order.list_id, (ZERO, ZERO)))
    for quote, base in lists.values():
        base_sum, quote_sum = base_sum + base, quote_sum + quote
    return base_sum, quote_sum

"""Stop orders of one symbol that wait for their trigger, the last trade price (binance-protocol.md 4.2).

A STOP_LOSS waits for the price to go against its side, a TAKE_PROFIT for the price to come its way. A trailing stop
follows the price from the next trade on, or once its stop price is reached, and triggers when the price turns back by
its delta.
"""

from collections.abc import Iterator
from decimal import Decimal

from binance_trade_agent.domain.orders import OrderType, Side
from binance_trade_agent.matching.ladder import Ladder
from binance_trade_agent.matching.orders import ExchangeOrder

_BIPS = 10_000
_STOP_LOSSES = frozenset({OrderType.STOP_LOSS, OrderType.STOP_LOSS_LIMIT})


def waits_for_rise(order: ExchangeOrder) -> bool:
    """Whether the price must rise to the stop price, not fall to it."""
    return (order.type in _STOP_LOSSES) is (order.side is Side.BUY)


def is_reached(order: ExchangeOrder, price: Decimal) -> bool:
    """Whether a trade at `price` reaches the order's stop price."""
    return price >= order.stop_price if waits_for_rise(order) else price <= order.stop_price


class StopBook:
    """The waiting stop orders."""

    def __init__(self) -> None:
        self._rising = Ladder(highest_first=False)
        self._falling = Ladder(highest_first=True)
        self._trailing: dict[int, ExchangeOrder] = {}
        self._waiting: dict[int, ExchangeOrder] = {}

    def __iter__(self) -> Iterator[ExchangeOrder]:
        """All orders that wait."""
        return iter(self._waiting.values())

    def add(self, order: ExchangeOrder) -> None:
        """Let an order wait: for its stop price, or in the trail of the price."""
        self._waiting[order.order_id] = order
        if order.stop_price and order.trailing_ms is None:
            self._ladder(order).add(order.stop_price, order)
        else:
            self._trailing[order.order_id] = order

    def remove(self, order: ExchangeOrder) -> None:
        """An order waits no longer; one that does not is ignored."""
        if self._waiting.pop(order.order_id, None) is not None:
            self._trailing.pop(order.order_id, None)
            self._ladder(order).remove(order.stop_price, order)

    def after_trade(self, price: Decimal, at_ms: int) -> list[ExchangeOrder]:
        """The orders that a trade at `price` triggers; they wait no longer. Trailing orders take note of the price."""
        if not self._waiting:
            return []
        triggered = [order for order in self._trailing.values() if _has_turned(order, price, at_ms)]
        for order in triggered:
            del self._trailing[order.order_id]
        for order in self._reached(price):
            if order.trailing_delta is None:
                triggered.append(order)
            else:
                order.trailing_ms, order.trailing_extreme = at_ms, price
                self._trailing[order.order_id] = order
        for order in triggered:
            del self._waiting[order.order_id]
        return triggered

    def _ladder(self, order: ExchangeOrder) -> Ladder:
        return self._rising if waits_for_rise(order) else self._falling

    def _reached(self, price: Decimal) -> list[ExchangeOrder]:
        """Take out all orders whose stop price `price` reaches."""
        reached: list[ExchangeOrder] = []
        while (lowest := self._rising.best()) is not None and lowest <= price:
            reached += self._take_all(self._rising, lowest)
        while (highest := self._falling.best()) is not None and highest >= price:
            reached += self._take_all(self._falling, highest)
        return reached

    @staticmethod
    def _take_all(ladder: Ladder, stop_price: Decimal) -> list[ExchangeOrder]:
        orders = list(ladder.at(stop_price))
        for order in orders:
            ladder.remove(stop_price, order)
        return orders


def _has_turned(order: ExchangeOrder, price: Decimal, at_ms: int) -> bool:
    """Whether the price has turned back by the order's delta from the best it had; follow it otherwise."""
    assert order.trailing_delta is not None, "only orders with a delta trail"
    selling = order.side is Side.SELL
    if order.trailing_ms is None:
        order.trailing_ms, order.trailing_extreme = at_ms, price
    best = max(order.trailing_extreme, price) if selling else min(order.trailing_extreme, price)
    order.trailing_extreme = best
    if selling:
        return price * _BIPS <= best * (_BIPS - order.trailing_delta)
    return price * _BIPS >= best * (_BIPS + order.trailing_delta)

"""Orders sorted by a price, and at one price by arrival: one side of a book, or the stops that wait for the price."""

from bisect import bisect_left, insort
from collections.abc import Collection, Iterator
from decimal import Decimal

from binance_trade_agent.matching.orders import ExchangeOrder


class Ladder:
    """Prices in order with a queue of orders at each. Adding and removing do not depend on the number of orders.

    Attributes:
        prices: those at which orders are, ascending; empty when no order is in it.
    """

    def __init__(self, *, highest_first: bool) -> None:
        self._highest_first = highest_first
        self.prices: list[Decimal] = []
        self._queues: dict[Decimal, dict[int, ExchangeOrder]] = {}

    def __iter__(self) -> Iterator[ExchangeOrder]:
        """All orders, best price first, at one price in the order of their arrival."""
        for price in self.best_first():
            yield from self._queues[price].values()

    def add(self, price: Decimal, order: ExchangeOrder) -> None:
        """Put an order last in the queue of `price`."""
        queue = self._queues.get(price)
        if queue is None:
            queue = self._queues[price] = {}
            insort(self.prices, price)
        queue[order.order_id] = order

    def remove(self, price: Decimal, order: ExchangeOrder) -> bool:
        """Take an order out of the queue of `price`; says whether it was there."""
        queue = self._queues.get(price)
        if queue is None or queue.pop(order.order_id, None) is None:
            return False
        if not queue:
            del self._queues[price]
            del self.prices[bisect_left(self.prices, price)]
        return True

    def best(self) -> Decimal | None:
        """The first price, or None when no order is in it."""
        if not self.prices:
            return None
        return self.prices[-1] if self._highest_first else self.prices[0]

    def best_first(self) -> Iterator[Decimal]:
        """All prices, best first."""
        return reversed(self.prices) if self._highest_first else iter(self.prices)

    def last_at(self, price: Decimal) -> ExchangeOrder | None:
        """The order that arrived last at `price`."""
        queue = self._queues.get(price)
        return next(reversed(queue.values())) if queue else None

    def at(self, price: Decimal) -> Collection[ExchangeOrder]:
        """The orders at `price` in the order of their arrival."""
        queue = self._queues.get(price)
        return queue.values() if queue else ()

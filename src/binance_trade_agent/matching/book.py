"""One symbol's liquidity: the outside market's levels and, beside them, the users' resting orders.

The outside levels come whole from a feed. What takers consume of them stays consumed until the feed replaces them
(binance-protocol.md 4.3). At one price the outside quantity stands before the users' orders; these keep time priority.
"""

from bisect import insort
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from operator import attrgetter

from binance_trade_agent.domain.money import ZERO
from binance_trade_agent.domain.orders import Side
from binance_trade_agent.matching.orders import ExchangeOrder

Level = tuple[Decimal, Decimal]


@dataclass(frozen=True, slots=True)
class Offer:
    """Quantity that a taker can have at a price; `maker` is None for the outside market."""

    price: Decimal
    quantity: Decimal
    maker: ExchangeOrder | None


def opposite(side: Side) -> Side:
    """The other side."""
    return Side.SELL if side is Side.BUY else Side.BUY


def is_better(side: Side, price: Decimal, than: Decimal) -> bool:
    """Whether an order of `side` at `price` stands before one at `than` in the book."""
    return price > than if side is Side.BUY else price < than


class OrderBook:
    """Bids and asks of one symbol. Prices in quote per base, quantities in base asset; the best price comes first."""

    def __init__(self) -> None:
        self._outside: dict[Side, list[Level]] = {Side.BUY: [], Side.SELL: []}
        self._resting: dict[Side, list[ExchangeOrder]] = {Side.BUY: [], Side.SELL: []}
        self.update_id = 0

    def replace_outside(self, bids: Sequence[Level], asks: Sequence[Level]) -> None:
        """Take over the outside market's levels, best first; earlier consumption is forgotten."""
        self._outside[Side.BUY] = list(bids)
        self._outside[Side.SELL] = list(asks)
        self.update_id += 1

    def outside(self, side: Side) -> Sequence[Level]:
        """What is left of the outside market's levels on `side`, best first."""
        return self._outside[side]

    def resting(self, side: Side) -> Sequence[ExchangeOrder]:
        """Users' orders on `side` in price-time priority."""
        return self._resting[side]

    def rest(self, order: ExchangeOrder) -> None:
        """Put an order behind all that stands at its price."""
        order.queue_ahead = sum((size for price, size in self._outside[order.side] if price == order.price), ZERO)
        self.restore(order)

    def restore(self, order: ExchangeOrder) -> None:
        """Put an order back whose place in the queue is known already; orders come in the order of their ids."""
        by_price = attrgetter("price")
        insort(
            self._resting[order.side],
            order,
            key=by_price if order.side is Side.SELL else lambda resting: -resting.price,
        )
        self.update_id += 1

    def remove(self, order: ExchangeOrder) -> None:
        """Take an order out; an order that is not in the book is ignored."""
        resting = self._resting[order.side]
        if order in resting:
            resting.remove(order)
            self.update_id += 1

    def offers(self, taker: Side, limit: Decimal | None) -> Iterator[Offer]:
        """What a taker of side `taker` meets, best price first, up to and including the price `limit`."""
        side = opposite(taker)
        levels, orders = self._outside[side], self._resting[side]
        level_index = order_index = 0
        while level_index < len(levels) or order_index < len(orders):
            order = orders[order_index] if order_index < len(orders) else None
            level = levels[level_index] if level_index < len(levels) else None
            if level is None or (order is not None and is_better(side, order.price, level[0])):
                assert order is not None
                offer = Offer(order.price, order.remaining, order)
                order_index += 1
            else:
                offer = Offer(level[0], level[1], None)
                level_index += 1
            if limit is not None and is_better(side, limit, offer.price):
                return
            yield offer

    def consume_outside(self, side: Side, quantity: Decimal) -> None:
        """Take `quantity` from the best outside levels on `side`; users' orders behind it move up."""
        levels = self._outside[side]
        while quantity:
            price, size = levels[0]
            taken = min(size, quantity)
            quantity -= taken
            if taken == size:
                del levels[0]
            else:
                levels[0] = (price, size - taken)
            for order in self._resting[side]:
                if order.price == price:
                    order.queue_ahead = max(ZERO, order.queue_ahead - taken)
        self.update_id += 1

    def depth(self, side: Side, limit: int) -> list[Level]:
        """The `limit` best public levels of `side`, users' orders included.

        A user's order that the outside quote touches without trading is left out, so that the book is never crossed.
        """
        totals = dict(self._outside[side][:limit])
        facing = self._outside[opposite(side)]
        for order in self._resting[side]:
            if not facing or is_better(side, facing[0][0], order.price):
                totals[order.price] = totals.get(order.price, ZERO) + order.remaining
        return sorted(totals.items(), reverse=side is Side.BUY)[:limit]

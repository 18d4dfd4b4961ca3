"""One symbol's liquidity: the outside market's levels and, beside them, the users' resting orders.

The outside levels come whole from a feed. What takers consume of them stays consumed until the feed replaces them
(binance-protocol.md 4.3). At one price the outside quantity stands before the users' orders; these keep time priority.
An iceberg order shows a slice at a time; the next slice stands last at its price, what is hidden can still be taken.
"""

from collections.abc import Iterator, Sequence
from decimal import Decimal

import msgspec

from binance_trade_agent.domain.money import ZERO
from binance_trade_agent.domain.orders import Side
from binance_trade_agent.matching.ladder import Ladder
from binance_trade_agent.matching.orders import ExchangeOrder

Level = tuple[Decimal, Decimal]

OPPOSITE = {Side.BUY: Side.SELL, Side.SELL: Side.BUY}


class Offer(msgspec.Struct, frozen=True):
    """Quantity that a taker can have at a price; `maker` is None for the outside market."""

    price: Decimal
    quantity: Decimal
    maker: ExchangeOrder | None


def is_better(side: Side, price: Decimal, than: Decimal) -> bool:
    """Whether an order of `side` at `price` stands before one at `than` in the book."""
    return price > than if side is Side.BUY else price < than


class OrderBook:
    """Bids and asks of one symbol. Prices in quote per base, quantities in base asset; the best price comes first.

    Attributes:
        last_queue_number: of the order, or the slice of an order, that came last.
        update_id: grows with each change.
    """

    def __init__(self) -> None:
        self._outside: dict[Side, list[Level]] = {Side.BUY: [], Side.SELL: []}
        self._resting = {Side.BUY: Ladder(highest_first=True), Side.SELL: Ladder(highest_first=False)}
        self.last_queue_number = 0
        self.update_id = 0

    def replace_outside(self, bids: Sequence[Level], asks: Sequence[Level]) -> None:
        """Take over the outside market's levels, best first; earlier consumption is forgotten."""
        self._outside[Side.BUY] = list(bids)
        self._outside[Side.SELL] = list(asks)
        self.update_id += 1

    def outside(self, side: Side) -> Sequence[Level]:
        """What is left of the outside market's levels on `side`, best first."""
        return self._outside[side]

    def resting(self, side: Side) -> Ladder:
        """Users' orders on `side`; going over them keeps price-time priority."""
        return self._resting[side]

    def rest(self, order: ExchangeOrder) -> None:
        """Put an order, or the next slice of an iceberg order, behind all that stands at its price.

        It is behind the outside quantity that the users' order before it waits for too, even when the outside market
        has quoted less at the price since.
        """
        resting = self._resting[order.side]
        resting.remove(order.price, order)
        outside = sum((size for price, size in self._outside[order.side] if price == order.price), ZERO)
        last = resting.last_at(order.price)
        order.queue_ahead = outside if last is None else max(outside, last.queue_ahead)
        self.last_queue_number += 1
        order.queue_number = self.last_queue_number
        order.shown = min(order.iceberg_quantity, order.remaining)
        resting.add(order.price, order)
        self.update_id += 1

    def restore(self, order: ExchangeOrder) -> None:
        """Put an order back whose place is known already; orders come by ascending queue number."""
        self._resting[order.side].add(order.price, order)
        self.update_id += 1

    def remove(self, order: ExchangeOrder) -> None:
        """Take an order out; an order that is not in the book is ignored."""
        if self._resting[order.side].remove(order.price, order):
            self.update_id += 1

    def note_smaller(self) -> None:
        """A resting order has become smaller where it stands."""
        self.update_id += 1

    def offers(self, taker: Side, limit: Decimal | None) -> Iterator[Offer]:
        """What a taker of side `taker` meets, best price first, up to and including the price `limit`."""
        side = OPPOSITE[taker]
        if self._resting[side].prices:
            return self._all_offers(side, limit)
        return self._outside_offers(side, limit)

    def consume_outside(self, side: Side, quantity: Decimal) -> None:
        """Take `quantity` from the best outside levels on `side`; users' orders behind it move up."""
        levels = self._outside[side]
        resting = self._resting[side]
        while quantity:
            price, size = levels[0]
            taken = min(size, quantity)
            quantity -= taken
            if taken == size:
                del levels[0]
            else:
                levels[0] = (price, size - taken)
            if resting.prices:
                for order in resting.at(price):
                    order.queue_ahead = max(ZERO, order.queue_ahead - taken)
        self.update_id += 1

    def depth(self, side: Side, limit: int) -> list[Level]:
        """The `limit` best public levels of `side`, users' orders included as far as they show.

        A user's order that the outside quote touches without trading is left out, so that the book is never crossed.
        """
        levels, resting = self._outside[side], self._resting[side]
        if not resting.prices:
            return levels[:limit]
        facing = self._outside[OPPOSITE[side]]
        totals = dict(levels[:limit])
        added = 0
        for price in resting.best_first():
            if facing and not is_better(side, facing[0][0], price):
                continue
            shown = sum((order.visible for order in resting.at(price)), ZERO)
            totals[price] = totals.get(price, ZERO) + shown
            added += 1
            if added == limit:
                break
        return sorted(totals.items(), reverse=side is Side.BUY)[:limit]

    def _outside_offers(self, side: Side, limit: Decimal | None) -> Iterator[Offer]:
        for price, quantity in self._outside[side]:
            if limit is not None and is_better(side, limit, price):
                return
            yield Offer(price, quantity, None)

    def _all_offers(self, side: Side, limit: Decimal | None) -> Iterator[Offer]:
        """Outside levels and users' orders by price; at one price the outside comes first."""
        outside = self._outside_offers(side, limit)
        level = next(outside, None)
        resting = self._resting[side]
        for price in resting.best_first():
            if limit is not None and is_better(side, limit, price):
                break
            while level is not None and not is_better(side, price, level.price):
                yield level
                level = next(outside, None)
            yield from _queue_offers(price, list(resting.at(price)))
        while level is not None:
            yield level
            level = next(outside, None)


def _queue_offers(price: Decimal, queue: list[ExchangeOrder]) -> Iterator[Offer]:
    """The queue at one price: what shows in the order of arrival, then the hidden slices in turn."""
    hidden: list[tuple[ExchangeOrder, Decimal]] = []
    for order in queue:
        yield Offer(price, order.visible, order)
        if order.iceberg_quantity and order.remaining > order.shown:
            hidden.append((order, order.remaining - order.shown))
    while hidden:
        deeper: list[tuple[ExchangeOrder, Decimal]] = []
        for order, left in hidden:
            piece = min(order.iceberg_quantity, left)
            yield Offer(price, piece, order)
            if left > piece:
                deeper.append((order, left - piece))
        hidden = deeper

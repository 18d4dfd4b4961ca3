"""What stands of a symbol on the exchange, as far as protecting its position goes."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from binance_trade_agent.agents.exit_plan import Plan, covers
from binance_trade_agent.domain.money import ZERO
from binance_trade_agent.domain.orders import Order
from binance_trade_agent.ledger.books import BooksView
from binance_trade_agent.ledger.on_sale import is_persons_sale, on_sale_base
from binance_trade_agent.ledger.records import OrderEntry


@dataclass(frozen=True, slots=True)
class Standing:
    """The unsettled orders of a symbol.

    Attributes:
        protection: what rests to protect its position; None while another order is under way, so that it is not known
            what is held. A person's sale of unknown outcome is not such a one: it is counted in `on_sale_base`.
        persons: what persons have resting.
        on_sale_base: what of the position persons sell, in base asset.
    """

    protection: list[Order] | None
    persons: Sequence[Order] = ()
    on_sale_base: Decimal = ZERO

    @property
    def unwanted(self) -> list[Order]:
        """What persons have resting and somebody wants away: the cancel has not come to its end."""
        return [order for order in self.persons if order.cancel_requested_ms is not None]


def standing(books: BooksView, symbol: str) -> Standing:
    """What stands of the symbol now."""
    protection: list[Order] = []
    persons: list[Order] = []
    sales: list[OrderEntry] = []
    is_under_way = False
    for entry in books.unsettled_orders(symbol):
        order = entry.order
        if order.role.is_protective:
            protection.append(order)
            is_under_way = is_under_way or not order.is_on_exchange
            continue
        rests = order.is_persons_to_rest and order.is_on_exchange
        if rests:
            persons.append(order)
        if is_persons_sale(order):
            sales.append(entry)
        elif not rests:
            is_under_way = True
    return Standing(None if is_under_way else protection, persons, on_sale_base(sales) if sales else ZERO)


def to_look_after(books: BooksView) -> set[str]:
    """The symbols with a position or with orders that protect one, or that somebody wants away."""
    held = {symbol for symbol, position in books.positions().items() if position.quantity > 0}
    orders = (entry.order for entry in books.unsettled_orders())
    return held | {
        order.symbol for order in orders if order.role.is_protective or order.cancel_requested_ms is not None
    }


def is_a_move(live: Sequence[Order], plan: Plan) -> bool:
    """Whether one order rests as it should, only not at its price. Of a list a replacement would leave one leg."""
    return len(live) == 1 and live[0].list_id is None and {live[0].role} == plan.resting and covers(live[0], plan)

"""An order as the exchange lists it, with what only who placed it knew otherwise."""

from decimal import Decimal

from binance_trade_agent.domain.orders import OrderReport, OrderType
from binance_trade_agent.domain.values import Value


class PlacedOrder(Value, frozen=True):
    """One row of the account's orders on a symbol.

    Attributes:
        report: what it has done; its client order id is the cancel's where it was cancelled.
        price, stop_price: quote per base, None where it has none.
        list_id: the exchange's number of the order list that it is a leg of, None outside lists.
        placed_ms: when the exchange took it.
    """

    report: OrderReport
    type: OrderType
    price: Decimal | None
    stop_price: Decimal | None
    list_id: str | None
    placed_ms: int

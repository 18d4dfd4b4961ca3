"""Order lists: orders whose fates are tied together (binance-protocol.md 1.3, 4.1, 4.2)."""

from collections.abc import Sequence
from enum import StrEnum

import msgspec

from binance_trade_agent.matching.orders import ExchangeOrder, OrderRequest

_LEGS_OF_OCO = 2


class Contingency(StrEnum):
    """How the legs of a list depend on each other. Binance calls a one-triggers-an-OCO list OTO too."""

    OCO = "OCO"
    OTO = "OTO"


class ListStatusType(StrEnum):
    """What has just happened to a list."""

    RESPONSE = "RESPONSE"
    EXEC_STARTED = "EXEC_STARTED"
    UPDATED = "UPDATED"
    ALL_DONE = "ALL_DONE"


class ListOrderStatus(StrEnum):
    """Where a list stands."""

    EXECUTING = "EXECUTING"
    ALL_DONE = "ALL_DONE"
    REJECT = "REJECT"


class OrderListRequest(msgspec.Struct, frozen=True):
    """A list that a client asks for; each leg is complete and its filters hold.

    Attributes:
        legs: OCO: the stop leg, then the limit leg (of two stop legs the lower one first). OTO: the working order,
            then what it triggers: one order, or the two legs of an OCO, stop leg first.
    """

    account: str
    symbol: str
    contingency: Contingency
    client_list_id: str
    legs: tuple[OrderRequest, ...]


class OrderList(msgspec.Struct, eq=False):
    """A list on the exchange, executing or done.

    Attributes:
        list_id: larger than those of all lists before it, on any symbol.
        orders: the legs in the order of the request.
    """

    list_id: int
    account: str
    symbol: str
    contingency: Contingency
    client_list_id: str
    orders: list[ExchangeOrder]
    created_ms: int
    updated_ms: int
    status_type: ListStatusType = ListStatusType.EXEC_STARTED
    order_status: ListOrderStatus = ListOrderStatus.EXECUTING

    @property
    def is_open(self) -> bool:
        """Whether a leg can still fill or be cancelled."""
        return any(order.is_open for order in self.orders)

    @property
    def working(self) -> ExchangeOrder | None:
        """The order whose fill brings the pending ones to life; an OCO has none."""
        return self.orders[0] if self.contingency is Contingency.OTO else None

    @property
    def pending(self) -> Sequence[ExchangeOrder]:
        """The legs that wait, or waited, for the working order."""
        return self.orders[1:] if self.contingency is Contingency.OTO else ()

    def rival_of(self, order: ExchangeOrder) -> ExchangeOrder | None:
        """The other leg of the OCO that `order` is a leg of; the two hold their funds together."""
        pair = self.pending if self.contingency is Contingency.OTO else self.orders
        if len(pair) != _LEGS_OF_OCO or order not in pair:
            return None
        return pair[1] if order is pair[0] else pair[0]


class ListReport(msgspec.Struct, frozen=True):
    """One step of a list, with its state at that step."""

    order_list: OrderList
    status_type: ListStatusType
    order_status: ListOrderStatus
    at_ms: int

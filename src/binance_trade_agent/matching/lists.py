"""Order lists: orders whose fates are tied together (binance-protocol.md 1.3, 4.1, 4.2)."""

from dataclasses import dataclass
from enum import StrEnum

from binance_trade_agent.matching.orders import ExchangeOrder, OrderRequest


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


@dataclass(frozen=True, slots=True)
class OrderListRequest:
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


@dataclass(slots=True, eq=False)
class OrderList:
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


@dataclass(frozen=True, slots=True)
class ListReport:
    """One step of a list, with its state at that step."""

    order_list: OrderList
    status_type: ListStatusType
    order_status: ListOrderStatus
    at_ms: int

"""Orders as the exchange holds them, and what it reports about them (binance-protocol.md 4.1, 4.2, 4.5)."""

from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from binance_trade_agent.domain.money import ZERO
from binance_trade_agent.domain.orders import OrderType, Side


class TimeInForce(StrEnum):
    """How long an order may wait: until cancelled, not at all, or all of it at once."""

    GTC = "GTC"
    IOC = "IOC"
    FOK = "FOK"


class Status(StrEnum):
    """Binance's order statuses that this engine reaches."""

    NEW = "NEW"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"


OPEN_STATUSES = frozenset({Status.NEW, Status.PARTIALLY_FILLED})


class ExpiryReason(StrEnum):
    """Why an order ended unfilled without having been cancelled."""

    UNFILLED_IOC = "UNFILLED_IOC_QUANTITY_EXPIRED"
    UNFILLED_FOK = "UNFILLED_FOK_ORDER_EXPIRED"
    INSUFFICIENT_LIQUIDITY = "INSUFFICIENT_LIQUIDITY"


class ExecutionType(StrEnum):
    """What happened to the order in one execution report (field `x`)."""

    NEW = "NEW"
    TRADE = "TRADE"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """An order that a client asks for; its parameters are complete and its filters hold (filters.py).

    Attributes:
        quantity: base asset; None for a MARKET order by `quote_quantity`.
        quote_quantity: quote asset to spend or to receive; MARKET orders only.
        price: quote per base; None for MARKET orders.
        strategy_id, strategy_type: the client's own labels, given back as sent.
    """

    account: str
    symbol: str
    side: Side
    type: OrderType
    client_order_id: str
    quantity: Decimal | None = None
    quote_quantity: Decimal | None = None
    price: Decimal | None = None
    time_in_force: TimeInForce = TimeInForce.GTC
    strategy_id: int | None = None
    strategy_type: int | None = None


@dataclass(slots=True, eq=False)
class ExchangeOrder:
    """An order on the exchange, open or ended.

    Attributes:
        client_order_id: the id under which it is found now; a cancel's id takes its place.
        quantity: base asset; for a MARKET order by quote amount what was executed.
        price: quote per base, 0 for MARKET orders.
        locked: what it still holds of its account, in quote asset for BUY and in base asset for SELL.
        queue_ahead: external quantity that was at its price when it arrived and has not traded yet, base asset.
    """

    order_id: int
    account: str
    symbol: str
    side: Side
    type: OrderType
    time_in_force: TimeInForce
    client_order_id: str
    quantity: Decimal
    quote_quantity: Decimal
    price: Decimal
    created_ms: int
    updated_ms: int
    status: Status = Status.NEW
    executed_base: Decimal = ZERO
    executed_quote: Decimal = ZERO
    locked: Decimal = ZERO
    queue_ahead: Decimal = ZERO
    expiry_reason: ExpiryReason | None = None
    strategy_id: int | None = None
    strategy_type: int | None = None

    @property
    def is_open(self) -> bool:
        """Whether it can still fill or be cancelled."""
        return self.status in OPEN_STATUSES

    @property
    def remaining(self) -> Decimal:
        """Quantity not executed, base asset."""
        return self.quantity - self.executed_base


@dataclass(frozen=True, slots=True)
class Trade:
    """One side of a trade as its account sees it (a row of myTrades). `commission` is in `commission_asset`."""

    trade_id: int
    order_id: int
    account: str
    symbol: str
    side: Side
    price: Decimal
    quantity: Decimal
    quote_quantity: Decimal
    commission: Decimal
    commission_asset: str
    is_maker: bool
    at_ms: int


@dataclass(frozen=True, slots=True)
class PublicTrade:
    """A trade as everybody sees it."""

    trade_id: int
    symbol: str
    price: Decimal
    quantity: Decimal
    taker_side: Side
    at_ms: int


@dataclass(frozen=True, slots=True)
class ExecutionReport:
    """One step of one order, with the order's cumulative state at that step.

    Attributes:
        original_client_order_id: on a cancel the id under which the order was placed, else empty.
        trade: set when `execution` is TRADE.
        is_first_fill: whether the trade is the order's first, which gives back order count (binance-protocol.md 2.8).
    """

    order: ExchangeOrder
    execution: ExecutionType
    status: Status
    client_order_id: str
    executed_base: Decimal
    executed_quote: Decimal
    execution_id: int
    at_ms: int
    original_client_order_id: str = ""
    trade: Trade | None = None
    is_first_fill: bool = False


@dataclass(slots=True)
class Transaction:
    """All that one step of the engine did, in order.

    Attributes:
        assets: per account, the assets whose balances may have changed.
        trades: public trades in order; each report with a trade has its public trade here.
    """

    at_ms: int
    order: ExchangeOrder | None = None
    reports: list[ExecutionReport] = field(default_factory=list)
    trades: list[PublicTrade] = field(default_factory=list)
    assets: dict[str, set[str]] = field(default_factory=dict)

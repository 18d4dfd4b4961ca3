"""Orders as the exchange holds them, and what it reports about them (binance-protocol.md 4.1, 4.2, 4.5).

The values are msgspec structs: as immutable as a frozen dataclass, and made in a fifteenth of its time, which is what
much of a fill consists of (benchmarks/matching.py). Structs without garbage collection hold nothing that could be part
of a cycle. `msgspec.structs.replace` gives a changed copy.
"""

from decimal import Decimal
from enum import StrEnum

import msgspec

from binance_trade_agent.domain.money import ZERO
from binance_trade_agent.domain.orders import OrderType, Side


class TimeInForce(StrEnum):
    """How long an order may wait: until cancelled, not at all, or all of it at once."""

    GTC = "GTC"
    IOC = "IOC"
    FOK = "FOK"


class Status(StrEnum):
    """Binance's order statuses (binance-protocol.md 4.1). PENDING_NEW waits for the working order of its list."""

    NEW = "NEW"
    PENDING_NEW = "PENDING_NEW"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"
    EXPIRED_IN_MATCH = "EXPIRED_IN_MATCH"


STOP_TYPES = frozenset(
    {OrderType.STOP_LOSS, OrderType.STOP_LOSS_LIMIT, OrderType.TAKE_PROFIT, OrderType.TAKE_PROFIT_LIMIT}
)
OPEN_STATUSES = frozenset({Status.NEW, Status.PENDING_NEW, Status.PARTIALLY_FILLED})


class ExpiryReason(StrEnum):
    """Why an order ended unfilled without having been cancelled."""

    UNFILLED_IOC = "UNFILLED_IOC_QUANTITY_EXPIRED"
    UNFILLED_FOK = "UNFILLED_FOK_ORDER_EXPIRED"
    INSUFFICIENT_LIQUIDITY = "INSUFFICIENT_LIQUIDITY"
    OCO_TRIGGER = "OCO_TRIGGER"
    OTO_PHASE_ONE_EXPIRED = "OTO_PHASE_ONE_EXPIRED"
    REJECTED = "REJECTED"


class SelfTradePrevention(StrEnum):
    """What happens when an order would trade with another of the same account; the taker's mode decides."""

    NONE = "NONE"
    EXPIRE_TAKER = "EXPIRE_TAKER"
    EXPIRE_MAKER = "EXPIRE_MAKER"
    EXPIRE_BOTH = "EXPIRE_BOTH"
    DECREMENT = "DECREMENT"
    TRANSFER = "TRANSFER"


class ExecutionType(StrEnum):
    """What happened to the order in one execution report (field `x`)."""

    NEW = "NEW"
    TRADE = "TRADE"
    CANCELED = "CANCELED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"
    TRADE_PREVENTION = "TRADE_PREVENTION"


class OrderRequest(msgspec.Struct, frozen=True):
    """An order that a client asks for; its parameters are complete and its filters hold (filters.py).

    Attributes:
        quantity: base asset; None for a MARKET order by `quote_quantity`.
        quote_quantity: quote asset to spend or to receive; MARKET orders only.
        price: quote per base; None for orders that take at the market.
        stop_price: quote per base; the last price at which a stop order triggers.
        trailing_delta: distance of a trailing stop in bips: 100 is 1 %.
        iceberg_quantity: base asset; how much of the order the book shows at a time.
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
    stop_price: Decimal | None = None
    trailing_delta: int | None = None
    iceberg_quantity: Decimal | None = None
    self_trade_prevention: SelfTradePrevention = SelfTradePrevention.NONE
    strategy_id: int | None = None
    strategy_type: int | None = None


class ExchangeOrder(msgspec.Struct, eq=False, gc=False):
    """An order on the exchange, open or ended.

    Attributes:
        client_order_id: the id under which it is found now; a cancel's id takes its place.
        quantity: base asset; for a MARKET order by quote amount what was executed.
        price: quote per base, 0 for MARKET orders.
        locked: what it still holds of its account, in quote asset for BUY and in base asset for SELL.
        lock_price: price at which a BUY holds funds for what remains of it, quote per base: its limit, or the stop
            price of a stop order that will take at the market. None while it takes at the market: then it holds just
            what its fills will cost.
        queue_number: its place in time among all that ever came into the symbol's book.
        queue_ahead: external quantity that was at its price when it arrived and has not traded yet, base asset.
        shown: of an iceberg order what is left of the slice that the book shows, base asset.
        stop_price, iceberg_quantity: as requested, 0 when they were not.
        trailing_delta: bips, None when it does not trail.
        trailing_ms: since when it follows the price; None until then.
        trailing_extreme: highest (SELL) or lowest (BUY) trade price since then, quote per base.
        working_ms: since when it works in the book or took from it; None for a stop that waits for its trigger and for
            a pending order.
        order_list_id: of the list that it is a leg of, or None.
        prevented_base: quantity that self-trade prevention took off it, base asset.
        prevented_match_id: of the last prevented match, or None.
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
    lock_price: Decimal | None = None
    queue_number: int = 0
    queue_ahead: Decimal = ZERO
    shown: Decimal = ZERO
    expiry_reason: ExpiryReason | None = None
    stop_price: Decimal = ZERO
    trailing_delta: int | None = None
    trailing_ms: int | None = None
    trailing_extreme: Decimal = ZERO
    iceberg_quantity: Decimal = ZERO
    self_trade_prevention: SelfTradePrevention = SelfTradePrevention.NONE
    working_ms: int | None = None
    order_list_id: int | None = None
    prevented_base: Decimal = ZERO
    prevented_match_id: int | None = None
    strategy_id: int | None = None
    strategy_type: int | None = None

    @classmethod
    def of(cls, request: OrderRequest, order_id: int, at_ms: int) -> "ExchangeOrder":
        """What a request asks for, before anything has become of it: it neither works nor holds funds."""
        return cls(
            order_id=order_id,
            account=request.account,
            symbol=request.symbol,
            side=request.side,
            type=request.type,
            time_in_force=request.time_in_force,
            client_order_id=request.client_order_id,
            quantity=request.quantity or ZERO,
            quote_quantity=request.quote_quantity or ZERO,
            price=request.price or ZERO,
            created_ms=at_ms,
            updated_ms=at_ms,
            stop_price=request.stop_price or ZERO,
            trailing_delta=request.trailing_delta,
            iceberg_quantity=request.iceberg_quantity or ZERO,
            self_trade_prevention=request.self_trade_prevention,
            strategy_id=request.strategy_id,
            strategy_type=request.strategy_type,
        )

    @property
    def is_open(self) -> bool:
        """Whether it can still fill or be cancelled."""
        return self.status in OPEN_STATUSES

    @property
    def remaining(self) -> Decimal:
        """Quantity neither executed nor prevented, base asset."""
        return self.quantity - self.executed_base - self.prevented_base

    @property
    def visible(self) -> Decimal:
        """How much of it the book shows, base asset."""
        return self.shown if self.iceberg_quantity else self.remaining

    @property
    def waits_for_trigger(self) -> bool:
        """Whether it is a stop order that has not triggered yet (an algo order in the words of the filters)."""
        return self.working_ms is None and self.type in STOP_TYPES

    @property
    def needed(self) -> Decimal:
        """What it must hold for what remains of it: its value for BUY in quote asset, itself for SELL."""
        if self.side is Side.SELL:
            return self.remaining
        return (self.lock_price or ZERO) * self.remaining


class Trade(msgspec.Struct, frozen=True, gc=False):
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


class PreventedMatch(msgspec.Struct, frozen=True, gc=False):
    """A trade of an account with itself that did not happen (a row of myPreventedMatches).

    `quantity` would have traded; `taker_prevented` and `maker_prevented` are what each side lost by it, None where it
    lost nothing. All are base asset.
    """

    prevented_match_id: int
    account: str
    symbol: str
    taker_order_id: int
    maker_order_id: int
    trade_group_id: int
    mode: SelfTradePrevention
    price: Decimal
    quantity: Decimal
    taker_prevented: Decimal | None
    maker_prevented: Decimal | None
    at_ms: int


class PublicTrade(msgspec.Struct, frozen=True, gc=False):
    """A trade as everybody sees it; `taker_order_id` is None when the taker is the outside market."""

    trade_id: int
    symbol: str
    price: Decimal
    quantity: Decimal
    taker_side: Side
    at_ms: int
    taker_order_id: int | None = None


class ExecutionReport(msgspec.Struct, frozen=True, gc=False):
    """One step of one order, with the order's cumulative state at that step.

    Attributes:
        original_client_order_id: on a cancel the id under which the order was placed, else empty.
        trade: set when `execution` is TRADE.
        prevented: set when `execution` is TRADE_PREVENTION, and when the order expired in that match.
        working_ms, prevented_base: the order's at that step.
        reject_reason: `NONE`, or why a leg was rejected (binance-protocol.md 2.6, field `r`).
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
    prevented: PreventedMatch | None = None
    working_ms: int | None = None
    prevented_base: Decimal = ZERO
    reject_reason: str = "NONE"

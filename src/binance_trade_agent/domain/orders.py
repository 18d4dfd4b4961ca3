"""Orders, their states, and the ids by which we know them."""

from decimal import Decimal
from enum import StrEnum

from binance_trade_agent.domain.exits import ExitKind
from binance_trade_agent.domain.money import ZERO
from binance_trade_agent.domain.order_ids import CLIENT_ORDER_ID_PREFIX, client_order_id, is_own_order_id
from binance_trade_agent.domain.order_states import (
    STATE_OF_STATUS,
    TERMINAL_STATES,
    TRANSITIONS,
    OrderState,
)
from binance_trade_agent.domain.values import Value
from binance_trade_agent.domain.words import NO_WORDS, Text, Worded

__all__ = [
    "CLIENT_ORDER_ID_PREFIX",
    "STATE_OF_STATUS",
    "TERMINAL_STATES",
    "TRANSITIONS",
    "Fill",
    "Order",
    "OrderIntent",
    "OrderReport",
    "OrderState",
    "OrderType",
    "Role",
    "Side",
    "client_order_id",
    "is_own_order_id",
]


class Side(StrEnum):
    """Direction of an order or a fill."""

    BUY = "BUY"
    SELL = "SELL"


class OrderType(StrEnum):
    """Binance's order types (binance-protocol.md 4.2)."""

    MARKET = "MARKET"
    LIMIT = "LIMIT"
    LIMIT_MAKER = "LIMIT_MAKER"
    STOP_LOSS = "STOP_LOSS"
    STOP_LOSS_LIMIT = "STOP_LOSS_LIMIT"
    TAKE_PROFIT = "TAKE_PROFIT"
    TAKE_PROFIT_LIMIT = "TAKE_PROFIT_LIMIT"


class Role(StrEnum):
    """What an order is for. STOP_LOSS and TAKE_PROFIT rest and protect a position.

    ENTRY and EXIT trade at once, but for what a person has placed with a price.
    """

    ENTRY = "ENTRY"
    EXIT = "EXIT"
    STOP_LOSS = "STOP_LOSS"
    TAKE_PROFIT = "TAKE_PROFIT"

    @property
    def is_protective(self) -> bool:
        """Whether it rests on the exchange until the price comes to it."""
        return self in _PROTECTIVE


_PROTECTIVE = frozenset({Role.STOP_LOSS, Role.TAKE_PROFIT})
_ON_EXCHANGE = frozenset({OrderState.ACCEPTED, OrderState.PARTIALLY_FILLED})
# To look one up by its name takes ten times as long as to compare it.
_BUY, _MARKET = Side.BUY, OrderType.MARKET


class OrderIntent(Worded, frozen=True):
    """What the risk agent approved: an order that is to be placed, already within every filter.

    Attributes:
        quantity: base asset, a multiple of the symbol's step.
        reference_price: price at which the order was sized, quote per base.
        reason: why this size, for the log.
        price: limit price of an order that has one; stop_price: price that awakes a stop.
        list_id: our id of the order list that it is a leg of, None outside lists.
        exit: of an order that leaves a position, what makes it; None for entries.
        atr_quote: of an entry, the average true range of a candle when it was decided, quote per base; None: unknown.
    """

    client_order_id: str
    symbol: str
    side: Side
    type: OrderType
    quantity: Decimal
    reference_price: Decimal
    tick_ms: int
    candle_open_ms: int
    reason: Text = NO_WORDS
    price: Decimal | None = None
    role: Role = Role.ENTRY
    stop_price: Decimal | None = None
    list_id: str | None = None
    exit: ExitKind | None = None
    atr_quote: Decimal | None = None


class Order(Worded, frozen=True):
    """An order of ours as the ledger knows it. Quantities in base asset, `executed_quote` in quote asset, times ms UTC.

    Attributes:
        exchange_order_id: None until the exchange has told it.
        owner: run that answers for it: it asks until the order is settled. The next run takes over what a run leaves.
        deadline_ms: market time by which its outcome has to be known, None while nothing is unknown; an alarm after it.
        cancel_requested_ms: when we first wanted it cancelled, None when we did not.
        exit, atr_quote: see OrderIntent.
    """

    client_order_id: str
    symbol: str
    side: Side
    type: OrderType
    quantity: Decimal
    state: OrderState
    created_ms: int
    updated_ms: int
    tick_ms: int
    candle_open_ms: int
    reference_price: Decimal
    price: Decimal | None = None
    exchange_order_id: int | None = None
    executed_base: Decimal = ZERO
    executed_quote: Decimal = ZERO
    detail: Text = NO_WORDS
    role: Role = Role.ENTRY
    stop_price: Decimal | None = None
    list_id: str | None = None
    owner: str = ""
    deadline_ms: int | None = None
    cancel_requested_ms: int | None = None
    exit: ExitKind | None = None
    atr_quote: Decimal | None = None

    @property
    def is_terminal(self) -> bool:
        """Whether nothing of it rests on the exchange, as far as we know."""
        return self.state in TERMINAL_STATES

    @property
    def is_on_exchange(self) -> bool:
        """Whether it rests on the exchange, as far as we know."""
        return self.state in _ON_EXCHANGE

    @property
    def is_persons_to_rest(self) -> bool:
        """Whether a person has placed it to wait for its price: the bot itself rests nothing but protection."""
        return self.type is not _MARKET and not self.role.is_protective

    @property
    def rests(self) -> bool:
        """Whether it is on the exchange on purpose until its price comes, and nobody wants it away."""
        is_to_rest = self.role in _PROTECTIVE or self.is_persons_to_rest
        return is_to_rest and self.state in _ON_EXCHANGE and self.cancel_requested_ms is None

    @property
    def left_base(self) -> Decimal:
        """What may still trade, in base asset."""
        return ZERO if self.state in TERMINAL_STATES else max(ZERO, self.quantity - self.executed_base)

    @property
    def reserved_quote(self) -> Decimal:
        """Quote asset that it may still spend, at the price of its sizing; 0 for a SELL."""
        return self.left_base * self.reference_price if self.side is _BUY else ZERO


class OrderReport(Value, frozen=True):
    """What the exchange says of an order, from an answer, a query or an execution report.

    `client_order_id` is the id under which the order was placed, also after a cancel has replaced it.
    """

    symbol: str
    exchange_order_id: int
    client_order_id: str
    side: Side
    status: str
    quantity: Decimal
    executed_base: Decimal
    executed_quote: Decimal
    at_ms: int
    detail: str = ""
    fills: "tuple[Fill, ...]" = ()


class Fill(Value, frozen=True):
    """One trade of ours. (symbol, trade_id) is unique within an epoch of the exchange.

    Attributes:
        price: quote per base; `quantity` base, `quote_quantity` quote asset, as the exchange states them.
        commission: in `commission_asset`, deducted from what was credited (binance-protocol.md 4.4).
    """

    symbol: str
    trade_id: int
    exchange_order_id: int
    client_order_id: str
    side: Side
    price: Decimal
    quantity: Decimal
    quote_quantity: Decimal
    commission: Decimal
    commission_asset: str
    is_maker: bool
    traded_ms: int

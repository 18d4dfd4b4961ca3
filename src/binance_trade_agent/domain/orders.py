"""Orders, their states, and the ids by which we know them."""

import hashlib
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from binance_trade_agent.domain.money import ZERO

CLIENT_ORDER_ID_PREFIX = "bta"


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


class OrderState(StrEnum):
    """Where an order of ours stands, as far as we know.

    INTENT: committed to the ledger, not sent. SENT: handed to the network. UNKNOWN: the outcome was not seen. ACCEPTED:
    on the exchange, nothing filled. DENIED: never left us. NOT_PLACED: proved absent from the exchange. The others are
    Binance's (binance-protocol.md 4.1; EXPIRED_IN_MATCH counts as EXPIRED).
    """

    INTENT = "INTENT"
    SENT = "SENT"
    UNKNOWN = "UNKNOWN"
    ACCEPTED = "ACCEPTED"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"
    REJECTED = "REJECTED"
    DENIED = "DENIED"
    NOT_PLACED = "NOT_PLACED"


_ON_EXCHANGE = frozenset(
    {
        OrderState.ACCEPTED,
        OrderState.PARTIALLY_FILLED,
        OrderState.FILLED,
        OrderState.CANCELED,
        OrderState.EXPIRED,
        OrderState.REJECTED,
    }
)

# From each state, the states that may follow. Anything else is a late or repeated message and changes nothing.
TRANSITIONS: dict[OrderState, frozenset[OrderState]] = {
    OrderState.INTENT: frozenset({OrderState.SENT, OrderState.DENIED}),
    OrderState.SENT: _ON_EXCHANGE | {OrderState.UNKNOWN, OrderState.DENIED},
    OrderState.UNKNOWN: _ON_EXCHANGE | {OrderState.NOT_PLACED},
    OrderState.ACCEPTED: frozenset(
        {OrderState.PARTIALLY_FILLED, OrderState.FILLED, OrderState.CANCELED, OrderState.EXPIRED}
    ),
    OrderState.PARTIALLY_FILLED: frozenset({OrderState.FILLED, OrderState.CANCELED, OrderState.EXPIRED}),
    OrderState.FILLED: frozenset(),
    OrderState.CANCELED: frozenset(),
    OrderState.EXPIRED: frozenset(),
    OrderState.REJECTED: frozenset(),
    OrderState.DENIED: frozenset(),
    OrderState.NOT_PLACED: frozenset(),
}

TERMINAL_STATES = frozenset(state for state, followers in TRANSITIONS.items() if not followers)

# Statuses of the exchange (binance-protocol.md 4.1) and what they mean for us.
STATE_OF_STATUS: dict[str, OrderState] = {
    "NEW": OrderState.ACCEPTED,
    "PENDING_NEW": OrderState.ACCEPTED,
    "PENDING_CANCEL": OrderState.ACCEPTED,
    "PARTIALLY_FILLED": OrderState.PARTIALLY_FILLED,
    "FILLED": OrderState.FILLED,
    "CANCELED": OrderState.CANCELED,
    "EXPIRED": OrderState.EXPIRED,
    "EXPIRED_IN_MATCH": OrderState.EXPIRED,
    "REJECTED": OrderState.REJECTED,
}


def client_order_id(
    *, instance: str, epoch: int, strategy: str, symbol: str, tick_ms: int, leg: str, attempt: int
) -> str:
    """The id of the order that one decision leads to: the same decision gives the same id, after a crash too.

    The readable part names the symbol; the digest holds all of the decision. At most 36 characters of `[A-Za-z0-9-]`,
    because others break python-binance's signature (binance-protocol.md 2.2).
    """
    decision = "|".join((instance, str(epoch), strategy, symbol, str(tick_ms), leg, str(attempt)))
    digest = hashlib.blake2b(decision.encode(), digest_size=8).hexdigest()
    label = "".join(character for character in symbol if character.isascii() and character.isalnum())[:12]
    return f"{CLIENT_ORDER_ID_PREFIX}-{label}-{digest}"


def is_own_order_id(order_id: str) -> bool:
    """Whether a client order id was made by this program; orders with other ids are foreign and are left alone."""
    return order_id.startswith(f"{CLIENT_ORDER_ID_PREFIX}-")


@dataclass(frozen=True, slots=True)
class OrderIntent:
    """What the risk agent approved: an order that is to be placed, already within every filter.

    Attributes:
        quantity: base asset, a multiple of the symbol's step.
        reference_price: price at which the order was sized, quote per base.
        reason: why this size, for the log.
    """

    client_order_id: str
    symbol: str
    side: Side
    type: OrderType
    quantity: Decimal
    reference_price: Decimal
    tick_ms: int
    candle_open_ms: int
    reason: str = ""
    price: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """An order of ours as the ledger knows it. Quantities in base asset, `executed_quote` in quote asset, times ms UTC.

    `exchange_order_id` is None until the exchange has told it.
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
    detail: str = ""

    @property
    def is_terminal(self) -> bool:
        """Whether no further state can follow."""
        return self.state in TERMINAL_STATES


@dataclass(frozen=True, slots=True)
class OrderReport:
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


@dataclass(frozen=True, slots=True)
class Fill:
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

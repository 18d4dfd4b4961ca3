"""Refusals of the engine. The texts are Binance's own (binance-protocol.md 2.5 and 2.6)."""

INSUFFICIENT_BALANCE = "Account has insufficient balance for requested action."
DUPLICATE_ORDER = "Duplicate order sent."
WOULD_TAKE = "Order would immediately match and take."
WOULD_TRIGGER = "Order would trigger immediately."
NO_LIQUIDITY = "Order book liquidity is less than symbol minimum quantity."
LIQUIDITY_BELOW_LOT = "Order book liquidity is less than LOT_SIZE filter minimum quantity."
MARKET_CLOSED = "Market is closed."
NOTHING_ORDERED = "Price * QTY is zero or less."
ICEBERG_TOO_LARGE = "IcebergQty exceeds QTY."
BAD_OCO_PRICES = "The relationship of the prices for the orders is not correct."
UNKNOWN_ORDER = "Unknown order sent."
CANCEL_RESTRICTED = "Order was not canceled due to cancel restrictions."

# Field `r` of the execution report of an order that is refused after it was accepted (binance-protocol.md 2.6).
_REJECT_REASONS = {
    INSUFFICIENT_BALANCE: "INSUFFICIENT_BALANCES",
    WOULD_TAKE: "WOULD_MATCH_IMMEDIATELY",
    WOULD_TRIGGER: "STOP_PRICE_WOULD_TRIGGER_IMMEDIATELY",
    BAD_OCO_PRICES: "OCO_BAD_PRICES",
}


class Refused(Exception):  # noqa: N818  (a refusal is an answer of the exchange, not a fault)
    """The exchange says no and nothing has changed; the text says why."""


class OrderRefused(Refused):
    """A new order is not accepted by the engine (-2010)."""

    @property
    def reject_reason(self) -> str:
        """The reason as an execution report names it; NONE where Binance has no name for it."""
        return _REJECT_REASONS.get(str(self), "NONE")


class CancelRefused(Refused):
    """An order cannot be cancelled (-2011)."""


class FilterRefused(Refused):
    """A new order breaks a filter of its symbol before it reaches the engine (-1013)."""

    def __init__(self, filter_name: str) -> None:
        super().__init__(f"Filter failure: {filter_name}")
        self.filter_name = filter_name

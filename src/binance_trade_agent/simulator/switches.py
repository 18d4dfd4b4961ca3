"""Where the exchange's behaviour is not certain, or has two ways: the way that is taken now."""

from dataclasses import dataclass


@dataclass(slots=True)
class Switches:
    """Set by the control port.

    Attributes:
        cancel_replaces_client_id: whether an order is found by its cancel's id afterwards, and by its own no longer
            (binance-protocol.md 1.3, DELETE order).
        report_rejected_orders: whether the user stream tells of orders that the engine refused (4.5, x=REJECTED).
        liquidity_is_consumed: whether what takers took of the outside book is gone until the market renews it (4.3).
    """

    cancel_replaces_client_id: bool = True
    report_rejected_orders: bool = False
    liquidity_is_consumed: bool = True

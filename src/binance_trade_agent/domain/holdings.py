"""A holding: a position since it was last flat or dust, with what its exits are reckoned from."""

from decimal import Decimal

from binance_trade_agent.domain.exits import ExitKind
from binance_trade_agent.domain.positions import Position
from binance_trade_agent.domain.values import Value


class Holding(Value, frozen=True):
    """What is held of a symbol, and since when it is more than dust. Prices in quote per base, times market ms.

    Attributes:
        opened_ms: time of the fill that made it more than dust.
        entry_order_id: client id of the order of that fill.
        highest_paid: highest price at which was bought since then.
        atr_quote: average true range at that entry; None: unknown.
        last_stop_price, last_stop_kind: the stop that the exchange took last for it; None without one.
    """

    position: Position
    opened_ms: int
    entry_order_id: str
    highest_paid: Decimal
    atr_quote: Decimal | None = None
    last_stop_price: Decimal | None = None
    last_stop_kind: ExitKind | None = None

    @property
    def average_price(self) -> Decimal:
        """What one unit of base cost, after fees."""
        return self.position.cost_quote / self.position.quantity

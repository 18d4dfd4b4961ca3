"""Nothing is entered while too much is unknown."""

from dataclasses import dataclass
from typing import ClassVar

from binance_trade_agent.domain.decisions import Finding
from binance_trade_agent.risk.context import RiskContext
from binance_trade_agent.risk.rules import counted, unlimited


@dataclass(frozen=True, slots=True)
class UnknownOrders:
    """Refuses while `limit` orders or more, of whatever symbol, have an unknown outcome."""

    limit: int
    name: ClassVar[str] = "unknown_orders"
    setting: ClassVar[str] = "RISK_MAX_UNKNOWN_ORDERS"

    def review(self, context: RiskContext) -> Finding:
        """Compare the number of orders."""
        if not self.limit:
            return unlimited(self.name, self.setting)
        count = context.unknown_orders
        return Finding(self.name, count < self.limit, (self._words, count), count, self.limit, "orders")

    def _words(self, count: int) -> str:
        return f"{counted(count, 'order')} of unknown outcome, entries stop at {self.limit} ({self.setting})"

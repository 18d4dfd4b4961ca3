"""No orders on a symbol that does not trade."""

from typing import ClassVar

from binance_trade_agent.domain.decisions import Refusal
from binance_trade_agent.domain.orders import OrderType
from binance_trade_agent.risk.context import ProposedOrder, RiskContext


class SymbolStatus:
    """Refuses unless the exchange says TRADING and takes market orders (binance-protocol.md 1.1)."""

    name: ClassVar[str] = "symbol_status"

    def review(self, context: RiskContext, order: ProposedOrder) -> Refusal | None:  # noqa: ARG002 - the rule's form
        """Compare the symbol's status."""
        rules = context.view.rules
        if rules.status != "TRADING":
            return Refusal(self.name, f"{rules.symbol} is in status {rules.status}, orders need TRADING")
        if OrderType.MARKET not in rules.order_types:
            return Refusal(self.name, f"{rules.symbol} takes no MARKET orders, only {', '.join(rules.order_types)}")
        return None

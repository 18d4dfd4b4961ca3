"""No orders on a symbol that does not trade."""

from functools import cache
from typing import ClassVar

from binance_trade_agent.domain.decisions import Finding
from binance_trade_agent.risk.context import RiskContext


class SymbolStatus:
    """Refuses unless the exchange says TRADING and takes market orders (binance-protocol.md 1.1)."""

    name: ClassVar[str] = "symbol_status"

    def review(self, context: RiskContext) -> Finding:
        """Look at the symbol's status and order types."""
        rules = context.view.rules
        if rules.status != "TRADING":
            detail = f"{rules.symbol} is in status {rules.status}, orders need TRADING"
            return Finding(self.name, allows=False, detail=detail)
        if "MARKET" not in rules.order_types:
            detail = f"{rules.symbol} takes no MARKET orders, only {', '.join(rules.order_types)}"
            return Finding(self.name, allows=False, detail=detail)
        return _trades(rules.symbol)


@cache
def _trades(symbol: str) -> Finding:
    return Finding("symbol_status", allows=True, detail=f"{symbol} is in status TRADING and takes MARKET orders")

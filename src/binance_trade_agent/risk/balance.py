"""Nothing is bought with money that is not there."""

from dataclasses import dataclass
from decimal import Decimal
from typing import ClassVar

from binance_trade_agent.domain.decisions import Finding
from binance_trade_agent.risk.context import ProposedOrder, RiskContext
from binance_trade_agent.risk.rules import shown


@dataclass(frozen=True, slots=True)
class Balance:
    """Refuses an entry that the free quote balance does not cover.

    The order's value is raised by `reserve_fraction`, because a market order may fill above the best ask, and what
    orders of unknown outcome may still spend is not counted as free.
    """

    reserve_fraction: Decimal
    name: ClassVar[str] = "balance"

    def review(self, context: RiskContext, order: ProposedOrder) -> Finding:
        """Compare the order's value with the free balance."""
        needed = order.notional * (1 + self.reserve_fraction)
        available = context.free_quote - context.pending_buy_quote
        quote = context.view.rules.quote_asset
        pending = f" ({shown(context.pending_buy_quote, quote)} reserved)" if context.pending_buy_quote else ""
        detail = f"{shown(needed, quote)} needed, {shown(available, quote)} available{pending}"
        return Finding(self.name, needed <= available, detail, needed, available, quote)

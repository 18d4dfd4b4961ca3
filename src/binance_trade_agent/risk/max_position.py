"""A limit on the value of one symbol's position."""

from dataclasses import dataclass
from decimal import Decimal
from typing import ClassVar

from binance_trade_agent.domain.decisions import Refusal
from binance_trade_agent.risk.context import ProposedOrder, RiskContext
from binance_trade_agent.risk.rules import shown


@dataclass(frozen=True, slots=True)
class MaxPosition:
    """Refuses an entry after which the position would be worth more than `limit_quote` at the order's price."""

    limit_quote: Decimal
    name: ClassVar[str] = "max_position"

    def review(self, context: RiskContext, order: ProposedOrder) -> Refusal | None:
        """Compare the value of the position with the order added."""
        held_quote = context.held_base * order.price
        if held_quote + order.notional <= self.limit_quote:
            return None
        quote = context.view.rules.quote_asset
        detail = (
            f"{shown(held_quote, quote)} held and {shown(order.notional, quote)} more, "
            f"at most {shown(self.limit_quote, quote)} allowed (RISK_MAX_POSITION_QUOTE)"
        )
        return Refusal(self.name, detail)

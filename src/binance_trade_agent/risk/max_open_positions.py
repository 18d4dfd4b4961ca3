"""A limit on how many symbols are held at a time."""

from dataclasses import dataclass
from typing import ClassVar

from binance_trade_agent.domain.decisions import Refusal
from binance_trade_agent.risk.context import ProposedOrder, RiskContext


@dataclass(frozen=True, slots=True)
class MaxOpenPositions:
    """Refuses to open one position more than `limit`; adding to an open one is not opening. Dust is not a position."""

    limit: int
    name: ClassVar[str] = "max_open_positions"

    def review(self, context: RiskContext, order: ProposedOrder) -> Refusal | None:
        """Count the open positions."""
        is_open = not context.view.rules.is_dust(context.held_base, order.price)
        if is_open or context.open_positions < self.limit:
            return None
        count = context.open_positions
        positions = "1 position is" if count == 1 else f"{count} positions are"
        return Refusal(self.name, f"{positions} open, at most {self.limit} allowed (RISK_MAX_OPEN_POSITIONS)")

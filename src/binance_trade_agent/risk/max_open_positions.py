"""A limit on how many symbols are held at a time."""

from dataclasses import dataclass
from typing import ClassVar

from binance_trade_agent.domain.decisions import Finding
from binance_trade_agent.risk.context import RiskContext
from binance_trade_agent.risk.rules import counted, unlimited


@dataclass(frozen=True, slots=True)
class MaxOpenPositions:
    """Refuses to open one position more than `limit`; adding to an open one is not opening. Dust is not a position."""

    limit: int
    name: ClassVar[str] = "max_open_positions"
    setting: ClassVar[str] = "RISK_MAX_OPEN_POSITIONS"

    def review(self, context: RiskContext) -> Finding:
        """Count the open positions."""
        if not self.limit:
            return unlimited(self.name, self.setting)
        # At the bid, as `open_positions` is counted: what is dust for one must not be open for the other.
        is_open = not context.view.rules.is_dust(context.held_base, context.view.book.bid)
        count = context.open_positions
        allows = is_open or count < self.limit
        return Finding(self.name, allows, (self._words, count, is_open), count, self.limit, "positions")

    def _words(self, count: int, is_open: bool) -> str:
        if is_open or count < self.limit:
            added = "adds to an open position, " if is_open else ""
            return f"{added}{count} of at most {self.limit} positions open ({self.setting})"
        are = counted(count, "position is", "positions are")
        return f"{are} open, at most {self.limit} allowed ({self.setting})"

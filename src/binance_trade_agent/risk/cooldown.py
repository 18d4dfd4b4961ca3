"""A pause between two entries on one symbol."""

from dataclasses import dataclass
from typing import ClassVar

from binance_trade_agent.domain.decisions import Refusal
from binance_trade_agent.risk.context import ProposedOrder, RiskContext


@dataclass(frozen=True, slots=True)
class Cooldown:
    """Refuses within `seconds` of the symbol's last filled entry. Attempts that did not fill do not count."""

    seconds: int
    name: ClassVar[str] = "cooldown"

    def review(self, context: RiskContext, order: ProposedOrder) -> Refusal | None:  # noqa: ARG002 - the rule's form
        """Compare the time since the last filled entry."""
        if context.last_filled_ms is None:
            return None
        elapsed_ms = max(0, context.now_ms - context.last_filled_ms)  # a late tick is older than what happened since
        if elapsed_ms >= self.seconds * 1000:
            return None
        detail = f"last entry filled {elapsed_ms / 1000:g} s ago, {self.seconds} s must pass (RISK_COOLDOWN_SECONDS)"
        return Refusal(self.name, detail)

"""The bot sells what its ledger holds, never what the wallet holds."""

from typing import ClassVar

from binance_trade_agent.domain.decisions import Refusal
from binance_trade_agent.risk.context import ProposedOrder, RiskContext


class NothingToSell:
    """Refuses an exit from a symbol of which the ledger holds nothing."""

    name: ClassVar[str] = "nothing_to_sell"

    def review(self, context: RiskContext, order: ProposedOrder) -> Refusal | None:  # noqa: ARG002 - the rule's form
        """Look at the holding."""
        if context.held_base > 0:
            return None
        return Refusal(self.name, f"the ledger holds no {context.view.rules.base_asset}")

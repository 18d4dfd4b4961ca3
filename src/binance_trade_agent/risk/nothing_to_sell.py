"""The bot sells what its ledger holds, never what the wallet holds."""

from decimal import Decimal
from typing import ClassVar

from binance_trade_agent.domain.decisions import Finding
from binance_trade_agent.risk.context import RiskContext
from binance_trade_agent.risk.rules import shown


class NothingToSell:
    """Refuses an exit from a symbol of which the ledger holds nothing, or nothing that persons have not on sale."""

    name: ClassVar[str] = "nothing_to_sell"

    def review(self, context: RiskContext) -> Finding:
        """Look at the holding."""
        held, base = context.held_base, context.view.rules.base_asset
        if held <= 0:
            return Finding(self.name, allows=False, detail=f"the ledger holds no {base}")
        if context.on_sale_base and not context.free_base:
            detail = f"the {shown(held, base)} that the ledger holds are on sale by a person's orders"
            return Finding(self.name, allows=False, detail=detail)
        return Finding(self.name, True, (_holds, held, base))


def _holds(held: Decimal, base: str) -> str:
    return f"the ledger holds {shown(held, base)}"

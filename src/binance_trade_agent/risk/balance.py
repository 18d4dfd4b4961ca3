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
        pending, quote = context.pending_buy_quote, context.view.rules.quote_asset
        available = context.free_quote - pending
        allows = needed <= available and available.is_finite()
        return Finding(self.name, allows, (_words, needed, available, pending, quote), needed, available, quote)


def _words(needed: Decimal, available: Decimal, pending: Decimal, quote: str) -> str:
    reserved = f" ({shown(pending, quote)} reserved)" if pending else ""
    return f"{shown(needed, quote)} needed, {shown(available, quote)} available{reserved}"

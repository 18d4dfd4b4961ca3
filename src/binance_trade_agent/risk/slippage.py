"""What an entry is expected to lose to the thinness of the book."""

from dataclasses import dataclass
from decimal import Decimal
from typing import ClassVar

from binance_trade_agent.domain.decisions import Finding
from binance_trade_agent.domain.market import average_fill_price
from binance_trade_agent.domain.money import ZERO, plain
from binance_trade_agent.risk.context import ProposedOrder, RiskContext
from binance_trade_agent.risk.rules import percent, shown, unasked, unlimited, unmeasured


@dataclass(frozen=True, slots=True)
class Slippage:
    """Refuses an entry whose average price over the book's depth is more than `limit_pct` above the best ask.

    The best ask is the one that the order was sized at. An order that takes no more than was offered there needs no
    other prices of the book; else the depth is read for it, a moment later.
    """

    limit_pct: Decimal
    name: ClassVar[str] = "slippage"
    setting: ClassVar[str] = "RISK_MAX_SLIPPAGE_PCT"

    def review(self, context: RiskContext, order: ProposedOrder) -> Finding:
        """Compare the expected average price with the best ask."""
        if not self.limit_pct:
            return unlimited(self.name, self.setting)
        if not order.takes_market:
            return Finding(self.name, allows=True, detail="its own price bounds what it pays")
        average = None if context.depth is None else average_fill_price(context.depth.asks, order.quantity)
        if average is None and not context.is_depth_asked:
            return unasked(self.name, "the depth of the book", self.setting)
        if context.depth is None:
            return unmeasured(self.name, "the depth of the book", self.setting)
        if average is None:
            base = context.view.rules.base_asset
            offered = shown(sum((quantity for _, quantity in context.depth.asks), start=ZERO), base)
            detail = f"the book offers {offered}, the order takes {shown(order.quantity, base)} ({self.setting})"
            return Finding(self.name, allows=False, detail=detail)
        slippage_pct = (average - order.price) * 100 / order.price if average > order.price else ZERO
        words = (self._words, slippage_pct, order.price)
        return Finding(self.name, slippage_pct <= self.limit_pct, words, slippage_pct, self.limit_pct, "%")

    def _words(self, slippage_pct: Decimal, ask: Decimal) -> str:
        return (
            f"expected to fill {percent(slippage_pct)} above the ask {plain(ask)}, "
            f"at most {percent(self.limit_pct)} allowed ({self.setting})"
        )

"""Limits on what is at risk: in one order, in one symbol, in all of them together. All at the order's price."""

from dataclasses import dataclass
from decimal import Decimal
from typing import ClassVar

from binance_trade_agent.domain.decisions import Finding
from binance_trade_agent.risk.context import ProposedOrder, RiskContext
from binance_trade_agent.risk.rules import is_off, percent, shown, unlimited


@dataclass(frozen=True, slots=True)
class MaxOrder:
    """Refuses an entry worth more than `limit_quote`."""

    limit_quote: Decimal
    name: ClassVar[str] = "max_order"
    setting: ClassVar[str] = "RISK_MAX_ORDER_QUOTE"

    def review(self, context: RiskContext, order: ProposedOrder) -> Finding:
        """Compare the order's value."""
        if is_off(self.limit_quote):
            return unlimited(self.name, self.setting)
        quote, worth = context.view.rules.quote_asset, order.notional
        limit = shown(self.limit_quote, quote)
        detail = f"the order is worth {shown(worth, quote)}, at most {limit} allowed ({self.setting})"
        return Finding(self.name, worth <= self.limit_quote, detail, worth, self.limit_quote, quote)


@dataclass(frozen=True, slots=True)
class MaxPosition:
    """Refuses an entry after which the position would be worth more than `limit_quote`."""

    limit_quote: Decimal
    name: ClassVar[str] = "max_position"
    setting: ClassVar[str] = "RISK_MAX_POSITION_QUOTE"

    def review(self, context: RiskContext, order: ProposedOrder) -> Finding:
        """Compare the value of the position with the order added."""
        if is_off(self.limit_quote):
            return unlimited(self.name, self.setting)
        quote, held = context.view.rules.quote_asset, context.held_base * order.price
        total = held + order.notional
        detail = (
            f"{shown(held, quote)} held and {shown(order.notional, quote)} more, "
            f"at most {shown(self.limit_quote, quote)} allowed ({self.setting})"
        )
        return Finding(self.name, total <= self.limit_quote, detail, total, self.limit_quote, quote)


@dataclass(frozen=True, slots=True)
class MaxExposure:
    """Refuses an entry after which all positions together would be worth more than `limit_pct` of the equity."""

    limit_pct: Decimal
    name: ClassVar[str] = "max_exposure"
    setting: ClassVar[str] = "RISK_MAX_EXPOSURE_PCT"

    def review(self, context: RiskContext, order: ProposedOrder) -> Finding:
        """Compare the value of all positions with the order added."""
        if is_off(self.limit_pct):
            return unlimited(self.name, self.setting)
        quote, at_risk = context.view.rules.quote_asset, context.exposure_quote
        total, limit = at_risk + order.notional, context.equity_quote * self.limit_pct / 100
        detail = (
            f"{shown(at_risk, quote)} at risk and {shown(order.notional, quote)} more, at most {shown(limit, quote)} "
            f"allowed, {percent(self.limit_pct)} of {shown(context.equity_quote, quote)} ({self.setting})"
        )
        return Finding(self.name, total <= limit, detail, total, limit, quote)

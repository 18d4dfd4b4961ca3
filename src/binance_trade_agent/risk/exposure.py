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
        limit = self.limit_quote
        return Finding(
            self.name,
            worth <= limit,
            lambda: f"the order is worth {shown(worth, quote)}, at most {shown(limit, quote)} allowed ({self.setting})",
            worth,
            limit,
            quote,
        )


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
        quote, held, worth = context.view.rules.quote_asset, context.held_base * order.price, order.notional
        total, limit = held + worth, self.limit_quote
        return Finding(
            self.name,
            total <= limit,
            lambda: (
                f"{shown(held, quote)} held and {shown(worth, quote)} more, "
                f"at most {shown(limit, quote)} allowed ({self.setting})"
            ),
            total,
            limit,
            quote,
        )


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
        quote, at_risk, worth = context.view.rules.quote_asset, context.exposure_quote, order.notional
        equity = context.equity_quote
        total, limit = at_risk + worth, equity * self.limit_pct / 100
        return Finding(
            self.name,
            total <= limit and limit.is_finite(),
            lambda: (
                f"{shown(at_risk, quote)} at risk and {shown(worth, quote)} more, at most {shown(limit, quote)} "
                f"allowed, {percent(self.limit_pct)} of {shown(equity, quote)} ({self.setting})"
            ),
            total,
            limit,
            quote,
        )

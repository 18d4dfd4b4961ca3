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
        worth, quote = order.notional, context.view.rules.quote_asset
        allows = worth <= self.limit_quote
        return Finding(self.name, allows, (self._words, worth, quote), worth, self.limit_quote, quote)

    def _words(self, worth: Decimal, quote: str) -> str:
        limit = shown(self.limit_quote, quote)
        return f"the order is worth {shown(worth, quote)}, at most {limit} allowed ({self.setting})"


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
        base = context.held_base + context.pending_buy_base
        held, worth, quote = base * order.price, order.notional, context.view.rules.quote_asset
        total = held + worth
        allows = total <= self.limit_quote
        return Finding(self.name, allows, (self._words, held, worth, quote), total, self.limit_quote, quote)

    def _words(self, held: Decimal, worth: Decimal, quote: str) -> str:
        return (
            f"{shown(held, quote)} held and {shown(worth, quote)} more, "
            f"at most {shown(self.limit_quote, quote)} allowed ({self.setting})"
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
        at_risk, equity = context.exposure_quote, context.equity_quote
        total, limit = at_risk + order.notional, equity * self.limit_pct / 100
        allows = total <= limit and limit.is_finite()
        quote = context.view.rules.quote_asset
        words = (self._words, at_risk, order.notional, limit, equity, quote)
        return Finding(self.name, allows, words, total, limit, quote)

    def _words(self, at_risk: Decimal, worth: Decimal, limit: Decimal, equity: Decimal, quote: str) -> str:
        return (
            f"{shown(at_risk, quote)} at risk and {shown(worth, quote)} more, at most {shown(limit, quote)} "
            f"allowed, {percent(self.limit_pct)} of {shown(equity, quote)} ({self.setting})"
        )

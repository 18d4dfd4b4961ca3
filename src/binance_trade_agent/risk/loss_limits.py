"""Limits on losses. Each refuses as soon as its measure comes to the limit, and while the pause lasts that it began.

Pauses are begun and kept elsewhere (`agents/breakers.py`, the ledger); they are found by the rule's name.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import ClassVar

from binance_trade_agent.domain.decisions import Finding
from binance_trade_agent.domain.wording import iso_second
from binance_trade_agent.risk.context import RiskContext
from binance_trade_agent.risk.rules import counted, percent, shown, unlimited


@dataclass(frozen=True, slots=True)
class Drawdown:
    """Refuses while the equity is `limit_pct` or more below its highest. Without a highest there is no fall."""

    limit_pct: Decimal
    name: ClassVar[str] = "drawdown"
    setting: ClassVar[str] = "RISK_MAX_DRAWDOWN_PCT"

    def review(self, context: RiskContext) -> Finding:
        """Compare the fall from the highest equity."""
        if not self.limit_pct:
            return unlimited(self.name, self.setting)
        fall_pct, high = context.state.drawdown_pct, context.state.peak_quote
        if _is_paused(self.name, context):
            return _paused(self, context, fall_pct, self.limit_pct, "%")
        words = (self._words, fall_pct, high, context.view.rules.quote_asset)
        return Finding(self.name, fall_pct < self.limit_pct, words, fall_pct, self.limit_pct, "%")

    def _words(self, fall_pct: Decimal, high: Decimal | None, quote: str) -> str:
        measured = "no highest equity is recorded yet"
        if high is not None:
            measured = f"equity is {percent(fall_pct)} below its highest, {shown(high, quote)}"
        return f"{measured}, entries pause at {percent(self.limit_pct)} ({self.setting})"


@dataclass(frozen=True, slots=True)
class DailyLoss:
    """Refuses while the equity is `limit_pct` or more below that at the beginning of the UTC day."""

    limit_pct: Decimal
    name: ClassVar[str] = "daily_loss"
    setting: ClassVar[str] = "RISK_MAX_DAILY_LOSS_PCT"

    def review(self, context: RiskContext) -> Finding:
        """Compare the loss since the day began."""
        if not self.limit_pct:
            return unlimited(self.name, self.setting)
        loss_pct, start = context.state.daily_loss_pct, context.state.day_quote
        if _is_paused(self.name, context):
            return _paused(self, context, loss_pct, self.limit_pct, "%")
        words = (self._words, loss_pct, start, context.view.rules.quote_asset)
        return Finding(self.name, loss_pct < self.limit_pct, words, loss_pct, self.limit_pct, "%")

    def _words(self, loss_pct: Decimal, start: Decimal | None, quote: str) -> str:
        measured = "no equity of the UTC day's beginning is recorded yet"
        if start is not None:
            measured = f"equity is {percent(loss_pct)} below {shown(start, quote)}, where the UTC day began"
        return f"{measured}, entries pause at {percent(self.limit_pct)} ({self.setting})"


@dataclass(frozen=True, slots=True)
class ConsecutiveLosses:
    """Refuses after `limit` exits in a row at a loss; they are counted anew when the pause is over."""

    limit: int
    name: ClassVar[str] = "consecutive_losses"
    setting: ClassVar[str] = "RISK_MAX_CONSECUTIVE_LOSSES"

    def review(self, context: RiskContext) -> Finding:
        """Compare the number of losses."""
        if not self.limit:
            return unlimited(self.name, self.setting)
        losses = context.state.losses_in_row
        if self.name in context.state.pauses:
            losses = max(losses, self.limit)  # those that began the pause; they are counted anew after it
        if _is_paused(self.name, context):
            return _paused(self, context, losses, self.limit, "losses")
        return Finding(self.name, losses < self.limit, (self._words, losses), losses, self.limit, "losses")

    def _words(self, losses: int) -> str:
        return f"{counted(losses, 'loss', 'losses')} in a row, entries pause at {self.limit} ({self.setting})"


def _is_paused(rule: str, context: RiskContext) -> bool:
    pauses = context.state.pauses
    return rule in pauses and context.now_ms < pauses[rule].until_ms


def _paused(
    rule: Drawdown | DailyLoss | ConsecutiveLosses,
    context: RiskContext,
    value: Decimal | int,
    limit: Decimal | int,
    unit: str,
) -> Finding:
    """The finding while the rule's pause lasts."""
    pause = context.state.pauses[rule.name]
    detail = f"entries pause until {iso_second(pause.until_ms)}: {pause.detail} ({rule.setting})"
    return Finding(rule.name, allows=False, detail=detail, value=value, limit=limit, unit=unit)

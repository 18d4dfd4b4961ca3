"""A time between two entries on one symbol."""

from dataclasses import dataclass
from decimal import Decimal
from typing import ClassVar

from binance_trade_agent.domain.decisions import Finding
from binance_trade_agent.domain.money import plain
from binance_trade_agent.risk.context import RiskContext
from binance_trade_agent.risk.rules import unlimited


@dataclass(frozen=True, slots=True)
class Cooldown:
    """Refuses within `seconds` of the symbol's last filled entry. Attempts that did not fill do not count."""

    seconds: int
    name: ClassVar[str] = "cooldown"
    setting: ClassVar[str] = "RISK_COOLDOWN_SECONDS"

    def review(self, context: RiskContext) -> Finding:
        """Compare the time since the last filled entry."""
        if not self.seconds:
            return unlimited(self.name, self.setting)
        if context.last_filled_ms is None:
            symbol = context.view.symbol
            return Finding(self.name, allows=True, detail=lambda: f"no entry on {symbol} has filled yet")
        # A late tick is older than what happened since.
        elapsed_seconds = Decimal(max(0, context.now_ms - context.last_filled_ms)) / 1000
        return Finding(
            self.name,
            elapsed_seconds >= self.seconds,
            lambda: f"last entry filled {plain(elapsed_seconds)} s ago, {self.seconds} s must pass ({self.setting})",
            elapsed_seconds,
            self.seconds,
            "s",
        )

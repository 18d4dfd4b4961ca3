"""Weak signals are not followed."""

from dataclasses import dataclass
from decimal import Decimal
from typing import ClassVar

from binance_trade_agent.domain.decisions import Finding
from binance_trade_agent.domain.money import plain
from binance_trade_agent.risk.context import RiskContext
from binance_trade_agent.risk.rules import unlimited

# A confidence is a float: 0.3 + 0.2 has to count as 0.5.
_UNIT = Decimal("0.00000001")


@dataclass(frozen=True, slots=True)
class MinConfidence:
    """Refuses a signal whose confidence (0 to 1, compared to 8 decimals) is below `least`."""

    least: Decimal
    name: ClassVar[str] = "min_confidence"
    setting: ClassVar[str] = "RISK_MIN_CONFIDENCE"

    def review(self, context: RiskContext) -> Finding:
        """Compare the signal's confidence."""
        if not self.least:
            return unlimited(self.name, self.setting)
        confidence = Decimal(str(context.signal.confidence)).quantize(_UNIT)
        return Finding(
            self.name,
            confidence >= self.least,
            lambda: f"the confidence is {plain(confidence)}, at least {plain(self.least)} needed ({self.setting})",
            confidence,
            self.least,
        )

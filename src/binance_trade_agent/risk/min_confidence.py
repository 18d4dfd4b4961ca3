"""Weak signals are not followed."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import ClassVar

from binance_trade_agent.domain.decisions import Finding
from binance_trade_agent.domain.money import plain
from binance_trade_agent.risk.context import RiskContext
from binance_trade_agent.risk.rules import unlimited

_UNIT = Decimal("0.00000001")


@dataclass(frozen=True, slots=True)
class MinConfidence:
    """Refuses a signal whose confidence (0 to 1, compared to 8 decimals) is below `least`."""

    least: Decimal
    clear_of_limit: float = field(init=False, repr=False, compare=False)
    name: ClassVar[str] = "min_confidence"
    setting: ClassVar[str] = "RISK_MIN_CONFIDENCE"

    def __post_init__(self) -> None:
        """Work out which floats are above the limit whatever their last decimals."""
        object.__setattr__(self, "clear_of_limit", float(self.least) + 1e-7)

    def review(self, context: RiskContext) -> Finding:
        """Compare the signal's confidence."""
        if not self.least:
            return unlimited(self.name, self.setting)
        confidence = context.signal.confidence
        # What is clear of the limit needs no decimals: to make them takes four times as long.
        allows = 1 >= confidence > self.clear_of_limit or _decimal(confidence) >= self.least
        return Finding(self.name, allows, (self._words, confidence), (_decimal, confidence), self.least)

    def _words(self, confidence: float) -> str:
        return f"the confidence is {plain(_decimal(confidence))}, at least {plain(self.least)} needed ({self.setting})"


def _decimal(confidence: float) -> Decimal:
    """A confidence to 8 decimals: it is a float, and 0.3 + 0.2 has to count as 0.5."""
    return Decimal(str(confidence)).quantize(_UNIT)

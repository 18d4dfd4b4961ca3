"""A time between two entries on one symbol."""

from dataclasses import dataclass
from typing import ClassVar

from binance_trade_agent.domain.decisions import Finding
from binance_trade_agent.domain.money import plain
from binance_trade_agent.risk.context import RiskContext
from binance_trade_agent.risk.rules import seconds, unlimited


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
            return Finding(self.name, True, (_none_yet, context.view.symbol))
        elapsed_ms = max(0, context.now_ms - context.last_filled_ms)  # a late tick is older than what happened since
        allows = elapsed_ms >= self.seconds * 1000
        return Finding(self.name, allows, (self._words, elapsed_ms), (seconds, elapsed_ms), self.seconds, "s")

    def _words(self, elapsed_ms: int) -> str:
        return f"last entry filled {plain(seconds(elapsed_ms))} s ago, {self.seconds} s must pass ({self.setting})"


def _none_yet(symbol: str) -> str:
    return f"no entry on {symbol} has filled yet"

"""Limits on how often is entered. Filled entries count, and those that may have filled; refused attempts do not."""

from collections.abc import Callable
from dataclasses import dataclass

from binance_trade_agent.domain.decisions import Finding
from binance_trade_agent.risk.context import RiskContext
from binance_trade_agent.risk.rules import counted, unlimited
from binance_trade_agent.risk.settings import RiskSettings
from binance_trade_agent.risk.state import RiskState


@dataclass(frozen=True, slots=True)
class TradeCount:
    """Refuses when `limit` entries have filled, or may have, within `span`.

    Attributes:
        count: what of the state is compared.
        per_symbol: whether they are those of the symbol alone.
    """

    name: str
    setting: str
    limit: int
    count: Callable[[RiskState], int]
    span: str
    per_symbol: bool

    def review(self, context: RiskContext) -> Finding:
        """Compare the number of entries."""
        if not self.limit:
            return unlimited(self.name, self.setting)
        count = self.count(context.state)
        words = (self._words, count, context.view.symbol)
        return Finding(self.name, count < self.limit, words, count, self.limit, "entries")

    def _words(self, count: int, symbol: str) -> str:
        entries, where = counted(count, "entry", "entries"), f" on {symbol}" if self.per_symbol else ""
        return f"{entries}{where} in the last {self.span}, at most {self.limit} allowed ({self.setting})"


def trade_counts(settings: RiskSettings) -> tuple[TradeCount, ...]:
    """The four limits: on the symbol and in all, within an hour and within 24."""
    hour, day = "hour", "24 hours"
    return (
        TradeCount(
            "symbol_trades_per_hour",
            "RISK_MAX_SYMBOL_TRADES_PER_HOUR",
            settings.max_symbol_trades_per_hour,
            lambda state: state.symbol_entries_hour,
            hour,
            per_symbol=True,
        ),
        TradeCount(
            "symbol_trades_per_day",
            "RISK_MAX_SYMBOL_TRADES_PER_DAY",
            settings.max_symbol_trades_per_day,
            lambda state: state.symbol_entries_day,
            day,
            per_symbol=True,
        ),
        TradeCount(
            "trades_per_hour",
            "RISK_MAX_TRADES_PER_HOUR",
            settings.max_trades_per_hour,
            lambda state: state.entries_hour,
            hour,
            per_symbol=False,
        ),
        TradeCount(
            "trades_per_day",
            "RISK_MAX_TRADES_PER_DAY",
            settings.max_trades_per_day,
            lambda state: state.entries_day,
            day,
            per_symbol=False,
        ),
    )

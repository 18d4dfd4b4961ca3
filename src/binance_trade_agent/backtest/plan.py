"""What a backtest is to do: settings as live, a strategy, a period, and the assumptions about fills."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal

from binance_trade_agent.backtest.fills import FillSettings
from binance_trade_agent.domain.strategy_choice import StrategyChoice
from binance_trade_agent.domain.symbols import SymbolRules
from binance_trade_agent.settings import Settings


class BacktestError(Exception):
    """The backtest cannot be run. One sentence for a person."""


@dataclass(frozen=True, slots=True)
class BacktestPlan:
    """All that a backtest is made of besides candles. It can be sent to another process.

    Attributes:
        settings: limits, sizes, exits, confirmation: the settings of the daemon.
        choice: which strategy, with which parameters.
        opening_quote: quote asset at the beginning.
        start_ms: of the first tick, None for the first that there can be; candles before it only warm up.
        end_ms: the last candle closes at it or before; None for the last that there is.
        rules: filters by symbol.
    """

    settings: Settings
    choice: StrategyChoice
    rules: Mapping[str, SymbolRules]
    fills: FillSettings = field(default_factory=FillSettings)
    opening_quote: Decimal = Decimal(10_000)
    start_ms: int | None = None
    end_ms: int | None = None

    def with_choice(self, choice: StrategyChoice) -> "BacktestPlan":
        """The same with another strategy or other parameters."""
        return replace(self, choice=choice)

    def between(self, start_ms: int | None, end_ms: int | None) -> "BacktestPlan":
        """The same over another period."""
        return replace(self, start_ms=start_ms, end_ms=end_ms)

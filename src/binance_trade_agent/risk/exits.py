"""When a position is left: its stop, its target, and how long it may be held."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from binance_trade_agent.domain.money import ZERO


@dataclass(frozen=True, slots=True)
class ExitSettings:
    """Exits as in the settings reference (RISK_...): percentages of the price, multiples of the ATR; 0 is none.

    Attributes:
        target_table: minutes in the position by the profit in percent at which it is left from then on.
        closes_when_refused: what follows when the exchange refuses the protection or somebody cancels it: the position
            is closed at market, or protected again.
        strategy_exit: whether a SELL of the strategy closes the position.
    """

    stop_loss_pct: Decimal = ZERO
    stop_loss_atr: Decimal = ZERO
    take_profit_pct: Decimal = ZERO
    take_profit_atr: Decimal = ZERO
    target_table: Mapping[int, Decimal] = field(default_factory=dict)
    trailing_stop_pct: Decimal = ZERO
    trailing_stop_atr: Decimal = ZERO
    trailing_start_pct: Decimal = ZERO
    trailing_step_pct: Decimal = Decimal("0.1")
    trailing_seconds: int = 10
    time_stop_minutes: int = 0
    strategy_exit: bool = True
    closes_when_refused: bool = False

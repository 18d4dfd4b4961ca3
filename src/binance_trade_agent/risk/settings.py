"""The limits that a person sets; the names are those of the settings without RISK_ or TRADING_, 0 means no limit."""

from dataclasses import dataclass
from decimal import Decimal

from binance_trade_agent.domain.money import ZERO, plain


@dataclass(frozen=True, slots=True)
class SizingSettings:
    """How much an entry spends.

    Attributes:
        sizing: quote, fraction, volatility or kelly.
        order_quote: quote asset; for kelly, until enough exits are known.
        order_fraction: of equity, above 0, at most 1.
        volatility_target_pct: percent of equity that a move of one average true range is to cost.
        kelly_multiplier: part of the Kelly fraction that is used; kelly_cap_pct: most of equity, in percent;
            kelly_exits: latest exits that it learns from.
    """

    sizing: str = "quote"
    order_quote: Decimal = Decimal(100)
    order_fraction: Decimal | None = None
    volatility_target_pct: Decimal = Decimal("0.1")
    kelly_multiplier: Decimal = Decimal("0.25")
    kelly_cap_pct: Decimal = Decimal(10)
    kelly_exits: int = 20


@dataclass(frozen=True, slots=True)
class RiskSettings:
    """Limits on entries, each as in the settings reference.

    The defaults here are off, so that a test sets what it is about; the daemon's own come from its settings.

    Attributes:
        fee_reserve_fraction: part of an entry's value that the free balance has to cover beyond it.
    """

    max_order_quote: Decimal = Decimal("Infinity")
    max_position_quote: Decimal = Decimal("Infinity")
    max_exposure_pct: Decimal = Decimal(100)
    max_open_positions: int = 1000
    min_confidence: Decimal = ZERO
    cooldown_seconds: int = 0
    max_trades_per_hour: int = 0
    max_trades_per_day: int = 0
    max_symbol_trades_per_hour: int = 0
    max_symbol_trades_per_day: int = 0
    max_consecutive_losses: int = 0
    loss_pause_minutes: int = 60
    max_daily_loss_pct: Decimal = ZERO
    max_drawdown_pct: Decimal = ZERO
    drawdown_pause_minutes: int = 1440
    max_volatility_pct: Decimal = ZERO
    max_spread_pct: Decimal = ZERO
    max_slippage_pct: Decimal = ZERO
    max_price_deviation_pct: Decimal = ZERO
    max_data_age_seconds: int = 3600
    max_unknown_orders: int = 100
    fee_reserve_fraction: Decimal = Decimal("0.002")
    sizing: SizingSettings = SizingSettings()

    def __post_init__(self) -> None:
        """Check what is no setting; settings check themselves.

        Raises:
            ValueError: `fee_reserve_fraction` is out of its range.
        """
        if not 0 <= self.fee_reserve_fraction < 1:
            reserve = plain(self.fee_reserve_fraction)
            raise ValueError(f"fee_reserve_fraction is {reserve}: it must be from 0 to below 1")

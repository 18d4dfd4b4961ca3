"""The limits that a person sets."""

from dataclasses import dataclass
from decimal import Decimal

from binance_trade_agent.domain.money import plain


@dataclass(frozen=True, slots=True)
class RiskSettings:
    """Limits on entries. Exactly one of `order_quote` and `order_fraction` is given.

    Attributes:
        order_quote: quote asset that an entry spends.
        order_fraction: fraction of the account's equity that an entry spends, above 0, at most 1.
        max_position_quote: most that one symbol's position may be worth, quote asset.
        max_open_positions: most symbols held at a time.
        cooldown_seconds: between a filled entry and the next entry on the same symbol, market time.
        fee_reserve_fraction: free balance that an entry leaves for slippage and fees, as a fraction of its value.

    Raises:
        ValueError: a value out of its range; the message is one sentence that names the setting.
    """

    max_position_quote: Decimal
    max_open_positions: int
    cooldown_seconds: int
    order_quote: Decimal | None = None
    order_fraction: Decimal | None = None
    fee_reserve_fraction: Decimal = Decimal("0.002")

    def __post_init__(self) -> None:
        if (self.order_quote is None) == (self.order_fraction is None):
            raise ValueError("exactly one of TRADING_ORDER_QUOTE and TRADING_ORDER_FRACTION must be set")
        if self.order_quote is not None:
            _require("TRADING_ORDER_QUOTE", self.order_quote, self.order_quote > 0, "above 0")
        if self.order_fraction is not None:
            within = 0 < self.order_fraction <= 1
            _require("TRADING_ORDER_FRACTION", self.order_fraction, within, "above 0 and at most 1")
        _require("RISK_MAX_POSITION_QUOTE", self.max_position_quote, self.max_position_quote > 0, "above 0")
        _require("RISK_MAX_OPEN_POSITIONS", self.max_open_positions, self.max_open_positions >= 1, "at least 1")
        _require("RISK_COOLDOWN_SECONDS", self.cooldown_seconds, self.cooldown_seconds >= 0, "at least 0")
        within = 0 <= self.fee_reserve_fraction < 1
        _require("fee_reserve_fraction", self.fee_reserve_fraction, within, "from 0 to below 1")


def _require(setting: str, value: Decimal | int, holds: bool, allowed: str) -> None:
    if not holds:
        raise ValueError(f"{setting} is {plain(Decimal(value))}: it must be {allowed}")

"""Commission: a rate of the received asset, truncated (binance-protocol.md 4.4)."""

from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal

_COMMISSION_UNIT = Decimal("0.00000001")  # baseCommissionPrecision and quoteCommissionPrecision are 8


@dataclass(frozen=True, slots=True)
class CommissionRates:
    """Fractions of the received amount: 0.001 is 0.1 %."""

    maker: Decimal = Decimal("0.001")
    taker: Decimal = Decimal("0.001")

    def commission(self, received: Decimal, *, is_maker: bool) -> Decimal:
        """What is deducted from `received`, in the same asset."""
        rate = self.maker if is_maker else self.taker
        return (received * rate).quantize(_COMMISSION_UNIT, rounding=ROUND_DOWN)

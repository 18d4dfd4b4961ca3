"""What a fill costs: rates of the received asset, or less of them in BNB (binance-protocol.md 4.4)."""

from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal

from binance_trade_agent.domain.money import ZERO
from binance_trade_agent.domain.orders import Side

_COMMISSION_UNIT = Decimal("0.00000001")  # baseCommissionPrecision and quoteCommissionPrecision are 8


@dataclass(frozen=True, slots=True)
class CommissionRates:
    """Fractions of the received amount: 0.001 is 0.1 %. A fill pays by its role and by its side."""

    maker: Decimal = Decimal("0.001")
    taker: Decimal = Decimal("0.001")
    buyer: Decimal = ZERO
    seller: Decimal = ZERO

    def rate(self, side: Side, *, is_maker: bool) -> Decimal:
        """The rate of a fill."""
        return (self.maker if is_maker else self.taker) + (self.buyer if side is Side.BUY else self.seller)


NO_COMMISSION = CommissionRates(ZERO, ZERO)


@dataclass(slots=True)
class BnbDiscount:
    """Who pays commission in BNB, and how much less.

    Attributes:
        asset: in which it is paid.
        fraction: how much of the standard commission is let off: 0.25 turns 0.1 % into 0.075 %.
        accounts: names of the accounts that have it switched on.
        excluded_symbols: symbols on which nobody has it.
    """

    asset: str
    fraction: Decimal
    accounts: set[str]
    excluded_symbols: set[str]


class CommissionSchedule:
    """All rates of the exchange. Commissions are truncated to eight decimals. Other rates need another schedule.

    Attributes:
        standard: on which the discount is given.
        tax, special: added to it, never discounted.
        discount: the BNB discount; at first no account has it.
    """

    def __init__(
        self,
        standard: CommissionRates | None = None,
        tax: CommissionRates = NO_COMMISSION,
        special: CommissionRates = NO_COMMISSION,
    ) -> None:
        self.standard = standard or CommissionRates()
        self.tax = tax
        self.special = special
        self.discount = BnbDiscount("BNB", Decimal("0.25"), set(), set())
        self._rates = {
            (side, is_maker): self.standard.rate(side, is_maker=is_maker) + self._undiscounted(side, is_maker=is_maker)
            for side in Side
            for is_maker in (False, True)
        }

    def commission(self, received: Decimal, side: Side, *, is_maker: bool) -> Decimal:
        """What is deducted from `received`, in the same asset."""
        return (received * self._rates[side, is_maker]).quantize(_COMMISSION_UNIT, ROUND_DOWN)

    def discounted(self, value: Decimal, bnb_price: Decimal, side: Side, *, is_maker: bool) -> Decimal:
        """What a fill pays in BNB.

        Args:
            value: of the fill, in any asset.
            bnb_price: of one BNB, in the same asset.
            side: of the order.
            is_maker: whether the order waited in the book.
        """
        standard = self.standard.rate(side, is_maker=is_maker) * (1 - self.discount.fraction)
        rate = standard + self._undiscounted(side, is_maker=is_maker)
        return (value * rate / bnb_price).quantize(_COMMISSION_UNIT, ROUND_DOWN)

    def _undiscounted(self, side: Side, *, is_maker: bool) -> Decimal:
        return self.tax.rate(side, is_maker=is_maker) + self.special.rate(side, is_maker=is_maker)

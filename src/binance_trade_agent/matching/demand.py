"""How much an arriving order still wants of what the book offers: by base quantity, or by quote amount."""

from decimal import Decimal
from typing import Protocol

from binance_trade_agent.domain.money import ZERO, floor_to_step


class Demand(Protocol):
    """What is wanted and not had yet."""

    @property
    def is_met(self) -> bool:
        """Whether nothing more can be taken."""
        ...

    def take(self, price: Decimal, offered: Decimal) -> Decimal:
        """Take as much as is wanted of an offer; returns the quantity, base asset, which may be 0."""
        ...

    def rest(self, price: Decimal) -> Decimal:
        """The quantity that is still wanted at `price`, base asset."""
        ...


class QuantityDemand:
    """A quantity of base asset."""

    def __init__(self, quantity: Decimal) -> None:
        self._left = quantity
        self.is_met = False

    def take(self, price: Decimal, offered: Decimal) -> Decimal:  # noqa: ARG002 (Demand)
        """See Demand."""
        if offered < self._left:
            self._left -= offered
            return offered
        taken, self._left = self._left, ZERO
        self.is_met = True
        return taken

    def rest(self, price: Decimal) -> Decimal:  # noqa: ARG002 (Demand)
        """See Demand."""
        return self._left


class QuoteDemand:
    """The largest multiple of `step` in base asset whose value is at most `budget` in quote asset."""

    def __init__(self, budget: Decimal, step: Decimal) -> None:
        self._budget = budget
        self._step = step
        self._taken = ZERO
        self.is_met = False

    def take(self, price: Decimal, offered: Decimal) -> Decimal:
        """See Demand."""
        value = price * offered
        if value < self._budget:
            self._budget -= value
            self._taken += offered
            return offered
        self.is_met = True
        return self.rest(price)

    def rest(self, price: Decimal) -> Decimal:
        """See Demand."""
        return max(ZERO, floor_to_step(self._taken + self._budget / price, self._step) - self._taken)

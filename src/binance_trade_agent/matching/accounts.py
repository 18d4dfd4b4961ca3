"""Balances of one account: what is free and what open orders hold. Neither is ever negative."""

from collections.abc import Mapping
from decimal import Decimal

from binance_trade_agent.domain.money import ZERO
from binance_trade_agent.matching.errors import INSUFFICIENT_BALANCE, OrderRefused


class Account:
    """Free and locked amounts per asset."""

    def __init__(self, free: Mapping[str, Decimal], locked: Mapping[str, Decimal] | None = None) -> None:
        self._free = dict(free)
        self._locked = dict(locked or {})

    @property
    def assets(self) -> list[str]:
        """Every asset the account has ever held, sorted."""
        return sorted(self._free.keys() | self._locked.keys())

    def free(self, asset: str) -> Decimal:
        """Amount that new orders may use."""
        return self._free.get(asset, ZERO)

    def locked(self, asset: str) -> Decimal:
        """Amount that open orders hold."""
        return self._locked.get(asset, ZERO)

    def total(self, asset: str) -> Decimal:
        """Free and locked together."""
        return self.free(asset) + self.locked(asset)

    def lock(self, asset: str, amount: Decimal) -> None:
        """Move `amount` from free to locked.

        Raises:
            OrderRefused: less than `amount` is free; nothing has changed.
        """
        free = self._free.get(asset, ZERO)
        if amount > free:
            raise OrderRefused(INSUFFICIENT_BALANCE)
        self._free[asset] = free - amount
        self._locked[asset] = self._locked.get(asset, ZERO) + amount

    def release(self, asset: str, amount: Decimal) -> None:
        """Move `amount` from locked back to free."""
        self._locked[asset] -= amount
        self._free[asset] += amount

    def exchange(self, paid_asset: str, paid: Decimal, received_asset: str, received: Decimal) -> None:
        """Pay an amount of one asset out of what is locked, and get one of another."""
        self._locked[paid_asset] -= paid
        self._free[received_asset] = self._free.get(received_asset, ZERO) + received

    def spend(self, asset: str, amount: Decimal) -> None:
        """Pay `amount` out of what is free; the caller has seen that it suffices."""
        self._free[asset] = self._free.get(asset, ZERO) - amount

    def credit(self, asset: str, amount: Decimal) -> None:
        """Add `amount` to what is free."""
        self._free[asset] = self._free.get(asset, ZERO) + amount

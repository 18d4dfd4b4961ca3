"""What the exchange knows of the holder of an account, beside balances and orders."""

from dataclasses import dataclass, field

from binance_trade_agent.simulator.limits import OrderCount

_FIRST_UID = 354_937_868


@dataclass(slots=True)
class Customer:
    """The holder of an account.

    Attributes:
        uid: number by which GET account names it.
        permissions: groups of symbols that it may trade, such as SPOT or TRD_GRP_050 (binance-protocol.md 1.1).
        updated_ms: when a balance of the account may last have changed, market time.
        order_count: unfilled orders placed in the running windows.
    """

    uid: int
    updated_ms: int
    permissions: tuple[str, ...] = ("SPOT",)
    order_count: OrderCount = field(default_factory=OrderCount)


class Customers:
    """The holders of all accounts, by the account's name."""

    def __init__(self) -> None:
        self._customers: dict[str, Customer] = {}

    def __getitem__(self, account: str) -> Customer:
        return self._customers[account]

    def add(self, account: str, at_ms: int) -> Customer:
        """A new holder; numbers are given in the order of opening."""
        customer = Customer(_FIRST_UID + len(self._customers), at_ms)
        self._customers[account] = customer
        return customer

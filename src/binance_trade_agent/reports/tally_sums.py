"""What fills add up to, and sums of such sums."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Generic, NamedTuple, TypeVar

from binance_trade_agent.domain.money import ZERO
from binance_trade_agent.domain.values import Value

N = TypeVar("N", int, str)


class Part(NamedTuple):
    """What the fills of one symbol are counted by: the UTC day, as days since 1970, and the strategy."""

    day: int
    strategy: str


class Sums(Value, frozen=True):
    """What fills add up to. Amounts in one quote asset, exact.

    Attributes:
        buys, sells: orders; each counts on the day of its last fill.
        won, lost: orders that sold with a profit and with a loss, at average cost, after fees in base and quote.
        bought_quote, sold_quote: before fees.
        realised_quote: profit of the sales.
        fees: by asset, as taken.
    """

    fills: int
    buys: int
    sells: int
    won: int
    lost: int
    bought_quote: Decimal
    sold_quote: Decimal
    realised_quote: Decimal
    fees: dict[str, Decimal]

    @property
    def volume_quote(self) -> Decimal:
        """Bought and sold."""
        return self.bought_quote + self.sold_quote

    @property
    def win_rate_pct(self) -> float | None:
        """Sales with a profit, in percent of all; None without sales."""
        return 100 * self.won / self.sells if self.sells else None


class Group(Value, Generic[N], frozen=True):
    """What is counted under one name, in one quote asset."""

    name: N
    quote_asset: str
    sums: Sums


class Running:
    """Sums that are being added to."""

    __slots__ = ("bought", "buys", "fees", "fills", "lost", "realised", "sells", "sold", "won")

    def __init__(self, sums: Sums | None = None) -> None:
        self.fills = self.buys = self.sells = self.won = self.lost = 0
        self.bought = self.sold = self.realised = ZERO
        self.fees: dict[str, Decimal] = {}
        if sums:
            self.add(sums)

    def add(self, sums: Sums) -> None:
        """Add what others add up to."""
        self.fills += sums.fills
        self.buys += sums.buys
        self.sells += sums.sells
        self.won += sums.won
        self.lost += sums.lost
        self.bought += sums.bought_quote
        self.sold += sums.sold_quote
        self.realised += sums.realised_quote
        for asset, amount in sums.fees.items():
            self.fees[asset] = self.fees.get(asset, ZERO) + amount

    def sums(self) -> Sums:
        """As they are now."""
        return Sums(
            self.fills,
            self.buys,
            self.sells,
            self.won,
            self.lost,
            self.bought,
            self.sold,
            self.realised,
            {asset: self.fees[asset] for asset in sorted(self.fees)},
        )


def grouped(parts: Iterable[tuple[N, str, Sums]]) -> list[Group[N]]:
    """The sums of parts with the same name and quote asset, in the order of both; `parts`: name, quote asset, sums."""
    running: dict[tuple[N, str], Running] = {}
    for name, quote, sums in parts:
        if (name, quote) not in running:
            running[name, quote] = Running()
        running[name, quote].add(sums)
    return [Group(name, quote, running[name, quote].sums()) for name, quote in sorted(running)]

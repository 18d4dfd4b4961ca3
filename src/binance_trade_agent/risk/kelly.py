"""The Kelly criterion over what exits have brought.

J. L. Kelly, "A New Interpretation of Information Rate", Bell System Technical Journal 35 (1956): capital grows fastest,
in the long run, when each bet stakes a certain fraction of it. E. O. Thorp, "The Kelly Criterion in Blackjack, Sports
Betting, and the Stock Market" (2006): for a bet that is won with probability W and then pays R times what it otherwise
costs, the fraction is f = W - (1 - W) / R. It takes the past for the future, so only a part of it should be staked.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext
from itertools import islice
from typing import Self

from binance_trade_agent.domain.money import EXACT, ZERO, plain
from binance_trade_agent.risk.rules import percent
from binance_trade_agent.risk.state import ExitResult

_SHOWN_UNIT = Decimal("0.0001")


@dataclass(frozen=True, slots=True)
class Record:
    """Returns of exits: profit by cost, a profit of 0 among the losses."""

    wins: tuple[Decimal, ...]
    losses: tuple[Decimal, ...]

    @classmethod
    def of(cls, exits: Sequence[ExitResult], latest: int) -> Self:
        """The record of the `latest` exits, given newest first; one that sold what had cost nothing has no return."""
        returns = tuple(islice((each.pnl_quote / each.cost_quote for each in exits if each.cost_quote > 0), latest))
        return cls(tuple(each for each in returns if each > 0), tuple(each for each in returns if each <= 0))

    @property
    def count(self) -> int:
        """Exits in the record."""
        return len(self.wins) + len(self.losses)

    @property
    def average_win(self) -> Decimal:
        """Average return of the wins; 0 without one."""
        return _average(self.wins)

    @property
    def average_loss(self) -> Decimal:
        """Average return of the losses, as a number above 0; 0 without one."""
        return -_average(self.losses)

    @property
    def fraction(self) -> Decimal | None:
        """The Kelly fraction, W - (1 - W) / R with R the average win by the average loss; None without a win."""
        if not self.wins:
            return None
        won = Decimal(len(self.wins)) / self.count
        return won - (1 - won) * self.average_loss / self.average_win

    def __str__(self) -> str:
        """`the latest 20 exits (55 % won, on average 1.2 % against 0.9 % lost, Kelly fraction 0.2125)`."""
        with localcontext(EXACT):
            won_pct = Decimal(len(self.wins)) * 100 / self.count
            averages = f"on average {percent(self.average_win * 100)} against {percent(self.average_loss * 100)} lost"
            fraction = "" if self.fraction is None else f", Kelly fraction {plain(self.fraction.quantize(_SHOWN_UNIT))}"
            return f"the latest {self.count} exits ({percent(won_pct)} won, {averages}{fraction})"


def _average(returns: Sequence[Decimal]) -> Decimal:
    return sum(returns, start=ZERO) / len(returns) if returns else ZERO

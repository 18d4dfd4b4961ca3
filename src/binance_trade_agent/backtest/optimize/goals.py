"""What a search may look for, by name, and how sets of parameters compare."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from binance_trade_agent.backtest.optimize.model import OptimizeError, Outcome
from binance_trade_agent.domain.nearest import nearest

Scores = tuple[float, ...]  # one a goal; more is better


@dataclass(frozen=True, slots=True)
class Goal:
    """A number of a backtest's report that is to be as high as possible, or as low.

    Attributes:
        name: of the measure, and on the command line.
        meaning: in a few words.
        unit: `%` or nothing.
        minimise: whether less is better.
        is_count: whether it is a whole number.
    """

    name: str
    meaning: str
    unit: str = ""
    minimise: bool = False
    is_count: bool = False

    def score(self, outcome: Outcome) -> float | None:
        """Its measure, turned so that more is better; None where there is none."""
        value = outcome.measures.get(self.name)
        return None if value is None else -value if self.minimise else value

    def text(self, value: float | None) -> str:
        """The measure for people: `1.52`, `-3.40 %`, `-` where there is none."""
        if value is None:
            return "-"
        number = f"{value:.0f}" if self.is_count else f"{value:.2f}"
        return f"{number} {self.unit}".rstrip()


GOALS: Mapping[str, Goal] = MappingProxyType(
    {
        goal.name: goal
        for goal in (
            Goal("sharpe", "Sharpe ratio of daily returns, a year"),
            Goal("sortino", "Sortino ratio of daily returns, a year"),
            Goal("calmar", "growth a year over the deepest drawdown"),
            Goal("profit", "of the opening balance", "%"),
            Goal("cagr", "growth a year", "%"),
            Goal("profit_factor", "what trades won over what they lost"),
            Goal("expectancy", "mean profit of a trade, quote asset"),
            Goal("sqn", "system quality number: mean profit of a trade over its error"),
            Goal("win_rate", "trades that won", "%"),
            Goal("drawdown", "deepest fall of the equity from its peak", "%", minimise=True),
            Goal("exposure", "time with a position", "%", minimise=True),
            Goal("trades", "closed trades", is_count=True),
        )
    }
)


def goals_named(names: Sequence[str]) -> tuple[Goal, ...]:
    """The goals of these names.

    Raises:
        OptimizeError: a name is unknown, or given twice.
    """
    for name in names:
        if name not in GOALS:
            near = nearest(name, GOALS)
            question = f", did you mean {near}?" if near else "."
            raise OptimizeError(f"--goal {name} is unknown{question} There are: {', '.join(GOALS)}")
        if names.count(name) > 1:
            raise OptimizeError(f"--goal {name} is given twice.")
    return tuple(GOALS[name] for name in names)


def scores(goals: Sequence[Goal], outcome: Outcome, min_trades: int) -> Scores | None:
    """A score a goal; None for an outcome that is worthless: too few trades, or a goal without a number."""
    if outcome.refused or outcome.trades < min_trades:
        return None
    found = [goal.score(outcome) for goal in goals]
    return None if None in found else tuple(value for value in found if value is not None)


def dominates(left: Scores, right: Scores) -> bool:
    """Whether `left` is at least as good in every goal and better in one."""
    return left != right and all(mine >= other for mine, other in zip(left, right, strict=True))


def pareto_front(points: Sequence[Scores]) -> list[int]:
    """The numbers of those that no other dominates, in their order; of equal ones the first. One goal: the best one."""
    front: list[int] = []
    for number in sorted(range(len(points)), key=lambda number: (*(-value for value in points[number]), number)):
        # What dominates a point comes before it in this order, and is itself in the front or dominated by one that is.
        if not any(points[best] == points[number] or dominates(points[best], points[number]) for best in front):
            front.append(number)
    return sorted(front)

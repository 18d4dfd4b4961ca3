"""Which sets are tried: all of a grid here, and by Optuna where one learns from the others (`optuna_sampler`)."""

import itertools
from collections.abc import Iterator, Sequence
from typing import Protocol

from binance_trade_agent.backtest.optimize.goals import Scores
from binance_trade_agent.backtest.optimize.model import OptimizeError
from binance_trade_agent.backtest.optimize.space import Space
from binance_trade_agent.domain.nearest import nearest

GRID, RANDOM, TPE, CMAES, NSGA2 = SAMPLERS = ("grid", "random", "tpe", "cmaes", "nsga2")
PRUNERS = ("none", "median", "halving")
MOST_OF_A_GRID = 10_000
USUAL_TRIALS = 100
_GRID_BATCH = 500  # so many are under way at once, which bounds what a kill loses and what a pool holds


class Proposal(Protocol):
    """A set that was proposed, until its outcome is told."""

    params: dict[str, str]

    def is_pruned(self, step: int, scores: Scores | None, trades: int) -> bool:
        """Whether to give up, with this outcome on the first `step` quarters of the period."""
        ...


class Sampler(Protocol):
    """Proposes sets in batches, and learns from what became of them. The same seed and answers, the same sets."""

    def propose(self) -> Sequence[Proposal]:
        """The next batch; empty at the end."""
        ...

    def learn(self, told: Sequence[tuple[Proposal, Scores | None, int]]) -> None:
        """What became of a batch: scores (None: worthless, refused or pruned) and the number of trades."""
        ...


class GridProposal:
    """A set of a grid."""

    def __init__(self, params: dict[str, str]) -> None:
        self.params = params

    def is_pruned(self, step: int, scores: Scores | None, trades: int) -> bool:  # noqa: ARG002 - it never gives up
        """Never: a grid tries every set to the end."""
        return False


class Grid:
    """Every set of a space, once, in order."""

    def __init__(self, space: Space) -> None:
        self._left = map(GridProposal, space.every())

    def propose(self) -> Sequence[Proposal]:
        """See Sampler."""
        return list(itertools.islice(self._left, _GRID_BATCH))

    def learn(self, told: Sequence[tuple[Proposal, Scores | None, int]]) -> None:
        """A grid learns nothing."""


def sampler_of(
    name: str, space: Space, *, goals: int, trials: int | None, seed: int, batch: int, pruner: str = "none"
) -> tuple[Sampler, int]:
    """The sampler of this name, and how many sets it will propose.

    Args:
        name: one of SAMPLERS.
        space: what is searched.
        goals: how many there are.
        trials: how many sets; for a grid the most that it may have. None takes the usual number.
        seed: of every sampler but the grid.
        batch: sets that are proposed before any of them is known; the result depends on it.
        pruner: one of PRUNERS.

    Raises:
        OptimizeError: an unknown name, a combination that does not go together, or Optuna is not installed.
    """
    for kind, given, allowed in (("--sampler", name, SAMPLERS), ("--prune", pruner, PRUNERS)):
        if given not in allowed:
            near = nearest(given, allowed)
            question = f", did you mean {near}?" if near else "."
            raise OptimizeError(f"{kind} {given} is unknown{question} There are: {', '.join(allowed)}")
    if pruner != "none" and goals > 1:
        raise OptimizeError(f"--prune {pruner} needs one --goal: there is no median of {goals} at once.")
    if name == GRID and space.size > (trials or MOST_OF_A_GRID):
        raise OptimizeError(
            f"the grid has {space.size:,} sets, more than {trials or MOST_OF_A_GRID:,}: narrow it with --space, allow "
            f"more with --trials, or take --sampler {RANDOM}."
        )
    if name == GRID and pruner == "none":
        return Grid(space), space.size
    from binance_trade_agent.backtest.optimize.optuna_sampler import OptunaSampler

    count = space.size if name == GRID else trials or USUAL_TRIALS
    return OptunaSampler(name, space, goals=goals, trials=count, seed=seed, batch=batch, pruner=pruner), count


def batches(total: int, size: int) -> Iterator[int]:
    """Sizes of batches that add up to `total`."""
    for start in range(0, total, size):
        yield min(size, total - start)

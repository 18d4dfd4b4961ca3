"""Samplers and pruners of Optuna, asked and told in batches, so that the number of processes changes no result.

The study is kept in memory: what was tried before a kill is kept by `memory`, which answers the same questions again.
"""

import warnings
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from binance_trade_agent.backtest.optimize import samplers
from binance_trade_agent.backtest.optimize.goals import Scores
from binance_trade_agent.backtest.optimize.model import OptimizeError
from binance_trade_agent.backtest.optimize.space import Space

if TYPE_CHECKING:
    import optuna

_POPULATION = 20  # of NSGA-II; Optuna's 50 would leave two generations of the usual 100 trials
_WORTHLESS = -1e6  # below every score: CMA-ES and the crowding distance of NSGA-II need a finite number
_TRIALS_BEFORE_PRUNING = 10


class OptunaProposal:
    """A set of a trial of Optuna."""

    def __init__(self, params: dict[str, str], trial: "optuna.trial.Trial") -> None:
        self.params = params
        self.trial = trial
        self.was_pruned = False

    def is_pruned(self, step: int, scores: Scores | None, trades: int) -> bool:
        """What the pruner says, which has seen earlier batches, and of this one the sets before."""
        self.trial.report(scores[0] if scores else _WORTHLESS + trades, step)
        self.was_pruned = self.trial.should_prune()
        return self.was_pruned


class OptunaSampler:
    """See `samplers.sampler_of` for the arguments; the name `grid` is for a grid that is pruned."""

    def __init__(
        self, name: str, space: Space, *, goals: int, trials: int, seed: int, batch: int, pruner: str = "none"
    ) -> None:
        optuna = _optuna(f"--sampler {name}" if name != samplers.GRID else f"--prune {pruner}")
        if name == samplers.CMAES and (goals > 1 or len(space.parameters) < 2):
            raise OptimizeError("--sampler cmaes needs one --goal and two parameters at least: take --sampler tpe.")
        self._space = space
        self._distributions = {
            parameter.name: optuna.distributions.IntDistribution(0, len(parameter.values) - 1)
            for parameter in space.parameters
        }
        self._study = optuna.create_study(
            directions=["maximize"] * goals,
            sampler=_sampler(optuna, name, seed),
            pruner=_pruner(optuna, pruner),
        )
        self._given: Iterator[dict[str, str]] | None = space.every() if name == samplers.GRID else None
        self._sizes = samplers.batches(trials, max(batch, _POPULATION) if name == samplers.NSGA2 else batch)

    def propose(self) -> Sequence[OptunaProposal]:
        """See Sampler."""
        return [self._proposal() for _ in range(next(self._sizes, 0))]

    def learn(self, told: Sequence[tuple[samplers.Proposal, Scores | None, int]]) -> None:
        """See Sampler. Among the worthless those with more trades are better, which leads to where there are some."""
        from optuna.trial import TrialState

        for proposal, scores, trades in told:
            assert isinstance(proposal, OptunaProposal)
            if proposal.was_pruned:
                self._study.tell(proposal.trial, state=TrialState.PRUNED)
            else:
                worthless = [_WORTHLESS + trades] * len(self._study.directions)
                self._study.tell(proposal.trial, list(scores) if scores else worthless)

    def _proposal(self) -> OptunaProposal:
        if self._given is not None:
            params = next(self._given)
            indices = {p.name: p.values.index(params[p.name]) for p in self._space.parameters}
            self._study.enqueue_trial(indices)
        trial = self._study.ask(self._distributions)
        return OptunaProposal(self._space.params([trial.params[name] for name in self._distributions]), trial)


def _optuna(needed_by: str) -> Any:
    try:
        import optuna
    except ImportError:
        raise OptimizeError(
            f"{needed_by} needs Optuna: pip install 'binance-trading-agent[optimize]', or take --sampler grid."
        ) from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


def _sampler(optuna: Any, name: str, seed: int) -> Any:
    if name == samplers.TPE:
        return optuna.samplers.TPESampler(seed=seed)
    if name == samplers.NSGA2:
        return optuna.samplers.NSGAIISampler(seed=seed, population_size=_POPULATION)
    if name != samplers.CMAES:
        return optuna.samplers.RandomSampler(seed=seed)
    try:
        import cmaes  # noqa: F401 - Optuna imports it at the first trial, too late for a sentence
    except ImportError:
        raise OptimizeError("--sampler cmaes needs cmaes: pip install 'binance-trading-agent[optimize]'.") from None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        # With margin, whole numbers keep a chance to change; see Hamano et al., CMA-ES with Margin, 2022.
        return optuna.samplers.CmaEsSampler(seed=seed, with_margin=True, warn_independent_sampling=False)


def _pruner(optuna: Any, name: str) -> Any:
    if name == "median":
        return optuna.pruners.MedianPruner(n_startup_trials=_TRIALS_BEFORE_PRUNING)
    if name == "halving":
        return optuna.pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=2)
    return optuna.pruners.NopPruner()

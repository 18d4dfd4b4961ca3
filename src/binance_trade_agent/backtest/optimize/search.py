"""One search on one span: sets are proposed in batches, run, scored, and learnt from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from binance_trade_agent.backtest.optimize.goals import Goal, Scores, pareto_front, scores
from binance_trade_agent.backtest.optimize.model import Outcome, Params, Span, Task, Workers
from binance_trade_agent.backtest.optimize.samplers import Proposal, Sampler
from binance_trade_agent.backtest.optimize.space import Space

_QUARTERS = 4
_PRUNED_AFTER = (1, 2)  # quarters of the period after which a pruner is asked


class State(StrEnum):
    """What became of a set."""

    SCORED = "scored"
    WORTHLESS = "worthless"  # too few trades, or no number for a goal
    REFUSED = "refused"  # by the strategy, or by the backtest
    PRUNED = "pruned"


@dataclass(frozen=True, slots=True)
class Trial:
    """A set that was tried.

    Attributes:
        number: 1, 2, ... in the order in which sets were proposed.
        scores: one a goal, more is better; None unless it is scored.
        outcome: on the whole span, or on the part after which it was pruned; None when the strategy refused it.
    """

    number: int
    params: Params
    state: State
    scores: Scores | None = None
    outcome: Outcome | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """What a search found.

    Attributes:
        trials: in the order of their numbers; with `was_interrupted` those that were finished.
    """

    span: Span
    trials: Sequence[Trial]
    was_interrupted: bool = False

    @property
    def front(self) -> list[Trial]:
        """The best: with one goal one set, with several the Pareto front, best in the first goal first."""
        ranked = self.ranked
        best = pareto_front([trial.scores for trial in ranked if trial.scores])
        return [ranked[number] for number in best]

    @property
    def ranked(self) -> list[Trial]:
        """Every scored set, the best in the first goal first, of equal ones the earlier; each set of values once."""
        once = {tuple(trial.params.items()): trial for trial in reversed(self.trials) if trial.scores}
        return sorted(once.values(), key=lambda trial: (*(-score for score in trial.scores or ()), trial.number))

    def counts(self) -> Mapping[State, int]:
        """How many sets ended so."""
        return {state: sum(trial.state is state for trial in self.trials) for state in State}


class Progress(Protocol):
    """Shows how far a search is."""

    def begin(self, total: int, title: str) -> None:
        """A search of so many sets begins."""
        ...

    def advance(self, trial: Trial) -> None:
        """A set is done."""
        ...


class NoProgress:
    """Shows nothing."""

    def begin(self, total: int, title: str) -> None:
        """See Progress."""

    def advance(self, trial: Trial) -> None:
        """See Progress."""


@dataclass(frozen=True, slots=True)
class Question:
    """What a search looks for.

    Attributes:
        min_trades: with fewer a set is worthless.
        prunes: whether the sampler's pruner is asked after parts of the span.
    """

    space: Space
    goals: Sequence[Goal]
    min_trades: int
    prunes: bool = False


def search(
    question: Question, span: Span, sampler: Sampler, workers: Workers, progress: Progress | None = None
) -> Found:
    """Try what the sampler proposes on `span`. An interrupt (Ctrl-C) ends it with what is finished.

    Raises:
        GoneError: those who work are gone.
    """
    progress = progress or NoProgress()
    trials: list[Trial] = []
    finished: dict[int, Trial] = {}
    try:
        while batch := sampler.propose():
            finished = {}
            _Batch(question, span, batch, len(trials) + 1, finished, progress).run(workers)
            told = [finished[number] for number in range(len(batch))]
            sampler.learn(
                [
                    (proposal, trial.scores, trial.outcome.trades if trial.outcome else 0)
                    for proposal, trial in zip(batch, told, strict=True)
                ]
            )
            trials += told
    except KeyboardInterrupt:
        rest = [finished[number] for number in sorted(finished)]
        return Found(span, trials + [trial for trial in rest if trial.number > len(trials)], was_interrupted=True)
    return Found(span, trials)


class _Batch:
    """Sets that are proposed together. `finished` is filled as they end, by their number in the batch."""

    def __init__(
        self,
        question: Question,
        span: Span,
        batch: Sequence[Proposal],
        first_number: int,
        finished: dict[int, Trial],
        progress: Progress,
    ) -> None:
        self._question = question
        self._span = span
        self._batch = batch
        self._first_number = first_number
        self._finished = finished
        self._progress = progress

    def run(self, workers: Workers) -> None:
        left = []
        for number, proposal in enumerate(self._batch):
            if self._question.space.refusal(proposal.params):
                self._finish(number, State.REFUSED)
            else:
                left.append(number)
        if self._question.prunes:
            for quarters in _PRUNED_AFTER:
                left = self._pruned(left, quarters, workers)
        tasks = [Task(self._batch[number].params, self._span) for number in left]
        for at, outcome in workers.outcomes(tasks):
            self._finish(left[at], *self._judged(outcome, self._question.min_trades), outcome)

    def _pruned(self, left: Sequence[int], quarters: int, workers: Workers) -> list[int]:
        """Those that go on after the first quarters. The pruner is asked in the order of their numbers."""
        span = Span(self._span.from_ms, self._span.from_ms + self._span.length_ms * quarters // _QUARTERS)
        tasks = [Task(self._batch[number].params, span) for number in left]
        outcomes = dict(workers.outcomes(tasks))
        kept = []
        for at, number in enumerate(left):
            outcome = outcomes[at]
            state, found = self._judged(outcome, self._question.min_trades * quarters // _QUARTERS)
            if state is State.REFUSED:
                self._finish(number, state, None, outcome)
            elif self._batch[number].is_pruned(quarters, found, outcome.trades):
                self._finish(number, State.PRUNED, None, outcome)
            else:
                kept.append(number)
        return kept

    def _judged(self, outcome: Outcome, min_trades: int) -> tuple[State, Scores | None]:
        if outcome.refused:
            return State.REFUSED, None
        found = scores(self._question.goals, outcome, min_trades)
        return (State.SCORED if found else State.WORTHLESS), found

    def _finish(self, number: int, state: State, found: Scores | None = None, outcome: Outcome | None = None) -> None:
        trial = Trial(self._first_number + number, self._batch[number].params, state, found, outcome)
        self._finished[number] = trial
        self._progress.advance(trial)

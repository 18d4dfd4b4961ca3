"""The whole of an optimisation: search in each window, judge what was found on candles that it was not chosen on."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from binance_trade_agent.backtest.optimize.goals import Goal, dominates, scores
from binance_trade_agent.backtest.optimize.model import Curve, OptimizeError, Outcome, Params, Task, Workers
from binance_trade_agent.backtest.optimize.overfitting import DeflatedSharpe, deflated_sharpe, warnings_of
from binance_trade_agent.backtest.optimize.samplers import Sampler
from binance_trade_agent.backtest.optimize.search import Found, NoProgress, Progress, Question, State, Trial, search
from binance_trade_agent.backtest.optimize.windows import Window
from binance_trade_agent.history.table import FloatArray, IntArray
from binance_trade_agent.reports import performance

USUAL_TOP = 10


@dataclass(frozen=True, slots=True)
class Judged:
    """A set with what it came to where it was searched, and where it was not (None: nothing was kept back).

    Attributes:
        number: of its trial; None for the parameters as they are set, which no search has chosen.
    """

    params: Params
    inside: Outcome
    outside: Outcome | None = None
    number: int | None = None


@dataclass(frozen=True, slots=True)
class WindowResult:
    """What a search in one window found.

    Attributes:
        best: with one goal the best sets, best first; with several the Pareto front, best in the first goal first. The
            first of them is *the* best. Empty when no set was worth anything.
        unchanged: the parameters as they are set, for comparison.
    """

    window: Window
    found: Found
    best: Sequence[Judged]
    unchanged: Judged
    deflated: DeflatedSharpe | None
    warnings: Sequence[str]


@dataclass(frozen=True, slots=True)
class Joined:
    """The test spans of all windows one after the other, each traded with what was best in the window before it.

    Each span begins with a fresh account; the curve goes on from where the one before ended, so that gains compound.

    Attributes:
        measures: profit (%), sharpe and drawdown (%, by days) of the curve; trades of all spans.
        efficiency: growth a year out of sample by that in sample, both averages; None where that lost.
    """

    curve: Curve
    measures: Mapping[str, float | None]
    efficiency: float | None


@dataclass(frozen=True, slots=True)
class Optimisation:
    """The outcome of an optimisation.

    Attributes:
        windows: in time order; one without walk-forward.
        joined: with walk-forward only.
        was_interrupted: whether it was ended before its end.
    """

    question: Question
    windows: Sequence[WindowResult]
    joined: Joined | None
    was_interrupted: bool

    @property
    def goals(self) -> Sequence[Goal]:
        """What was looked for."""
        return self.question.goals

    @property
    def last(self) -> WindowResult:
        """The window whose best set is the newest."""
        return self.windows[-1]


def optimise(
    question: Question,
    windows: Sequence[Window],
    make_sampler: Callable[[], tuple[Sampler, int]],
    workers: Workers,
    *,
    top: int = USUAL_TOP,
    progress: Progress | None = None,
) -> Optimisation:
    """Search in every window and judge the best.

    Args:
        question: what is looked for.
        windows: see `windows`.
        make_sampler: gives a fresh sampler, the same each time, and how many sets it proposes.
        workers: who runs the backtests.
        top: how many of the best sets are judged outside their window.
        progress: told of every set.

    Raises:
        OptimizeError: the period cannot be backtested at all, or those who work are gone.
    """
    progress = progress or NoProgress()
    results: list[WindowResult] = []
    for number, window in enumerate(windows, 1):
        sampler, count = make_sampler()
        title = f"window {number} of {len(windows)}" if len(windows) > 1 else "sets"
        unchanged = _unchanged(window, workers)
        progress.begin(count, title)
        found = search(question, window.train, sampler, workers, progress)
        results.append(_judge(question, window, found, unchanged, workers, top))
        if found.was_interrupted:
            break
    was_interrupted = results[-1].found.was_interrupted
    return Optimisation(question, results, _join(results) if len(windows) > 1 else None, was_interrupted)


def _unchanged(window: Window, workers: Workers) -> Judged:
    """The parameters as they are; a period that cannot be traded is found out here, before a hundred sets try."""
    spans = [window.train, *([window.test] if window.test else [])]
    outcomes = dict(workers.outcomes([Task({}, span, with_curve=True) for span in spans]))
    if refusal := outcomes[0].refused:
        raise OptimizeError(refusal)
    return Judged({}, outcomes[0], outcomes.get(1))


def _judge(
    question: Question, window: Window, found: Found, unchanged: Judged, workers: Workers, top: int
) -> WindowResult:
    chosen = (found.front if len(question.goals) > 1 else found.ranked)[:top]
    if not chosen:
        return WindowResult(window, found, [], unchanged, None, [])
    tasks = [Task(chosen[0].params, window.train, with_curve=True)]
    if window.test:
        tasks += [Task(trial.params, window.test, with_curve=trial is chosen[0]) for trial in chosen]
    outcomes = dict(workers.outcomes(tasks))
    insides = [outcomes[0], *(trial.outcome for trial in chosen[1:])]
    best = [
        Judged(trial.params, inside, outcomes.get(number), trial.number)
        for number, (trial, inside) in enumerate(zip(chosen, insides, strict=True), 1)
        if inside
    ]
    deflated = _deflated(outcomes[0], found.trials)
    warnings = warnings_of(question.space, question.goals, best[0].params, best[0].inside, best[0].outside, deflated)
    as_set = scores(question.goals, unchanged.inside, question.min_trades)
    if as_set and not any(dominates(trial.scores, as_set) for trial in chosen if trial.scores):
        warnings.append("No set that was tried beats the parameters as they are set.")
    return WindowResult(window, found, best, unchanged, deflated, warnings)


def _deflated(best: Outcome, trials: Sequence[Trial]) -> DeflatedSharpe | None:
    """Judged by every different set that was run; pruned ones count as tried, but their Sharpe is of another span."""
    run = {tuple(trial.params.items()): trial for trial in trials if trial.state is not State.REFUSED}
    outcomes = [trial.outcome for trial in run.values() if trial.outcome and trial.state is not State.PRUNED]
    sharpes = [sharpe for outcome in outcomes if (sharpe := outcome.measures.get("sharpe")) is not None]
    return deflated_sharpe(best.curve, sharpes, len(run)) if best.curve else None


def _join(results: Sequence[WindowResult]) -> Joined | None:
    """The best sets out of sample; None when a window has none, since nothing was traded there then."""
    outsides = [result.best[0].outside for result in results if result.best]
    curves = [outside.curve for outside in outsides if outside and outside.curve]
    if len(curves) < len(results):
        return None
    curve = _compounded(curves)
    fall = performance.drawdown(curve.times_ms, curve.equity_quote)
    measures = {
        "profit": performance.return_pct(curve.equity_quote),
        "sharpe": performance.sharpe(curve.times_ms, curve.equity_quote),
        "drawdown": fall.pct if fall else None,
        "trades": float(sum(outside.trades for outside in outsides if outside)),
    }
    insides = [result.best[0].inside.curve for result in results]
    return Joined(curve, measures, _efficiency([inside for inside in insides if inside], curves))


def _compounded(curves: Sequence[Curve]) -> Curve:
    times: list[IntArray] = []
    equities: list[FloatArray] = []
    level = 1.0
    for curve in curves:
        growth = curve.equity_quote / curve.equity_quote[0] * level
        skip = 1 if times else 0  # a span begins with what the one before it ended with
        times.append(curve.times_ms[skip:])
        equities.append(growth[skip:])
        level = float(growth[-1])
    return Curve(np.concatenate(times), np.concatenate(equities) * curves[0].equity_quote[0])


def _efficiency(insides: Sequence[Curve], outsides: Sequence[Curve]) -> float | None:
    """Walk-forward efficiency. Source: Robert Pardo, The Evaluation and Optimization of Trading Strategies, 2008."""
    inside, outside = (
        float(np.mean([np.log(curve.equity_quote[-1] / curve.equity_quote[0]) / _length_ms(curve) for curve in curves]))
        for curves in (insides, outsides)
    )
    return outside / inside if inside > 0 else None


def _length_ms(curve: Curve) -> int:
    return int(curve.times_ms[-1] - curve.times_ms[0])

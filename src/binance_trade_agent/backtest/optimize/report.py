"""An optimisation as text, as JSON and as CSV."""

import csv
import io
import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from binance_trade_agent.backtest.optimize.goals import GOALS, Goal
from binance_trade_agent.backtest.optimize.model import Outcome, Params, Span
from binance_trade_agent.backtest.optimize.optimisation import Joined, Judged, Optimisation, WindowResult
from binance_trade_agent.backtest.optimize.overfitting import DeflatedSharpe
from binance_trade_agent.backtest.optimize.search import State
from binance_trade_agent.backtest.optimize.space import Space, described
from binance_trade_agent.domain.candles import INTERVAL_MS
from binance_trade_agent.domain.wording import iso_second
from binance_trade_agent.reports.aligned import aligned

_BESIDE = ("profit", "drawdown", "trades")  # shown beside the goals


@dataclass(frozen=True, slots=True)
class Setting:
    """What was asked for, as it goes into the report and into the command that uses the best set.

    Attributes:
        period: all of it; data: what the candles are, and `place` where they lie.
        sampler: its name; `seed` of it.
        options: of `trade-agent backtest`, that make the same backtest: name, value, name, value, ...
        settings: those among them that `trade-agent run` takes too.
    """

    symbols: Sequence[str]
    interval: str
    period: Span
    data: str
    sampler: str
    seed: int
    options: Sequence[str] = ()
    settings: Sequence[str] = ()


def as_text(setting: Setting, found: Optimisation) -> str:
    """The report for a terminal."""
    return "\n".join(_lines(setting, found))


def _lines(setting: Setting, found: Optimisation) -> Iterator[str]:
    space = found.question.space
    yield f"Optimise {space.strategy} on {', '.join(setting.symbols)} {setting.interval}, {setting.period}"
    yield f"  searched: {', '.join(map(str, space.parameters))}: {space.size:,} sets; sampler {setting.sampler}"
    yield f"  goal: {' and '.join(map(_goal_text, found.goals))}; at least {found.question.min_trades} trades"
    for number, result in enumerate(found.windows, 1):
        yield ""
        yield from _window_lines(found, result, f"Window {number}: " if len(found.windows) > 1 else "")
    if len(found.windows) > 1:
        yield ""
        yield from _walk_lines(found)
    if found.was_interrupted:
        yield ""
        yield "It was ended before its end: this is what was found until then."
    yield from _use_lines(setting, found)


def _goal_text(goal: Goal) -> str:
    return f"{'lowest' if goal.minimise else 'highest'} {goal.name} ({goal.meaning})"


def _window_lines(found: Optimisation, result: WindowResult, title: str) -> Iterator[str]:
    window = result.window
    yield f"{title}searched on {window.train}, " + (f"kept back {window.test}" if window.test else "nothing kept back")
    yield f"  {_counts_text(result)}"
    if not result.best:
        yield f"  No set closed at least {found.question.min_trades} trades with a number for every goal."
        return
    if len(found.goals) > 1:
        yield "  Sets that no other beats in every goal:"
    yield from aligned(list(_table(found.goals, result)), right=range(1, 40), indent="    ")
    if result.deflated:
        yield f"  {_deflated_text(result.deflated)}"
    for warning in result.warnings:
        yield f"  Warning: {warning}"


def _deflated_text(deflated: DeflatedSharpe) -> str:
    luck = f"the best of {deflated.trials} sets without skill would have {deflated.luck:.2f}"
    skill = f"probability of skill {deflated.probability:.2f} over {deflated.days} days"
    return f"Deflated Sharpe: found {deflated.sharpe:.2f}, {luck}; {skill}."


def _counts_text(result: WindowResult) -> str:
    counts = result.found.counts()
    said = {
        State.SCORED: "scored",
        State.WORTHLESS: "with too few trades or no number for a goal",
        State.REFUSED: "refused",
        State.PRUNED: "given up early",
    }
    parts = [f"{counts[state]:,} {words}" for state, words in said.items() if counts[state]]
    outcomes = (trial.outcome for trial in result.found.trials if trial.state is State.REFUSED)
    because = next((f" One could not be run: {outcome.refused}" for outcome in outcomes if outcome), "")
    return f"{len(result.found.trials):,} sets tried: {', '.join(parts) or 'none'}.{because}"


def _table(goals: Sequence[Goal], result: WindowResult) -> Iterator[list[str]]:
    """The best sets; every number in sample, and out of sample where something was kept back."""
    names = list(dict.fromkeys([goal.name for goal in goals] + list(_BESIDE)))
    searched = list(result.best[0].params)
    has_outside = result.window.test is not None
    yield ["", *searched, *(heading for name in names for heading in ([name, "out"] if has_outside else [name]))]
    for place, judged in enumerate([*result.best, result.unchanged], 1):
        label = "as set" if judged.number is None else str(place)
        yield [
            label,
            *(judged.params.get(name, "") for name in searched),
            *_cells(names, judged, has_outside=has_outside),
        ]


def _cells(names: Sequence[str], judged: Judged, *, has_outside: bool) -> Iterator[str]:
    for name in names:
        yield _cell(name, judged.inside)
        if has_outside:
            yield _cell(name, judged.outside)


def _cell(name: str, outcome: Outcome | None) -> str:
    return GOALS[name].text(outcome.measures.get(name)) if outcome else "-"


def _walk_lines(found: Optimisation) -> Iterator[str]:
    yield "Walk-forward: the best set of each window, in sample and out of sample"
    goal = found.goals[0]
    rows = [["", "out of sample", goal.name, "out", "profit", "out", "trades", "out", "parameters"]]
    for number, result in enumerate(found.windows, 1):
        if not result.best:
            rows.append([str(number), str(result.window.test), *["-"] * 6, "none was worth something"])
            continue
        best = result.best[0]
        cells = _cells([goal.name, "profit", "trades"], best, has_outside=True)
        rows.append([str(number), str(result.window.test), *cells, described(best.params)])
    yield from aligned(rows, right=range(2, 8))
    if found.joined:
        yield f"  Out of sample together: {_joined_text(found.joined)}"
    elif not found.was_interrupted:
        yield "  Some windows have no set to trade with, so there is no curve out of sample."


def _joined_text(joined: Joined) -> str:
    numbers = (f"{name} {GOALS[name].text(value)}" for name, value in joined.measures.items())
    growth = "" if joined.efficiency is None else f"; growth is {100 * joined.efficiency:.0f} % of that in sample"
    return f"{', '.join(numbers)}{growth}."


def _use_lines(setting: Setting, found: Optimisation) -> Iterator[str]:
    best = best_params(found)
    if best is None:
        return
    space = found.question.space
    yield ""
    yield "To use the best" + (f" in {found.goals[0].name}:" if len(found.goals) > 1 else ":")
    for name, value in settings_of(space, best).items():
        yield f"  {name}={value}"
    for command in commands_of(setting, space, best):
        yield f"  {command}"


def best_params(found: Optimisation) -> Params | None:
    """The best set of the newest window that has one."""
    return next((result.best[0].params for result in reversed(found.windows) if result.best), None)


def settings_of(space: Space, best: Params) -> dict[str, str]:
    """The settings of the daemon that use a set."""
    return {"STRATEGY_NAME": space.strategy, "STRATEGY_PARAMS": described({**space.fixed, **best})}


def commands_of(setting: Setting, space: Space, best: Params) -> list[str]:
    """The backtest of a set over the whole period, and the daemon that trades with it, on the same candles."""
    strategy = settings_of(space, best)
    flags = ["--strategy-name", strategy["STRATEGY_NAME"], "--strategy-params", strategy["STRATEGY_PARAMS"]]
    tick_seconds = min(INTERVAL_MS[setting.interval], INTERVAL_MS["1d"]) // 1000  # TRADING_INTERVAL_SECONDS ends there
    market = ["--symbols", ",".join(setting.symbols), "--candle-interval", setting.interval]
    market += ["--interval-seconds", str(tick_seconds)]
    return [
        shlex.join(["trade-agent", "backtest", *flags, *setting.options]),
        shlex.join(["trade-agent", "run", *flags, *market, *setting.settings]),
    ]


def as_json(setting: Setting, found: Optimisation) -> str:
    """One document: what was asked for, the best sets of each window, and every set that was tried."""
    space, best = found.question.space, best_params(found)
    document = {
        "strategy": space.strategy,
        "fixed": dict(space.fixed),
        "space": {parameter.name: list(parameter.values) for parameter in space.parameters},
        "goals": [goal.name for goal in found.goals],
        "min_trades": found.question.min_trades,
        "symbols": list(setting.symbols),
        "interval": setting.interval,
        "data": setting.data,
        "period": _span(setting.period),
        "sampler": setting.sampler,
        "seed": setting.seed,
        "was_interrupted": found.was_interrupted,
        "windows": [_window_document(result) for result in found.windows],
        "out_of_sample": _joined_document(found.joined),
        "best": None
        if best is None
        else {
            "params": dict(best),
            "settings": settings_of(space, best),
            "commands": commands_of(setting, space, best),
        },
    }
    return json.dumps(document, indent=2)


def _span(span: Span | None) -> dict[str, str] | None:
    return span and {"from": iso_second(span.from_ms), "before": iso_second(span.before_ms)}


def _window_document(result: WindowResult) -> dict[str, Any]:
    return {
        "train": _span(result.window.train),
        "test": _span(result.window.test),
        "counts": {str(state): count for state, count in result.found.counts().items()},
        "best": [_judged_document(judged) for judged in result.best],
        "as_set": _judged_document(result.unchanged),
        "deflated_sharpe": asdict(result.deflated) if result.deflated else None,
        "warnings": list(result.warnings),
        "trials": [
            {
                "number": trial.number,
                "params": dict(trial.params),
                "state": str(trial.state),
                "measures": _measures(trial.outcome),
            }
            for trial in result.found.trials
        ],
    }


def _judged_document(judged: Judged) -> dict[str, Any]:
    return {
        "number": judged.number,
        "params": dict(judged.params),
        "in_sample": _measures(judged.inside),
        "out_of_sample": _measures(judged.outside),
    }


def _measures(outcome: Outcome | None) -> Mapping[str, float | None] | None:
    return dict(outcome.measures) if outcome and not outcome.refused else None


def _joined_document(joined: Joined | None) -> dict[str, Any] | None:
    if joined is None:
        return None
    equity = zip(map(iso_second, joined.curve.times_ms.tolist()), joined.curve.equity_quote.tolist(), strict=True)
    return {"measures": dict(joined.measures), "efficiency": joined.efficiency, "equity_quote": dict(equity)}


def as_csv(found: Optimisation) -> str:
    """Every set that was tried, a line each; measures are those of the span that was searched."""
    names = [parameter.name for parameter in found.question.space.parameters]
    measures = list(dict.fromkeys([goal.name for goal in found.goals] + ["sharpe", *_BESIDE]))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["window", "number", "state", *names, *measures])
    for number, result in enumerate(found.windows, 1):
        for trial in result.found.trials:
            values = trial.outcome.measures if trial.outcome else {}
            cells = ["" if values.get(name) is None else repr(values[name]) for name in measures]
            writer.writerow([number, trial.number, trial.state, *(trial.params[name] for name in names), *cells])
    return text.getvalue()

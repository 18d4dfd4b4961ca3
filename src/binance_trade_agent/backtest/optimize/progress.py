"""How far a search is, on standard error: a bar on a terminal, a line every few seconds elsewhere."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TextIO

from binance_trade_agent.backtest.optimize.goals import Goal, Scores
from binance_trade_agent.backtest.optimize.search import Progress, Trial
from binance_trade_agent.backtest.optimize.space import described

_LINE_SECONDS = 5.0


class _Best:
    """The best set so far, in the first goal."""

    def __init__(self, goals: Sequence[Goal]) -> None:
        self._goals = goals
        self._scores: Scores | None = None
        self.text = "nothing worth something yet"

    def take(self, trial: Trial) -> None:
        if trial.scores and trial.outcome and (self._scores is None or trial.scores > self._scores):
            self._scores = trial.scores
            numbers = ", ".join(f"{goal.name} {goal.text(trial.outcome.measures[goal.name])}" for goal in self._goals)
            self.text = f"best {numbers} ({described(trial.params)})"


class Lines:
    """A line every few seconds, and one at the end of each search."""

    def __init__(self, goals: Sequence[Goal], file: TextIO, now_seconds: Callable[[], float]) -> None:
        self._goals = goals
        self._file = file
        self._now_seconds = now_seconds
        self._said_seconds = now_seconds()
        self._total = self._done = 0
        self._title = ""
        self._best = _Best(goals)

    def begin(self, total: int, title: str) -> None:
        """See Progress."""
        self._total, self._done, self._title = total, 0, title
        self._best = _Best(self._goals)

    def advance(self, trial: Trial) -> None:
        """See Progress."""
        self._done += 1
        self._best.take(trial)
        now_seconds = self._now_seconds()
        if self._done == self._total or now_seconds - self._said_seconds >= _LINE_SECONDS:
            self._said_seconds = now_seconds
            print(f"{self._title}: {self._done} of {self._total}, {self._best.text}", file=self._file, flush=True)


class _Bar:
    def __init__(self, goals: Sequence[Goal], bar: "object") -> None:
        from rich.progress import Progress as RichProgress

        assert isinstance(bar, RichProgress)
        self._goals = goals
        self._bar = bar
        self._task = bar.add_task("", total=None, best="")
        self._best = _Best(goals)

    def begin(self, total: int, title: str) -> None:
        """See Progress."""
        self._best = _Best(self._goals)
        self._bar.reset(self._task, total=total, description=title, best="")

    def advance(self, trial: Trial) -> None:
        """See Progress."""
        self._best.take(trial)
        self._bar.update(self._task, advance=1, best=self._best.text)


@contextmanager
def shown(goals: Sequence[Goal], now_seconds: Callable[[], float], file: TextIO | None = None) -> Iterator[Progress]:
    """Progress on `file`, standard error without one; what is shown ends with the context."""
    file = file or sys.stderr
    if not file.isatty():
        yield Lines(goals, file, now_seconds)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as RichProgress
    from rich.table import Column

    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TimeRemainingColumn(compact=True),
        TextColumn("{task.fields[best]}", table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis")),
    )
    with RichProgress(*columns, console=Console(file=file), transient=True, expand=True) as bar:
        yield _Bar(goals, bar)

"""What was tried is remembered: in memory, and in a file that a killed optimisation goes on from.

The file has a JSON document a line: first what the backtests depend on, then one outcome each. A search that is begun
again asks the same questions in the same order, since its sampler has a seed, and what the file answers costs nothing.
So a search that was killed and one that was not give the same report. (Optuna's own storages do not keep the random
state of a sampler: resumed with its seed, it would begin again with the same sets.)
"""

import fcntl
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Self

from binance_trade_agent.backtest.optimize.model import OptimizeError, Outcome, Task, Workers

_FORMAT = 1


class Memory:
    """Workers that are asked each question once; a context manager that closes its file.

    Curves are not kept: a task that asks for one is run again where it is wanted again.

    Attributes:
        known: outcomes that the file held when it was opened.
    """

    def __init__(self, workers: Workers, measures: Sequence[str], file: IO[str] | None = None) -> None:
        """Remember what `workers` find; an outcome without one of `measures` is not taken for an answer."""
        self._workers = workers
        self._measures = measures
        self._file = file
        self._outcomes: dict[tuple[Any, ...], Outcome] = {}
        self.known = 0

    @classmethod
    def of(cls, workers: Workers, measures: Sequence[str], path: Path, depends_on: Mapping[str, str]) -> Self:
        """A memory that is kept in a file.

        Args:
            workers: who answers what is not known.
            measures: that every outcome has to have.
            path: the file; made when it is not there.
            depends_on: what every outcome depends on, by name: data, strategy, space, settings.

        Raises:
            OptimizeError: the file cannot be read or written, is of another search, or is in use.
        """
        try:
            file = path.open("a+", encoding="utf-8")
        except OSError as failure:
            raise OptimizeError(f"--storage {path} cannot be opened: {failure.strerror}.") from None
        memory = cls(workers, measures, file)
        try:
            memory._take_over(path, dict(depends_on))
        except BaseException:
            file.close()
            raise
        return memory

    def outcomes(self, tasks: Sequence[Task]) -> Iterator[tuple[int, Outcome]]:
        """See Workers. Equal tasks are run once."""
        asked: dict[tuple[Any, ...], list[int]] = {}
        for number, task in enumerate(tasks):
            known = self._known(task)
            if known is not None:
                yield number, known
            else:
                asked.setdefault((_key(task), task.with_curve), []).append(number)
        first = [tasks[numbers[0]] for numbers in asked.values()]
        alike = list(asked.values())
        for number, outcome in self._workers.outcomes(first):
            self._remember(first[number], outcome)
            for same in alike[number]:
                yield same, outcome

    def __enter__(self) -> Self:
        """The memory itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        if self._file:
            self._file.close()

    def _known(self, task: Task) -> Outcome | None:
        outcome = self._outcomes.get(_key(task))
        if outcome is None or (task.with_curve and outcome.curve is None and not outcome.refused):
            return None
        if outcome.refused or all(name in outcome.measures for name in self._measures):
            return outcome
        return None

    def _remember(self, task: Task, outcome: Outcome) -> None:
        is_new = _key(task) not in self._outcomes or self._known(task._replace(with_curve=False)) is None
        self._outcomes[_key(task)] = outcome
        if self._file and is_new:
            self._write(_line(task, outcome))

    def _write(self, line: Mapping[str, Any]) -> None:
        assert self._file
        try:
            self._file.write(json.dumps(line, allow_nan=False) + "\n")
            self._file.flush()  # a kill of the process loses nothing then; the machine's end may lose the last lines
        except OSError as failure:
            raise OptimizeError(f"{self._file.name} cannot be written: {failure.strerror}.") from None

    def _take_over(self, path: Path, depends_on: dict[str, str]) -> None:
        assert self._file
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise OptimizeError(f"--storage {path} is in use by another optimisation.") from None
        self._file.seek(0)
        text = self._file.read()
        whole = text[: text.rfind("\n") + 1]  # a line that a kill cut off is written anew
        try:
            head, *lines = [json.loads(line) for line in whole.splitlines()] or [None]
            kept = dict(map(_read, lines))
            held = head["depends_on"] if head else None
        except (ValueError, KeyError, TypeError):
            raise OptimizeError(f"--storage {path} is no file of an optimisation; name another one.") from None
        os.ftruncate(self._file.fileno(), len(whole.encode()))
        if held is None:
            self._write({"format": _FORMAT, "depends_on": depends_on})
        elif differing := [name for name in depends_on if held.get(name) != depends_on[name]]:
            name = differing[0]
            raise OptimizeError(
                f"--storage {path} is of another search: its {name} is {held.get(name, 'unknown')}, here it is "
                f"{depends_on[name]}; name another file."
            )
        self._outcomes = kept
        self.known = len(kept)


def _key(task: Task) -> tuple[Any, ...]:
    return (tuple(sorted(task.params.items())), *task.span)


def _line(task: Task, outcome: Outcome) -> dict[str, Any]:
    line = {
        "params": dict(task.params),
        "from_ms": task.span.from_ms,
        "before_ms": task.span.before_ms,
        "trades": outcome.trades,
        "measures": dict(outcome.measures),
    }
    return line | ({"refused": outcome.refused} if outcome.refused else {})


def _read(line: Mapping[str, Any]) -> tuple[tuple[Any, ...], Outcome]:
    key = (tuple(sorted(line["params"].items())), line["from_ms"], line["before_ms"])
    return key, Outcome(line["measures"], line["trades"], None, line.get("refused"))

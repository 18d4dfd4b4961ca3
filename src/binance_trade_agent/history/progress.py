"""How far a download is: a bar for each symbol on a terminal, a line for each piece elsewhere; on standard error."""

import contextlib
import sys
from collections.abc import Iterator

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn


class Lines:
    """A line for each piece that has come."""

    def expect(self, label: str, count: int) -> None:
        """See download.Progress."""

    def advance(self, label: str, piece: str, count: int, found: int) -> None:  # noqa: ARG002 (see download.Progress)
        """See download.Progress."""
        print(f"{label} {piece}: {found:,} candles", file=sys.stderr, flush=True)


class Bars:
    """A bar for each symbol and interval."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tasks: dict[str, TaskID] = {}
        self._totals: dict[str, int] = {}

    def expect(self, label: str, count: int) -> None:
        """See download.Progress."""
        if label not in self._tasks:
            self._tasks[label] = self._progress.add_task(label, total=0)
        self._totals[label] = self._totals.get(label, 0) + count
        self._progress.update(self._tasks[label], total=self._totals[label])

    def advance(self, label: str, piece: str, count: int, found: int) -> None:  # noqa: ARG002 (see download.Progress)
        """See download.Progress."""
        self._progress.update(self._tasks[label], advance=count)


@contextlib.contextmanager
def shown() -> Iterator[Lines | Bars]:
    """Progress as standard error can show it."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield Lines()
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:,.0f} of {task.total:,.0f} candles"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as progress:
        yield Bars(progress)

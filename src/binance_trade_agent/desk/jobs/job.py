"""What a job is, and its folder: what was asked for, what it printed, and what came of it."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import msgspec

_TAIL_BYTES = 16_000
_MOST_LINES = 200
_PROGRESS = re.compile(r"^\w+ (\d{1,3}) %$", re.MULTILINE)  # backtest/command.py writes such lines


class JobState(StrEnum):
    """Where a job stands.

    RUNNING until its process ends. Then DONE or FAILED by its exit code, CANCELLED by a person, OVERDUE by its time
    limit, or LOST: the dashboard ended before it did, and took it along.
    """

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    OVERDUE = "overdue"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Work:
    """What a job is to do.

    Attributes:
        kind: names the job and its page: `backtest`, `verify`.
        lane: of jobs of one lane one runs at a time.
        arguments: of `trade-agent`, given the job's folder; each of them checked by whoever makes this.
        about: what was asked for, for a person.
        digest: what is worth keeping of the results in the folder; called in a thread when the command has ended well.
        limit_seconds: the process is ended after this.
        good_codes: exit codes with which the command has done what it was asked for.
        keep: so many jobs of this kind are kept, results and all.
    """

    kind: str
    lane: str
    arguments: Callable[[Path], Sequence[str]]
    about: Mapping[str, str]
    digest: Callable[[Path], dict[str, Any]]
    limit_seconds: float = 1_800.0
    good_codes: frozenset[int] = frozenset({0})
    keep: int = 20


class Job(msgspec.Struct, kw_only=True):
    """One job.

    Attributes:
        number: from 1, over all kinds.
        asked_by: whose session.
        exit_code: of the process; None while it runs and where a signal ended it.
        sentence: why there is no result; empty where there is one.
        result: of `Work.digest`.
    """

    number: int
    kind: str
    arguments: list[str]
    about: dict[str, str]
    asked_by: str
    started_wall_ms: int
    limit_seconds: float
    ended_wall_ms: int | None = None
    state: JobState = JobState.RUNNING
    exit_code: int | None = None
    sentence: str = ""
    result: dict[str, Any] = {}

    @property
    def is_running(self) -> bool:
        """Whether its process runs."""
        return self.state is JobState.RUNNING

    @property
    def is_done(self) -> bool:
        """Whether it has a result."""
        return self.state is JobState.DONE

    @property
    def command(self) -> str:
        """What was started, as one would type it, but for quotes."""
        return " ".join(["trade-agent", *self.arguments])


class Shelf:
    """The folder in which jobs are kept, each in a folder of its own. For the owner only."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def place(self, job: Job) -> Path:
        """Its folder."""
        return self._folder / f"{job.number:06d}-{job.kind}"

    def stored(self) -> list[Job]:
        """All that are kept, oldest first. What still ran when the dashboard ended is LOST."""
        found = []
        for path in sorted(self._folder.glob("*-*/job.json")):
            try:
                job = msgspec.json.decode(path.read_bytes(), type=Job)
            except (OSError, msgspec.MsgspecError):
                continue  # it was being written when the power went
            if job.is_running:
                job.state, job.sentence = JobState.LOST, "The dashboard ended before this was over."
            found.append(job)
        return found

    def make(self, job: Job) -> Path:
        """Make its folder; its number grows until there is none of it yet.

        Raises:
            OSError: it cannot be made.
        """
        self._folder.mkdir(mode=0o700, exist_ok=True)
        while True:
            try:
                self.place(job).mkdir(mode=0o700)
            except FileExistsError:
                job.number += 1
            else:
                return self.place(job)

    def store(self, job: Job) -> None:
        """Keep what is known of it, in one step.

        Raises:
            OSError: it cannot be written.
        """
        path = self.place(job) / "job.json"
        fresh = path.with_name("job.json.new")
        fresh.write_bytes(msgspec.json.encode(job))
        fresh.replace(path)

    def log(self, job: Job) -> list[str]:
        """The last lines that it wrote to standard error, without those of its progress."""
        return [line for line in self._tail(job).splitlines() if line and not _PROGRESS.match(line)][-_MOST_LINES:]

    def progress_pct(self, job: Job) -> int | None:
        """How far it says that it is; None where it has not said."""
        said = _PROGRESS.findall(self._tail(job))
        return min(100, int(said[-1])) if said else None

    def _tail(self, job: Job) -> str:
        try:
            with (self.place(job) / "log").open("rb") as file:
                file.seek(max(0, file.seek(0, 2) - _TAIL_BYTES))
                return file.read().decode(errors="replace")
        except OSError:
            return ""

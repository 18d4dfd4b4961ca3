"""Running jobs: one at a time in a lane, behind the trader, with a time limit, until they end or somebody ends them."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from shutil import rmtree
from typing import Any

import msgspec

from binance_trade_agent.configuration import Configuration
from binance_trade_agent.desk.jobs.job import Job, JobState, Shelf, Work
from binance_trade_agent.ops.clock import wall_ms
from binance_trade_agent.ops.tasks import spawn
from binance_trade_agent.settings import shown

# The library of matrices would take every core.
_QUIETLY = {"TRADE_AGENT_PROGRESS": "lines", "OPENBLAS_NUM_THREADS": "1", "NO_COLOR": "1", "PYTHONUNBUFFERED": "1"}
_CHILD = "binance_trade_agent.desk.jobs.child"
_LAST_SECONDS = 5.0  # to take away what is not whole


class BusyError(Exception):
    """Another job of the lane runs; the text is one sentence."""


class Jobs:
    """All jobs of a dashboard, those of earlier ones too.

    Args:
        folder: where they are kept; made with the first one.
        environment: of their processes.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._shelf = Shelf(folder)
        self._environment = {**environment, **_QUIETLY}
        self._jobs = {job.number: job for job in self._shelf.stored()}
        self._lanes: dict[str, Job | None] = {}
        self._processes: dict[int, asyncio.subprocess.Process] = {}
        self._following: dict[int, asyncio.Task[Any]] = {}

    def of(self, *kinds: str) -> list[Job]:
        """Jobs of these kinds, newest first."""
        return sorted((job for job in self._jobs.values() if job.kind in kinds), key=lambda job: -job.number)

    def find(self, kind: str, number: int) -> Job | None:
        """The job of this number, None where it is of another kind or not kept."""
        job = self._jobs.get(number)
        return job if job is not None and job.kind == kind else None

    def place(self, job: Job) -> Path:
        """The folder with its results."""
        return self._shelf.place(job)

    def log(self, job: Job) -> list[str]:
        """The last lines of its log."""
        return self._shelf.log(job)

    def progress_pct(self, job: Job) -> int | None:
        """How far it is, None where it does not say."""
        return self._shelf.progress_pct(job)

    async def start(self, work: Work, by: str) -> Job:
        """Begin a job; it is followed in the background.

        Raises:
            BusyError: another one of its lane runs.
            OSError: its folder cannot be made, or its process not be started.
        """
        running = self._lanes.get(work.lane)
        if running is not None:
            raise BusyError(f"A {running.kind} runs already: wait for it, or cancel it first.")
        job = Job(
            number=max(self._jobs, default=0) + 1,
            kind=work.kind,
            arguments=[],
            about=dict(work.about),
            asked_by=by,
            started_wall_ms=wall_ms(),
            limit_seconds=work.limit_seconds,
        )
        self._lanes[work.lane] = job  # before anything is awaited: two clicks are one job
        try:
            folder = self._shelf.make(job)
            self._jobs[job.number] = job
            job.arguments = list(work.arguments(folder))
            self._shelf.store(job)
            self._processes[job.number] = await self._process(job, folder)
        except BaseException:
            self._lanes[work.lane] = None
            self._jobs.pop(job.number, None)
            rmtree(self._shelf.place(job), ignore_errors=True)
            raise
        self._following[job.number] = spawn(self._follow(job, work), name=f"job-{job.number}")
        return job

    async def cancel(self, job: Job) -> None:
        """End a job, and wait until it has ended. One that is over stays as it is."""
        if job.is_running and (process := self._processes.get(job.number)):
            following = self._following[job.number]  # gone from there as soon as the process has ended
            job.state = JobState.CANCELLED
            job.sentence = "It was cancelled."
            await _end(process)
            await asyncio.wait([following])

    async def close(self) -> None:
        """End all that run."""
        for number, process in list(self._processes.items()):
            job = self._jobs[number]
            if job.is_running:
                job.state, job.sentence = JobState.LOST, "The dashboard ended before this was over."
            await _end(process)
        await asyncio.gather(*self._following.values(), return_exceptions=True)

    async def _process(self, job: Job, folder: Path) -> asyncio.subprocess.Process:
        with (folder / "out").open("wb") as out, (folder / "log").open("wb") as log:
            return await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                _CHILD,
                *job.arguments,
                stdin=asyncio.subprocess.PIPE,  # ends with this process; see child.py
                stdout=out,
                stderr=log,
                env=self._environment,
                start_new_session=True,
            )

    async def _follow(self, job: Job, work: Work) -> None:
        process = self._processes[job.number]
        try:
            try:
                async with asyncio.timeout(work.limit_seconds):
                    await process.wait()
            except TimeoutError:
                if job.is_running:
                    job.state = JobState.OVERDUE
                    job.sentence = f"It took longer than {work.limit_seconds / 60:g} minutes and was ended."
                await _end(process)
            await self._note_end(job, work, process.returncode)
        finally:
            self._lanes[work.lane] = None
            del self._processes[job.number], self._following[job.number]

    async def _note_end(self, job: Job, work: Work, code: int | None) -> None:
        job.ended_wall_ms = wall_ms()
        job.exit_code = code if code is not None and code >= 0 else None
        if job.is_running and code in work.good_codes:
            try:
                job.result = await asyncio.to_thread(work.digest, self.place(job))
                job.state = JobState.DONE
            except (OSError, ValueError, KeyError, msgspec.MsgspecError) as failure:
                job.state, job.sentence = JobState.FAILED, f"Its result cannot be read: {failure}."
        elif job.is_running:
            job.state, job.sentence = JobState.FAILED, self._why(job)
        await asyncio.to_thread(self._keep, job, work)

    def _why(self, job: Job) -> str:
        """What the command said last, which is its sentence on what is wrong."""
        said = self._shelf.log(job)
        begins = max((place for place, line in enumerate(said) if line.startswith("Error: ")), default=None)
        if begins is not None:
            return " ".join(said[begins:]).removeprefix("Error: ")
        how = "was ended from outside" if job.exit_code is None else f"ended with exit code {job.exit_code}"
        return f"The command {how}" + (f": {said[-1]}" if said else " and said nothing.")

    def _keep(self, job: Job, work: Work) -> None:
        with contextlib.suppress(OSError):  # a full disk: it is known until the dashboard ends
            self._shelf.store(job)
        for old in self.of(work.kind)[work.keep :]:
            if not old.is_running:
                rmtree(self._shelf.place(old), ignore_errors=True)
                self._jobs.pop(old.number, None)


def environment_of(configuration: Configuration) -> dict[str, str]:
    """Of a job's process: this one's, and what this one was given as flags, which are never secrets."""
    settings = configuration.settings
    flags = [name for name, origin in configuration.origins.items() if origin == "flag"]
    return {**os.environ, **{name: shown(getattr(settings, name.lower())) for name in flags}}


async def _end(process: asyncio.subprocess.Process) -> None:
    """Ask the process to end, as Ctrl-C does, and make it; until it has."""
    for number in (signal.SIGINT, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), _LAST_SECONDS)
            return

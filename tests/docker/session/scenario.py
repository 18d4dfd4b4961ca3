"""Session: runs scenarios, one after the other, and says of each expectation what was measured."""

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self, TypeVar

from tests.docker.session.engine import AGENT, Engine, FailedError
from tests.docker.session.stack import Stack

T = TypeVar("T")
_LAST_LINES = 40
_LOOK_EVERY_SECONDS = 0.5


class SkippedError(Exception):
    """A scenario that cannot be tried here, and why."""


class Session:
    """What a scenario is given. A context manager: its files are removed at the end.

    Attributes:
        folder: for a scenario's own files, a new one for each session.
        soak_minutes: how long the scenario `soak` lasts.
    """

    def __init__(self, engine: Engine, *, soak_minutes: float) -> None:
        self.engine = engine
        self.soak_minutes = soak_minutes
        self.folder = Path(tempfile.mkdtemp(prefix="docker-test-"))
        self.folder.chmod(0o755)  # what is mounted from here has to be read by the container's user

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        self.engine.no_settings.unlink(missing_ok=True)

    def run(self, scenarios: Mapping[str, "Scenario"]) -> int:
        """Run them all, also after one that fails. Returns the exit code."""
        began, results = seconds(), {}
        for name, scenario in scenarios.items():
            print(f"\n== {name}: {(scenario.__doc__ or '').splitlines()[0]}", flush=True)
            started = seconds()
            results[name] = self._result(scenario), seconds() - started
        print("\n== summary")
        for name, (result, took) in results.items():
            print(f"{result:8} {name:32} {took:5.0f} s")
        failed = [name for name, (result, _) in results.items() if result == "FAILED"]
        passed = sum(result == "ok" for result, _ in results.values())
        print(f"{passed} of {len(results)} scenarios passed in {seconds() - began:.0f} s", end="")
        print(f"; failed: {', '.join(failed)}" if failed else "", flush=True)
        return 1 if failed else 0

    def _result(self, scenario: "Scenario") -> str:
        try:
            scenario(self)
        except SkippedError as reason:
            print(f"skipped {reason}", flush=True)
            return "skipped"
        except FailedError as failure:
            print(f"FAILED  {failure}", flush=True)
            return "FAILED"
        return "ok"

    @contextmanager
    def stack(
        self, settings: Mapping[str, str], *, overrides: Sequence[str] = (), profile: str = ""
    ) -> Iterator[Stack]:
        """Containers of the scenario's own, not yet started; removed with their volume at the end.

        Args:
            settings: the environment that compose sees, and nothing else of settings.
            overrides: texts of compose files over the project's, each over those before it.
            profile: of the compose file.
        """
        files = [self.folder / f"override-{number}.yml" for number in range(len(overrides))]
        for file, override in zip(files, overrides, strict=True):
            file.write_text(override, encoding="utf-8")
        made = Stack(self.engine, dict(settings), overrides=files, profile=profile)
        made.remove()  # of a session that was killed
        try:
            yield made
        except FailedError:
            print(f"-- the last lines of {AGENT}:")
            print("\n".join(made.log().splitlines()[-_LAST_LINES:]), flush=True)
            raise
        finally:
            made.remove()

    def expect(self, is_so: object, what: str, found: object = "") -> None:
        """Print `what` as an expectation that is met, or fail with it and with what was found."""
        if not is_so:
            raise FailedError(f"{what}: {found}" if found != "" else what)
        print(f"ok      {what}", flush=True)

    def within(self, limit_seconds: float, what: str, look: Callable[[], T]) -> T:
        """Look until there is something; print how long it took. Returns what was seen.

        On a machine that is busy with other things the limit is longer, and its load is printed.

        Raises:
            FailedError: nothing was there within the limit.
        """
        began = seconds()
        while not (seen := look()):
            if seconds() - began > limit_seconds * busyness():
                raise FailedError(f"{what}: not within {limit_seconds * busyness():.0f} s{_load()}")
            pause(_LOOK_EVERY_SECONDS)
        took = seconds() - began
        print(
            f"ok      {what} after {took:.1f} s ({limit_seconds:g} s allowed{_load() if took > limit_seconds else ''})",
            flush=True,
        )
        return seen

    def no_differences(self, stack: Stack, when: str = "", name: str = AGENT) -> None:
        """Ledger and exchange are equal to the last digit, and the ledger agrees with its own journal."""
        for command in (("reconcile",), ("ledger", "verify")):
            done = stack.exec("trade-agent", *command, name=name)
            said = (done.output.strip().splitlines() or ["nothing"])[-1]
            found = f"`trade-agent {' '.join(command)}` {when}".rstrip()
            self.expect(done.code == 0 and said == "0 differences", f"{found}: 0 differences", done.output.strip())


Scenario = Callable[[Session], Any]


def busyness() -> float:
    """How many processes want each processor: 1 on a machine that has time, at most 4."""
    return min(max(os.getloadavg()[0] / (os.cpu_count() or 1), 1.0), 4.0)


def _load() -> str:
    return f"; the machine is busy, load {os.getloadavg()[0]:.1f} on {os.cpu_count()}" if busyness() > 1 else ""


def seconds() -> float:
    """A stopwatch. These programs run without the package, so without its clock."""
    return time.monotonic()  # noqa: TID251


def pause(duration_seconds: float) -> None:
    """Wait, where something outside has to happen meanwhile."""
    time.sleep(duration_seconds)

"""What the container's watchdog decides about a program that supervisord runs, and what it knows of it. Pure.

supervisord itself starts a program again every second or never. One that failed is started again after 1, 2, 4, ...
60 s, after 20 failures in a row every 5 minutes; not at all after an exit code that a restart would not change.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path

from binance_trade_agent import exit_codes
from binance_trade_agent.ops.heartbeat import DURATION_OVER, Heartbeat

TRADER = "trader"

_LONGEST_DELAY_SECONDS = 60
_HOPELESS_FAILURES = 20
_HOPELESS_DELAY_SECONDS = 300
_GOOD_RUN_SECONDS = 300  # a run of this length ends the row of failures before it
_WEDGED_LOOKS = 180  # looks, about one a second, and not seconds: a machine that slept is no wedged trader
_START_LOOKS = 900  # of a start, beyond the time that it may wait for the exchange: it may upgrade a large ledger
_KILLED = -1  # supervisord's exit code of a program that a signal ended

_REASONS = {
    exit_codes.FAILURE: "",
    exit_codes.WRONG_CONFIGURATION: ": what it was given is refused, as its last line in the log says",
    exit_codes.NOT_RECONCILED: ": ledger and exchange could not be reconciled",
}


class Stage(StrEnum):
    """How it stands with the program."""

    RUNNING = "running"
    WAITING = "waiting"  # it failed, and is started again when its delay is over
    REFUSED = "refused"  # it ended with an exit code that a restart would not change
    OVER = "over"  # it ended well
    OFF = "off"  # it was not started with the container, or was stopped by supervisorctl


class Action(StrEnum):
    """What is to be done now."""

    START = "start"
    KILL = "kill"
    END = "end the container"


@dataclass(frozen=True, slots=True)
class Process:
    """The program as supervisord sees it.

    Attributes:
        state: supervisord's: STARTING, RUNNING, STOPPING, STOPPED, EXITED, BACKOFF, FATAL.
        pid: 0 when it does not run.
        exit_code: of the run that ended, -1 when a signal ended it.
        started_seconds, ended_seconds: wall time of the run, in whole seconds since the epoch.
    """

    state: str
    pid: int
    exit_code: int
    started_seconds: int
    ended_seconds: int


@dataclass(frozen=True, slots=True)
class Supervision:
    """What is known of a program since the container began.

    Attributes:
        restarts: how often it was started again after a failure.
        kills: how many of those had to be killed, because they gave no sign of life.
        failures: in a row.
        due_seconds: when it is started again, on the machine's monotonic clock.
        ended: how it ended the last time, empty before the first.
        run_started_seconds: when the run began that ended so.
    """

    stage: Stage = Stage.OFF
    restarts: int = 0
    kills: int = 0
    failures: int = 0
    due_seconds: float = 0.0
    ended: str = ""
    run_started_seconds: int = 0

    @property
    def is_failing(self) -> bool:
        """Whether it should run and does not."""
        return self.stage in {Stage.WAITING, Stage.REFUSED}

    @property
    def said(self) -> str:
        """It as a clause for people."""
        counted = f"restarts since the container began: {self.restarts}"
        counted += f", {self.kills} of them for want of a sign of life" if self.kills else ""
        match self.stage:
            case Stage.REFUSED:
                return f"it {self.ended}; it is not started again"
            case Stage.WAITING:
                return f"it {self.ended}; failures in a row: {self.failures}; {counted}"
            case _:
                return counted if self.restarts else ""


class Watchdog:
    """Looks at one program about once a second and says what to do.

    Args:
        name: of the program.
        known: what an earlier watchdog of this container knew.
        warn: takes each sentence for the log.
        ends_container: whether the container is to end when the trader's duration is over.
    """

    def __init__(
        self, name: str, known: Supervision, warn: Callable[[str], None], ends_container: Callable[[], bool]
    ) -> None:
        self.name = name
        self.known = known
        self._warn = warn
        self._ends_container = ends_container
        self._heard: tuple[int, int] | None = None  # process, and its last sign of life
        self._silent_looks = 0
        self._is_ending = False

    def look(self, process: Process, beat: Heartbeat | None, now_seconds: float) -> Action | None:
        """What is to be done now.

        Args:
            process: as it is.
            beat: its last sign of life, or that of an earlier run; None for a program that gives none.
            now_seconds: on the machine's monotonic clock.
        """
        if process.state in {"RUNNING", "STARTING"}:
            self._note(stage=Stage.RUNNING)
            self._is_ending = False
            return self._look_at_running(process, beat)
        self._silent_looks = 0
        if self._is_ending:
            return Action.END  # supervisord has not heard it yet
        if process.state == "STOPPED":
            self._note(stage=Stage.OFF)
        elif process.state in {"EXITED", "FATAL"}:
            return self._look_at_ended(process, beat, now_seconds)
        return None  # it is being stopped

    def _look_at_running(self, process: Process, beat: Heartbeat | None) -> Action | None:
        """Only a trader that starts or trades is expected to give a sign of life."""
        own = beat if beat is not None and beat.pid == process.pid else None
        heard = process.pid, own.beat_wall_ms if own else 0
        if self.name != TRADER or heard != self._heard or (own is not None and own.state == "stopped"):
            self._heard = heard
            self._silent_looks = 0
            return None
        self._silent_looks += 1
        is_trading = own is not None and own.state == "trading"
        patience = _WEDGED_LOOKS if is_trading else _START_LOOKS + round(own.next_within_seconds if own else 0)
        if self._silent_looks < patience:
            return None
        self._silent_looks = 0
        self._note(kills=self.known.kills + 1)
        self._warn(f"the {self.name} has given no sign of life for {patience} s: it is killed and started again")
        return Action.KILL

    def _look_at_ended(self, process: Process, beat: Heartbeat | None, now_seconds: float) -> Action | None:
        is_news = self.known.stage in {Stage.RUNNING, Stage.OFF}
        if is_news or process.started_seconds != self.known.run_started_seconds:
            return self._note_end(process, beat, now_seconds)
        if self.known.stage is Stage.WAITING and now_seconds >= self.known.due_seconds:
            self._note(stage=Stage.RUNNING, restarts=self.known.restarts + 1)
            return Action.START
        return None

    def _note_end(self, process: Process, beat: Heartbeat | None, now_seconds: float) -> Action | None:
        ended = _how_it_ended(process)
        self._note(ended=ended, run_started_seconds=process.started_seconds)
        if process.state == "EXITED" and process.exit_code == exit_codes.OK:
            self._note(stage=Stage.OVER, failures=0)
            self._is_ending = _is_done(process, beat) and self._ends_container()
            return Action.END if self._is_ending else None
        if process.state == "EXITED" and process.exit_code == exit_codes.WRONG_CONFIGURATION:
            self._note(stage=Stage.REFUSED)
            if self.name == TRADER:  # wrong settings end all programs: one sentence of the watchdog's is enough
                self._warn(f"the trader {ended}; it is not started again (`supervisorctl start {TRADER}` does)")
            return None
        was_good = process.ended_seconds - process.started_seconds >= _GOOD_RUN_SECONDS
        failures = 1 if was_good else self.known.failures + 1
        delay = delay_seconds(failures)
        self._note(stage=Stage.WAITING, failures=failures, due_seconds=now_seconds + delay)
        if failures == _HOPELESS_FAILURES:
            self._warn(
                f"the {self.name} {ended}, {failures} times in a row: from now on it is tried every {delay} s only"
            )
        else:
            self._warn(f"the {self.name} {ended}: it is started again in {delay} s (failures in a row: {failures})")
        return None

    def _note(self, **changes: object) -> None:
        self.known = replace(self.known, **changes)  # type: ignore[arg-type]


def _is_done(process: Process, beat: Heartbeat | None) -> bool:
    """Whether it is the trader, and its run ended because its duration was over."""
    if beat is None or beat.beat_wall_ms < process.started_seconds * 1000:
        return False
    return (beat.state, beat.detail) == ("stopped", DURATION_OVER)


def delay_seconds(failures: int) -> int:
    """How long after the last of `failures` in a row the program is started again."""
    if failures >= _HOPELESS_FAILURES:
        return _HOPELESS_DELAY_SECONDS
    return int(min(2 ** (failures - 1), _LONGEST_DELAY_SECONDS))


def _how_it_ended(process: Process) -> str:
    if process.state == "FATAL":
        return "could not be started"
    if process.exit_code == _KILLED:
        return "was killed by a signal"
    return f"ended with exit code {process.exit_code}{_REASONS.get(process.exit_code, '')}"


def file_of(environment: Mapping[str, str]) -> Path | None:
    """Where the watchdog keeps what it knows: SUPERVISION_FILE, which the image sets; None outside of it."""
    name = environment.get("SUPERVISION_FILE")
    return Path(name) if name else None


def read(path: Path | None) -> dict[str, Supervision]:
    """What the watchdog knew last, by program; nothing where there is none."""
    try:
        found = json.loads(path.read_text(encoding="utf-8")) if path else {}
        return {name: Supervision(**{**fields, "stage": Stage(fields["stage"])}) for name, fields in found.items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return {}


def write(path: Path, known: Mapping[str, Supervision]) -> None:
    """Keep it for the next watchdog and for health."""
    fresh = path.with_name(f"{path.name}.new")
    fresh.write_text(json.dumps({name: asdict(one) for name, one in known.items()}), encoding="utf-8")
    fresh.replace(path)

"""The trading loop's own heartbeat, in a small file beside the ledger: what health means for every watcher."""

import contextlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from binance_trade_agent.ops.clock import wall_ms
from binance_trade_agent.ops.private_files import written

_GRACE_SECONDS = 25  # beyond the planned silence: the container has to be unhealthy within a minute
DURATION_OVER = "the duration is over"  # detail of a run that ended so


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """A sign of life.

    Attributes:
        state: starting, trading, stopped or failed.
        cycle: last tick that ended, 0 before the first.
        beat_wall_ms: when, machine time.
        next_within_seconds: wall time within which the loop means to give the next sign.
        detail: what a person should know of the state, such as why a start takes so long, why no position is entered
            now, or why it stopped; mostly empty.
        stream_is_live: whether the user stream delivered then; None where nobody knows.
        news_age_seconds: age of the last news of the account then, by stream or by asking, in market time.
    """

    pid: int
    run_id: str
    state: str
    cycle: int
    beat_wall_ms: int
    next_within_seconds: float
    detail: str = ""
    stream_is_live: bool | None = None
    news_age_seconds: float | None = None

    @property
    def age_seconds(self) -> float:
        """Seconds since it was given."""
        return (wall_ms() - self.beat_wall_ms) / 1000

    @property
    def is_healthy(self) -> bool:
        """Whether the loop trades and is not late, or was stopped on purpose.

        A daemon that starts is not healthy yet: one that fails at each start would look alive for ever.
        """
        return self.state == "stopped" or (self.state == "trading" and not self.is_late)

    @property
    def is_late(self) -> bool:
        """Whether the next one has not come when it was meant to, nor long after."""
        return self.age_seconds > self.next_within_seconds + _GRACE_SECONDS


def heartbeat_path(ledger_path: Path) -> Path:
    """Where the heartbeat of a ledger's trader is."""
    return ledger_path.with_name(f"{ledger_path.name}.heartbeat")


def beat(
    path: Path,
    *,
    run_id: str,
    state: str,
    cycle: int,
    next_within_seconds: float,
    detail: str = "",
    stream_is_live: bool | None = None,
    news_age_seconds: float | None = None,
) -> None:
    """Give a sign of life; a disk that takes none must not stop the loop, so a failure is silent and shows as age."""
    heartbeat = Heartbeat(
        os.getpid(),
        run_id,
        state,
        cycle,
        wall_ms(),
        next_within_seconds,
        detail,
        stream_is_live,
        news_age_seconds,
    )
    fresh = path.with_name(f"{path.name}.new")
    text = json.dumps(asdict(heartbeat))
    try:
        with written(fresh, encoding="utf-8") as file:
            file.write(text)
        fresh.replace(path)
    except OSError:
        with contextlib.suppress(OSError), path.open("r+", encoding="utf-8") as file:
            file.write(text.ljust(path.stat().st_size))  # a full disk takes what is written over something


def end(path: Path, state: str, detail: str = "") -> None:
    """Say that the run is over: `stopped` on purpose, or `failed`, and why."""
    if last := read(path):
        beat(path, run_id=last.run_id, state=state, cycle=last.cycle, next_within_seconds=0, detail=detail)


def read(path: Path) -> Heartbeat | None:
    """The last sign of life, None when there never was one."""
    try:
        return Heartbeat(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None

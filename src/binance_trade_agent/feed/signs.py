"""Signs of life of a feed process, in a small file: by it `trade-agent health --feed` and supervisors judge it."""

from collections.abc import Callable
from pathlib import Path

from binance_trade_agent.domain.wording import iso_second
from binance_trade_agent.ops import heartbeat
from binance_trade_agent.ops.clock import monotonic_seconds, wall_ms

_EVERY_SECONDS = 2.0
_NEXT_WITHIN_SECONDS = 10.0  # a store that does not answer is waited for, several times in a row
_ALIVE = {"serving", "waiting", "away"}


def signs_path(ledger_path: Path) -> Path:
    """Where the signs of life are of the feed whose settings name this ledger: the feed itself has none."""
    return ledger_path.with_name("feed.heartbeat")


class SignsOfLife:
    """Writes them, at most each two seconds.

    Args:
        path: the file.
        name: of the feed.
    """

    def __init__(self, path: Path, name: str) -> None:
        self._path = path
        self._run = f"{name} of {iso_second(wall_ms())}"
        self._written_seconds = float("-inf")

    def starting(self, within_seconds: float) -> None:
        """It reaches the exchange, which may take so long."""
        heartbeat.beat(self._path, run_id=self._run, state="starting", cycle=0, next_within_seconds=within_seconds)

    def beat(self, number: int, state: Callable[[], tuple[str, str]]) -> None:
        """It lives: the number of its sign of life in the store, and what it does (see `FeedServer.state`)."""
        if monotonic_seconds() - self._written_seconds < _EVERY_SECONDS:
            return
        self._written_seconds = monotonic_seconds()
        name, detail = state()
        heartbeat.beat(
            self._path,
            run_id=self._run,
            state=name,
            cycle=number,
            next_within_seconds=_NEXT_WITHIN_SECONDS,
            detail=detail,
        )

    def ended(self, state: str, detail: str = "") -> None:
        """It has ended: `stopped` on purpose, or `failed` and why."""
        heartbeat.end(self._path, state, detail)


def feed_health(path: Path) -> tuple[bool, str]:
    """Whether the feed whose signs of life are there lives, or was stopped on purpose; and a sentence."""
    last = heartbeat.read(path)
    if last is None:
        return False, f"no feed has ever run here: {path} is not there."
    said = f"feed {last.run_id}: {last.state}, heartbeat {last.age_seconds:.0f} s old"
    is_healthy = last.state == "stopped" or (last.state in _ALIVE and not last.is_late)
    return is_healthy, "; ".join(filter(None, [said, last.detail])) + "."

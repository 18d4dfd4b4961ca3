"""How late the event loop comes to its timers: what everything that blocks it shows in; and an alarm when that goes on.

Nothing on the loop is to take more than 50 ms: orders, prices and signs of life wait for it meanwhile.
"""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable, Iterator

import msgspec

from binance_trade_agent.ops.clock import is_machines_time, monotonic_seconds, thread_cpu_seconds, wall_ms
from binance_trade_agent.ops.durations import Durations
from binance_trade_agent.ops.loop_watch import LoopWatch

LONG_MS = 50.0
_EVERY_SECONDS = 0.025  # a block of 75 ms or more never lies between two timers
_EVERY_VIRTUAL_SECONDS = 1.0  # in virtual time nothing blocks: not one timer more than is needed
_MINUTE_SECONDS = 60.0
# Late by the program's own work this often within a minute is a flaw of the program; a machine that gives it no time is
# said when that comes to a sixth of a minute: two cores under a load of 15 make 8 s. One block a minute, as when the
# candles of many symbols close, is neither.
_MANY_OWN, _MUCH_MS = 5, 10_000
_FEW = 1  # within a minute: then it is over

log = logging.getLogger(__name__)


class LoopBlock(msgspec.Struct, frozen=True, kw_only=True):
    """The event loop came late to a timer.

    Attributes:
        lag_ms: by how much.
        own_ms: processor time of the loop's own thread meanwhile. Where that is much less, the thread waited: for the
            processor, for a disk, for another thread.
        wall_ms: when it came.
        at: what the loop was at, as far as that was seen: file, line, function, task; else empty.
    """

    lag_ms: float = 0.0
    own_ms: float = 0.0
    wall_ms: int = 0
    at: str = ""

    @property
    def is_own(self) -> bool:
        """Whether the loop's own work took so long."""
        return self.own_ms >= LONG_MS

    def __str__(self) -> str:
        """`182 ms, of which 176 ms of processor, at ledger/ledger.py:210 in _write (task ledger)`."""
        at = f", at {self.at}" if self.at else ""
        return f"{self.lag_ms:.0f} ms, of which {self.own_ms:.0f} ms of processor{at}"


class LoopLag:
    """Sets a timer 40 times a second on the running event loop while `measured`, and notes how late each comes.

    Args:
        cpu_seconds: processor time that the loop's thread has used.

    Attributes:
        last_ms: of the last one, None before the first.
        lags: of all of them.
        blocks: how many came more than LONG_MS late.
        trouble: what is wrong, while they do so again and again; else empty.
    """

    def __init__(self, cpu_seconds: Callable[[], float] = thread_cpu_seconds) -> None:
        self.last_ms: float | None = None
        self.lags = Durations()
        self.blocks = 0
        self.trouble = ""
        self._cpu_seconds = cpu_seconds
        self._every_seconds = _EVERY_SECONDS
        self._lags_ms: deque[float] = deque(maxlen=round(_MINUTE_SECONDS / _EVERY_SECONDS))
        self._late: deque[tuple[float, LoopBlock]] = deque()  # of the last minute, with its monotonic time
        self._timer: asyncio.TimerHandle | None = None
        self._watch: LoopWatch | None = None
        self._due = self._used_seconds = 0.0

    @property
    def longest_ms(self) -> float | None:
        """The longest of the last minute, None before the first timer."""
        return max(self._lags_ms, default=None)

    @property
    def late(self) -> tuple[LoopBlock, ...]:
        """Those of the last minute that came more than LONG_MS late, in time order."""
        self._forget_old()
        return tuple(block for _, block in self._late)

    @contextlib.contextmanager
    def measured(self) -> Iterator[None]:
        """Measure until the end of the context."""
        with contextlib.ExitStack() as stack:
            if is_machines_time():
                self._watch = stack.enter_context(LoopWatch(_EVERY_SECONDS + LONG_MS / 1000).watching())
            else:
                self._every_seconds = _EVERY_VIRTUAL_SECONDS
                self._lags_ms = deque(maxlen=round(_MINUTE_SECONDS / self._every_seconds))
            self._set()
            try:
                yield
            finally:
                if self._timer is not None:
                    self._timer.cancel()

    def _set(self) -> None:
        now = monotonic_seconds()
        self._due, self._used_seconds = now + self._every_seconds, self._cpu_seconds()
        if self._watch is not None:
            self._watch.seen(now)
        self._timer = asyncio.get_running_loop().call_later(self._every_seconds, self._came)

    def _came(self) -> None:
        seconds = max(0.0, monotonic_seconds() - self._due)
        self.lags.note(seconds)
        self.last_ms = round(1000 * seconds, 2)
        self._lags_ms.append(self.last_ms)
        if self.last_ms > LONG_MS:
            self._note_late(self.last_ms)
        if self.trouble:
            self._look_whether_over()
        self._set()

    def _note_late(self, lag_ms: float) -> None:
        own_ms = round(1000 * (self._cpu_seconds() - self._used_seconds), 2)
        at = self._watch.found() if self._watch is not None else ""
        self.blocks += 1
        self._late.append((monotonic_seconds(), LoopBlock(lag_ms=lag_ms, own_ms=own_ms, wall_ms=wall_ms(), at=at)))
        if not self.trouble and (trouble := self._found_trouble()):
            self.trouble = trouble
            log.warning("%s", trouble)

    def _found_trouble(self) -> str:
        late = self.late
        own = [block for block in late if block.is_own]
        if len(own) >= _MANY_OWN:
            why, blocks = "by work of its own", own
        elif sum(block.lag_ms for block in late) >= _MUCH_MS:
            why, blocks = "as the machine is busy or its disk slow", list(late)
        else:
            return ""
        longest = max(blocks, key=lambda block: block.lag_ms)
        said = f"the event loop was blocked for more than {LONG_MS:.0f} ms {len(blocks)} times within a minute"
        return f"{said}, {why}: at most {longest}"

    def _look_whether_over(self) -> None:
        if len(self.late) <= _FEW:
            self.trouble = ""
            log.warning("the event loop is no longer blocked")

    def _forget_old(self) -> None:
        since = monotonic_seconds() - _MINUTE_SECONDS
        while self._late and self._late[0][0] < since:
            self._late.popleft()

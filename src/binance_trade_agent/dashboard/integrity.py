"""The ledger's integrity as pages show it: looked at in the background, when somebody looks and it was long ago."""

import asyncio
from dataclasses import dataclass
from typing import Literal

from binance_trade_agent.desk.desk import Desk
from binance_trade_agent.ledger.errors import LedgerError
from binance_trade_agent.ledger.integrity import WHOLE_UP_TO_BYTES, check_at_start
from binance_trade_agent.ops.clock import monotonic_seconds, wall_ms
from binance_trade_agent.ops.tasks import spawn

_AGAIN_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Checked:
    """What came of the last check.

    Attributes:
        state: `being checked` before the first has ended; `sound`; `damaged`.
        at_wall_ms: when it ended.
        text: what was read, or what is wrong.
    """

    state: Literal["being checked", "sound", "damaged"] = "being checked"
    at_wall_ms: int | None = None
    text: str = ""


class IntegrityWatch:
    """The checks of one ledger."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._last = Checked()
        self._due_seconds = float("-inf")
        self._running: asyncio.Task[None] | None = None

    def look(self) -> Checked:
        """What the last check has shown; begins another when that is ten minutes old."""
        if self._running is None and monotonic_seconds() >= self._due_seconds and self._desk.ledger_path.exists():
            self._running = spawn(self._check(), name="integrity")
        return self._last

    async def _check(self) -> None:
        path = self._desk.ledger_path
        try:
            size = path.stat().st_size
            await self._desk.in_thread(lambda: check_at_start(path))
        except (LedgerError, OSError) as failure:
            self._last = Checked("damaged", wall_ms(), str(failure))
        else:
            read = "all of it was read" if size <= WHOLE_UP_TO_BYTES else "what a start needs was read"
            self._last = Checked("sound", wall_ms(), read)
        finally:
            self._due_seconds = monotonic_seconds() + _AGAIN_SECONDS
            self._running = None

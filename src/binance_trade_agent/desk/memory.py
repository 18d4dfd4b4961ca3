"""What is kept in memory of a ledger of any length, sums and curves, brought up to date while somebody looks.

A slice is read at each look, so a short ledger is read whole at once. What is left of a long one is read in the
background, slice by slice, with the event loop's pages in between; what is shown meanwhile says how far it is.
"""

import asyncio
import contextlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from binance_trade_agent.ledger.connection import identity
from binance_trade_agent.ledger.equity import Series
from binance_trade_agent.ledger.errors import LedgerError
from binance_trade_agent.ledger.reader import LedgerReader
from binance_trade_agent.ops.clock import sleep_seconds
from binance_trade_agent.ops.tasks import spawn, stop
from binance_trade_agent.reports.equity_curve import EquityCurve
from binance_trade_agent.reports.hold_line import HoldLine
from binance_trade_agent.reports.tally import Tally, TallyView

K = TypeVar("K")
V = TypeVar("V")

_MOST_KEPT = 4  # curves, and tallies; an epoch of the past is looked at seldom
_PAUSE_SECONDS = 0.005  # between slices, so that pages get the interpreter


class _Job:
    """One thing that is brought up to date in slices."""

    def __init__(self, step: Callable[[], bool]) -> None:
        self.step = step
        self.task: asyncio.Task[None] | None = None

    @property
    def is_under_way(self) -> bool:
        """Whether it is being brought up to date in the background."""
        return self.task is not None and not self.task.done()


class _Kept:
    """What is kept of one file."""

    def __init__(self, reader: LedgerReader) -> None:
        self.reader = reader
        self.tallies: dict[int, tuple[Tally, _Job]] = {}
        self.curves: dict[Series, tuple[tuple[EquityCurve, HoldLine], _Job]] = {}

    def jobs(self) -> list[_Job]:
        """All of them."""
        return [job for _, job in (*self.tallies.values(), *self.curves.values())]


class Memory:
    """Sums and curves of the ledger at a path. All reading is on one thread of its own."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="portfolio")
        self._identity: tuple[int, int] | None = None
        self._kept: _Kept | None = None

    async def tally(self, epoch: int) -> TallyView:
        """The sums over the fills of an epoch, as far as they are counted.

        Raises:
            LedgerError: the ledger cannot be read.
        """
        kept = await self._in_thread(self._open)
        made = kept.tallies.get(epoch)
        if made is None:
            tally = Tally(kept.reader, epoch)
            made = _keep(kept.tallies, epoch, (tally, _Job(tally.advance)))
        await self._bring_up(made[1])
        return made[0].view()

    async def curve(self, series: Series) -> tuple[EquityCurve, HoldLine, bool]:
        """The equity curve, what buying and holding would have come to, and whether all of the curve is read.

        Raises:
            LedgerError: the ledger cannot be read.
        """
        kept = await self._in_thread(self._open)
        made = kept.curves.get(series)
        if made is None:
            curve = EquityCurve(kept.reader, series)
            made = _keep(kept.curves, series, ((curve, HoldLine(kept.reader, series)), _Job(curve.update)))
        await self._bring_up(made[1])
        return *made[0], not made[1].is_under_way

    async def in_thread(self, work: Callable[[], V]) -> V:
        """What uses the same reader, on its thread."""
        return await self._in_thread(work)

    async def close(self) -> None:
        """End what is under way and give the file back."""
        kept, self._kept = self._kept, None
        if kept is not None:
            for job in kept.jobs():
                if job.task is not None:
                    await stop(job.task)
            await self._in_thread(kept.reader.close)
        self._thread.shutdown(wait=False)

    async def _bring_up(self, job: _Job) -> None:
        if not job.is_under_way and not await self._in_thread(job.step):
            job.task = spawn(self._go_on(job), name="portfolio")

    async def _go_on(self, job: _Job) -> None:
        with contextlib.suppress(LedgerError):  # who looks next is told
            while not await self._in_thread(job.step):
                await sleep_seconds(_PAUSE_SECONDS)

    async def _in_thread(self, work: Callable[[], V]) -> V:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _open(self) -> _Kept:
        """What is kept of the file that lies at the path now."""
        found = identity(self._path)
        if self._kept is None or found != self._identity or found is None:
            reader = LedgerReader.open(self._path)
            if self._kept is not None:
                self._kept.reader.close()
            self._kept, self._identity = _Kept(reader), found
        return self._kept


def _keep(kept: dict[K, tuple[V, _Job]], key: K, made: tuple[V, _Job]) -> tuple[V, _Job]:
    """Keep one more; the oldest that nobody is bringing up to date goes when there are too many."""
    if len(kept) >= _MOST_KEPT:
        idle = next((old for old, (_, job) in kept.items() if not job.is_under_way), None)
        if idle is not None:
            del kept[idle]
    kept[key] = made
    return made

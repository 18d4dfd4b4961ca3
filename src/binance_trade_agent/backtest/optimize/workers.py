"""Who runs the backtests on one machine: this process, or a pool of processes that share the candles' memory."""

import contextlib
import functools
import logging
import os
import shutil
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from multiprocessing import connection, get_context, parent_process
from pathlib import Path
from typing import Any

import numpy as np

from binance_trade_agent.backtest.optimize.model import Evaluate, GoneError, Outcome, Task, Workers
from binance_trade_agent.history.table import CandleTable

Candles = Mapping[str, CandleTable]  # by symbol

_PRICES = ("open", "high", "low", "close", "volume")
# A process begins with imports of a second or two; the pool has to win more than that.
_WORTH_A_POOL_SECONDS = 6.0
_one_at_a_time = threading.Lock()  # a worker of a cluster may have threads; a backtest has its process to itself


@dataclass(frozen=True)
class Workload:
    """What every task of a search has in common; goes to each worker once.

    Attributes:
        make: makes the function that runs a task, of the candles; a function of a module, or a partial of one.
    """

    make: Callable[[Candles], Evaluate]
    candles: Candles

    @functools.cached_property
    def _evaluate(self) -> Evaluate:
        return self.make(self.candles)

    def run(self, task: Task) -> Outcome:
        """Run one task, in this process."""
        with _one_at_a_time:
            return self._evaluate(task)

    def __getstate__(self) -> dict[str, Any]:
        """What goes to another process: not what was made of it here."""
        return {"make": self.make, "candles": self.candles}


class InProcess:
    """This process runs the tasks, one after the other."""

    def __init__(self, workload: Workload) -> None:
        self._workload = workload

    def outcomes(self, tasks: Sequence[Task]) -> Iterator[tuple[int, Outcome]]:
        """See Workers."""
        for number, task in enumerate(tasks):
            yield number, self._workload.run(task)


class Pool:
    """Processes of this machine. The candles lie in one file that all of them map into their memory."""

    def __init__(self, executor: ProcessPoolExecutor) -> None:
        self._executor = executor

    def outcomes(self, tasks: Sequence[Task]) -> Iterator[tuple[int, Outcome]]:
        """See Workers."""
        numbers = {}
        try:
            for number, task in enumerate(tasks):
                numbers[self._executor.submit(_run, task)] = number
            for future in as_completed(numbers):
                yield numbers[future], future.result()
        except BrokenProcessPool:
            raise GoneError(
                "a worker process was ended from outside, perhaps because the memory is full: try fewer --jobs."
            ) from None
        finally:
            for future in numbers:
                future.cancel()


class PoolWhenWorthIt:
    """This process, until so much work is left that the start of a pool is won back."""

    def __init__(
        self, workload: Workload, expected: int, now_seconds: Callable[[], float], start_pool: Callable[[], Workers]
    ) -> None:
        """`expected`: how many tasks there will be about; `start_pool` is called once at most."""
        self._here: Workers = InProcess(workload)
        self._expected = expected
        self._now_seconds = now_seconds
        self._start_pool = start_pool
        self._done = 0
        self._seconds = 0.0
        self._is_pool = False

    def outcomes(self, tasks: Sequence[Task]) -> Iterator[tuple[int, Outcome]]:
        """See Workers."""
        for at in range(len(tasks)):
            if not self._is_pool and self._is_worth_a_pool():
                self._here, self._is_pool = self._start_pool(), True
            if self._is_pool:
                yield from ((at + number, outcome) for number, outcome in self._here.outcomes(tasks[at:]))
                return
            began_seconds = self._now_seconds()
            ((_, outcome),) = self._here.outcomes(tasks[at : at + 1])
            self._seconds += self._now_seconds() - began_seconds
            self._done += 1
            yield at, outcome

    def _is_worth_a_pool(self) -> bool:
        left = max(0, self._expected - self._done)
        return self._done > 0 and self._seconds / self._done * left > _WORTH_A_POOL_SECONDS


@contextlib.contextmanager
def local_workers(
    workload: Workload, jobs: int | None, *, expected: int, now_seconds: Callable[[], float]
) -> Iterator[Workers]:
    """This process for one job, a pool for more; ended with the context.

    Args:
        workload: what every task has in common.
        jobs: processes; None takes all cores once the work turns out to be long.
        expected: how many tasks there will be about.
        now_seconds: a clock that never jumps.
    """
    cores = len(os.sched_getaffinity(0))
    with contextlib.ExitStack() as ends:
        if jobs is not None:
            yield ends.enter_context(_pool(workload, jobs)) if jobs > 1 else InProcess(workload)
        elif cores > 1:
            yield PoolWhenWorthIt(workload, expected, now_seconds, lambda: ends.enter_context(_pool(workload, cores)))
        else:
            yield InProcess(workload)


@contextlib.contextmanager
def _pool(workload: Workload, jobs: int) -> Iterator[Workers]:
    with tempfile.TemporaryDirectory(prefix="trade-agent-optimize-") as name:
        folder = Path(name)
        tables = {symbol: _kept(table, folder, symbol) for symbol, table in workload.candles.items()}
        executor = ProcessPoolExecutor(
            jobs, get_context("spawn"), initializer=_begin, initargs=(workload.make, tables, folder)
        )
        try:
            yield Pool(executor)
        finally:
            executor.shutdown(cancel_futures=True)


def _kept(table: CandleTable, folder: Path, symbol: str) -> CandleTable:
    """A table without its columns, which are written into two files."""
    np.save(folder / f"{symbol}-times.npy", table.open_times_ms)
    np.save(folder / f"{symbol}-prices.npy", np.vstack([getattr(table, name) for name in _PRICES]))
    return table.rows(0, 0)


def _mapped(table: CandleTable, folder: Path, symbol: str) -> CandleTable:
    times = np.load(folder / f"{symbol}-times.npy", mmap_mode="r")
    prices = np.load(folder / f"{symbol}-prices.npy", mmap_mode="r")
    columns: dict[str, Any] = {name: np.asarray(prices[number]) for number, name in enumerate(_PRICES)}
    return replace(table, open_times_ms=np.asarray(times), **columns)


_workload: Workload | None = None  # of a worker process


def _begin(make: Callable[[Candles], Evaluate], tables: Candles, folder: Path) -> None:
    global _workload  # noqa: PLW0603 - an initializer has no other way to hand something to the tasks
    logging.getLogger("binance_trade_agent").setLevel(
        logging.ERROR
    )  # what the rules say of each order is in the result
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process; the first one ends the others
    threading.Thread(target=_end_with_parent, args=(folder,), daemon=True).start()
    _workload = Workload(make, {symbol: _mapped(table, folder, symbol) for symbol, table in tables.items()})


def _end_with_parent(folder: Path) -> None:
    """A worker whose parent was killed would wait for ever for its next task; nor is anybody left to tidy up."""
    parent = parent_process()
    assert parent is not None
    connection.wait([parent.sentinel])
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(1)


def _run(task: Task) -> Outcome:
    assert _workload is not None
    return _workload.run(task)

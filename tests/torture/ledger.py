"""The ledger's connection without a thread: work is done in the loop, and a dead machine's is not done at all."""

import asyncio
import random
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from binance_trade_agent.ledger.connection import Work, check_integrity, open_or_create
from binance_trade_agent.ledger.ledger import Ledger
from tests.torture.machine import Machine

T = TypeVar("T")

LOCKED_SECONDS = 5.0  # BUSY_TIMEOUT_MS of the real one


@dataclass(frozen=True, slots=True)
class DiskFaults:
    """How bad the disk is.

    Attributes:
        slow, slow_seconds: probability that a piece of work takes up to so long.
        locked, full: that it fails because another process holds the file, or because the disk is full.
    """

    slow: float = 0.0
    slow_seconds: float = 0.05
    locked: float = 0.0
    full: float = 0.0


class InlineConnection:
    """Takes the place of ledger.connection.WriterConnection.

    As there, work is done in order, one piece at a time, and to its end even when the caller is cancelled.

    Args:
        connection: the open file.
        machine: on which the daemon lives.
        chance: of the disk's delays and faults.
        faults: says how bad the disk is now.
        on_written: called after each piece of work that has changed something.
        on_fault: called with the name of each fault.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        machine: Machine,
        chance: random.Random,
        faults: Callable[[], DiskFaults] = DiskFaults,
        on_written: Callable[[sqlite3.Connection], None] = lambda _: None,
        on_fault: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._connection = connection
        self._machine = machine
        self._chance = chance
        self._faults = faults
        self._on_written = on_written
        self._on_fault = on_fault
        self._free_at = 0.0
        self._changes = connection.total_changes
        self._is_closed = False
        machine.at_death(self._cut)

    async def run(self, work: Work[T]) -> T:
        """Do `work` with the SQLite connection.

        Raises:
            Killed: the machine is dead; nothing was done.
        """
        self._machine.check()
        loop = asyncio.get_running_loop()
        faults = self._faults()
        is_slow = self._chance.random() < faults.slow
        seconds = self._chance.random() * (faults.slow_seconds if is_slow else 0.0003)
        failure = self._failure(faults)
        if failure is not None and "locked" in str(failure):
            seconds += LOCKED_SECONDS
        self._free_at = max(self._free_at, loop.time()) + seconds
        done: asyncio.Future[T] = loop.create_future()
        loop.call_at(self._free_at, self._do, work, failure, done)
        return await done

    async def close(self) -> None:
        """Finish what is queued and close the file."""
        self._machine.check()
        loop = asyncio.get_running_loop()
        queue_is_done = loop.create_future()
        loop.call_at(self._free_at, queue_is_done.set_result, None)
        await queue_is_done
        self._cut()

    def _do(self, work: Work[Any], failure: Exception | None, done: "asyncio.Future[Any]") -> None:
        """Work counts from here; its answer comes a little later, so that a kill may come in between."""
        if self._machine.is_dead:
            return  # whoever waits is cancelled with the machine
        result = None
        if self._is_closed:
            failure = ValueError("no active connection")  # as aiosqlite says it
        if failure is None:
            try:
                result = work(self._connection)
            except Exception as error:  # noqa: BLE001 (handed to whoever awaits it)
                failure = error
        if not self._is_closed and self._connection.total_changes != self._changes:
            self._changes = self._connection.total_changes
            self._on_written(self._connection)
        loop = asyncio.get_running_loop()
        loop.call_later(self._chance.random() * 0.0002, self._answer, done, result, failure)

    def _answer(self, done: "asyncio.Future[Any]", result: Any, failure: Exception | None) -> None:
        if done.done() or self._machine.is_dead:
            return
        if failure is None:
            done.set_result(result)
        else:
            done.set_exception(failure)

    def _failure(self, faults: DiskFaults) -> sqlite3.OperationalError | None:
        drawn = self._chance.random()
        for kind, probability, code, text in (
            ("ledger locked", faults.locked, sqlite3.SQLITE_BUSY, "database is locked"),
            ("disk full", faults.full, sqlite3.SQLITE_FULL, "database or disk is full"),
        ):
            if drawn < probability:
                self._on_fault(kind)
                failure = sqlite3.OperationalError(text)
                failure.sqlite_errorcode = code
                return failure
            drawn -= probability
        return None

    def _cut(self) -> None:
        if not self._is_closed:
            self._is_closed = True
            self._connection.close()


def open_inline(path: Path, machine: Machine, chance: random.Random, **options: Any) -> Ledger:
    """The writer's ledger at `path`, for a daemon on `machine`; see Ledger.open for what is refused."""
    connection = open_or_create(path)
    try:
        check_integrity(connection, path)
        connection.execute("PRAGMA synchronous = OFF")  # the process dies here, never the computer
    except BaseException:
        connection.close()
        raise
    return Ledger(path, InlineConnection(connection, machine, chance, **options))  # type: ignore[arg-type]

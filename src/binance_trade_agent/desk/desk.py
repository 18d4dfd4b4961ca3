"""The desk: everything that pages read from, and the one thing that they write, commands."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from binance_trade_agent.cache.cache import Cache
from binance_trade_agent.cache.market_board import MarketBoard
from binance_trade_agent.configuration import Configuration
from binance_trade_agent.control import commands
from binance_trade_agent.control.commands import CommandKind
from binance_trade_agent.desk.looking import Looking
from binance_trade_agent.ledger.connection import identity
from binance_trade_agent.ledger.errors import LedgerError
from binance_trade_agent.ledger.lock import is_held
from binance_trade_agent.ledger.reader import LedgerReader
from binance_trade_agent.ops import heartbeat
from binance_trade_agent.ops.clock import wall_ms
from binance_trade_agent.ops.heartbeat import Heartbeat
from binance_trade_agent.settings import Settings

T = TypeVar("T")

_READERS = 2


class Desk:
    """What all pages share.

    Args:
        configuration: the settings of this process, which are the trader's when both are started alike.
        cache: shared with the trader; the market board is in it.
        namespace: of the board.
        reader: what kind of process this is among those that read the board (cache/market_board.py READERS).

    Attributes:
        board: the market as the trader has read it.
        looking: where a region that shows a market says so, so that the trader reads it more often.
    """

    def __init__(
        self, configuration: Configuration, cache: Cache, namespace: str, *, reader: str = "dashboard"
    ) -> None:
        self.configuration = configuration
        self.board = MarketBoard(cache, namespace)
        self.looking = Looking(self.board, reader)
        self._cache = cache
        self._threads = ThreadPoolExecutor(_READERS, thread_name_prefix="ledger")
        self._open = threading.local()

    @property
    def settings(self) -> Settings:
        """The settings of this process."""
        return self.configuration.settings

    @property
    def ledger_path(self) -> Path:
        """Where the ledger is."""
        return self.settings.ledger_path

    async def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """What `work` reads from the ledger, all of one moment, in a thread of its own.

        Raises:
            LedgerError: there is no ledger yet, or it cannot be read.
        """
        return await self.with_reader(lambda reader: reader.snapshot(work))

    async def read_unless_same(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """`read`, of which the answer is kept while nothing is committed: for what many ask again and again.

        Args:
            work: a function of a module, which reads nothing but the ledger.

        Raises:
            LedgerError: see read.
        """
        return await self.with_reader(lambda reader: reader.snapshot(lambda inside: self._same_or_read(inside, work)))

    async def with_reader(self, work: Callable[[LedgerReader], T]) -> T:
        """The same with the reader itself, for the functions of `reports/`.

        Raises:
            LedgerError: see read.
        """
        return await asyncio.get_running_loop().run_in_executor(self._threads, lambda: work(self._reader()))

    async def in_thread(self, work: Callable[[], T]) -> T:
        """What takes too long for the event loop, and needs no ledger."""
        return await asyncio.to_thread(work)

    def heartbeat(self) -> Heartbeat | None:
        """The trading loop's last sign of life, None when there never was one."""
        return heartbeat.read(heartbeat.heartbeat_path(self.ledger_path))

    def is_running(self) -> bool:
        """Whether a trader has the ledger now."""
        return is_held(self.ledger_path)

    async def place(
        self,
        kind: CommandKind,
        payload: Mapping[str, str],
        *,
        by: str,
        allow: Callable[[sqlite3.Connection], None] | None = None,
    ) -> int:
        """Leave a command for the trader; its id. `allow`: see commands.place.

        Raises:
            LedgerError: there is no ledger, or it cannot be written.
        """
        path = self.ledger_path
        return await asyncio.to_thread(
            lambda: commands.place(
                path, kind, requested_by=by, requested_wall_ms=wall_ms(), payload=payload, allow=allow
            )
        )

    async def close(self) -> None:
        """Give back threads, files and connections."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        await self._cache.close()

    def _same_or_read(self, connection: sqlite3.Connection, work: Callable[[sqlite3.Connection], T]) -> T:
        # A thread's connection has a count of its own of what others commit.
        now = connection, int(connection.execute("PRAGMA data_version").fetchone()[0])
        answers: dict[Callable[[sqlite3.Connection], Any], Any]
        kept, answers = getattr(self._open, "answers", (None, {}))
        if kept != now:
            answers = {}
            self._open.answers = now, answers
        if work not in answers:
            answers[work] = work(connection)
        answer: T = answers[work]
        return answer

    def _reader(self) -> LedgerReader:
        """This thread's reader; opened anew when another file lies at the ledger's place."""
        found = identity(self.ledger_path)
        kept: tuple[tuple[int, int] | None, LedgerReader] | None = getattr(self._open, "kept", None)
        if kept is not None and kept[0] == found and found is not None:
            return kept[1]
        if kept is not None:
            kept[1].close()
            self._open.kept = None
        try:
            reader = LedgerReader.open(self.ledger_path)
        except sqlite3.Error as failure:
            raise LedgerError(f"the ledger {self.ledger_path} cannot be opened: {failure}") from failure
        self._open.kept = (found, reader)
        return reader

"""An MCP server over HTTP on the explained day, with a market board; a stand-in answers what is placed."""

import asyncio
import os
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mcp import Client
from mcp_types import Implementation

from binance_trade_agent.cache.market_board import MarketBoard, RulesSeen
from binance_trade_agent.cache.shared import board_namespace, shared_cache
from binance_trade_agent.configuration import load
from binance_trade_agent.control import commands
from binance_trade_agent.control.commands import Command, CommandState
from binance_trade_agent.desk.desk import Desk
from binance_trade_agent.domain.values import replace
from binance_trade_agent.ledger.ledger import Ledger
from binance_trade_agent.ledger.lock import Holder, LedgerLock
from binance_trade_agent.ledger.reader import LedgerReader
from binance_trade_agent.mcp_server.command import PATH, application, web_server
from binance_trade_agent.mcp_server.server import TradingServer, trading_server
from binance_trade_agent.ops.clock import sleep_seconds, wall_ms
from tests.reports.explained_day import write_explained_day
from tests.reports.test_order_preview import BOOK, CANDLES, NOW_MS, QUOTE, RULES

TRADES = {"MCP_ALLOW_TRADING": "true", "RISK_COOLDOWN_SECONDS": "0"}


@dataclass(frozen=True)
class ExplainedDesk:
    """Attributes: settings: of the server, as in the environment."""

    folder: Path
    settings: dict[str, str]
    url: str = ""

    @property
    def path(self) -> Path:
        return self.folder / "ledger.db"

    def desk(self) -> Desk:
        known = load(environment={"LEDGER_PATH": str(self.path), **TRADES, **self.settings}, folder=self.folder)
        return Desk(known, shared_cache(known.settings), board_namespace(known.settings), reader="mcp")

    def server(self) -> TradingServer:
        return trading_server(self.desk())

    async def put_market(self) -> None:
        """As a trader does that has just read it."""
        settings = self.desk().settings
        board, now_ms = MarketBoard(shared_cache(settings), board_namespace(settings)), wall_ms()
        for note in (RulesSeen(RULES, NOW_MS, now_ms), CANDLES, QUOTE, BOOK):
            await board.put(note if note is CANDLES else replace(note, read_wall_ms=now_ms))

    def client(self, name: str = "claude", **more: Any) -> Client:
        """An assistant's client over HTTP."""
        return Client(self.url, client_info=Implementation(name=name, version="1.0"), **more)

    def placed(self) -> list[Command]:
        with LedgerReader.open(self.path) as reader:
            return reader.snapshot(lambda connection: commands.latest_commands(connection, 20))

    @asynccontextmanager
    async def answering(self) -> AsyncIterator[None]:
        """Each command is answered, as by a trader that does nothing else."""

        async def answer() -> None:
            async with await Ledger.open(self.path) as ledger:
                while True:
                    for command in await commands.pending(ledger):
                        done = (CommandState.DONE, f"carried out {command.kind}", NOW_MS)
                        await commands.answer(ledger, command.command_id, *done)
                    await sleep_seconds(0.01)

        task = asyncio.ensure_future(answer())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])


@contextmanager
def explained_desk(
    folder: Path, *, is_served: bool = True, has_trader: bool = True, **settings: str
) -> Iterator[ExplainedDesk]:
    """The ledger is held as by a trader that runs; `is_served`: over HTTP, in a thread with a loop of its own."""
    asyncio.run(write_explained_day(folder / "ledger.db"))
    lock = LedgerLock.acquire(folder / "ledger.db", Holder(os.getpid(), "run-a", 1)) if has_trader else None
    found = ExplainedDesk(folder, settings)
    try:
        asyncio.run(found.put_market())
        if not is_served:
            yield found
            return
        running = web_server(application(found.server(), found.desk().settings))
        with socket.create_server(("127.0.0.1", 0)) as listening:
            thread = threading.Thread(target=running.run, kwargs={"sockets": [listening]}, daemon=True)
            thread.start()
            try:
                url = f"http://127.0.0.1:{listening.getsockname()[1]}{PATH}"
                yield ExplainedDesk(folder, settings, url)
            finally:
                running.should_exit = True
                thread.join(10)
    finally:
        if lock is not None:
            lock.release()

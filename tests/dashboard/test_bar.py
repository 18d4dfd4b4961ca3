"""The bar of every page: why nothing is traded, in a few words; and what is asked again and again is read once."""

import asyncio
import os

from binance_trade_agent.control import commands
from binance_trade_agent.control.commands import CommandKind
from binance_trade_agent.ledger import switches
from binance_trade_agent.ledger.lock import Holder, LedgerLock
from tests.dashboard.served import served
from tests.ledger.bookkeeping import decision, trading_ledger

HOUR_MS = 3_600_000


async def test_while_a_trader_runs_the_bar_says_in_a_few_words_why_nothing_is_traded(tmp_path):
    async with trading_ledger(tmp_path / "ledger.db") as ledger:
        await ledger.record_decisions(
            [decision(hour * HOUR_MS + 9_000, detail="RSI 48 between 30 and 70") for hour in (1, 4)]
        )

    def bar(base):
        return base.trader().get("/bar")

    with served(tmp_path) as dashboard:
        assert "No trade" not in (await asyncio.to_thread(bar, dashboard)).text
        with LedgerLock.acquire(dashboard.ledger_path, Holder(os.getpid(), "run-a", 0)):
            said = await asyncio.to_thread(bar, dashboard)
    assert "No trade for 4 h 0 min" in said.words
    assert "2 × RSI 48 between 30 and 70" in said.words
    assert '<a class="badge idle" href="/signals#tally"' in said.text


async def test_what_many_ask_is_read_again_only_when_something_was_committed(tmp_path):
    read = []

    def is_killed(connection):
        read.append(1)
        return switches.killed(connection)

    async with trading_ledger(tmp_path / "ledger.db") as ledger:
        with served(tmp_path) as dashboard:
            answers = [await dashboard.desk.read_unless_same(is_killed) for _ in range(20)]
            assert answers == [False] * 20
            assert len(read) <= 2, "each thread that reads has a connection of its own"
            commands.place(ledger.path, CommandKind.KILL, requested_by="cli", requested_wall_ms=1)
            assert await dashboard.desk.read_unless_same(is_killed) is True, "never older than the last commit"
            assert await dashboard.desk.read(is_killed) is True

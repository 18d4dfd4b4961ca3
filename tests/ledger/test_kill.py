import subprocess
import sys
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import pytest

from binance_trade_agent.ledger import queries
from binance_trade_agent.ledger.accounting import Account, balances
from binance_trade_agent.ledger.ledger import Ledger
from binance_trade_agent.ledger.reader import LedgerReader
from binance_trade_agent.reports.trades import replay

ROOT = Path(__file__).parents[2]


@contextmanager
def writing(path):
    """A process that trades without end into the ledger at `path`, killed at the end; gives a line for each report."""
    command = [sys.executable, "-m", "tests.ledger.endless_writer", str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as writer:
        try:
            yield writer.stdout
        finally:
            writer.kill()


def killed_after(reports, path):
    with writing(path) as lines:
        for _ in range(reports):
            assert next(lines)


@pytest.mark.parametrize("reports_before", [1, 8, 25])
async def test_killed_in_the_middle_each_transaction_is_there_whole_or_not_at_all(tmp_path, reports_before):
    path = tmp_path / "ledger.sqlite3"
    killed_after(reports_before, path)
    with LedgerReader.open(path) as reader:
        assert reader.snapshot(lambda connection: len(queries.fills(connection))) >= reports_before
    async with await Ledger.open(path) as ledger:
        fills = await ledger.fills()
        postings = await ledger.read(lambda connection: queries.postings(connection, 1))
        entries = await ledger.read(queries.orders)
        assert len(fills) >= reports_before
        assert await ledger.wallet() == balances(postings, Account.WALLET)
        assert (await ledger.positions()) == replay(fills, {"BTCUSDT": ("BTC", "USDT")})[1]
        assert sum(entry.filled_base for entry in entries) == len(fills) * Decimal("0.001")
        assert len(await ledger.open_orders()) == len(entries) - len(fills) <= 1

"""Ledgers of earlier schemas with content: what a ledger of today has in the tables and columns that there were then."""

import asyncio
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from binance_trade_agent.ledger import migrations
from tests.ledger.bookkeeping import decision, fill, place, report, trading_ledger


def ledger_of_schema(version: int, path: Path) -> None:
    """Make a ledger of schema `version` at `path`: a run, two orders of which one has filled in two parts, a decision."""
    rows = _rows()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for number, script in sorted(migrations._files().items()):
            if number <= version:
                migrations._apply(connection, number, script)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA foreign_keys = OFF")
        tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        for table in tables:
            columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
            for row in rows.get(table, ()):
                values = [row[column] for column in columns]
                marks = ", ".join("?" * len(columns))
                connection.execute(f"INSERT INTO {table} VALUES ({marks})", values)


@cache
def _rows() -> dict[str, list[dict[str, object]]]:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "ledger.db"
        with ThreadPoolExecutor() as thread:  # where no event loop runs
            thread.submit(lambda: asyncio.run(_trade(path))).result()
        with closing(sqlite3.connect(path)) as connection:
            connection.row_factory = sqlite3.Row
            tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
            return {table: [dict(row) for row in connection.execute(f"SELECT * FROM {table}")] for table in tables}


async def _trade(path: Path) -> None:
    async with trading_ledger(path) as ledger:
        await place(ledger)
        await place(ledger, "bta-BTCUSDT-2", tick_ms=2_000)
        assets = {"base_asset": "BTC", "quote_asset": "USDT"}
        await ledger.apply_report(report("PARTIALLY_FILLED", "0.001", fill(1)), **assets)
        await ledger.apply_report(report("FILLED", "0.002", fill(2)), **assets)
        await ledger.record_decisions([decision(3_000)])

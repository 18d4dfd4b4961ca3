"""One durable transaction on aiosqlite: as one function on the connection's thread, and await by await."""

import asyncio
import sqlite3
import statistics
import sys
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from binance_trade_agent.ledger.connection import WriterConnection, in_transaction
from binance_trade_agent.ops.clock import monotonic_seconds
from support.machine import print_head

WRITES = 1_000
INSERT = "INSERT INTO entries VALUES (NULL, 'a line of text that is as long as a small row')"


async def measure(path: Path, *, is_synced: bool) -> dict[str, float]:
    """Median microseconds of a transaction, by the way it is made; the ways take turns, so that the disk is fair."""
    seconds: dict[str, list[float]] = {}
    connection = WriterConnection(lambda: _opened(path, is_synced=is_synced), iter_chunk_size=64)
    async with connection:
        with closing(_opened(path, is_synced=is_synced)) as direct:
            ways = {
                "no thread (reference)": lambda: _in_place(direct),
                "one hop (ours)": lambda: connection.run(in_transaction(_insert)),
                "three awaits (reference)": lambda: _three_awaits(connection),
            }
            for _ in range(WRITES):
                for name, write in ways.items():
                    started = monotonic_seconds()
                    await write()
                    seconds.setdefault(name, []).append(monotonic_seconds() - started)
    return {name: statistics.median(values) * 1e6 for name, values in seconds.items()}


def _opened(path: Path, *, is_synced: bool) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute(f"PRAGMA synchronous = {'FULL' if is_synced else 'OFF'}")
    connection.execute("CREATE TABLE IF NOT EXISTS entries (id INTEGER PRIMARY KEY, text TEXT NOT NULL)")
    return connection


def _insert(connection: sqlite3.Connection) -> None:
    connection.execute(INSERT)


async def _in_place(connection: sqlite3.Connection) -> None:
    in_transaction(_insert)(connection)


async def _three_awaits(connection: WriterConnection) -> None:
    await connection.execute("BEGIN IMMEDIATE")
    await connection.execute(INSERT)
    await connection.execute("COMMIT")


def main() -> None:
    """Measure and print. Without syncing, only the way to the thread and SQLite's own work are left."""
    print_head("benchmarks/ledger_hops.py [folder]")
    print(f"A transaction of one INSERT, median of {WRITES}, microseconds")
    with TemporaryDirectory(dir=sys.argv[1] if len(sys.argv) > 1 else None) as folder:
        for is_synced, name in ((True, "synced"), (False, "not synced")):
            path = Path(folder) / f"{name}.db"
            for way, microseconds in asyncio.run(measure(path, is_synced=is_synced)).items():
                print(f"  {name:11} {way:25} {microseconds:6.0f}")


if __name__ == "__main__":
    main()

"""The ledger as text, to be compared: two runs from one seed give the same lines.

What belongs to the machine and not to the trading is left out: wall times, process ids, settings, the exchange's
address. Run ids, which are random, become the number of the run.
"""

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from binance_trade_agent.ledger.reader import LedgerReader
from binance_trade_agent.ledger.rows import read_table

_OF_A_RUN = frozenset({"run_id", "owner"})
_LEFT_OUT = frozenset({"pid", "settings_json", "exchange"})


def dump(path: Path) -> Iterator[str]:
    """Every table of the ledger at `path` in a canonical order: a line with its columns, then a line for each row.

    Raises:
        LedgerError: there is no ledger, or it cannot be read.
    """
    with LedgerReader.open(path) as reader:
        yield from reader.snapshot(_lines)


def _lines(connection: sqlite3.Connection) -> list[str]:
    runs = {row["run_id"]: row["number"] for row in connection.execute("SELECT run_id, number FROM runs")}
    tables = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").fetchall()
    return [line for (table,) in tables for line in _table_lines(connection, table, runs)]


def _table_lines(connection: sqlite3.Connection, table: str, runs: dict[str, int]) -> list[str]:
    columns, found = read_table(connection, table)
    kept = [name for name in columns if name not in _LEFT_OUT and not name.endswith("_wall_ms")]
    rows = [
        [runs.get(row[name], row[name]) if name in _OF_A_RUN else row[name] for name in kept]
        for row in (dict(zip(columns, values, strict=True)) for values in found)
    ]
    # Sorted by their text: each row is told by its key, and the order of the random run ids must not show.
    return [f"{table} {json.dumps(kept)}", *sorted(f"{table} {json.dumps(row)}" for row in rows)]

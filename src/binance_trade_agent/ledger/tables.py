"""The ledger's tables as files that accountants and other programs read: CSV, or JSON with a line for each row."""

import csv
import json
import re
import sqlite3
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO, Any

from binance_trade_agent.ledger.files import in_place_when_whole, sync_file, sync_folder
from binance_trade_agent.ledger.reader import LedgerReader
from binance_trade_agent.ledger.rows import read_table
from binance_trade_agent.ops.private_files import written

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_AMOUNT = re.compile(r"-[0-9.]+")

Names = list[str]
Rows = Iterable[tuple[Any, ...]]


def export_tables(ledger_path: Path, to: Path, form: str) -> dict[str, int]:
    """Write every table, as of one moment, to a file of its own in the new folder `to`. The trader may run.

    Amounts are written as the ledger has them, in plain decimal notation; times are milliseconds UTC. In CSV a text
    that a spreadsheet would take for a formula has a `'` before it.

    Args:
        ledger_path: the ledger.
        to: a folder that is not there yet; it appears when all files are whole.
        form: csv or jsonl.

    Returns:
        How many rows each table has.

    Raises:
        LedgerError: there is no ledger, or `to` is there already or cannot be written.
    """
    with LedgerReader.open(ledger_path) as reader, in_place_when_whole(to) as unfinished:
        unfinished.mkdir(mode=0o700)
        counts = reader.snapshot(lambda connection: _write_all(connection, unfinished, form))
        sync_folder(unfinished)
    return counts


def _write_all(connection: sqlite3.Connection, folder: Path, form: str) -> dict[str, int]:
    tables = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").fetchall()
    return {row["name"]: _write(connection, row["name"], folder / f"{row['name']}.{form}", form) for row in tables}


def _write(connection: sqlite3.Connection, table: str, path: Path, form: str) -> int:
    names, rows = read_table(connection, table)
    with written(path, encoding="utf-8", newline="") as file:
        count = FORMS[form](file, names, rows)
    sync_file(path)
    return count


def _write_csv(file: IO[str], names: Names, rows: Rows) -> int:
    writer = csv.writer(file, lineterminator="\r\n")  # RFC 4180; with both in it, a text that has one is quoted
    writer.writerow(names)
    count = 0
    for count, row in enumerate(rows, start=1):  # noqa: B007 (the last one is the answer)
        writer.writerow([_harmless(cell) if isinstance(cell, str) else cell for cell in row])
    return count


def _harmless(text: str) -> str:
    """The text, or a `'` and the text where a spreadsheet would work it out; a negative amount is no formula."""
    return f"'{text}" if text.startswith(_FORMULA) and not _AMOUNT.fullmatch(text) else text


def _write_json_lines(file: IO[str], names: Names, rows: Rows) -> int:
    count = 0
    for count, row in enumerate(rows, start=1):  # noqa: B007
        file.write(json.dumps(dict(zip(names, row, strict=True)), ensure_ascii=False) + "\n")
    return count


FORMS: dict[str, Callable[[IO[str], Names, Rows], int]] = {"csv": _write_csv, "jsonl": _write_json_lines}

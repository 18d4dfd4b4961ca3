"""`trade-agent ledger`: verify, back up and export the ledger, whether the trader runs or not."""

import json
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

from binance_trade_agent import exit_codes
from binance_trade_agent.ledger import backup, tables
from binance_trade_agent.ledger.errors import LedgerError
from binance_trade_agent.ledger.ledger import LedgerReader
from binance_trade_agent.ledger.verify import Say, verify
from binance_trade_agent.ops.clock import wall_ms
from binance_trade_agent.ops.terminal import complain


def verify_ledger(path: Path, *, as_json: bool) -> int:
    """Print each difference, then `N differences`. Returns 0 for none, 1 for some, 2 without a ledger to read."""
    found: list[str] = []

    def say(difference: str) -> None:
        found.append(difference)
        if not as_json:
            print(difference, flush=True)

    try:
        counts = _verified(path, say)
    except LedgerError as failure:
        return complain(failure, exit_codes.WRONG_CONFIGURATION)
    if as_json:
        print(json.dumps({"ledger": str(path), "read": counts, "differences": found, "count": len(found)}, indent=2))
    else:
        print(", ".join(f"{count} {what}" for what, count in counts.items()) + " read")
        print(f"{len(found)} differences")
    return exit_codes.FAILURE if found else exit_codes.OK


def _verified(path: Path, say: Say) -> dict[str, int]:
    def work(connection: sqlite3.Connection) -> dict[str, int]:
        return verify(connection, say)

    with LedgerReader.open(path) as reader:
        return reader.snapshot(work)


def back_up_ledger(path: Path, to: Path | None) -> int:
    """Copy the ledger and print where to, and how large it is. Returns 0, or 2 when it could not be done."""
    target = _target(path, to, "backup")
    try:
        size = backup.back_up(path, target)
    except LedgerError as failure:
        return complain(failure, exit_codes.WRONG_CONFIGURATION)
    print(f"{target}  {size} bytes")
    return exit_codes.OK


def export_ledger(path: Path, to: Path | None, form: str) -> int:
    """Write each table to a file and print how many rows it has. Returns 0, or 2 when it could not be done."""
    target = _target(path, to, "export")
    try:
        counts = tables.export_tables(path, target, form)
    except LedgerError as failure:
        return complain(failure, exit_codes.WRONG_CONFIGURATION)
    for table, count in counts.items():
        print(f"{target / table}.{form}  {count} rows")
    return exit_codes.OK


def _target(path: Path, to: Path | None, what: str) -> Path:
    """Where it goes: to a new path as it was given; into a folder that is there, and beside the ledger, by its time."""
    if to is not None and not to.is_dir():
        return to
    name = f"{path.name}.{what}-{datetime.fromtimestamp(wall_ms() // 1000, UTC):%Y%m%dT%H%M%SZ}"
    return path.with_name(name) if to is None else to / name

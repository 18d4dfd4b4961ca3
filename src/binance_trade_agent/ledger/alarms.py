"""Alarms as rows of the ledger: raised once, counted while they stand, kept when they are over.

The functions take the SQLite connection inside a transaction; `ledger.py` provides both.
"""

import sqlite3
from dataclasses import fields

from binance_trade_agent.ledger.records import Alarm


def raise_alarm(
    connection: sqlite3.Connection, kind: str, subject: str, text: str, at_ms: int, *, blocks: bool = False
) -> bool:
    """Raise an alarm, or count one more time that stands already; True when it is new."""
    found = connection.execute(
        "UPDATE alarms SET last_ms = ?, times = times + 1, text = ?, blocks = ?"
        " WHERE kind = ? AND subject = ? AND cleared_ms IS NULL",
        (at_ms, text, int(blocks), kind, subject),
    )
    if found.rowcount:
        return False
    connection.execute(
        "INSERT OR REPLACE INTO alarms VALUES (?, ?, ?, ?, 1, ?, ?, NULL)",
        (kind, subject, at_ms, at_ms, int(blocks), text),
    )
    return True


def clear_alarm(connection: sqlite3.Connection, kind: str, subject: str, at_ms: int) -> bool:
    """Note that it is over; False when it did not stand."""
    cleared = connection.execute(
        "UPDATE alarms SET cleared_ms = ? WHERE kind = ? AND subject = ? AND cleared_ms IS NULL",
        (at_ms, kind, subject),
    )
    return cleared.rowcount > 0


def standing(connection: sqlite3.Connection) -> list[Alarm]:
    """Alarms that are not over, oldest first."""
    return _alarms(connection, "WHERE cleared_ms IS NULL ORDER BY raised_ms, kind, subject")


def latest(connection: sqlite3.Connection, limit: int) -> list[Alarm]:
    """The latest alarms, standing or over, newest first."""
    return _alarms(connection, f"ORDER BY last_ms DESC, kind, subject LIMIT {int(limit)}")


def changed(connection: sqlite3.Connection, limit: int) -> list[Alarm]:
    """Those that stand, then those that are over, each the latest first."""
    return _alarms(
        connection,
        f"ORDER BY cleared_ms IS NULL DESC, coalesce(cleared_ms, last_ms) DESC, kind, subject LIMIT {int(limit)}",
    )


def _alarms(connection: sqlite3.Connection, rest: str) -> list[Alarm]:
    rows = connection.execute(f"SELECT * FROM alarms {rest}")  # noqa: S608 (the two ends above, nothing from outside)
    names = [field.name for field in fields(Alarm)]
    return [Alarm(**{**{name: row[name] for name in names}, "blocks": bool(row["blocks"])}) for row in rows]

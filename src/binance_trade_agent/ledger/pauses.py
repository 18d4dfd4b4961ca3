"""Times in which no position is entered because a limit was passed: begun by the trader, seen by every process.

The functions take the SQLite connection; `begin_pause`, inside a transaction.
"""

import sqlite3

from binance_trade_agent.ledger import equity
from binance_trade_agent.risk.state import Pause

DRAWDOWN, DAILY_LOSS, CONSECUTIVE_LOSSES = equity.DRAWDOWN, "daily_loss", "consecutive_losses"


def begin_pause(connection: sqlite3.Connection, epoch: int, pause: Pause) -> bool:
    """Keep a pause; False when one of this rule that began at that time is known."""
    is_new = connection.execute(
        "INSERT OR IGNORE INTO pauses VALUES (?, ?, ?, ?, ?)",
        (epoch, pause.rule, pause.since_ms, pause.until_ms, pause.detail),
    ).rowcount
    if is_new and pause.rule == DRAWDOWN:
        equity.begin_new_peaks(connection, epoch, pause.until_ms)
    return bool(is_new)


def active_pauses(connection: sqlite3.Connection, epoch: int, now_ms: int) -> dict[str, Pause]:
    """The pauses that are not over, by rule; of one rule the one that lasts longest, and began last."""
    rows = connection.execute(
        "SELECT rule, since_ms, until_ms, detail FROM pauses INDEXED BY pauses_by_end"
        " WHERE epoch = ? AND until_ms > ? ORDER BY until_ms, since_ms",
        (epoch, now_ms),
    )
    return {rule: Pause(rule, since_ms, until_ms, detail) for rule, since_ms, until_ms, detail in rows}


def is_paused_at(connection: sqlite3.Connection, epoch: int, rule: str, at_ms: int) -> bool:
    """Whether a pause of this rule lasts, or lasted, at that time."""
    row = connection.execute(
        "SELECT 1 FROM pauses INDEXED BY pauses_by_end WHERE epoch = ? AND until_ms > ? AND rule = ? AND since_ms <= ?",
        (epoch, at_ms, rule, at_ms),
    ).fetchone()
    return row is not None


def last_end_ms(connection: sqlite3.Connection, epoch: int, rule: str, now_ms: int) -> int | None:
    """When the last pause of this rule ended that is over; None when none is."""
    row = connection.execute(
        "SELECT until_ms FROM pauses INDEXED BY pauses_by_end WHERE epoch = ? AND until_ms <= ? AND rule = ?"
        " ORDER BY until_ms DESC LIMIT 1",
        (epoch, now_ms, rule),
    ).fetchone()
    return None if row is None else int(row["until_ms"])

"""Which limits a person has changed while a trader ran: a row for each setting that came to say something else."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from binance_trade_agent.ledger.strategy_changes import BY_SETTINGS


@dataclass(frozen=True, slots=True)
class RiskChange:
    """A setting that came to say something else. Values are written as in the settings.

    Attributes:
        run_id: the run in which it did; later runs go on with it unless the settings were changed.
        at_ms: market time.
        requested_by: who placed the command; BY_SETTINGS where changed settings have ended what was asked for.
        configured: what the settings said then. While they say the same, what was asked for holds over restarts.
        command_id: of the command that asked for it; None by settings.
    """

    run_id: str
    at_ms: int
    requested_by: str
    setting: str
    old: str
    new: str
    configured: str
    command_id: int | None = None

    @property
    def is_by_command(self) -> bool:
        """Whether somebody asked for it, rather than the settings."""
        return self.requested_by != BY_SETTINGS


def record(connection: sqlite3.Connection, changes: Sequence[RiskChange]) -> None:
    """Keep changes as the latest of their settings."""
    number = int(connection.execute("SELECT coalesce(max(number), 0) FROM risk_changes").fetchone()[0])
    connection.executemany(
        "INSERT INTO risk_changes (number, run_id, at_ms, requested_by, setting, old_value, new_value,"
        " configured_value, command_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                number + place,
                change.run_id,
                change.at_ms,
                change.requested_by,
                change.setting,
                change.old,
                change.new,
                change.configured,
                change.command_id,
            )
            for place, change in enumerate(changes, start=1)
        ],
    )


def latest_by_setting(connection: sqlite3.Connection) -> dict[str, RiskChange]:
    """The last change of each setting that was ever changed."""
    rows = connection.execute(
        "SELECT * FROM risk_changes WHERE number IN (SELECT max(number) FROM risk_changes GROUP BY setting)"
        " ORDER BY number"
    )
    return {row["setting"]: _change_from(row) for row in rows}


def latest_changes(connection: sqlite3.Connection, limit: int) -> list[RiskChange]:
    """The newest changes first."""
    rows = connection.execute("SELECT * FROM risk_changes ORDER BY number DESC LIMIT ?", (limit,))
    return [_change_from(row) for row in rows]


def _change_from(row: sqlite3.Row) -> RiskChange:
    return RiskChange(
        run_id=row["run_id"],
        at_ms=row["at_ms"],
        requested_by=row["requested_by"],
        setting=row["setting"],
        old=row["old_value"],
        new=row["new_value"],
        configured=row["configured_value"],
        command_id=row["command_id"],
    )

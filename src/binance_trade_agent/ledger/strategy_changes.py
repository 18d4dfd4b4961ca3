"""Which strategy decided when: a row whenever another one, or for another reason, began to."""

import json
import sqlite3
from dataclasses import dataclass

from binance_trade_agent.domain.strategy_choice import StrategyChoice

BY_SETTINGS = "settings"


@dataclass(frozen=True, slots=True)
class StrategyChange:
    """A strategy that came into use.

    Attributes:
        run_id: the run in which it did; later runs go on with it unless they have a row of their own.
        at_ms: the first tick that it decided on, or the start of the run, market time.
        requested_by: BY_SETTINGS, or who placed the command.
        choice: what is in use since.
        configured: what the settings said then. While they say the same, what was asked for holds over restarts.
        command_id: of the command that asked for it; None by settings, and where it was not noted.
    """

    run_id: str
    at_ms: int
    requested_by: str
    choice: StrategyChoice
    configured: StrategyChoice
    command_id: int | None = None

    @property
    def is_by_command(self) -> bool:
        """Whether somebody asked for it, rather than the settings."""
        return self.requested_by != BY_SETTINGS


def record(connection: sqlite3.Connection, change: StrategyChange) -> None:
    """Keep a change as the latest."""
    connection.execute(
        "INSERT INTO strategy_changes SELECT coalesce(max(number), 0) + 1, ?, ?, ?, ?, ?, ?, ? FROM strategy_changes",
        (
            change.run_id,
            change.at_ms,
            change.requested_by,
            change.choice.name,
            json.dumps(dict(change.choice.params)),
            json.dumps({"strategy": change.configured.name, "params": dict(change.configured.params)}),
            change.command_id,
        ),
    )


def latest(connection: sqlite3.Connection) -> StrategyChange | None:
    """The last change, None where none was noted yet."""
    row = connection.execute("SELECT * FROM strategy_changes ORDER BY number DESC LIMIT 1").fetchone()
    return _change_from(row) if row else None


def in_use_at(connection: sqlite3.Connection, run_id: str, tick_ms: int) -> StrategyChange | None:
    """What decided at a tick of a run; None when it was before this was noted."""
    row = connection.execute(
        "SELECT strategy_changes.* FROM strategy_changes JOIN runs USING (run_id)"
        " WHERE runs.number < (SELECT number FROM runs WHERE run_id = :run_id)"
        " OR (run_id = :run_id AND at_ms <= :tick_ms)"
        " ORDER BY strategy_changes.number DESC LIMIT 1",
        {"run_id": run_id, "tick_ms": tick_ms},
    ).fetchone()
    return _change_from(row) if row else None


def _change_from(row: sqlite3.Row) -> StrategyChange:
    configured = json.loads(row["configured_json"])
    return StrategyChange(
        run_id=row["run_id"],
        at_ms=row["at_ms"],
        requested_by=row["requested_by"],
        choice=StrategyChoice(row["strategy"], json.loads(row["params_json"])),
        configured=StrategyChoice(configured["strategy"], configured["params"]),
        command_id=row["command_id"],
    )

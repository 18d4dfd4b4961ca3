"""A pause that a person has ordered: an assistant neither ends it nor narrows it, nor changes the strategy beneath it.

What an assistant has paused itself, it may resume. Who is an assistant says how the record of who placed a command
begins: the MCP server writes that itself, and no client's name can be without it (mcp_server/trading/client.py).
"""

import sqlite3
from collections.abc import Mapping

from binance_trade_agent.control.commands import OF_ASSISTANTS, Command, CommandKind, command
from binance_trade_agent.domain.pause_scope import PauseScope
from binance_trade_agent.domain.wording import iso_second
from binance_trade_agent.ledger.switches import pause_scope


def persons_pause(connection: sqlite3.Connection) -> Command | None:
    """The pause by a person that no person has taken back; None without one."""
    row = connection.execute(
        "SELECT kind, command_id FROM commands WHERE kind IN ('pause', 'resume') AND state = 'DONE'"
        " AND substr(requested_by, 1, ?) != ? ORDER BY command_id DESC LIMIT 1",
        (len(OF_ASSISTANTS), OF_ASSISTANTS),
    ).fetchone()
    return command(connection, row["command_id"]) if row is not None and row["kind"] == CommandKind.PAUSE else None


def why_not_by_assistant(connection: sqlite3.Connection, kind: CommandKind, payload: Mapping[str, str]) -> str:
    """Why an assistant may not ask for this now, a sentence; empty when it may."""
    said = {
        CommandKind.RESUME: "an assistant cannot resume",
        CommandKind.SET_STRATEGY: "an assistant cannot change the strategy meanwhile",
        CommandKind.PAUSE: "an assistant can only widen that pause",
    }.get(kind)
    pause = persons_pause(connection) if said else None
    if pause is None:
        return ""
    if (
        kind is CommandKind.PAUSE
        and payload.get("scope") == PauseScope.EVERYTHING
        and pause_scope(connection) is not PauseScope.EVERYTHING
    ):
        return ""
    is_wide = pause.payload.get("scope") == PauseScope.EVERYTHING
    held_back = (PauseScope.EVERYTHING if is_wide else PauseScope.ENTRIES).held_back
    return (
        f"{held_back} paused by {pause.requested_by} since {iso_second(pause.requested_wall_ms)}, and {said}: "
        "a person ends it, by `trade-agent resume` or on the dashboard"
    )

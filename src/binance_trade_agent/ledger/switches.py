"""The two switches, which are no flags of their own: commands say where they stand (control/commands.py places them).

Pause is what the last carried-out `pause` or `resume` said, the kill switch what the last `kill` or carried-out
`release` said. The functions take the SQLite connection and only read.
"""

import sqlite3

from binance_trade_agent.domain.pause_scope import PauseScope

_SINCE_RELEASED = (
    "kind = 'kill' AND state != 'REFUSED' AND command_id >"
    " (SELECT coalesce(max(command_id), 0) FROM commands WHERE kind = 'release' AND state = 'DONE')"
)


def paused(connection: sqlite3.Connection) -> bool:
    """Whether the last carried-out `pause` or `resume` was a pause."""
    return pause_scope(connection) is not None


def pause_scope(connection: sqlite3.Connection) -> PauseScope | None:
    """What the pause keeps back, entries where it does not say; None while nothing is paused."""
    row = connection.execute(
        "SELECT kind, CASE WHEN json_valid(payload_json) THEN json_extract(payload_json, '$.scope') END AS scope"
        " FROM commands WHERE kind IN ('pause', 'resume') AND state = 'DONE' ORDER BY command_id DESC LIMIT 1"
    ).fetchone()
    if row is None or row["kind"] != "pause":
        return None
    return PauseScope.EVERYTHING if row["scope"] == PauseScope.EVERYTHING else PauseScope.ENTRIES


def killed(connection: sqlite3.Connection) -> bool:
    """Whether the last `kill` has not been taken back by a carried-out `release`; one that waits counts already."""
    return _last_kill(connection) is not None


def kill_reason(connection: sqlite3.Connection) -> str:
    """Why the kill switch is on: the last reason that was given since it is; empty while it is off, or without one."""
    if not killed(connection):
        return ""
    row = connection.execute(
        "WITH kills AS (SELECT command_id,"  # noqa: S608 (ours)
        " CASE WHEN json_valid(payload_json) THEN json_extract(payload_json, '$.reason') END AS reason"
        f" FROM commands WHERE {_SINCE_RELEASED})"
        " SELECT reason FROM kills WHERE coalesce(reason, '') != '' ORDER BY command_id DESC LIMIT 1"
    ).fetchone()
    return str(row[0]) if row else ""


def halted(connection: sqlite3.Connection) -> str:
    """`killed` or `paused`, as the switches stand; empty for neither."""
    return "killed" if killed(connection) else "paused" if paused(connection) else ""


def closes_positions(connection: sqlite3.Connection) -> bool:
    """Whether the kill switch is on and asks for every position to be closed.

    Of several kills since the last release it is enough that one has asked for it: a second one takes nothing back.
    """
    row = connection.execute(
        f"SELECT count(*) FROM commands WHERE {_SINCE_RELEASED} AND"  # noqa: S608 (ours)
        " CASE WHEN json_valid(payload_json) THEN json_extract(payload_json, '$.close_positions') = 'true' END"
    ).fetchone()
    return bool(row[0])


def _last_kill(connection: sqlite3.Connection) -> int | None:
    """Number of the kill that the switch is on by; None while it is off."""
    row = connection.execute(
        "SELECT kind, command_id FROM commands WHERE kind IN ('kill', 'release') AND"
        " CASE kind WHEN 'kill' THEN state != 'REFUSED' ELSE state = 'DONE' END ORDER BY command_id DESC LIMIT 1"
    ).fetchone()
    return int(row["command_id"]) if row is not None and row["kind"] == "kill" else None

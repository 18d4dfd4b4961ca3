"""The two switches, which are no flags of their own: commands say where they stand (control/commands.py places them).

Pause is what the last carried-out `pause` or `resume` said, the kill switch what the last `kill` or carried-out
`release` said. The functions take the SQLite connection and only read.
"""

import sqlite3


def paused(connection: sqlite3.Connection) -> bool:
    """Whether the last carried-out `pause` or `resume` was a pause."""
    row = connection.execute(
        "SELECT kind FROM commands WHERE kind IN ('pause', 'resume') AND state = 'DONE'"
        " ORDER BY command_id DESC LIMIT 1"
    ).fetchone()
    return row is not None and row["kind"] == "pause"


def killed(connection: sqlite3.Connection) -> bool:
    """Whether the last `kill` has not been taken back by a carried-out `release`; one that waits counts already."""
    row = connection.execute(
        "SELECT kind FROM commands WHERE (kind = 'kill' AND state != 'REFUSED')"
        " OR (kind = 'release' AND state = 'DONE') ORDER BY command_id DESC LIMIT 1"
    ).fetchone()
    return row is not None and row["kind"] == "kill"

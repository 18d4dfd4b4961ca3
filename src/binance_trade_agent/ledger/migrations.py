"""Bringing a ledger's tables to the version that this program needs: numbered SQL files, each one transaction."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from functools import cache
from importlib import resources

APPLICATION_ID = 0x42544131  # "BTA1" in the file's header, by which a ledger is told from another program's SQLite file


def latest_version() -> int:
    """The schema version that this program reads and writes."""
    return max(_files())


def migrate(connection: sqlite3.Connection) -> None:
    """Run the migrations that the file has not seen; a killed migration leaves the version before it, whole.

    Raises:
        sqlite3.Error: the file could not be written.
    """
    files = _files()
    for number in sorted(files):
        if number > schema_version(connection):
            _apply(connection, number, files[number])


def schema_version(connection: sqlite3.Connection) -> int:
    """The file's schema version, 0 for a new one."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def application_id(connection: sqlite3.Connection) -> int:
    """The program id in the file's header."""
    return int(connection.execute("PRAGMA application_id").fetchone()[0])


def damaged_table(connection: sqlite3.Connection) -> str | None:
    """The name of a table that does not have the columns which the latest version gives it, None when all have them.

    Raises:
        sqlite3.Error, UnicodeDecodeError: the file could not be read.
    """
    return next((name for name, columns in _latest_tables().items() if _columns(connection, name) != columns), None)


@cache
def _latest_tables() -> dict[str, list[tuple[str, str]]]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        migrate(connection)
        names = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
        return {name: _columns(connection, name) for (name,) in names}


def _columns(connection: sqlite3.Connection, table: str) -> list[tuple[str, str]]:
    return [tuple(row) for row in connection.execute("SELECT name, type FROM pragma_table_info(?)", (table,))]


def _apply(connection: sqlite3.Connection, number: int, script: str) -> None:
    # `executescript` would commit first and part the tables from their version number.
    connection.execute("BEGIN IMMEDIATE")
    try:
        for statement in _statements(script):
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {number}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _statements(script: str) -> Iterator[str]:
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def _files() -> dict[int, str]:
    folder = resources.files("binance_trade_agent.ledger") / "schema"
    return {int(file.name[:4]): file.read_text("utf-8") for file in folder.iterdir() if file.name.endswith(".sql")}

import sqlite3
from contextlib import closing

import pytest

from binance_trade_agent.ledger import migrations


@pytest.fixture
def connection():
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as opened:
        yield opened


def test_the_versions_are_numbered_without_a_gap():
    assert sorted(migrations._files()) == list(range(1, migrations.latest_version() + 1))


def test_migrating_twice_is_migrating_once(connection):
    migrations.migrate(connection)
    before = list(connection.iterdump())
    migrations.migrate(connection)
    assert list(connection.iterdump()) == before
    assert migrations.schema_version(connection) == migrations.latest_version()


def test_a_migration_that_fails_leaves_no_table_and_no_version(connection):
    with pytest.raises(sqlite3.OperationalError):
        migrations._apply(connection, 1, "CREATE TABLE first (a);\nCREATE TABLE broken (;\n")
    assert list(connection.execute("SELECT * FROM sqlite_schema")) == []
    assert migrations.schema_version(connection) == 0

import sqlite3
from contextlib import closing
from decimal import Decimal

import pytest

from binance_trade_agent.ledger import journal, migrations, queries
from binance_trade_agent.ledger.connection import in_transaction, open_or_create
from binance_trade_agent.ledger.external_sums import external_sum
from binance_trade_agent.ledger.records import EquityPoint
from binance_trade_agent.ledger.risk_state import risk_state
from binance_trade_agent.ledger.sql_view import SqlView
from binance_trade_agent.ledger.verify import sentences


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


def test_old_points_of_equity_stay_and_limits_begin_with_the_first_new_one(tmp_path):
    path = tmp_path / "ledger.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as old:
        for number, script in sorted(migrations._files().items()):
            if number <= 4:
                migrations._apply(old, number, script)
        old.executescript(
            """
            INSERT INTO epochs VALUES (1, 1, NULL, 'first start', 'simulated');
            INSERT INTO runs VALUES ('run-a', 1, 1, 'simulated', 's', 'BTCUSDT', '{}', 'x', 1, NULL, 1, NULL, 1, NULL, 1);
            INSERT INTO equity VALUES ('run-a', 100, 1, '20000', '20000', '0', '0', '0');
            INSERT INTO postings VALUES (1, 'external', 'seen', 1, 'USDT', 'wallet', '500.5', 90);
            INSERT INTO postings VALUES (1, 'external', 'seen', 2, 'USDT', 'external', '-500.5', 90);
            INSERT INTO wallets VALUES (1, 'USDT', '500.5');
            """
        )
    with closing(open_or_create(path)) as connection:
        assert external_sum(connection, 1, "USDT") == Decimal("500.5")
        (point,) = queries.equity(connection, "run-a")
        assert (point.equity_quote, point.external_quote, point.quote_asset) == (20_000, 0, "")
        before = risk_state(SqlView(connection, 1), "BTCUSDT", 200, Decimal(10_000), quote_asset="USDT")
        assert (before.peak_quote, before.day_quote) == (None, None)

        amounts = [Decimal(text) for text in ("10000", "10000", "0", "0", "0", "500.5")]
        new = EquityPoint("run-a", 200, 2, *amounts, quote_asset="USDT")
        in_transaction(lambda inside: journal.record_equity(inside, new))(connection)
        in_transaction(lambda inside: journal.post_external(inside, "USDT", Decimal(1), 300, "more"))(connection)
        after = risk_state(SqlView(connection, 1), "BTCUSDT", 300, Decimal(9_001), quote_asset="USDT")
        assert (after.peak_quote, after.day_quote) == (10_001, 10_001)
        assert external_sum(connection, 1, "USDT") == Decimal("501.5")
        assert list(sentences(connection)) == []

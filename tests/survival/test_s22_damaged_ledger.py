"""S22: a damaged or half-migrated ledger, one from a newer version: a clear refusal, never a fresh empty ledger.

A file without checksums cannot tell every changed letter. What is promised: it is refused, or it opens and everything
that is worked out from fills and postings is as it was, or `trade-agent ledger verify` says that it is not.
"""

import asyncio
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from decimal import Decimal
from functools import cache
from importlib import resources
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from binance_trade_agent.domain.orders import Side
from binance_trade_agent.ledger import integrity, migrations, queries
from binance_trade_agent.ledger.errors import LedgerError
from binance_trade_agent.ledger.ledger import Ledger
from binance_trade_agent.ledger.reader import LedgerReader
from binance_trade_agent.ledger.verify import sentences
from tests.ledger.bookkeeping import BTCUSDT, fill, place, report, trading_ledger
from tests.sessions.daemon_process import daemon

ROOT = Path(__file__).parents[2]


async def trade_for_a_while(path):
    async with trading_ledger(path) as ledger:
        for number in range(1, 61):
            side = Side.SELL if number % 3 == 0 else Side.BUY
            order_id = f"bta-BTCUSDT-{number}"
            await place(ledger, order_id, side, tick_ms=number * 1_000)
            booked = fill(number, order_id, side, commission=Decimal("0.01"), commission_asset="USDT")
            said = report("FILLED", "0.001", booked, order_id=order_id, side=side)
            await ledger.apply_report(said, **BTCUSDT)


@cache
def sound_ledger() -> tuple[bytes, tuple]:
    """The bytes of a ledger with some past, and what follows from its journal."""
    path = Path(mkdtemp()) / "ledger.db"
    asyncio.run(trade_for_a_while(path))
    with LedgerReader.open(path) as reader:
        known = reader.snapshot(what_follows)
    content = path.read_bytes()
    shutil.rmtree(path.parent)
    return content, known


def what_follows(connection):
    """What a person's money hangs on: the wallet, the position, what each order has filled."""
    orders = {
        entry.order.client_order_id: (entry.filled_base, entry.filled_quote) for entry in queries.orders(connection)
    }
    return queries.wallet(connection, 1), queries.positions(connection, 1), orders


def refused_or_right(path: Path) -> str:
    """What became of opening and verifying the file: a refusal, differences, or everything as it was."""
    try:
        asyncio.run(opened_and_closed(path))
    except LedgerError as refusal:
        return "refused" if str(path) in str(refusal) else f"refused without its name: {refusal}"
    try:
        with LedgerReader.open(path) as reader:
            found = reader.snapshot(lambda connection: list(sentences(connection)))
            if found:
                return "different"
            assert reader.snapshot(what_follows) == sound_ledger()[1]
    except LedgerError:
        return "refused"
    return "right"


async def opened_and_closed(path):
    await (await Ledger.open(path)).close()


def damaged_at(places: list[tuple[float, int]]) -> str:
    content = bytearray(sound_ledger()[0])
    for position, bits in places:
        content[int(position * len(content))] ^= bits
    with TemporaryDirectory() as folder:
        path = Path(folder) / "ledger.db"
        path.write_bytes(content)
        became = refused_or_right(path)
        assert path.stat().st_size >= len(content), "it is never replaced"
        return became


places = st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 255))


@settings(max_examples=150)
@given(st.lists(places, min_size=1, max_size=20))
def test_s22_a_ledger_with_changed_bytes_is_refused_or_told_apart_or_right(changes):
    assert damaged_at(changes) in {"refused", "different", "right"}


def test_s22_single_bytes_changed_all_over_the_file_are_found_or_harmless():
    became = [damaged_at([(step / 150, 0xFF)]) for step in range(150)]
    assert set(became) <= {"refused", "different", "right"}
    assert became.count("refused") > 20
    assert became.count("different") > 5


@settings(max_examples=40)
@given(st.floats(0, 1, exclude_max=True))
def test_s22_a_cut_file_is_refused_whether_it_is_read_whole_or_not(share):
    content = sound_ledger()[0]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "ledger.db"
        path.write_bytes(content[: min(int(share * len(content)), len(content) - 1)])
        left = path.stat().st_size
        for whole_up_to_bytes in (0, 10**9):
            with pytest.raises(LedgerError):
                integrity.check_at_start(path, whole_up_to_bytes=whole_up_to_bytes)
        assert path.stat().st_size == left


def test_s22_a_large_ledger_is_refused_when_what_is_worked_with_is_damaged(tmp_path):
    path = tmp_path / "ledger.db"
    path.write_bytes(sound_ledger()[0])
    integrity.check_at_start(path, whole_up_to_bytes=0)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("UPDATE orders SET state = 'LOST' WHERE client_order_id = 'bta-BTCUSDT-60'")
    with pytest.raises(LedgerError, match=r"is damaged \(a value in it cannot be read: .*LOST.* put back a backup"):
        integrity.check_at_start(path, whole_up_to_bytes=0)


def newer(path):
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")


def only_the_log(path):
    path.rename(path.with_name("ledger.db-wal"))


def torn(path):
    """A page in the middle that never reached the disk."""
    content = bytearray(path.read_bytes())
    content[5 * 4096 : 6 * 4096] = bytes(4096)
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("prepare", "sentence"),
    [
        (lambda path: path.write_bytes(b""), "is not a ledger of this program"),
        (lambda path: path.write_bytes(bytes(4096)), "is not a SQLite file"),
        (lambda path: path.write_text("trades\n" * 900), "is not a SQLite file"),
        (newer, "has schema 99, this program knows up to"),
        (only_the_log, "is gone but its write-ahead log"),
        (torn, "is damaged"),
    ],
    ids=["empty", "zeros", "text", "newer", "log only", "torn"],
)
async def test_s22_the_daemon_refuses_it_with_one_sentence_and_exit_code_2_and_leaves_it(tmp_path, prepare, sentence):
    path = tmp_path / "ledger.db"
    # Made with an event loop of its own, which a thread that runs one already cannot have.
    content, _ = await asyncio.to_thread(sound_ledger)
    path.write_bytes(content)
    prepare(path)
    before = path.read_bytes() if path.exists() else None
    async with daemon(tmp_path) as running:
        assert await running.ended() == 2
    (line,) = [line for line in running.log if str(path) in line]
    assert sentence in line
    assert "***" not in line, "the title of SQLite's answer says nothing"
    assert (path.read_bytes() if path.exists() else None) == before


async def test_s22_a_write_ahead_log_that_is_lost_takes_only_whole_transactions_with_it(tmp_path):
    path, copy = tmp_path / "ledger.db", tmp_path / "copy.db"
    async with trading_ledger(path) as ledger:
        await ledger.read(lambda connection: connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall())
        await place(ledger)
        shutil.copyfile(path, copy)
    await opened_and_closed(copy)
    with LedgerReader.open(copy) as reader:
        assert reader.snapshot(lambda connection: list(sentences(connection))) == []
        assert reader.snapshot(queries.orders) == []


async def test_s22_a_write_ahead_log_with_changed_bytes_ends_before_them(tmp_path):
    path, copy = tmp_path / "ledger.db", tmp_path / "copy.db"
    async with trading_ledger(path) as ledger:
        await place(ledger)
        for part in (".db", ".db-wal"):
            shutil.copyfile(tmp_path / f"ledger{part}", tmp_path / f"copy{part}")
    log = tmp_path / "copy.db-wal"
    content = bytearray(log.read_bytes())
    content[-3_000] ^= 0xFF  # in the last transaction: the note that it is sent
    log.write_bytes(content)
    await opened_and_closed(copy)
    with LedgerReader.open(copy) as reader:
        assert reader.snapshot(lambda connection: list(sentences(connection))) == []
        assert [entry.order.state for entry in reader.snapshot(queries.orders)] == ["INTENT"]


_MIGRATE_AND_DIE = """
import os, shutil, sqlite3, sys
from pathlib import Path
from binance_trade_agent.ledger import migrations

def migrate_and_die(path, left):
    connection = sqlite3.connect(path, isolation_level=None)
    def count(statement):
        nonlocal left
        left -= 1
        if left < 0:
            os._exit(9)
    connection.set_trace_callback(count)
    migrations.migrate(connection)
    connection.close()
    os._exit(0)

first = Path(sys.argv[1])
for statements in range(200):
    path = first.with_name(f"killed-{statements:03}.db")
    shutil.copyfile(first, path)
    if not (dying := os.fork()):
        migrate_and_die(path, statements)
    if os.waitpid(dying, 0)[1] == 0:
        sys.exit()
sys.exit("it has never come to its end")
"""


def test_s22_killed_between_any_two_statements_of_a_migration_the_ledger_is_of_the_version_before(tmp_path):
    """From the first schema, with orders and fills in it, to the present one; each kill leaves a whole version."""
    first = tmp_path / "first.db"
    old_ledger(first)
    subprocess.run([sys.executable, "-c", _MIGRATE_AND_DIE, first], cwd=ROOT, check=True)
    versions = set()
    for path in sorted(tmp_path.glob("killed-*.db")):
        with closing(sqlite3.connect(path)) as connection:
            version = migrations.schema_version(connection)
            assert connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
            assert schema(connection) == schema_of(version)
        versions.add(version)
        asyncio.run(opened_and_closed(path))
        with LedgerReader.open(path) as reader:
            assert reader.snapshot(lambda connection: list(sentences(connection))) == []
    assert versions == set(range(1, migrations.latest_version() + 1))


def old_ledger(path):
    """A ledger of the first schema with one order that filled."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        files = resources.files("binance_trade_agent.ledger") / "schema"
        migrations._apply(connection, 1, (files / "0001_first.sql").read_text("utf-8"))
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript(
            """
            INSERT INTO epochs VALUES (1, 0, NULL, 'first start');
            INSERT INTO runs VALUES ('run-a', 1, 1, 'simulated', 's', 'BTCUSDT', '{}', 'x', 0, 9, 0, 9, 1, 'done');
            INSERT INTO orders VALUES ('bta-BTCUSDT-0123456789abcdef', 1, 'run-a', 'BTCUSDT', 'BUY', 'MARKET', '1',
                NULL, '100', 1, 0, 'FILLED', '', 7, '1', '100', '1', '100', 1, 1, 2);
            INSERT INTO order_events VALUES ('bta-BTCUSDT-0123456789abcdef', 1, 'INTENT', 1, '0', '');
            INSERT INTO order_events VALUES ('bta-BTCUSDT-0123456789abcdef', 2, 'SENT', 1, '0', '');
            INSERT INTO order_events VALUES ('bta-BTCUSDT-0123456789abcdef', 3, 'FILLED', 2, '1', '');
            INSERT INTO fills VALUES (1, 'BTCUSDT', 5, 7, 'bta-BTCUSDT-0123456789abcdef', 'BUY', '100', '1', '100',
                '0.001', 'BTC', 0, 2);
            INSERT INTO postings VALUES (1, 'opening', 'opening', 1, 'USDT', 'wallet', '1000', 0),
                (1, 'opening', 'opening', 2, 'USDT', 'external', '-1000', 0),
                (1, 'fill', 'BTCUSDT:5', 1, 'BTC', 'wallet', '1', 2), (1, 'fill', 'BTCUSDT:5', 2, 'BTC', 'market', '-1', 2),
                (1, 'fill', 'BTCUSDT:5', 3, 'USDT', 'wallet', '-100', 2),
                (1, 'fill', 'BTCUSDT:5', 4, 'USDT', 'market', '100', 2),
                (1, 'fill', 'BTCUSDT:5', 5, 'BTC', 'wallet', '-0.001', 2),
                (1, 'fill', 'BTCUSDT:5', 6, 'BTC', 'fees', '0.001', 2);
            INSERT INTO wallets VALUES (1, 'USDT', '900'), (1, 'BTC', '0.999');
            INSERT INTO positions VALUES (1, 'BTCUSDT', 'BTC', 'USDT', '0.999', '100', '0', 2, 2);
            """
        )


def schema(connection):
    return sorted(row[0] for row in connection.execute("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL"))


@cache
def schema_of(version):
    files = resources.files("binance_trade_agent.ledger") / "schema"
    scripts = sorted((file.name, file.read_text("utf-8")) for file in files.iterdir() if file.name.endswith(".sql"))
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        for number, (_, script) in enumerate(scripts[:version], start=1):
            migrations._apply(connection, number, script)
        return schema(connection)

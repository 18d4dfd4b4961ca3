import sqlite3
import stat
from contextlib import closing

import pytest

from binance_trade_agent.ledger.errors import LedgerError, LedgerUnavailable
from binance_trade_agent.ledger.ledger import Ledger
from binance_trade_agent.ledger.migrations import latest_version
from binance_trade_agent.ledger.reader import LedgerReader
from tests.ledger.bookkeeping import place, trading_ledger


async def opened_and_closed(path):
    await (await Ledger.open(path)).close()


async def test_a_new_ledger_is_made_with_its_folder_and_only_its_owner_can_read_it(tmp_path):
    path = tmp_path / "data" / "ledger.sqlite3"
    await opened_and_closed(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in path.parent.iterdir()] == [path.name]


async def test_the_ledger_is_strict_and_survives_power_loss_by_its_settings(tmp_path):
    path = tmp_path / "ledger.sqlite3"
    async with await Ledger.open(path) as ledger:
        pragmas = {
            name: await ledger.read(lambda connection, name=name: connection.execute(f"PRAGMA {name}").fetchone()[0])
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout", "user_version")
        }
        tables = await ledger.read(lambda connection: connection.execute("PRAGMA table_list").fetchall())
    assert pragmas == {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "busy_timeout": 5_000,
        "user_version": latest_version(),
    }
    assert all(table["strict"] and table["wr"] for table in tables if not table["name"].startswith("sqlite_"))


async def test_opening_again_finds_what_was_written(tmp_path):
    path = tmp_path / "ledger.sqlite3"
    async with trading_ledger(path) as ledger:
        await place(ledger)
    async with await Ledger.open(path) as ledger:
        assert [order.client_order_id for order in await ledger.open_orders()] == ["bta-BTCUSDT-1"]


async def test_a_file_that_is_not_sqlite_is_refused_and_left_as_it_was(tmp_path):
    path = tmp_path / "ledger.sqlite3"
    path.write_bytes(b"trades: 1, 2, 3\n" * 100)
    with pytest.raises(LedgerError, match="is not a SQLite file; set LEDGER_PATH"):
        await Ledger.open(path)
    assert path.read_bytes() == b"trades: 1, 2, 3\n" * 100


@pytest.mark.parametrize("content", [b"", b"short"])
async def test_an_empty_or_cut_file_is_refused_and_not_made_a_fresh_ledger(tmp_path, content):
    path = tmp_path / "ledger.sqlite3"
    path.write_bytes(content)
    with pytest.raises(LedgerError, match="is not a "):
        await Ledger.open(path)
    assert path.read_bytes() == content


async def test_another_programs_database_is_refused(tmp_path):
    path = tmp_path / "other.sqlite3"
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE songs (title)")
    with pytest.raises(LedgerError, match="is not a ledger of this program"):
        await Ledger.open(path)


async def test_a_damaged_ledger_is_refused_with_what_to_do(tmp_path):
    path = tmp_path / "ledger.sqlite3"
    async with trading_ledger(path) as ledger:
        for number in range(200):
            await ledger.post_external("USDT", 1, number, f"gift {number}")
    content = bytearray(path.read_bytes())
    content[8_192:] = b"\xff" * (len(content) - 8_192)
    path.write_bytes(content)
    with pytest.raises(LedgerError, match=r"is damaged .* put back a backup"):
        await Ledger.open(path)
    assert path.read_bytes() == bytes(content)


@pytest.mark.parametrize("open_ledger", [Ledger.open, LedgerReader.open])
async def test_a_ledger_of_a_newer_program_is_refused(tmp_path, open_ledger):
    path = tmp_path / "ledger.sqlite3"
    await opened_and_closed(path)
    with closing(sqlite3.connect(path)) as newer:
        newer.execute("PRAGMA user_version = 99")
    with pytest.raises(LedgerError, match="has schema 99, this program knows up to"):
        await open_ledger(path)


async def test_a_path_below_a_file_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(LedgerError, match=r"cannot use .* as the ledger"):
        await Ledger.open(tmp_path / "file" / "ledger.sqlite3")


async def test_a_folder_is_refused(tmp_path):
    with pytest.raises(LedgerError, match="is a folder"):
        await Ledger.open(tmp_path)


async def test_a_lost_ledger_whose_write_ahead_log_is_left_is_not_made_anew(tmp_path):
    path = tmp_path / "ledger.sqlite3"
    path.with_name("ledger.sqlite3-wal").write_bytes(b"x")
    with pytest.raises(LedgerError, match="write-ahead log"):
        await Ledger.open(path)
    assert not path.exists()


async def test_what_a_killed_creation_left_is_made_anew(tmp_path):
    path = tmp_path / "ledger.sqlite3"
    path.with_name("ledger.sqlite3.new").write_bytes(b"half")
    await opened_and_closed(path)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


async def test_a_ledger_that_another_process_locks_is_unavailable_and_unchanged(tmp_path):
    path = tmp_path / "ledger.sqlite3"
    async with trading_ledger(path) as ledger:
        await ledger.read(lambda connection: connection.execute("PRAGMA busy_timeout = 50"))
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(LedgerUnavailable, match="locked by another process"):
                await place(ledger)
            other.execute("ROLLBACK")
        assert await ledger.open_orders() == []
        await place(ledger)
        assert len(await ledger.open_orders()) == 1


def test_a_reader_says_that_there_is_no_ledger_and_makes_none(tmp_path):
    with pytest.raises(LedgerError, match=r"there is no ledger at .*: start `trade-agent run` first"):
        LedgerReader.open(tmp_path / "ledger.sqlite3")
    assert list(tmp_path.iterdir()) == []


async def test_a_reader_cannot_write(tmp_path):
    path = tmp_path / "ledger.sqlite3"
    await opened_and_closed(path)
    with (
        LedgerReader.open(path) as reader,
        pytest.raises(LedgerUnavailable, match=r"cannot be used: .* is read-only"),
    ):
        reader.snapshot(lambda connection: connection.execute("DELETE FROM runs"))


async def test_a_reader_sees_one_moment_while_the_trader_writes(tmp_path):
    path = tmp_path / "ledger.sqlite3"
    async with trading_ledger(path) as ledger:
        with LedgerReader.open(path) as reader:
            counts = "SELECT count(*) FROM orders"
            assert reader.snapshot(lambda connection: connection.execute(counts).fetchone()[0]) == 0
            await place(ledger)
            assert reader.snapshot(lambda connection: connection.execute(counts).fetchone()[0]) == 1

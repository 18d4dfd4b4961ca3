import shutil
import sqlite3
import stat
from contextlib import closing

import pytest

from binance_trade_agent.ledger.backup import back_up
from binance_trade_agent.ledger.errors import LedgerError
from binance_trade_agent.ledger.ledger import Ledger
from binance_trade_agent.ledger.reader import LedgerReader
from binance_trade_agent.ledger.verify import sentences
from tests.ledger.bookkeeping import BTCUSDT, fill, place, report, trading_ledger
from tests.ledger.test_kill import writing
from tests.ledger.tiny_disk import fill_up, tiny_disk


def orders_and_differences(path):
    with LedgerReader.open(path) as reader:
        return reader.snapshot(
            lambda connection: (
                connection.execute("SELECT count(*) FROM orders").fetchone()[0],
                list(sentences(connection)),
            )
        )


async def test_a_backup_holds_what_the_write_ahead_log_holds_and_is_one_file(tmp_path):
    path, copy = tmp_path / "ledger.sqlite3", tmp_path / "copies" / "copy"
    copy.parent.mkdir()
    async with trading_ledger(path) as ledger:
        await place(ledger)
        assert back_up(path, copy) == copy.stat().st_size
        await place(ledger, "bta-BTCUSDT-2", tick_ms=2_000)
    assert [file.name for file in copy.parent.iterdir()] == ["copy"]
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert orders_and_differences(copy) == (1, [])


async def test_a_restored_backup_trades_on(tmp_path):
    path, copy = tmp_path / "ledger.sqlite3", tmp_path / "copy"
    async with trading_ledger(path) as ledger:
        await place(ledger)
        back_up(path, copy)
    for file in tmp_path.glob("ledger.sqlite3*"):
        file.unlink()
    shutil.copyfile(copy, path)
    async with await Ledger.open(path) as ledger:
        await ledger.apply_report(report("FILLED", "0.001", fill(1)), **BTCUSDT)
    assert orders_and_differences(path) == (1, [])


def test_backups_of_a_ledger_that_is_being_written_are_each_of_one_moment(tmp_path):
    path = tmp_path / "ledger.sqlite3"
    with writing(path) as reports:
        counts = []
        for number in range(5):
            next(reports)
            back_up(path, tmp_path / f"copy-{number}")
            orders, found = orders_and_differences(tmp_path / f"copy-{number}")
            assert found == []
            counts.append(orders)
    assert counts == sorted(counts)
    assert counts[0] >= 1


async def test_nothing_is_overwritten(tmp_path):
    path, copy = tmp_path / "ledger.sqlite3", tmp_path / "copy"
    async with trading_ledger(path):
        copy.write_text("mine")
        with pytest.raises(LedgerError, match="is there already and is not overwritten"):
            back_up(path, copy)
    assert copy.read_text() == "mine"


async def test_a_damaged_ledger_is_not_copied_and_leaves_nothing_behind(tmp_path):
    path = tmp_path / "ledger.sqlite3"
    async with trading_ledger(path) as ledger:
        await place(ledger)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA foreign_keys = OFF")
        connection.execute("DELETE FROM orders")
    (tmp_path / "copies").mkdir()
    with pytest.raises(LedgerError, match=r"is damaged .* `trade-agent ledger verify` says more"):
        back_up(path, tmp_path / "copies" / "copy")
    assert list((tmp_path / "copies").iterdir()) == []


async def test_a_folder_that_is_not_there_and_a_ledger_that_is_not_there_are_said(tmp_path):
    with pytest.raises(LedgerError, match="there is no ledger"):
        back_up(tmp_path / "ledger.sqlite3", tmp_path / "copy")
    async with trading_ledger(tmp_path / "ledger.sqlite3"):
        pass
    with pytest.raises(LedgerError, match="there is no folder"):
        back_up(tmp_path / "ledger.sqlite3", tmp_path / "none" / "copy")


async def test_a_disk_with_too_little_space_is_not_filled(tmp_path):
    path = tmp_path / "ledger.sqlite3"
    async with trading_ledger(path):
        pass
    with tiny_disk(tmp_path / "disk") as disk:
        fill_up(disk).rename(disk / "others")
        with pytest.raises(LedgerError, match=r"has 0 MB left and the copy needs \d+ MB"):
            back_up(path, disk / "copy")
        assert [file.name for file in disk.iterdir()] == ["others"]

"""A ledger of an earlier schema: a copy of it first, then the upgrade; and who may not upgrade says what to do."""

import asyncio
import logging
import re
import shutil
import sqlite3
from contextlib import closing

import pytest
from click.testing import CliRunner

from binance_trade_agent.cli import group
from binance_trade_agent.ledger import upgrade
from binance_trade_agent.ledger.errors import LedgerError
from binance_trade_agent.ledger.ledger import Ledger
from binance_trade_agent.ledger.lock import Holder, LedgerLock
from binance_trade_agent.ledger.migrations import latest_version, schema_version
from binance_trade_agent.ledger.reader import LedgerReader
from tests.ledger.old_ledgers import ledger_of_schema
from tests.ledger.test_backup import orders_and_differences
from tests.ledger.tiny_disk import fill_up, leave_one_mb, tiny_disk

EARLIER = range(1, latest_version())


def version_of(path) -> int:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        return schema_version(connection)


async def opened(path) -> None:
    async with await Ledger.open(path):
        pass


def copies(path):
    return [file for file in path.parent.iterdir() if re.fullmatch(r"ledger\.db\.schema-\d+-\d{8}T\d{6}Z", file.name)]


@pytest.mark.parametrize("version", EARLIER)
async def test_from_every_earlier_schema_a_ledger_is_copied_upgraded_and_verifies(tmp_path, caplog, version):
    path = tmp_path / "ledger.db"
    ledger_of_schema(version, path)
    await opened(path)
    assert version_of(path) == latest_version()
    assert orders_and_differences(path) == (2, [])
    (copy,) = copies(path)
    assert version_of(copy) == version
    assert f"from schema {version} to {latest_version()}; as it was it is kept as {copy}" in caplog.text
    caplog.clear()
    await opened(path)
    assert (copies(path), caplog.messages) == ([copy], []), "the next start has nothing to do"


async def test_a_new_ledger_is_not_copied(tmp_path):
    await opened(tmp_path / "ledger.db")
    assert copies(tmp_path / "ledger.db") == []


def test_without_room_for_the_copy_nothing_is_changed(tmp_path):
    with tiny_disk(tmp_path / "disk") as disk:
        path = disk / "ledger.db"
        ledger_of_schema(1, path)
        leave_one_mb(fill_up(disk))
        with pytest.raises(LedgerError) as refusal:
            asyncio.run(opened(path))
        assert re.fullmatch(
            rf"the ledger .* has schema 1, and before it is upgraded to {latest_version()} a copy is made of it: the disk "
            r"of .* has 1 MB left and the copy needs \d+ MB; free some space\. Nothing was changed\.",
            str(refusal.value),
        )
        assert (version_of(path), copies(path)) == (1, [])


async def test_a_damaged_ledger_is_not_upgraded(tmp_path):
    path = tmp_path / "ledger.db"
    ledger_of_schema(3, path)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("DELETE FROM runs")
    with pytest.raises(LedgerError, match="is damaged"):
        await opened(path)
    assert (version_of(path), copies(path)) == (3, [])


async def test_what_a_start_that_was_killed_has_left_of_its_copy_is_cleared_away(tmp_path, monkeypatch):
    path = tmp_path / "ledger.db"
    ledger_of_schema(2, path)
    left = tmp_path / ".ledger.db.schema-2-20260101T000000Z.4711.unfinished"
    shutil.copyfile(path, left)
    abandoned_ms = left.stat().st_mtime_ns // 1_000_000
    monkeypatch.setattr(upgrade, "wall_ms", lambda: abandoned_ms + 1_000)
    await opened(path)
    assert not left.exists()
    assert orders_and_differences(path) == (2, [])


async def test_a_ledger_of_a_newer_program_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "ledger.db"
    ledger_of_schema(latest_version(), path)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(f"PRAGMA user_version = {latest_version() + 1}")
    with pytest.raises(LedgerError, match=r"has schema \d+, this program knows up to \d+; use the newer program"):
        await opened(path)
    assert (version_of(path), copies(path)) == (latest_version() + 1, [])


READING = [
    ("analyze",),
    ("status",),
    ("why", "BTCUSDT"),
    ("risk",),
    ("pause",),
    ("ledger", "verify"),
    ("ledger", "backup"),
    ("reconcile",),
]


@pytest.mark.parametrize(
    ("version", "sentence"), [(1, "start `trade-agent run` to bring it up"), (99, "newer program")]
)
@pytest.mark.parametrize("command", READING, ids=" ".join)
def test_commands_that_do_not_upgrade_say_what_to_do(tmp_path, monkeypatch, command, version, sentence):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LEDGER_PATH", str(tmp_path / "ledger.db"))
    ledger_of_schema(min(version, latest_version()), tmp_path / "ledger.db")
    with closing(sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)) as connection:
        connection.execute(f"PRAGMA user_version = {version}")
    result = CliRunner().invoke(group, command)
    logging.getLogger().handlers.clear()
    assert isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code in {1, 2}
    said = result.stdout + result.stderr
    assert f"has schema {version}" in said
    assert sentence in said
    assert "Traceback" not in said
    assert version_of(tmp_path / "ledger.db") == version


def test_a_trader_of_an_older_version_is_named_as_what_is_in_the_way(tmp_path):
    path = tmp_path / "ledger.db"
    ledger_of_schema(1, path)
    lock = LedgerLock.acquire(path, Holder(4711, "run-a", 1))
    try:
        with pytest.raises(LedgerError, match=r"process 4711 \(run run-a\) of an older version trades on it: end that"):
            LedgerReader.open(path)
    finally:
        lock.release()

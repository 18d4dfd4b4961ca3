"""`trade-agent ledger restore`: what it puts in place, what it keeps, what it refuses, and that it is all or nothing."""

import os
import shutil
import sqlite3
import stat
from contextlib import closing

import pytest
from click.testing import CliRunner

from binance_trade_agent.cli import group
from binance_trade_agent.control import commands
from binance_trade_agent.control.commands import CommandKind
from binance_trade_agent.ledger import queries, restore
from binance_trade_agent.ledger.backup import back_up
from binance_trade_agent.ledger.ledger import Ledger
from binance_trade_agent.ledger.lock import Holder, LedgerLock
from binance_trade_agent.ledger.migrations import latest_version, schema_version
from binance_trade_agent.ledger.reader import LedgerReader
from binance_trade_agent.ledger.risk_changes import RiskChange, record
from binance_trade_agent.ledger.switches import closes_positions, kill_reason, pause_scope
from binance_trade_agent.ledger.verify import sentences
from tests.ledger.bookkeeping import fill, place, report, trading_ledger
from tests.ledger.old_ledgers import ledger_of_schema
from tests.ledger.test_backup import orders_and_differences
from tests.ledger.tiny_disk import fill_up, leave_one_mb, tiny_disk


@pytest.fixture
async def path(tmp_path, monkeypatch):
    """A ledger with two orders, and a backup beside it from when there was one."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "ledger.db"
    async with trading_ledger(path) as ledger:
        await place(ledger)
        back_up(path, tmp_path / "backup")
        await place(ledger, "bta-BTCUSDT-2", tick_ms=2_000)
    return path


def restored(path, backup="backup"):
    """Exit code and what was said of a restoration that ended in good order."""
    result = CliRunner().invoke(group, ["ledger", "restore", str(backup), "--ledger-path", str(path)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout + result.stderr


def kept(path):
    """The ledger that a restoration has put aside."""
    (found,) = [file for file in path.parent.glob("ledger.db.replaced-*") if not file.name.endswith(("-wal", "-shm"))]
    return found


def assert_untouched(path):
    assert orders_and_differences(path) == (2, [])
    assert list(path.parent.glob("ledger.db.replaced-*")) == []
    assert list(path.parent.glob(".ledger.db*")) == []


def test_backup_takes_the_ledgers_place_and_the_ledger_is_kept(path):
    code, said = restored(path)
    assert code == 0
    assert said.splitlines() == [
        "backup was checked: 0 fills, 6 postings, 1 orders, 0 differences.",
        f"It is the ledger {path} now, with this program's schema (the backup has schema {latest_version()}).",
        f"The ledger that was there is kept as {kept(path)}.",
        "The next start (`trade-agent run`) takes what was traded since from the exchange, before it decides.",
    ]
    assert orders_and_differences(path) == (1, [])
    assert orders_and_differences(kept(path)) == (2, [])
    assert orders_and_differences(path.parent / "backup") == (1, [])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_it_is_traded_on_and_restored_again_in_both_directions(path):
    assert restored(path)[0] == 0
    async with await Ledger.open(path) as ledger:
        await ledger.apply_report(report("FILLED", "0.001", fill(1)), base_asset="BTC", quote_asset="USDT")
        assert await ledger.next_fence() == 10_000
    other = path.parent / "other.db"
    kept(path).rename(other)
    assert restored(path, other)[0] == 0
    assert orders_and_differences(path) == (2, [])
    async with await Ledger.open(path) as ledger:
        assert await ledger.next_fence() == 19_999, "beyond the generations of the ledger that was replaced"


async def test_what_the_write_ahead_log_holds_of_the_old_ledger_is_kept_and_never_read_into_the_new_one(path):
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM orders").fetchone()  # keeps the log from being brought back
        async with await Ledger.open(path) as ledger:
            await place(ledger, "bta-BTCUSDT-3", tick_ms=3_000)
            assert path.with_name("ledger.db-wal").stat().st_size > 0
        assert restored(path)[0] == 0
        assert reader.execute("SELECT count(*) FROM orders").fetchone()[0] == 2, "who reads the old one reads on"
    assert not path.with_name("ledger.db-wal").exists()
    assert orders_and_differences(path) == (1, [])
    assert orders_and_differences(kept(path)) == (3, [])


def test_what_a_restoration_that_was_killed_has_left_is_removed(path):
    for name in (".ledger.db.4711.unfinished", ".ledger.db.4711.unfinished-wal"):
        path.with_name(name).write_bytes(b"half")
    path.with_name(".other.db.4711.unfinished").write_bytes(b"half")
    assert restored(path)[0] == 0
    assert [file.name for file in path.parent.glob(".*")] == [".other.db.4711.unfinished"]


def test_the_ledger_that_is_gone_is_put_back(path):
    for file in path.parent.glob("ledger.db*"):
        file.unlink()
    code, said = restored(path)
    assert code == 0
    assert "There was no ledger before." in said
    assert orders_and_differences(path) == (1, [])


def test_the_ledger_that_is_damaged_is_kept_as_it_is(path):
    path.write_bytes(b"no ledger at all" * 1000)
    path.with_name("ledger.db-wal").write_bytes(b"torn")
    code, said = restored(path)
    assert code == 0
    assert "It could not be read: if it was killed or paused" in said
    assert kept(path).read_bytes() == b"no ledger at all" * 1000
    assert kept(path).with_name(f"{kept(path).name}-wal").read_bytes() == b"torn"
    assert orders_and_differences(path) == (1, [])


def test_behind_a_symbolic_link_the_file_itself_is_replaced(path, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    real = tmp_path / "elsewhere" / "real.db"
    shutil.move(path, real)
    path.symlink_to(real)
    assert restored(path)[0] == 0
    assert path.is_symlink()
    assert orders_and_differences(real) == (1, [])
    assert [file.name[:17] for file in real.parent.glob("*.replaced-*")] == ["real.db.replaced-"]


@pytest.mark.parametrize("version", range(1, latest_version()))
async def test_a_backup_of_an_earlier_schema_is_brought_up_and_stays_as_it_is(path, version):
    old = path.parent / "old"
    ledger_of_schema(version, old)
    before = old.read_bytes()
    code, said = restored(path, old)
    assert (code, f"the backup has schema {version}" in said) == (0, True), said
    assert orders_and_differences(path) == (2, [])
    assert old.read_bytes() == before


async def test_switches_that_were_thrown_since_the_backup_stay_thrown(path):
    wanted = {"reason": "I do not like it", "close_positions": "true"}
    commands.place(path, CommandKind.KILL, requested_by="cli", requested_wall_ms=1, payload=wanted)
    async with await Ledger.open(path) as ledger:
        pause = commands.place(
            path, CommandKind.PAUSE, requested_by="cli", requested_wall_ms=1, payload={"scope": "everything"}
        )
        await commands.answer(ledger, pause, commands.CommandState.DONE, "paused", 1)
    code, said = restored(path)
    assert code == 0
    assert "The kill switch and the pause of that ledger holds in this one too." in said
    with LedgerReader.open(path) as reader:
        assert reader.snapshot(kill_reason) == "I do not like it"
        assert reader.snapshot(closes_positions)
        (waiting,) = [
            command
            for command in reader.snapshot(lambda inside: commands.latest_commands(inside, 9))
            if command.kind is CommandKind.PAUSE
        ]
        assert waiting.payload == {"scope": "everything"}
        assert reader.snapshot(pause_scope) is None, "the next start carries it out first of all"


@pytest.mark.parametrize("scope", ["entries", "everything"])
def test_a_pause_that_still_waits_for_the_trader_is_not_lost(path, scope):
    asked = {"requested_by": "cli", "requested_wall_ms": 1}
    commands.place(path, CommandKind.PAUSE, payload={"scope": scope}, **asked)
    commands.place(path, CommandKind.RESUME, **asked)
    assert "The pause of that ledger holds in this one too." in restored(path)[1]
    with LedgerReader.open(path) as reader:
        (waiting,) = reader.snapshot(commands.waiting)
    assert (waiting.kind, waiting.payload) == (CommandKind.PAUSE, {"scope": scope})


async def test_a_switch_that_was_thrown_again_outlives_the_end_of_an_earlier_one_that_waits_in_the_backup(path):
    given = {"requested_by": "cli", "requested_wall_ms": 1}
    commands.place(path, CommandKind.KILL, **given)
    release = commands.place(path, CommandKind.RELEASE, **given)
    back_up(path, path.parent / "between")
    async with await Ledger.open(path) as ledger:
        await commands.answer(ledger, release, commands.CommandState.DONE, "released", 1)
    commands.place(path, CommandKind.KILL, **given)
    assert restored(path, "between")[0] == 0
    async with await Ledger.open(path) as ledger:
        await commands.answer(ledger, release, commands.CommandState.DONE, "released", 1)
        assert await commands.is_killed(ledger)


async def test_limits_that_were_changed_since_the_backup_are_spoken_of(path):
    change = RiskChange("run-a", 2_000, "dashboard", "RISK_MAX_TRADES_PER_HOUR", "20", "2", "20")
    async with await Ledger.open(path) as ledger:
        await ledger.write(lambda inside: record(inside, [change]))
    said = restored(path)[1]
    assert "Limits or the strategy were changed since the backup: look at them after the next start." in said


def damaged(path):
    content = bytearray(path.read_bytes())
    content[4096:12_000] = b"x" * (12_000 - 4096)
    path.write_bytes(content)


def wrong(path):
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("UPDATE wallets SET amount = '1' WHERE asset = 'BNB'")


def newer(path):
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA user_version = 99")


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (damaged, r"the backup backup is damaged"),
        (wrong, r"the backup backup has 1 differences (wallet of epoch 1: 1 BNB, and its postings sum to 0.5)"),
        (newer, r"the backup backup has schema 99, this program knows up to"),
        (lambda path: path.write_text("a letter"), "is not a SQLite file"),
        (lambda path: path.unlink(), "there is no backup at backup"),
        (lambda path: (path.unlink(), path.mkdir()), "backup is no file; give a backup as"),
        (lambda path: (path.unlink(), os.mkfifo(path)), "backup is no file; give a backup as"),
        (lambda path: (path.unlink(), path.symlink_to("ledger.db")), "backup is the ledger itself"),
    ],
)
def test_what_is_no_sound_backup_is_refused_and_nothing_is_changed(path, spoil, sentence):
    spoil(path.parent / "backup")
    code, said = restored(path)
    assert code == 2
    assert sentence in said
    assert "Traceback" not in said
    assert_untouched(path)


def test_an_empty_name_is_no_file(path):
    assert restored(path, "") == (2, "Error: . is no file; give a backup as `trade-agent ledger backup` makes it\n")


def test_while_a_trader_runs_it_is_refused(path):
    with LedgerLock.acquire(path, Holder(os.getpid(), "run-7", 0)):
        code, said = restored(path)
    assert code == 2
    assert f"a trader runs: process {os.getpid()} (run run-7) owns the ledger {path}. End it with" in said
    assert_untouched(path)


def test_the_next_trader_still_knows_whom_a_kill_has_ended(path):
    ended = Holder(4711, "run-7", 5)
    lock = LedgerLock.acquire(path, ended)
    os.close(lock._descriptor)  # as the kernel does it for a process that is killed
    assert restored(path)[0] == 0
    with LedgerLock.acquire(path, Holder(1, "run-8", 9)) as found:
        assert found.killed == ended


@pytest.mark.parametrize("step", ["_checked", "_noted", "sync_file"])
def test_what_fails_on_the_way_leaves_the_ledger_as_it_was(path, monkeypatch, step):
    def fail(*_arguments):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(restore, step, fail)
    code, said = restored(path)
    assert (code, said.count("Error: ")) == (2, 1)
    assert "it is as it was" in said
    assert_untouched(path)


def test_without_room_for_a_copy_it_is_refused(tmp_path, path):
    with tiny_disk(tmp_path / "disk", "30m") as disk:
        shutil.copyfile(path, disk / "ledger.db")
        leave_one_mb(fill_up(disk))
        code, said = restored(disk / "ledger.db")
        assert code == 2
        assert "has 1 MB left and the copy needs" in said
        assert "--to" not in said
        assert orders_and_differences(disk / "ledger.db") == (2, [])


def test_from_a_disk_that_is_read_only(path, tmp_path):
    folder = tmp_path / "archive"
    folder.mkdir()
    shutil.move(tmp_path / "backup", folder / "backup")
    before = [file.name for file in folder.iterdir()]
    assert restored(path, folder / "backup")[0] == 0
    assert [file.name for file in folder.iterdir()] == before, "nothing is made beside it"


def test_adopted_orders_are_asked_for_once_after_each_restoration(path):
    assert restored(path)[0] == 0
    with LedgerReader.open(path) as reader:
        rows = reader.snapshot(lambda inside: inside.execute("SELECT * FROM restorations").fetchall())
        assert [(row["number"], row["epoch"], row["backup"], row["kept"], row["adopted_ms"]) for row in rows] == [
            (1, 1, "backup", kept(path).name, None)
        ]
        assert schema_version(reader._connection) == latest_version()
        assert list(reader.snapshot(sentences)) == []
        assert len(reader.snapshot(queries.orders)) == 1

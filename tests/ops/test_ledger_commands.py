"""`trade-agent ledger`, as a person types it."""

import json
import os
import re
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

from binance_trade_agent.cli import group
from tests.ledger.bookkeeping import place, trading_ledger


@pytest.fixture
async def path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "ledger.db"
    async with trading_ledger(path) as ledger:
        await place(ledger)
    return path


def ledger(*arguments):
    result = CliRunner().invoke(group, ["ledger", *map(str, arguments)], prog_name="trade-agent")
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


def damage(path):
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("UPDATE wallets SET amount = '1' WHERE asset = 'BNB'")


def test_verify_ends_with_the_number_of_differences_and_its_exit_code_is_0_only_for_none(path):
    assert ledger("verify", "--ledger-path", path) == (0, "0 fills, 6 postings, 1 orders read\n0 differences\n", "")
    damage(path)
    code, output, _ = ledger("verify", "--ledger-path", path)
    assert code == 1
    assert output.splitlines() == [
        "wallet of epoch 1: 1 BNB, and its postings sum to 0.5",
        "0 fills, 6 postings, 1 orders read",
        "1 differences",
    ]


def test_verify_as_json_is_one_document(path):
    damage(path)
    code, output, _ = ledger("verify", "--ledger-path", path, "--json")
    assert code == 1
    assert json.loads(output) == {
        "ledger": str(path),
        "read": {"fills": 0, "postings": 6, "orders": 1},
        "differences": ["wallet of epoch 1: 1 BNB, and its postings sum to 0.5"],
        "count": 1,
    }


def test_backup_is_named_for_its_time_or_goes_where_it_is_told(path, tmp_path):
    code, output, _ = ledger("backup", "--ledger-path", path)
    assert code == 0
    name, size = re.fullmatch(r"(.+)  (\d+) bytes\n", output).groups()
    assert re.fullmatch(r"ledger\.db\.backup-\d{8}T\d{6}Z", name.removeprefix(f"{tmp_path}/"))
    assert int(size) == (tmp_path / name).stat().st_size
    (tmp_path / "backups").mkdir()
    assert ledger("backup", "--ledger-path", path, "--to", tmp_path / "backups")[0] == 0
    assert [file.name[:17] for file in (tmp_path / "backups").iterdir()] == ["ledger.db.backup-"]
    assert ledger("backup", "--ledger-path", path, "--to", tmp_path / "copy")[0] == 0
    assert ledger("verify", "--ledger-path", tmp_path / "copy")[0] == 0


def test_keep_leaves_the_newest_dated_backups_and_touches_nothing_else(path, tmp_path):
    folder = tmp_path / "backups"
    folder.mkdir()
    dated = [f"ledger.db.backup-2026010{day}T031700Z" for day in range(1, 6)]
    others = ["ledger.db.backup-mine", "ledger.db.backup-20260101T031700Z.gz", "other.db.backup-20260101T031700Z"]
    (folder / "ledger.db.backup-20250101T000000Z").mkdir()
    abandoned = folder / ".ledger.db.backup-20260101T031700Z.4711.unfinished"
    for name in [*dated, *others, abandoned.name]:
        shutil.copyfile(path, folder / name)
    os.utime(abandoned, (1, 1))
    (folder / f"{dated[0]}-shm").write_text("of who has looked into it")
    code, output, _ = ledger("backup", "--ledger-path", path, "--to", folder, "--keep", 3)
    made = output.splitlines()[0].split("  ")[0].removeprefix(f"{folder}/")
    assert code == 0
    assert output.splitlines()[1:] == [f"{folder / name}  deleted, as --keep 3 says" for name in dated[:3]]
    assert sorted(file.name for file in folder.iterdir()) == sorted(
        [*dated[3:], made, *others, "ledger.db.backup-20250101T000000Z"]
    )


def test_keep_leaves_what_is_another_ledgers_and_what_it_cannot_read(path, tmp_path):
    folder = tmp_path / "backups"
    folder.mkdir()
    another, torn = (folder / f"ledger.db.backup-2026010{day}T031700Z" for day in (1, 2))
    shutil.copyfile(path, another)
    with closing(sqlite3.connect(another, isolation_level=None)) as connection:
        connection.execute("UPDATE runs SET run_id = 'another'")
    torn.write_bytes(path.read_bytes()[:5_000])
    assert ledger("backup", "--ledger-path", path, "--to", folder, "--keep", 1)[0] == 0
    assert {another, torn} < set(folder.iterdir())


def test_keep_leaves_the_backup_just_made_though_the_clock_was_years_ahead_before(path, tmp_path):
    folder = tmp_path / "backups"
    folder.mkdir()
    ahead = [folder / f"ledger.db.backup-2099010{day}T031700Z" for day in (1, 2)]
    for file in ahead:
        shutil.copyfile(path, file)
    output = ledger("backup", "--ledger-path", path, "--to", folder, "--keep", 2)[1]
    made = folder / output.splitlines()[0].split("  ")[0].removeprefix(f"{folder}/")
    assert set(folder.iterdir()) == {made, ahead[1]}


def test_keep_says_what_it_cannot_delete(path, tmp_path, monkeypatch):
    old, unlink = tmp_path / "ledger.db.backup-20260101T031700Z", Path.unlink

    def refuse(self, **options):
        if self == old:
            raise PermissionError(13, "Permission denied", str(self))
        unlink(self, **options)

    shutil.copyfile(path, old)
    monkeypatch.setattr(Path, "unlink", refuse)
    code, _, said = ledger("backup", "--ledger-path", path, "--keep", 1)
    assert code == 2
    assert f"the backup is made, but the oldest cannot be deleted: {old}: Permission denied" in said


def test_keep_deletes_nothing_when_the_backup_fails(path, tmp_path):
    folder = tmp_path / "backups"
    folder.mkdir()
    (folder / "ledger.db.backup-20260101T031700Z").write_text("a backup")
    path.write_text("no ledger")
    assert ledger("backup", "--ledger-path", path, "--to", folder, "--keep", 1)[0] == 2
    assert [file.name for file in folder.iterdir()] == ["ledger.db.backup-20260101T031700Z"]


def test_export_names_each_file_and_its_rows(path, tmp_path):
    code, output, _ = ledger("export", "--ledger-path", path, "--format", "jsonl", "--to", tmp_path / "out")
    assert code == 0
    assert f"{tmp_path / 'out' / 'orders.jsonl'}  1 rows" in output.splitlines()
    assert len(output.splitlines()) == len(list((tmp_path / "out").iterdir()))
    assert ledger("export", "--ledger-path", path)[0] == 0
    assert len(list(tmp_path.glob("ledger.db.export-*/*.csv"))) == len(output.splitlines())
    assert ledger("export", "--ledger-path", path, "--to", tmp_path / "out")[0] == 0
    assert len(list(tmp_path.glob("out/ledger.db.export-*/*.csv"))) == len(output.splitlines())


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("verify", "--ledger-path", "none.db"), "there is no ledger at none.db: start `trade-agent run` first"),
        (("backup", "--ledger-path", "none.db"), "there is no ledger at none.db: start `trade-agent run` first"),
        (("export", "--ledger-path", "none.db"), "there is no ledger at none.db: start `trade-agent run` first"),
        (("backup", "--ledger-path", "ledger.db", "--to", "none/copy"), "there is no folder none to write copy to"),
        (("backup", "--ledger-path", "ledger.db", "--to", "ledger.db"), "ledger.db is there already"),
        (("export", "--ledger-path", "ledger.db", "--to", "ledger.db"), "ledger.db is there already"),
        (("backup", "--ledger-path", "ledger.db", "--to", "copy", "--keep", "3"), "--keep counts the dated backups of"),
        (("backup", "--ledger-path", "ledger.db", "--keep", "0"), "0 is not in the range x>=1"),
        (("restore", "none", "--ledger-path", "ledger.db"), "there is no backup at none"),
        (("export", "--ledger-path", "ledger.db", "--format", "xml"), "'xml' is not one of 'csv', 'jsonl'"),
    ],
)
def test_what_cannot_be_done_is_one_sentence_and_exit_code_2(path, arguments, sentence):
    code, output, error = ledger(*arguments)
    assert (code, output) == (2, "")
    (line,) = [line for line in error.splitlines() if line.startswith("Error: ")]
    assert sentence in line

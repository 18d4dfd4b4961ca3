import csv
import json
import sqlite3
from contextlib import closing
from decimal import Decimal

import pytest

from binance_trade_agent.ledger.errors import LedgerError
from binance_trade_agent.ledger.reader import LedgerReader
from binance_trade_agent.ledger.rows import in_full
from binance_trade_agent.ledger.tables import export_tables
from tests.ledger.bookkeeping import BTCUSDT, fill, place, report, trading_ledger


@pytest.fixture
async def path(tmp_path):
    path = tmp_path / "ledger.sqlite3"
    async with trading_ledger(path) as ledger:
        await place(ledger)
        awkward = report("FILLED", "0.0000001", fill(1, quantity=Decimal("0.0000001")), detail='a "word", ünd\nmore')
        await ledger.apply_report(awkward, **BTCUSDT)
    return path


def rows_in(path, table):
    with closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        rows = connection.execute(f"SELECT * FROM {table}").fetchall()
        return [in_full(row) if table == "decisions" else dict(row) for row in rows]


def tables_in(path):
    with LedgerReader.open(path) as reader:
        return reader.snapshot(
            lambda connection: {
                row[0] for row in connection.execute("SELECT name FROM sqlite_schema WHERE type='table'")
            }
        )


def test_json_lines_say_what_the_tables_say(path, tmp_path):
    counts = export_tables(path, tmp_path / "out", "jsonl")
    assert set(counts) == tables_in(path)
    for table, count in counts.items():
        lines = (tmp_path / "out" / f"{table}.jsonl").read_text("utf-8").splitlines()
        assert [json.loads(line) for line in lines] == rows_in(path, table)
        assert len(lines) == count
        assert (tmp_path / "out" / f"{table}.jsonl").stat().st_mode & 0o777 == 0o600


def test_csv_says_what_the_tables_say_with_plain_decimals(path, tmp_path):
    counts = export_tables(path, tmp_path / "out", "csv")
    for table in counts:
        with (tmp_path / "out" / f"{table}.csv").open(encoding="utf-8", newline="") as file:
            told = list(csv.DictReader(file))
        stored = [{name: "" if v is None else str(v) for name, v in row.items()} for row in rows_in(path, table)]
        assert told == stored
    assert rows_in(path, "fills")[0]["quantity"] == "0.0000001"


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", "--1"])
def test_a_text_is_no_formula_in_a_spreadsheet_and_a_negative_amount_stays_one(path, tmp_path, text):
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("UPDATE orders SET detail = ?, filled_base = '-0.5'", (text,))
    export_tables(path, tmp_path / "out", "csv")
    with (tmp_path / "out" / "orders.csv").open(encoding="utf-8", newline="") as file:
        (order,) = csv.DictReader(file)
    assert (order["detail"], order["filled_base"]) == (f"'{text}", "-0.5")
    export_tables(path, tmp_path / "lines", "jsonl")
    (line,) = (tmp_path / "lines" / "orders.jsonl").read_text("utf-8").splitlines()
    assert json.loads(line)["detail"] == text


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_a_folder_that_is_there_is_left_alone(path, tmp_path, form):
    (tmp_path / "out").mkdir()
    with pytest.raises(LedgerError, match="is there already and is not overwritten"):
        export_tables(path, tmp_path / "out", form)
    assert list((tmp_path / "out").iterdir()) == []


def test_a_folder_appears_whole_or_not_at_all(path, tmp_path):
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("UPDATE orders SET detail = CAST(X'ff' AS TEXT)")
    with pytest.raises(LedgerError, match="cannot be read or written"):
        export_tables(path, tmp_path / "out", "csv")
    assert list(tmp_path.glob("*out*")) == []

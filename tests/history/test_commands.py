"""`trade-agent data`: what a person types, what is printed, and the exit codes."""

import asyncio
import json

import pytest
from click.testing import CliRunner, Result

from binance_trade_agent.cli import group
from binance_trade_agent.history import web
from binance_trade_agent.history.rules import read_listings
from binance_trade_agent.history.store import CandleStore, Provenance
from binance_trade_agent.settings import setting_names
from tests.exchange_process import running_exchange
from tests.history.archive_server import running_archive
from tests.history.candles import NEW_YEAR_MS, changed, made_candles, same, without, write_csv, write_text
from tests.history.test_download import CLOSED, FEBRUARY, JANUARY, MARKET, NOW

CANDLES = made_candles(100)
NOWHERE = "http://127.0.0.1:9"


@pytest.fixture
def data(tmp_path, monkeypatch):
    """Run a command below `data` in an empty folder, without settings from outside."""
    monkeypatch.chdir(tmp_path)
    for name in setting_names():
        monkeypatch.delenv(name, raising=False)

    def run(*arguments: object) -> Result:
        result = CliRunner().invoke(group, ["data", *map(str, arguments)], prog_name="trade-agent")
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result

    return run


def held(folder):
    return CandleStore(folder).read("BTCUSDT", "1h")


def test_the_data_folder_is_the_one_that_history_path_names(tmp_path, data, monkeypatch):
    path = write_csv(tmp_path / "BTCUSDT-1h.csv", CANDLES)
    assert data("import", path).exit_code == 0
    assert same(held(tmp_path / "data" / "history"), CANDLES)
    monkeypatch.setenv("HISTORY_PATH", str(tmp_path / "elsewhere"))
    assert data("import", path).exit_code == 0
    assert data("import", path, "--data", tmp_path / "third").exit_code == 0
    assert same(held(tmp_path / "elsewhere"), CANDLES)
    assert same(held(tmp_path / "third"), CANDLES)


class TestImport:
    def test_it_says_what_was_added_replaced_and_there_already(self, tmp_path, data):
        path = write_csv(tmp_path / "BTCUSDT-1h.csv", CANDLES.rows(0, 60))
        assert data("import", path).stdout == f"BTCUSDT 1h: 60 added, 0 replaced, 0 already there  ({path})\n"
        write_csv(path, changed(CANDLES, 10, volume=9.0))
        assert data("import", path).stdout == f"BTCUSDT 1h: 40 added, 1 replaced, 59 already there  ({path})\n"

    def test_a_folder_of_files_of_which_some_are_refused(self, tmp_path, data):
        (tmp_path / "theirs").mkdir()
        write_csv(tmp_path / "theirs" / "BTC_USDT-1h.csv", CANDLES)
        write_csv(tmp_path / "theirs" / "BTC_USDT-1h-futures.csv", CANDLES)
        write_text(
            tmp_path / "theirs" / "ETHUSDT-1h.csv", f"time,open,high,low,close,volume\n{NEW_YEAR_MS},1,1,2,1,1\n"
        )
        done = data("import", "theirs")
        assert done.exit_code == 2
        assert done.stdout == "BTCUSDT 1h: 100 added, 0 replaced, 0 already there  (theirs/BTC_USDT-1h.csv)\n"
        assert done.stderr.splitlines() == [
            "Error: BTC_USDT-1h-futures.csv does not hold candles of a spot market (futures)",
            "Error: ETHUSDT-1h.csv:2: high 1 is below low 2",
        ]

    def test_a_file_of_any_name_when_it_is_said_what_it_holds(self, tmp_path, data):
        path = write_csv(tmp_path / "prices.csv", CANDLES)
        refused = data("import", path)
        assert (refused.exit_code, refused.stdout) == (2, "")
        assert refused.stderr.startswith("Error: prices.csv: a candle file is named SYMBOL-INTERVAL")
        assert data("import", path, "--symbol", "btcusdt", "--interval", "1h").exit_code == 0
        assert same(held(tmp_path / "data" / "history"), CANDLES)
        assert "did you mean 1h?" in data("import", path, "--symbol", "BTCUSDT", "--interval", "1hour").stderr


class TestList:
    def test_a_line_for_each_file(self, tmp_path, data):
        write_csv(tmp_path / "BTCUSDT-1h.csv", without(CANDLES, 7))
        CandleStore(tmp_path).write(made_candles(5, interval="1m"), Provenance())
        lines = data("list", "--data", tmp_path).stdout.splitlines()
        assert [line.split() for line in lines] == [
            ["symbol", "interval", "from", "to", "candles", "gaps", "size", "file"],
            ["BTCUSDT", "1h", "2024-01-01T00:00:00Z", "2024-01-05T03:00:00Z", "99", "1", "0.0", "MB", "BTCUSDT-1h.csv"],
            [
                "BTCUSDT",
                "1m",
                "2024-01-01T00:00:00Z",
                "2024-01-01T00:04:00Z",
                "5",
                "0",
                "0.0",
                "MB",
                "BTCUSDT-1m.parquet",
            ],
        ]
        document = json.loads(data("list", "--data", tmp_path, "--json").stdout)
        assert [(row["from_ms"], row["candles"], row["gaps"]) for row in document["files"]] == [
            (NEW_YEAR_MS, 99, 1),
            (NEW_YEAR_MS, 5, 0),
        ]

    def test_no_folder_an_empty_one_and_a_broken_file(self, tmp_path, data):
        missing = data("list")
        assert (missing.exit_code, missing.stderr) == (
            2,
            "Error: the data folder data/history cannot be read: No such file or directory\n",
        )
        assert "holds no candles; `trade-agent data download` fetches some" in data("list", "--data", tmp_path).stdout
        write_text(tmp_path / "BTCUSDT-1h.parquet", "nonsense")
        broken = data("list", "--data", tmp_path, "--json")
        assert broken.exit_code == 1
        assert json.loads(broken.stdout)["broken"][0].startswith("BTCUSDT-1h.parquet is not a whole Parquet file")


class TestCheck:
    def test_gaps_are_no_failure(self, tmp_path, data):
        write_csv(tmp_path / "BTCUSDT-1h.csv", without(CANDLES, 7, 8))
        done = data("check", "--data", tmp_path)
        assert (done.exit_code, done.stdout.splitlines()) == (
            0,
            [
                "BTCUSDT-1h.csv: 98 candles, 1 gap",
                "    gap: 2 candles, 2024-01-01T07:00:00Z to 2024-01-01T08:00:00Z",
                "0 wrong",
            ],
        )

    def test_what_a_backtest_must_not_use_is(self, tmp_path, data):
        write_csv(tmp_path / "BTCUSDT-1h.csv", changed(CANDLES, 50, high=900_000.0))
        done = data("check", "--data", tmp_path, "--json")
        assert done.exit_code == 1
        document = json.loads(done.stdout)
        assert document["wrong"] == 1
        assert "at 2024-01-03T02:00:00Z, 22" in document["checks"][0]["wrong"][0]

    def test_no_folder(self, data):
        assert data("check").exit_code == 2


class TestDownload:
    async def test_from_the_exchange_that_exchange_url_names_with_its_filters(self, tmp_path, data, monkeypatch):
        path = write_csv(tmp_path / "BTCUSDT-1h.csv", MARKET)
        async with running_exchange(replay=(path,), start=NOW, speed=None) as exchange:
            monkeypatch.setenv("EXCHANGE_URL", exchange.url)
            arguments = ("download", "--symbol", "btcusdt", "--interval", "1h", "--start", "2024-01-01")
            done = await asyncio.to_thread(data, *arguments)
            again = await asyncio.to_thread(data, *arguments)
            unknown = await asyncio.to_thread(data, "download", "--symbol", "BTCUSD", "--interval", "1h")
        folder = tmp_path / "data" / "history"
        assert (done.exit_code, again.exit_code) == (0, 0)
        assert same(held(folder), CLOSED)
        first, last = "2024-01-01T00:00:00Z", "2024-03-03T10:00:00Z"
        said = f"{len(CLOSED):,} in all from {first} to {last}, in data/history/BTCUSDT-1h.parquet"
        assert done.stdout == f"BTCUSDT 1h: {len(CLOSED):,} new candles, {said}\n"
        assert done.stderr.splitlines() == [
            "BTCUSDT 1h from 2024-01-01T00:00:00Z: 998 candles",
            "BTCUSDT 1h from 2024-02-11T16:00:00Z: 498 candles",
        ]
        assert (again.stdout, again.stderr) == (f"BTCUSDT 1h: 0 new candles, {said}\n", "")
        assert list(read_listings(folder)) == ["BTCUSDT"]
        assert (unknown.exit_code, unknown.stdout) == (2, "")
        assert unknown.stderr.endswith("has no symbol BTCUSD; did you mean BTCUSDT?\n")

    async def test_from_an_archive_and_a_refused_file_is_a_failure(self, tmp_path, data):
        path = write_csv(tmp_path / "BTCUSDT-1h.csv", MARKET)
        async with running_exchange(replay=(path,), start=NOW, speed=None) as exchange, running_archive() as archive:
            archive.put(MARKET, JANUARY)
            archive.put_bytes(b"nonsense", FEBRUARY)
            addresses = ("--rest-url", exchange.url, "--archive-url", archive.url)
            done = await asyncio.to_thread(data, "download", "--symbol", "BTCUSDT", "--interval", "1h", *addresses)
        assert done.exit_code == 1
        assert done.stderr.splitlines()[-1].startswith("Error: BTCUSDT-1h-2024-02.zip is not a whole zip file")
        assert same(held(tmp_path / "data" / "history").between(*JANUARY.span), CLOSED.between(*JANUARY.span))

    def test_an_exchange_that_is_not_there(self, data, monkeypatch):
        monkeypatch.setattr(web, "_TRIES", 1)
        done = data("download", "--symbol", "BTCUSDT", "--rest-url", NOWHERE)
        assert (done.exit_code, done.stdout) == (1, "")
        assert done.stderr.startswith("Error: 127.0.0.1:9 did not answer in 1 tries: ")

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (("--symbol", "BTC/USDT"), "--symbol BTC/USDT: a symbol is letters and digits, such as BTCUSDT"),
            (("--interval", "1min"), "--interval: interval '1min' is none of 1s, 1m"),
            (("--start", "yesterday"), "--start: 'yesterday' is not a date; write 2024-08-05"),
            (("--start", "2024-02-01", "--end", "2024-01-01"), "--start 2024-02-01 is not before --end 2024-01-01"),
            (("--rest-url", "binance"), "--rest-url binance: not mainnet, testnet or an http:// or https:// address"),
            (("--archive-url", "ftp://x"), "--archive-url ftp://x: not an http:// or https:// address"),
        ],
    )
    def test_a_slip_of_the_pen_is_one_sentence(self, data, arguments, said):
        done = data("download", *arguments)
        assert (done.exit_code, done.stdout) == (2, "")
        (line,) = done.stderr.splitlines()
        assert line.startswith(f"Error: {said}")

"""`trade-agent optimize`: what a person types, and the report or the sentence that comes back."""

import json

import pytest
from click.testing import CliRunner

from binance_trade_agent.cli.optimize import optimize
from binance_trade_agent.settings import setting_names
from tests.backtest.optimize.test_evaluate import waves

GRID = ["--sampler", "grid", "--space", "rsi_period=7,14", "--space", "rsi_oversold=30,70", "--min-trades", "2"]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A file of 40 days."""
    table = waves(count=24 * 40)
    columns = (table.open_times_ms, table.open, table.high, table.low, table.close, table.volume)
    path = tmp_path_factory.mktemp("data") / "BTCUSDT-1h.csv"
    rows = [",".join(map(str, row)) for row in zip(*(column.tolist() for column in columns), strict=True)]
    path.write_text("\n".join(["open_time_ms,open,high,low,close,volume", *rows]) + "\n")
    return path


@pytest.fixture
def run(data, tmp_path, monkeypatch):
    """Run the command in this process, in an empty folder and without settings from outside."""
    monkeypatch.chdir(tmp_path)
    for name in setting_names():
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("signal.signal", lambda *_: None)

    def run(*arguments, at=data, strategy="rsi_momentum"):
        line = ["--strategy", strategy, "--data", str(at), "--jobs", "1", *arguments]
        return CliRunner().invoke(optimize, line, catch_exceptions=False)

    return run


def test_a_grid_is_searched_and_reported_in_every_form(run, data, tmp_path):
    done = run(
        *GRID, "--params", "rsi_overbought=60", "--risk-stop-loss-pct", "3", "--json", "o.json", "--csv", "o.csv"
    )
    assert done.exit_code == 0, done.output
    assert "4 sets tried: 2 scored, 2 refused." in done.stdout
    assert "sets: 4 of 4, best sharpe " in done.stderr
    document = json.loads((tmp_path / "o.json").read_text())
    best = document["best"]["params"]
    repeated = f"--data {data} --risk-stop-loss-pct 3"
    params = f"rsi_overbought=60,rsi_period={best['rsi_period']},rsi_oversold=30"
    assert document["best"]["commands"][0] == (
        f"trade-agent backtest --strategy-name rsi_momentum --strategy-params {params} {repeated}"
    )
    assert document["best"]["commands"][1] == (
        f"trade-agent run --strategy-name rsi_momentum --strategy-params {params} --symbols BTCUSDT --candle-interval 1h "
        "--interval-seconds 3600 --risk-stop-loss-pct 3"
    )
    assert all(command in done.stdout for command in document["best"]["commands"])
    assert len((tmp_path / "o.csv").read_text().splitlines()) == 5


def test_json_on_standard_output_is_all_there_is_on_it(run):
    done = run(*GRID, "--json", "-")
    assert json.loads(done.stdout)["windows"][0]["counts"]["scored"] == 2


def test_walking_forward_from_a_storage_that_knows_the_answers(run, tmp_path):
    options = [*GRID, "--walk-forward", "2", "--test-days", "4", "--storage", "s.jsonl", "--min-trades", "1"]
    first = run(*options)
    assert first.exit_code == 0, first.output
    assert "Out of sample together: " in first.stdout
    written = (tmp_path / "s.jsonl").read_bytes()
    again = run(*options)
    assert again.stdout == first.stdout
    assert (tmp_path / "s.jsonl").read_bytes() == written
    other = run(*options, "--cash", "5000")
    assert other.exit_code == 2
    assert other.stderr.startswith("Error: --storage s.jsonl is of another search: its digest of settings is ")


def test_nothing_worth_something_is_exit_code_1(run):
    done = run(*GRID, "--min-trades", "1000")
    assert done.exit_code == 1
    assert "No set closed at least 1000 trades" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--goal", "sharp"], "--goal sharp is unknown, did you mean sharpe? There are: "),
        (
            ["--space", "rsi_perod=5:9"],
            "--space rsi_perod is not a parameter of rsi_momentum, did you mean rsi_period? ",
        ),
        (["--sampler", "gird"], "--sampler gird is unknown, did you mean grid? There are: "),
        (["--train-days", "9"], "--train-days, --test-days and --anchored belong to --walk-forward."),
        (["--walk-forward", "2", "--holdout", "0.2"], "--holdout and --walk-forward exclude each other: "),
        (["--walk-forward", "9", "--test-days", "9"], "9 windows of 9 days do not fit into 19.2 days: "),
        (["--csv", "no/o.csv"], "--csv: no/o.csv cannot be written, as there is no folder no"),
        (["--walk-forward", "2", "--train-days", "99"], "--train-days 99 leaves nothing of 19.2 days to judge on: "),
        (["--dask", "127.0.0.1:1"], "--dask and --jobs exclude each other: "),
        (
            ["--start", "2025-01-01"],
            "there are no candles from 2025-01-01T00:00:00Z on: they end 2024-02-10T00:00:00Z.",
        ),
        (["--start", "monday"], "--start: 'monday' is not a date; write "),
        (["--interval", "1m"], "/BTCUSDT-1h.csv holds BTCUSDT 1h candles, not BTCUSDT 1m"),
        (["--symbol", "ETHUSDT"], "/BTCUSDT-1h.csv holds BTCUSDT 1h candles, not ETHUSDT 1h"),
        (["--params", "rsi_period=1"], "rsi_period is 1: it must be a whole number from 2 to 70"),
        (["--storage", "none/s.jsonl"], "--storage none/s.jsonl cannot be opened: No such file or directory."),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_code_2(run, arguments, sentence):
    done = run("--sampler", "grid", *arguments)
    assert done.exit_code == 2, done.output
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("Error: ")
    assert sentence in line


def test_an_unknown_strategy_and_a_file_that_is_not_there_are_mistakes(run, tmp_path):
    assert "'rsi_momento' is not a strategy, did you mean rsi_momentum?" in run(*GRID, strategy="rsi_momento").stderr
    missing = run(*GRID, at=tmp_path / "BTCUSDT-1h.csv")
    assert missing.exit_code == 2
    assert missing.stderr.splitlines() == [
        f"Error: {tmp_path}/BTCUSDT-1h.csv does not exist; it should be a file of candles or a data folder"
    ]


def test_too_few_candles_to_warm_up_on_are_named(run, data, tmp_path):
    short = tmp_path / "BTCUSDT-1h.csv"
    short.write_text("".join(data.read_text().splitlines(keepends=True)[:200]))
    done = run(*GRID, at=short)
    assert done.exit_code == 2
    assert done.stderr == (
        "Error: BTCUSDT has 199 1h candles, and strategy rsi_momentum needs 500 before the first tick: give it more, or "
        "--start.\n"
    )


def test_a_report_for_which_there_is_no_room_is_said(run):
    done = run(*GRID, "--csv", "/dev/full")
    assert (done.exit_code, done.stderr.splitlines()[-1]) == (
        1,
        "Error: the report cannot be written: No space left on device.",
    )

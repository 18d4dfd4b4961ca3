"""`trade-agent backtest`: what a person types, and the report or the sentence that comes back."""

import errno
import gzip
import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from binance_trade_agent.cli.backtest import backtest
from binance_trade_agent.history.table import CandleTable
from binance_trade_agent.settings import setting_names
from tests.backtest.made import walk
from tests.sessions.daemon_process import CLEAN_ENVIRONMENT
from tests.strategies.own_files import changed, write

HEADER = "open_time_ms,open,high,low,close,volume"
PROGRAM = """
import atexit, sys
from binance_trade_agent.cli import main
atexit.register(lambda: print("\\nmodules", *sys.modules))
main(["backtest", *sys.argv[1:]])
"""
FIRST_TICK = "2023-11-15T00:00"  # 107 candles after the first


def write_csv(folder: Path, candles: CandleTable) -> Path:
    """The candles as a file of their name."""
    columns = (candles.open_times_ms, candles.open, candles.high, candles.low, candles.close, candles.volume)
    lines = [",".join(map(str, row)) for row in zip(*(column.tolist() for column in columns), strict=True)]
    path = folder / f"{candles.symbol}-{candles.interval}.csv"
    path.write_text("\n".join([HEADER, *lines]) + "\n")
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A data folder: two symbols, one of them with a hole, one that is counted in another asset, and broken files."""
    path = tmp_path_factory.mktemp("data")
    for candles in (walk(), walk("ETHUSDT", hole=range(750, 790)), walk("ETHBTC", count=600), walk(interval_minutes=5)):
        write_csv(path, candles)
    (path / "BTCUSDT-3m.csv").write_text(f"{HEADER}\n1700000100000,1,2,1,1,1\n1700000280000,1,2,3,1,1\n")
    (path / "BTCUSDT-15m.csv").write_text(f"{HEADER}\n1699999200000,1,2,1,1,1\n")
    (path / "BTCUSDT-30m.csv").write_text(f"{HEADER}\n")
    (path / "BTCUSDT-1h.csv.gz").write_bytes(gzip.compress(HEADER.encode())[:-9])
    (path / "BTCUSDT-2h.csv").write_text("these,are,no,candles\n")
    return path


@pytest.fixture
def run(folder, tmp_path, monkeypatch):
    """Run the command in this process, in an empty folder and without settings from outside."""
    monkeypatch.chdir(tmp_path)
    for name in setting_names():
        monkeypatch.delenv(name, raising=False)

    def run(*arguments, at="BTCUSDT-1m.csv"):
        data = () if at is None else ("--data", str(folder / at))
        return CliRunner().invoke(backtest, [*data, *arguments], catch_exceptions=False)

    return run


@pytest.fixture
def complaint(run):
    """The one sentence with which the command ends."""

    def complaint(*arguments, code=2, **where):
        done = run(*arguments, **where)
        assert (done.exit_code, done.stdout) == (code, "")
        said = done.stderr.splitlines()
        assert said[-1].startswith("Error: ")
        assert len(said) == 1 or said[0].startswith("Usage: ")
        return said[-1].removeprefix("Error: ")

    return complaint


# What comes back


def test_a_file_is_all_that_is_needed(run):
    done = run("--strategy", "rsi_momentum")
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.splitlines()[:5] == [
        "Backtest of rsi_momentum",
        "  on BTCUSDT, 1m candles, 2023-11-15 06:33 to 2023-11-15 23:13 UTC, 16 h 40 min",
        "  parameters: rsi_period=14, rsi_oversold=30, rsi_overbought=70",
        "  fills: fee 0.1 %, spread 0.02 %, slippage sqrt (impact 1), at most 10 % of a candle's volume",
        "  settings: as by default",
    ]
    assert "Ticks             1,000, agents ran at " in done.stdout


def test_a_folder_has_several_symbols_that_share_one_account(run):
    done = run("--symbol", "ethusdt,BTCUSDT", "--interval", "1m", "--start", FIRST_TICK, at=".")
    assert done.exit_code == 0
    assert "  on ETHUSDT BTCUSDT, 1m candles, 2023-11-15 00:00 to " in done.stdout
    assert "each in equal parts" in done.stdout


def test_the_report_names_the_settings_that_are_not_as_by_default(run, monkeypatch):
    monkeypatch.setenv("RISK_COOLDOWN_SECONDS", "600")
    flags = ["--risk-stop-loss-pct", "3", "--order-quote", "50.0", "--duration-minutes", "5", "--instance", "two"]
    done = run(*flags, "--risk-take-profit-pct", "4", "--ledger-path", "other.db")
    text = "  settings: TRADING_ORDER_QUOTE=50, RISK_COOLDOWN_SECONDS=600, RISK_STOP_LOSS_PCT=3\n"
    assert text in done.stdout


def test_the_report_has_the_parameters_of_each_symbol(run):
    params = "rsi_period=10,ETHUSDT.rsi_oversold=20.5"
    done = run(
        "--strategy", "rsi_aggressive", "--params", params, "--symbol", "BTCUSDT,ETHUSDT", "--interval", "1m", at="."
    )
    assert "  parameters: rsi_period=10, rsi_oversold=35, rsi_overbought=65, ETHUSDT.rsi_oversold=20.5\n" in done.stdout


def test_every_form_of_the_report_is_written(run, tmp_path):
    done = run("--json", "r.json", "--csv", "r.csv", "--html", "r.html", "--every-candle")
    document = json.loads((tmp_path / "r.json").read_text())
    assert f"Trades               {document['trades']['trades']}: " in done.stdout
    assert len((tmp_path / "r.csv").read_text().splitlines()) == document["trades"]["trades"] + 1 > 5
    assert (tmp_path / "r.html").read_text().startswith("<!doctype html>")
    assert document["visited"] > document["ticks"]


def test_json_on_standard_output_is_all_there_is_on_it(run):
    done = run("--json", "-", "--slippage", "fixed", "--slippage-pct", "0.5", "--fee", "0", "--cash", "500")
    document = json.loads(done.stdout)
    assert (document["setup"]["opening_quote"], document["setup"]["symbols"]) == ("500", ["BTCUSDT"])
    assert document["setup"]["fills"].startswith("fee 0 %, spread 0.02 %, slippage fixed (0.5 %)")


# What a person has to know


def test_warnings_stand_below_the_outcome(run):
    done = run("--symbol", "ETHUSDT", "--interval", "1m", "--start", FIRST_TICK, "--strategy", "rsi_momentum", at=".")
    short, hole = (line for line in done.stdout.splitlines() if line.startswith("Warning: "))
    assert short == (
        "Warning: ETHUSDT has 107 1m candles before the first tick and strategy rsi_momentum needs 300: it holds until "
        "then"
    )
    assert hole == (
        "Warning: ETHUSDT has 1 hole: 40 candles missing before 2023-11-15T11:23:00Z; after each the strategy warms up "
        "anew, for 300 candles, as live"
    )


def test_finer_candles_that_do_not_cover_the_period_are_a_warning(run):
    done = run("--symbol", "BTCUSDT", "--interval", "5m", "--detail", "1m", "--start", "2023-11-15", at=".")
    said = "Warning: BTCUSDT has 1m candles for 278 of 1,478 candles of 5m: in the others the stop is taken to come"
    assert said in done.stdout


# Mistakes


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--strategy", "rsi_momentun"], "'rsi_momentun' is not a strategy, did you mean rsi_momentum? There are: "),
        (["--params", "rsi_perid=3"], "rsi_perid is not a parameter of combined_default, did you mean rsi_period? "),
        (["--params", "rsi_period=999"], "rsi_period is 999: it must be a whole number from 2 to 70"),
        (["--params", "rsi_period"], "STRATEGY_PARAMS=rsi_period (given as a flag) is not allowed: it must be name="),
        (["--params", "ETHUSDT.rsi_period=9"], "ETHUSDT is not traded, so it has no parameters, did you mean BTCUSDT?"),
        (["--slippage", "sqr"], "Invalid value for '--slippage': 'sqr' is not one of 'none', 'fixed', 'sqrt', 'book'."),
        (["--fee", "11"], "Invalid value for '--fee': 11 is not allowed: it must be at least 0, at most 10."),
        (["--cash", "1e400"], "Invalid value for '--cash': 1e400 is not allowed: it must be above 0, at most "),
        (["--risk-stop-loss-pct", "x"], "RISK_STOP_LOSS_PCT=x (given as a flag) is not allowed: it must be a "),
        (["--symbol", "ETHUSDT"], "{data} holds BTCUSDT 1m candles, not ETHUSDT 1m"),
        (["--interval", "5m"], "{data} holds BTCUSDT 1m candles, not BTCUSDT 5m"),
        (["--interval", "7m"], "--interval: interval '7m' is none of 1s, 1m, 3m, "),
        (["--start", "yesterday"], "--start: 'yesterday' is not a date; write 2024-08-05 or 2024-08-05T14:30 (UTC)"),
        (["--start", "2023-11-16", "--end", "2023-11-15"], "the period is empty: --start is not before --end"),
        (
            ["--start", "2024-01-01"],
            "BTCUSDT has no whole 1m candle from 2024-01-01T00:00:00Z on; the last before that opens at 2023-11-15T",
        ),
        (
            ["--start", "2023-11-15", "--end", "2023-11-15T00:00:30"],
            "BTCUSDT has no whole 1m candle from 2023-11-15T00:00:00Z to 2023-11-15T00:00:30Z; the last before that",
        ),
        (
            ["--end", "2023-11-01"],
            "{data} has no BTCUSDT 1m candles to 2023-11-01T00:00:00Z; it has those of 2023-11-14T",
        ),
        (
            ["--end", "2023-11-15"],
            "BTCUSDT has 107 1m candles, and strategy combined_default needs 500 before the first tick: give it more,",
        ),
        (["--slippage-pct", "1"], "--slippage-pct belongs to --slippage fixed, and --slippage is sqrt"),
        (["--impact", "2", "--slippage", "none"], "--impact belongs to --slippage sqrt, and --slippage is none"),
        (["--spread", "1", "--fills", "simulated"], "--spread belongs to --fills candles; with simulated, "),
        (["--detail", "7m"], "--detail: interval '7m' is none of 1s, "),
        (["--detail", "5m"], "--detail 5m: candles of 1m are not made of several of these"),
        (["--detail", "1s"], "{data} holds BTCUSDT 1m candles, not BTCUSDT 1s"),
        (["--json", "no/r.json"], "--json: no/r.json cannot be written, as there is no folder no"),
        (["--html", ""], "--html: . is a folder; name a file in it"),
    ],
)
def test_a_mistake_is_one_sentence(complaint, folder, arguments, said):
    assert complaint(*arguments).startswith(said.format(data=folder / "BTCUSDT-1m.csv"))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--symbol", "BTCUSDC"], "{data} holds no BTCUSDC 1m candles; it has BTCUSDT, ETHBTC, ETHUSDT; did you mean "),
        (["--symbol", "BTCUSDT", "--interval", "4h"], "{data} holds no BTCUSDT 4h candles; of BTCUSDT it has "),
        (
            ["--interval", "15m"],
            "{data} holds no ETHUSDT 15m candles; of ETHUSDT it has 1m (without --symbol TRADING_SYMBOLS holds, BTCUSDT,ETH",
        ),
        (["--symbol", "BTCUSDT,ETHBTC"], "BTCUSDT, ETHBTC are counted in BTC, USDT: give symbols of one quote asset"),
        (["--symbol", "BTCUSDT", "--interval", "3m"], "BTCUSDT-3m.csv:3: high 2 is below low 3"),
        (
            ["--symbol", "BTCUSDT", "--interval", "15m"],
            "BTCUSDT has 1 15m candles, and strategy combined_default needs",
        ),
        (["--symbol", "BTCUSDT", "--interval", "30m"], "BTCUSDT-30m.csv holds no candles"),
        (["--symbol", "BTCUSDT", "--interval", "1h"], "BTCUSDT-1h.csv.gz is not a whole gzip file: "),
        (["--symbol", "BTCUSDT", "--interval", "2h"], "BTCUSDT-2h.csv:1: no column is the time of a candle's opening"),
        (
            ["--symbol", "BTCUSDT", "--interval", "5m", "--confirm-interval", "3m"],
            "TRADING_CONFIRM_INTERVAL is 3m: it must be larger than the interval of the candles, 5m, and a multiple",
        ),
    ],
)
def test_a_mistake_about_a_folder_is_one_sentence(complaint, folder, arguments, said):
    assert complaint(*arguments, at=".").startswith(said.format(data=folder))


def test_no_data_is_one_sentence(complaint):
    assert complaint(at="nothing.csv").endswith(
        "nothing.csv does not exist; it should be a file of candles or a data folder"
    )
    assert complaint(at=None) == (
        "there is no data folder data/history: name a file or a folder with --data, or fetch candles with `trade-agent "
        "data download`"
    )


def test_a_strategy_of_ones_own_that_raises_is_one_sentence_with_its_line(complaint, tmp_path):
    write(tmp_path / "config" / "strategies", "mine", changed("change = 100 *", "change = hundred *"))
    said = "strategy mine raised NameError: name 'hundred' is not defined, at config/strategies/mine.py:29"
    assert complaint("--strategy", "mine") == said


def test_a_disk_that_is_full_in_the_end_is_one_sentence(complaint):
    said = "the report cannot be written: No space left on device"
    assert complaint("--csv", "/dev/full", code=1) == said


# How it ends, and what else is heard of it


def test_ctrl_c_is_one_line(complaint, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("binance_trade_agent.backtest.command.run_backtest", interrupted)
    assert complaint(code=130) == "ended before the backtest was over."


def test_who_reads_no_further_is_told_nothing(run, monkeypatch):
    def cut(*_, **__):
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    monkeypatch.setattr("binance_trade_agent.backtest.command.tell", cut)
    assert run().output == ""


@pytest.fixture(scope="module")
def at_a_terminal(folder, tmp_path_factory):
    """Standard output of a process whose standard error is a terminal, what that shows, and which libraries it has."""
    master, terminal = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, "--data", str(folder / "BTCUSDT-1m.csv"), "--json", "-"],
        cwd=tmp_path_factory.mktemp("empty"),
        env=CLEAN_ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=terminal,
        check=True,
    )
    os.close(terminal)
    shown = os.read(master, 1_000_000).decode()
    os.close(master)
    document, _, modules = done.stdout.decode().partition("\nmodules ")
    return document, shown, set(modules.split())


def test_a_terminal_shows_a_bar_and_standard_output_the_document(at_a_terminal):
    document, shown, _ = at_a_terminal
    assert json.loads(document)["ticks"] == 1000
    assert "Testing" in shown
    assert "%" in shown


def test_what_it_does_not_need_is_not_imported(at_a_terminal):
    _, _, modules = at_a_terminal
    assert "pandas" in modules
    assert not modules & {"aiohttp", "binance", "websockets", "redis", "structlog", "optuna", "distributed"}

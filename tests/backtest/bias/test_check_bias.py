"""`check-bias`: what a biased strategy of a user's own says on recorded candles, and that sound ones pass."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from binance_trade_agent.backtest.bias import check_bias
from binance_trade_agent.backtest.bias.recording import Recording, Rows
from binance_trade_agent.backtest.signals import tick_signals
from binance_trade_agent.cli import group
from binance_trade_agent.domain.candles import MINUTE_MS
from binance_trade_agent.domain.checks import Verdict
from binance_trade_agent.history.table import CandleTable
from binance_trade_agent.strategies.check.candles import check_candles
from binance_trade_agent.strategies.registry import create_strategy
from tests.strategies.own_files import changed, write

CHANGE = 'frame["close"] / frame["close"].shift(self.params.period) - 1'
WARM_UP = "return self.params.period + 1"
ROWS = 2900
HOLE = slice(700, 730)


@pytest.fixture(scope="module")
def frame():
    return check_candles(ROWS)["usual prices"]


@pytest.fixture(scope="module")
def table(frame):
    return as_table(frame)


@pytest.fixture(scope="module")
def table_with_hole(frame):
    return as_table(frame.drop(frame.index[HOLE]))


def as_table(frame: pd.DataFrame) -> CandleTable:
    columns = {name: frame[name].to_numpy().round(2) for name in ("open", "high", "low", "close")}
    return CandleTable.with_digits(
        "BTCUSDT", "1m", frame.index.to_numpy(), **columns, volume=frame["volume"].to_numpy().round(5)
    )


def own(folder: Path, old: str = "", new: str = ""):
    write(folder, "mine", changed(old, new) if old else changed("self.params.pct)", "self.params.pct)"))
    return create_strategy("mine", folder=folder)


def found(strategy, table: CandleTable, most_rows: int = 100):
    findings = check_bias(strategy, Recording.of(table), most_rows=most_rows)
    return {finding.checked.subject: finding for finding in findings}


def looked_ahead(strategy, table: CandleTable):
    """The first finding; the others are not made."""
    return next(check_bias(strategy, Recording.of(table), most_rows=100))


def column(finding, name: str):
    return next(each for each in finding.columns if each.column == name)


class TestSound:
    @pytest.mark.parametrize("name", ["combined_default", "supertrend", "ema_golden_cross"])
    def test_built_in_strategies_pass_also_over_a_hole(self, name, table_with_hole):
        findings = found(create_strategy(name), table_with_hole)
        assert list(findings) == ["look-ahead", "start-up", "signals"]
        assert {finding.checked.verdict for finding in findings.values()} == {Verdict.OK}

    def test_after_a_hole_a_strategy_warms_up_anew_as_in_a_backtest(self, table_with_hole):
        strategy = create_strategy("rsi_momentum")
        rows = Rows.of(strategy, Recording.of(table_with_hole), 100)
        after = slice(HOLE.start, HOLE.start + strategy.warm_up - 1)
        assert not rows.whole["action"].iloc[after].any()
        assert rows.spoken().numbers["warming_up_rows"] == 2 * (strategy.warm_up - 1)
        traded = tick_signals(table_with_hole, strategy)
        seen = ~traded.is_blind[1:]  # at the tick after a hole nothing can be decided
        assert np.array_equal(traded.action[1:][seen], rows.whole["action"].to_numpy()[:-1][seen])

    def test_every_row_with_a_signal_is_looked_at_where_there_are_few(self, table):
        rows = Rows.of(create_strategy("supertrend"), Recording.of(table), 3000)
        assert set(np.flatnonzero(rows.whole["action"])) <= set(rows.chosen.tolist())

    def test_the_same_rows_are_chosen_again(self, table):
        first, again = (Rows.of(create_strategy("supertrend"), Recording.of(table), 100).chosen for _ in range(2))
        assert first.tolist() == again.tolist()


class TestLookAhead:
    def test_a_row_ahead_is_counted_in_every_row_that_was_cut_off(self, tmp_path, table):
        strategy = own(tmp_path, CHANGE, 'frame["close"].shift(-1) / frame["close"] - 1')
        finding = looked_ahead(strategy, table)
        assert finding.checked.verdict is Verdict.FAILED
        rows = Rows.of(strategy, Recording.of(table), 100)
        change = column(finding, "change_pct")
        assert change.rows == np.count_nonzero(rows.chosen < ROWS - 1)  # nothing comes after the last row of all
        first = int(rows.chosen[0])
        assert change.open_time_ms == table.open_times_ms[first]
        assert change.whole == pytest.approx(100 * (table.close[first + 1] / table.close[first] - 1))
        assert np.isnan(change.part)
        assert column(finding, "action").rows > 0
        assert f"change_pct differs in {change.rows} rows, first at 20" in "\n".join(finding.lines())

    @pytest.mark.parametrize(
        "biased",
        [
            'frame["close"] / frame["close"].mean() - 1',
            'frame["close"] / frame["close"].rolling(11, center=True).mean() - 1',
            'frame["close"].shift(-2600) / frame["close"] - 1',
            'frame["close"] / frame["close"].max() - 0.97',
        ],
        ids=["mean of the whole frame", "centred window", "thousands of rows ahead", "highest close of all"],
    )
    def test_other_kinds_of_it_are_found(self, biased, tmp_path, table_with_hole, table):
        strategy = own(tmp_path, CHANGE, biased)
        finding = looked_ahead(strategy, table if "2600" in biased else table_with_hole)
        assert finding.checked.verdict is Verdict.FAILED
        assert column(finding, "change_pct").rows > 0

    def test_start_up_says_that_what_differs_may_come_from_it(self, tmp_path, table):
        strategy = own(tmp_path, CHANGE, 'frame["close"] / frame["close"].mean() - 1')
        finding = found(strategy, table, most_rows=40)["start-up"]
        assert finding.checked.verdict is Verdict.FAILED
        assert "no wonder while it looks ahead" in finding.checked.text


class TestStartUp:
    def test_an_average_that_never_forgets(self, tmp_path, table):
        strategy = own(tmp_path, CHANGE, 'frame["close"] / frame["close"].expanding().mean() - 1')
        findings = found(strategy, table, most_rows=40)
        assert findings["look-ahead"].checked.verdict is Verdict.OK
        finding = findings["start-up"]
        assert finding.checked.verdict is Verdict.FAILED
        assert finding.numbers["live_candles"] == 500
        assert finding.numbers["actions_differ"] == column(finding, "action").rows > 0
        change = column(finding, "change_pct")
        row = int(np.searchsorted(table.open_times_ms, change.open_time_ms))
        live = table.close[row - 499 : row + 1]
        assert change.part == pytest.approx(100 * (table.close[row] / live.mean() - 1))
        assert change.whole == pytest.approx(100 * (table.close[row] / table.close[: row + 1].mean() - 1))

    def test_how_many_candles_would_do(self, tmp_path, table):
        """Of the first value of an average with alpha 0.01, 0.99^1000 = 4e-5 is left after a thousand candles."""
        strategy = own(tmp_path, CHANGE, 'frame["close"] / frame["close"].ewm(alpha=0.01, adjust=False).mean() - 1')
        finding = found(strategy, table, most_rows=200)["start-up"]
        assert finding.checked.verdict is Verdict.FAILED
        assert finding.numbers["none_differ_from_candles"] in {750, 1000, 1500, 2000}
        assert f"from {finding.numbers['none_differ_from_candles']:,} candles on none does" in finding.checked.text

    def test_a_warm_up_that_is_long_enough_is_used_live_too(self, tmp_path, table):
        text = changed(CHANGE, 'frame["close"] / frame["close"].ewm(alpha=0.01, adjust=False).mean() - 1')
        write(tmp_path, "mine", text.replace(WARM_UP, "return 2500"))
        finding = found(create_strategy("mine", folder=tmp_path), table)["start-up"]
        assert finding.checked.verdict is Verdict.OK
        assert (finding.numbers["live_candles"], finding.numbers["none_differ_from_candles"]) == (2500, 2500)

    def test_a_recording_that_is_no_longer_than_a_live_tick_cannot_tell(self, table):
        finding = found(create_strategy("rsi_momentum"), table.rows(0, 450))["start-up"]
        assert finding.checked.verdict is Verdict.WARNING
        assert "nothing to compare" in finding.checked.text


class TestCommand:
    @pytest.fixture
    def data(self, tmp_path, frame):
        path = tmp_path / "BTCUSDT-1m-made.csv"
        frame.round({"volume": 5}).drop(frame.index[HOLE]).to_csv(path)
        return path

    def run(self, *arguments: object) -> int:
        with pytest.raises(SystemExit) as ended:
            group.main([str(each) for each in ("check-bias", *arguments)], prog_name="trade-agent")
        return int(ended.value.code or 0)

    def test_prints_a_heading_and_the_lines_of_each_strategy(self, data, capsys):
        assert self.run("--strategy", "donchian_breakout,donchian_turtle", "--data", data, "--rows", 100) == 0
        out = capsys.readouterr().out
        assert out.startswith("BTCUSDT 1m: 2,870 candles from 2023-11-14T22:14:00Z to ")
        assert "with 1 hole: 30 candles missing before 2023-11-15T10:24:00Z" in out
        assert "\ndonchian_breakout (donchian_entry=20, donchian_exit=10)\n" in out
        assert out.count("ok       look-ahead") == out.count("ok       start-up") == 2
        assert out.endswith("no bias was found\n")

    def test_fails_with_the_columns_in_one_json_document(self, data, tmp_path, monkeypatch, capsys):
        biased = changed(CHANGE, 'frame["close"].shift(-1) / frame["close"] - 1')
        write(tmp_path / "config" / "strategies", "mine", "print('hello')\n" + biased)
        monkeypatch.chdir(tmp_path)
        code = self.run("--strategy", "mine", "--params", "pct=0.02", "--data", data, "--rows", 100, "--json")
        document = json.loads(capsys.readouterr().out)
        assert code == 1
        assert (document["pieces"], document["candles"]) == (2, ROWS - 30)
        assert document["end_ms"] - document["start_ms"] == ROWS * MINUTE_MS
        (mine,) = document["strategies"]
        assert (mine["verdict"], mine["parameters"]["pct"]) == ("failed", 0.02)
        ahead = mine["checks"][0]
        change = next(each for each in ahead["columns"] if each["column"] == "change_pct")
        assert change["rows"] == ahead["cuts"]
        assert change["first"]["part"] is None

    def test_a_strategy_that_raises_fails_with_the_line(self, data, tmp_path, monkeypatch, capsys):
        write(tmp_path / "config" / "strategies", "mine", changed(CHANGE, 'frame["clothes"]'))
        monkeypatch.chdir(tmp_path)
        assert self.run("--strategy", "mine", "--data", data) == 1
        out = capsys.readouterr().out
        assert "failed   signals    it raises KeyError: 'clothes', at " in out
        assert out.endswith("1 of 1 failed: mine\n")

    @pytest.mark.parametrize(
        ("arguments", "sentence"),
        [
            (["--strategy", "supertrand"], "'supertrand' is not a strategy, did you mean supertrend?"),
            (["--strategy", "supertrend", "--symbol", "ETHUSDT"], "holds BTCUSDT 1m candles, not ETHUSDT 1m"),
            (["--strategy", "supertrend", "--start", "2031-01-01"], "has no BTCUSDT 1m candles from 2031-01-01"),
            (["--strategy", "supertrend", "--end", "soon"], "--end: 'soon' is not a date"),
            (["--strategy", "all", "--params", "period=3"], "--params are those of one strategy"),
        ],
    )
    def test_what_is_not_there_is_one_sentence(self, arguments, sentence, data, capsys):
        assert self.run(*arguments, "--data", data) == 2
        assert sentence in capsys.readouterr().err

    def test_a_folder_needs_a_symbol_of_those_in_it(self, data, tmp_path, capsys):
        nothing = tmp_path / "nothing"
        nothing.mkdir()
        folders = (data.parent, nothing, tmp_path / "none")
        assert [self.run("--strategy", "supertrend", "--data", folder) for folder in folders] == [2, 2, 2]
        which, empty, missing = capsys.readouterr().err.splitlines()
        assert which.endswith(f"--symbol: which of those in {data.parent}: BTCUSDT?")
        assert empty.endswith(f"{nothing} holds no candles")
        assert f"{tmp_path / 'none'} cannot be read" in missing

"""`trade-agent strategies`, as a person types it: the list, new, check, compare."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from binance_trade_agent.cli import group
from binance_trade_agent.ops import strategy_comparison
from binance_trade_agent.settings import setting_names
from binance_trade_agent.strategies.registry import is_preset, strategy_names
from binance_trade_agent.strategies.template import Template
from tests.strategies.own_files import changed, write

FOLDER = Path("config/strategies")
BUILT_IN = [name for name in strategy_names(None) if not is_preset(name)]
FIRST_OPEN_MS = 1_722_816_000_000
EMPTY = dict.fromkeys(setting_names())


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def strategies(*arguments, **environment):
    """Exit code, standard output, standard error."""
    result = CliRunner(env={**EMPTY, **environment}).invoke(group, ["strategies", *map(str, arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


def candle_file(rows: int = 1200, name: str = "BTCUSDT-1m.csv") -> Path:
    """Minutes of a random walk."""
    closes = np.round(60_000 * np.exp(np.cumsum(np.random.default_rng(4).normal(0, 0.001, rows))), 2)
    lines = ["open_time_ms,open,high,low,close,volume"]
    for minute, (opened, closed) in enumerate(zip([60_000.0, *closes[:-1]], closes, strict=True)):
        high, low = max(opened, closed), min(opened, closed)
        lines.append(f"{FIRST_OPEN_MS + 60_000 * minute},{opened:.2f},{high:.2f},{low:.2f},{closed:.2f},1.5")
    path = Path(name)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


class TestList:
    def test_own_strategies_follow_the_built_in_ones_with_their_file(self):
        write(FOLDER, "mine")
        code, output, _ = strategies()
        assert code == 0
        names = [line.partition(":")[0] for line in output.splitlines() if not line.startswith(" ")]
        assert names == [*strategy_names(None), "mine"]
        assert output.splitlines()[-4:] == [
            "mine: buys what rose  [config/strategies/mine.py]",
            "    period = 5  (1 to 50) candles looked back",
            "    pct = 0.05  (0 to 20) least change, percent",
            "    both_ways = 1  (true or false) whether it sells too",
        ]

    def test_a_broken_one_is_listed_with_its_reason(self):
        write(FOLDER, "mine", "import no_such_module\n")
        code, output, _ = strategies()
        assert code == 0
        reason = "config/strategies/mine.py:1: ModuleNotFoundError: No module named 'no_such_module'"
        assert output.splitlines()[-1] == f"mine: broken, cannot be used: {reason}"
        last = json.loads(strategies("--json")[1])[-1]
        assert (last["name"], last["place"], last["broken"]) == ("mine", "config/strategies/mine.py", reason)

    def test_json_is_one_document_whatever_own_files_print(self):
        write(FOLDER, "mine", "print('hello')\n")
        assert [entry["name"] for entry in json.loads(strategies("--json")[1])] == [*strategy_names(None), "mine"]


class TestNew:
    @pytest.mark.parametrize("name", ["my_idea", "x", "rsi2"])
    def test_what_it_writes_passes_the_check(self, name):
        code, output, _ = strategies("new", name)
        assert code == 0
        assert f"Wrote config/strategies/{name}.py." in output
        assert f"trade-agent strategies check {name}" in output
        code, output, _ = strategies("check", name)
        assert (code, output.splitlines()[-1]) == (0, f"{name} passed every check")

    def test_the_file_speaks_of_its_own_name_and_parameters(self):
        strategies("new", "my_idea")
        text = (FOLDER / "my_idea.py").read_text()
        assert "class MyIdea(Strategy[MyIdeaParams]):" in text
        assert 'name = "my_idea"' in text
        assert "template" not in text.lower()
        listed = strategies()[1]
        assert f"my_idea: {Template.summary}  [config/strategies/my_idea.py]" in listed
        assert "    momentum_period = 20  (1 to 500) how far it looks back, candles" in listed

    @pytest.mark.parametrize("name", ["My_idea", "2fast", "my-idea", "_helper", "../x", "class", "é", ""])
    def test_a_name_that_cannot_be_one_is_refused(self, name):
        code, _, error = strategies("new", name)
        assert code == 2
        assert f"{name!r} cannot be the name of a strategy" in error
        assert not FOLDER.exists()

    @pytest.mark.parametrize("name", ["rsi_momentum", "rsi_default"])
    def test_the_name_of_a_built_in_strategy_is_refused(self, name):
        assert strategies("new", name) == (2, "", f"Error: {name} is the name of a built-in strategy.\n")

    def test_a_file_that_is_there_is_left_as_it_is(self):
        path = write(FOLDER, "mine", "# work of weeks\n")
        assert (
            strategies("new", "mine")[2] == "Error: config/strategies/mine.py is there already; it is left as it is.\n"
        )
        assert path.read_text() == "# work of weeks\n"

    def test_a_name_that_another_file_has_is_refused(self):
        write(FOLDER, "mine").rename(FOLDER / "other.py")
        assert (
            strategies("new", "mine")[2] == "Error: mine is the name of the strategy in config/strategies/other.py.\n"
        )

    def test_a_file_in_the_folders_place_is_told(self):
        Path("config").write_text("")
        code, _, error = strategies("new", "mine")
        assert (code, error) == (2, "Error: config/strategies/mine.py cannot be written: Not a directory.\n")


class TestCheck:
    def test_a_failure_is_a_line_and_exit_code_1(self):
        write(FOLDER, "mine", changed(".shift(self.params.period)", ".shift(-1)"))
        code, output, _ = strategies("check", "mine")
        lines = output.splitlines()
        assert code == 1
        assert [line.split()[1] for line in lines if line.startswith("failed ")] == ["look-ahead"]
        assert lines[-1] == "1 failed"

    def test_on_data_of_ones_own_and_with_parameters(self):
        write(FOLDER, "mine")
        code, output, _ = strategies("check", "mine", "--data", candle_file(), "--params", "period=20")
        assert code == 0
        assert output.splitlines()[0].endswith("1,200 candles: BTCUSDT-1m.csv; warm-up 21 candles")

    def test_a_built_in_one_can_be_checked_too(self):
        assert strategies("check", "rsi_momentum", "--data", candle_file())[0] == 0

    @pytest.mark.parametrize(
        ("arguments", "sentence"),
        [
            (["mini"], "'mini' is not a strategy, did you mean mine?"),
            (["mine", "--params", "period=0"], "period is 0: it must be a whole number from 1 to 50"),
            (["mine", "--params", "period"], "'period' is not of the form name=value"),
            (["bad"], "strategy bad cannot be used: config/strategies/bad.py:1: NameError: name 'oops' is not defined"),
            (["mine", "--data", "BTCUSDT-1m.csv"], "BTCUSDT-1m.csv holds 50 candles: mine is checked on 106 at least."),
            (["mine", "--data", "candles.csv"], "candles.csv: a candle file is named SYMBOL-INTERVAL"),
        ],
    )
    def test_what_cannot_be_checked_is_one_sentence_and_exit_code_2(self, arguments, sentence):
        write(FOLDER, "mine")
        write(FOLDER, "bad", "oops\n")
        candle_file(50)
        candle_file(50, "candles.csv")
        code, output, error = strategies("check", *arguments)
        assert (code, output) == (2, "")
        assert error.startswith(f"Error: {sentence}")
        assert error.count("\n") == 1

    def test_a_file_that_is_not_there_is_told(self):
        assert "'BTCUSDT-1m.csv' does not exist" in strategies("check", "rsi_momentum", "--data", "BTCUSDT-1m.csv")[2]


class TestCompare:
    def test_every_strategy_says_its_word_and_one_that_fails_its_reason(self):
        write(FOLDER, "mine")
        write(FOLDER, "broken", "1 / 0\n")
        write(FOLDER, "raises", changed("100 * (frame", "100 * (frame.vwap"))
        code, output, _ = strategies("compare", "--data", candle_file())
        assert code == 0
        head, _, *lines = output.splitlines()
        assert head.startswith("BTCUSDT, 1m candle that opened 2024-08-05T19:59:00Z, close ")
        said = {line.split()[0]: line.split(maxsplit=1)[1] for line in lines[: len(BUILT_IN) + 3]}
        assert list(said) == [*BUILT_IN, "broken", "mine", "raises"]
        assert said["broken"].startswith(
            "failed     strategy broken cannot be used: config/strategies/broken.py:1: Zero"
        )
        assert said["raises"].startswith("failed     AttributeError: 'DataFrame' object has no attribute 'vwap")
        assert "change " in said["mine"]
        assert output.count(", 2 failed; mean of direction times confidence ") == 1

    def test_one_that_does_not_come_back_fails_alone(self, monkeypatch):
        monkeypatch.setattr(strategy_comparison, "_ANSWER_SECONDS", 0.5)
        write(FOLDER, "endless", changed("change = 100", "import threading; threading.Event().wait(); change = 100"))
        output = strategies("compare", "--data", candle_file())[1]
        assert "endless                failed     no answer in 0.5 s\n" in output

    def test_there_are_candles_enough_for_the_longest_warm_up(self):
        candle_file(rows=2000)
        output = strategies("compare", "--data", "BTCUSDT-1m.csv", STRATEGY_NAME="ema_golden_cross")[1]
        assert "ema_golden_cross" in output
        assert "warming up" not in output
        assert "over the last 500 candles" in output

    def test_json_counts_what_was_said(self):
        write(FOLDER, "mine", "print('hello')\n" + changed("def vote", "def unused"))
        write(FOLDER, "other")
        document = json.loads(strategies("compare", "--data", candle_file(), "--json")[1])
        assert (document["symbol"], document["interval"]) == ("BTCUSDT", "1m")
        assert document["candle_open_ms"] == FIRST_OPEN_MS + 1199 * 60_000
        said = {each["name"]: each for each in document["strategies"]}
        assert "class Mine lacks vote" in said["mine"]["failed"]
        actions = [each["action"] for each in said.values() if each["failed"] is None]
        counts = {action: actions.count(action) for action in ("BUY", "SELL", "HOLD")}
        consensus = document["consensus"]
        assert {action: consensus[action] for action in counts} == counts
        votes = [
            {"BUY": 1, "SELL": -1, "HOLD": 0}[each["action"]] * each["confidence"]
            for each in said.values()
            if each["failed"] is None
        ]
        assert consensus["mean_vote"] == pytest.approx(sum(votes) / len(votes))
        agreement = document["agreement"]
        assert agreement["share_fraction"] == pytest.approx(max(counts.values()) / len(actions))
        assert all(counts[word] == max(counts.values()) for word in agreement["most_frequent"])
        assert len(agreement["pairs"]) == len(actions) * (len(actions) - 1) / 2
        assert {pair["candles"] for pair in agreement["pairs"]} == {500}

    def test_the_chosen_strategy_is_asked_with_its_parameters_a_preset_too(self):
        write(FOLDER, "mine")
        candle_file()

        def reason(name, **settings):
            document = json.loads(strategies("compare", "--data", "BTCUSDT-1m.csv", "--json", **settings)[1])
            return next((each["reason"] for each in document["strategies"] if each["name"] == name), None)

        chosen = {"STRATEGY_NAME": "rsi_aggressive"}
        assert reason("rsi_aggressive") is None
        assert reason("rsi_aggressive", **chosen).endswith(" < 35")
        assert reason("rsi_aggressive", **chosen, STRATEGY_PARAMS="rsi_oversold=36").endswith(" < 36")
        for_one = "BTCUSDT.rsi_oversold=37,ETHUSDT.rsi_oversold=38"
        assert reason("rsi_aggressive", **chosen, STRATEGY_PARAMS=for_one).endswith(" < 37")
        assert reason("rsi_momentum", **chosen, STRATEGY_PARAMS="rsi_oversold=36").endswith(" between 30 and 70")

    def test_parameters_that_are_refused_are_that_strategys_failure(self):
        candle_file()
        settings = {"STRATEGY_NAME": "rsi_momentum", "STRATEGY_PARAMS": "rsi_period=1"}
        output = strategies("compare", "--data", "BTCUSDT-1m.csv", **settings)[1]
        assert "failed     rsi_period is 1: it must be a whole number from 2 to 70" in output

    def test_another_symbol_than_the_files_is_refused(self):
        assert strategies("compare", "--symbol", "ethusdt", "--data", candle_file()) == (
            2,
            "",
            "Error: BTCUSDT-1m.csv holds candles of BTCUSDT, not of ETHUSDT.\n",
        )

    def test_a_file_that_is_too_short_is_a_hold_of_every_strategy_that_warms_up(self):
        document = json.loads(strategies("compare", "--data", candle_file(10), "--json")[1])
        assert {each["action"] for each in document["strategies"]} == {"HOLD"}
        assert all(each["reason"].startswith("warming up: 10 of ") for each in document["strategies"])
        assert document["agreement"] == {"most_frequent": ["HOLD"], "share_fraction": 1.0, "pairs": []}

    @pytest.mark.slow
    def test_candles_come_from_the_exchange_of_the_mode(self):
        write(FOLDER, "mine")
        code, output, _ = strategies(
            "compare", "--symbol", "ethusdt", "--json", "--candle-interval", "5m", "--confirm-interval", "1h"
        )
        assert code == 0
        document = json.loads(output)
        assert (document["symbol"], document["interval"], document["confirm_interval"]) == ("ETHUSDT", "5m", "1h")
        assert [each["name"] for each in document["strategies"]] == [*BUILT_IN, "mine"]
        assert [each for each in document["strategies"] if each["failed"]] == []
        code, _, error = strategies("compare", "--symbol", "ADAUSDT")
        assert code == 2
        assert (
            "ADAUSDT: Invalid symbol. (-1121); the simulated exchange has those of --symbols BTCUSDT,ETHUSDT" in error
        )

"""Strategies of one's own: where they are found, and that one which is broken harms nobody but itself."""

import json
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from binance_trade_agent.strategies import own
from binance_trade_agent.strategies.registry import (
    BadStrategyParams,
    BrokenStrategy,
    UnknownStrategy,
    create_strategy,
    describe,
    strategy_names,
)
from tests.strategies.own_files import SOUND, changed, write

BUILT_IN = strategy_names(None)
END = SOUND.count("\n") + 1  # the line that follows the sound text
NAMELESS = SOUND.replace('    name = "mine"\n', "")


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "config" / "strategies"


def entry_points(monkeypatch, **values):
    """Let the installed packages have these entry points, by name, such as `package.module:Class`."""
    entries = [metadata.EntryPoint(name, value, own.ENTRY_POINT_GROUP) for name, value in values.items()]
    monkeypatch.setattr(own.metadata, "entry_points", lambda group: entries if group == own.ENTRY_POINT_GROUP else [])


class TestFound:
    def test_a_file_in_the_folder_is_a_strategy_like_a_built_in_one(self, folder):
        path = write(folder, "mine")
        assert strategy_names(folder) == [*BUILT_IN, "mine"]
        made = create_strategy("mine", {"period": "7", "both_ways": "false"}, folder)
        assert (made.name, made.params.period, made.params.both_ways, made.warm_up) == ("mine", 7, False, 8)
        described = describe(folder)[-1]
        assert (described.name, described.place, described.broken) == ("mine", str(path), None)
        assert [(each.name, each.default, each.allowed) for each in described.parameters] == [
            ("period", 5, "1 to 50"),
            ("pct", 0.05, "0 to 20"),
            ("both_ways", True, "true or false"),
        ]

    def test_its_name_is_that_of_the_class_whatever_the_file_is_called(self, folder):
        write(folder, "mine").rename(folder / "of-2026.py")
        assert create_strategy("mine", folder=folder).name == "mine"

    def test_its_parameters_are_refused_as_those_of_a_built_in_strategy_are(self, folder):
        write(folder, "mine")
        with pytest.raises(BadStrategyParams, match="period is 51: it must be a whole number from 1 to 50"):
            create_strategy("mine", {"period": 51}, folder)
        with pytest.raises(BadStrategyParams, match="both_ways is maybe: it must be true or false"):
            create_strategy("mine", {"both_ways": "maybe"}, folder)
        with pytest.raises(BadStrategyParams, match="perod is not a parameter of mine, did you mean period\\?"):
            create_strategy("mine", {"perod": 5}, folder)

    def test_the_folder_is_the_one_below_the_current_folder(self, folder, tmp_path, monkeypatch):
        write(folder, "mine")
        monkeypatch.chdir(tmp_path)
        assert create_strategy("mine").name == "mine"
        assert describe()[-1].place == "config/strategies/mine.py"

    def test_without_the_folder_there_are_the_built_in_ones(self, folder):
        assert strategy_names(folder) == BUILT_IN

    def test_an_unknown_name_is_refused_with_the_nearest_own_one(self, folder):
        write(folder, "my_breakout")
        with pytest.raises(UnknownStrategy, match="'my_brekout' is not a strategy, did you mean my_breakout\\?"):
            create_strategy("my_brekout", folder=folder)

    def test_a_changed_file_counts_from_the_next_time_on(self, folder):
        write(folder, "mine")
        before = create_strategy("mine", folder=folder)
        write(folder, "mine", changed("Field(5,", "Field(6,"))  # of the same size, in the same second
        assert create_strategy("mine", folder=folder).params.period == 6
        assert before.params.period == 5
        assert not list(folder.rglob("*.pyc"))

    def test_a_helper_beside_it_may_be_imported_and_is_no_strategy(self, folder):
        write(folder, "mine", "from _looking_back import PERIOD\n" + changed("Field(5,", "Field(PERIOD,"))
        (folder / "_looking_back.py").write_text("PERIOD = 9\n")
        assert create_strategy("mine", folder=folder).params.period == 9
        (folder / "_looking_back.py").write_text("PERIOD = 8\n")
        assert create_strategy("mine", folder=folder).params.period == 8
        assert strategy_names(folder) == [*BUILT_IN, "mine"]
        assert str(folder) not in sys.path

    def test_a_base_class_in_the_same_file_is_no_second_strategy(self, folder):
        base = changed(
            "class Mine(Strategy[MineParams]):", "class Base(Strategy[MineParams]):\n    pass\n\n\nclass Mine(Base):"
        )
        write(folder, "mine", base)
        assert create_strategy("mine", folder=folder).name == "mine"

    def test_an_entry_point_of_an_installed_package_is_one_too(self, folder, monkeypatch):
        path = write(folder, "_packaged")
        monkeypatch.syspath_prepend(str(folder))
        entry_points(monkeypatch, packaged="_packaged:Mine")
        path.write_text(SOUND.replace('"mine"', '"packaged"'))
        assert create_strategy("packaged", folder=folder).name == "packaged"
        assert describe(folder)[-1].place == "entry point packaged = _packaged:Mine"
        monkeypatch.delitem(sys.modules, "_packaged")

    def test_what_a_file_prints_while_it_is_imported_is_not_on_standard_output(self, folder, capsys):
        write(folder, "mine", "print('hello')\n" + SOUND)
        strategy_names(folder)
        assert capsys.readouterr() == ("", "hello\n")


class TestBroken:
    """Listed with its reason, refused with the same sentence; every other strategy works."""

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            (SOUND + "def oops(:\n", f"broken.py:{END}: SyntaxError: invalid syntax"),
            ("import nothing_of_this_name\n" + SOUND, "broken.py:1: ModuleNotFoundError: No module named 'nothing_of"),
            (SOUND + "1 / 0\n", f"broken.py:{END}: ZeroDivisionError: division by zero"),
            (SOUND + "raise SystemExit(3)\n", f"broken.py:{END}: SystemExit: 3"),
            (SOUND + "raise ValueError('one\\ntwo')\n", f"broken.py:{END}: ValueError: one"),
            ("\0", "broken.py: SyntaxError: source code string cannot contain null bytes"),
            ("", "broken.py: it holds no class of Strategy (from binance_trade_agent.strategies.base)"),
            (
                SOUND + "\n\nclass Other(Mine):\n    name = 'other'\n",
                "broken.py: it holds 2 strategies, Mine and Other: a file is for one, so move the others",
            ),
            (changed("def reason", "def reasons"), "broken.py: class Mine lacks reason"),
            (NAMELESS, "broken.py: class Mine needs a name of lower-case letters, digits and _, such as name = 'my_"),
            (changed('"mine"', '"My idea"'), "broken.py: class Mine needs a name of lower-case letters, digits and _"),
            (changed('    summary = "buys what rose"\n', ""), "broken.py: class Mine needs a summary: one line for"),
            (changed("    Params = MineParams\n", ""), "broken.py: class Mine needs Params, a class of StrategyParams"),
            (
                changed("5, ge=1, le=50,", "5, ge=1,"),
                "broken.py: parameter period has no bounds: give it le=, the least and the most allowed",
            ),
            (
                changed('0.05, ge=0, le=20, description="least change, percent"', "0.05"),
                "broken.py: parameter pct has no bounds: give it ge= and le=, the least and the most allowed",
            ),
            (changed("5, ge=1,", "..., ge=1,"), "broken.py: parameter period needs a default"),
            (
                changed("period: int", "period: str"),
                "broken.py: parameter period is str: it must be int, float or bool",
            ),
            (changed("5, ge=1,", "5, ge=99,"), "broken.py: parameter period is bounded by ge=99 and le=50: nothing is"),
            (changed("Field(5,", "Field(51,"), "broken.py: parameter period: the default is refused: Input should be"),
        ],
    )
    def test_it_is_told_where_and_why(self, folder, text, reason):
        write(folder, "sound")
        (folder / "broken.py").write_text(text)
        entry = next(each for each in describe(folder) if each.broken)
        assert entry.name == "broken"
        assert f"{folder}/{reason}" in entry.broken
        assert "\n" not in entry.broken
        with pytest.raises(BrokenStrategy) as refusal:
            create_strategy("broken", folder=folder)
        assert str(refusal.value) == f"strategy broken cannot be used: {entry.broken}"
        assert strategy_names(folder) == [*BUILT_IN, "sound"]
        assert create_strategy("sound", folder=folder).name == "sound"
        assert create_strategy("rsi_default", folder=folder).name == "rsi_default"

    def test_a_failure_in_a_helper_is_told_with_the_helpers_line(self, folder):
        write(folder, "mine", "import _helper\n" + SOUND)
        (folder / "_helper.py").write_text("\n\n[][1]\n")
        assert describe(folder)[-1].broken == f"{folder}/_helper.py:3: IndexError: list index out of range"

    def test_a_file_that_cannot_be_read_is_told(self, folder):
        (folder / "mine.py").mkdir(parents=True)
        assert describe(folder)[-1].broken.startswith(f"{folder}/mine.py:")

    @pytest.mark.parametrize("taken", ["rsi_momentum", "rsi_default"])
    def test_the_name_of_a_built_in_strategy_is_refused_with_both_places(self, folder, taken):
        path = write(folder, taken)
        entry = describe(folder)[-1]
        assert entry.broken.startswith(f"{path}: the name {taken} is taken by the ")
        assert "/binance_trade_agent/strategies/" in entry.broken
        assert type(create_strategy(taken, folder=folder)).__name__ == "RsiMomentum"

    def test_a_name_that_two_files_have_is_refused_with_both_places(self, folder):
        first, second = write(folder, "twin"), folder / "other.py"
        second.write_text(first.read_text())
        with pytest.raises(BrokenStrategy, match="both hold a strategy named twin: rename one") as refusal:
            create_strategy("twin", folder=folder)
        assert str(first) in str(refusal.value)
        assert str(second) in str(refusal.value)
        assert strategy_names(folder) == BUILT_IN
        assert [entry.name for entry in describe(folder) if entry.broken] == ["twin", "twin"]

    @pytest.mark.parametrize(
        ("value", "reason"),
        [
            ("no_such_package.module:Class", "ModuleNotFoundError: No module named 'no_such_package'"),
            ("json:JSONDecoder", "is no class of Strategy"),
            (
                "json:nothing",
                "entry point theirs = json:nothing: AttributeError: module 'json' has no attribute 'nothing'",
            ),
        ],
    )
    def test_an_entry_point_that_cannot_be_loaded_harms_itself_only(self, folder, monkeypatch, value, reason):
        entry_points(monkeypatch, theirs=value)
        assert reason in describe(folder)[-1].broken
        with pytest.raises(BrokenStrategy, match="strategy theirs cannot be used"):
            create_strategy("theirs", folder=folder)


def test_own_code_is_not_run_for_a_built_in_name_nor_for_help(folder, tmp_path):
    write(folder, "mine", "open('was_run', 'w')\n" + SOUND)

    def trade_agent(*arguments):
        command = [sys.executable, "-m", "binance_trade_agent.cli", *arguments]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout

    for arguments in (["--help"], ["strategies", "--help"], ["run", "--help"]):
        trade_agent(*arguments)
    create_strategy("combined_default", folder=folder)
    assert not Path(tmp_path, "was_run").exists()
    assert "mine: buys what rose  [config/strategies/mine.py]" in trade_agent("strategies")
    assert Path(tmp_path, "was_run").exists()
    assert json.loads(trade_agent("strategies", "--json"))[-1]["place"] == "config/strategies/mine.py"

"""An optimisation that was killed goes on where it was; what is another search is refused."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from binance_trade_agent.backtest.optimize.memory import Memory
from binance_trade_agent.backtest.optimize.model import OptimizeError, Outcome, Span, Task
from binance_trade_agent.backtest.optimize.workers import InProcess, Workload
from tests.backtest.optimize.objectives import PERIOD, Hill, candles

DEPENDS_ON = {"data": "BTCUSDT 1h, 960 candles", "space": "rsi_period=5 to 30 (26 values)"}
TASKS = [Task({"rsi_period": str(period)}, PERIOD) for period in range(5, 15)]


@pytest.fixture
def hill():
    return Hill(candles())


def workers(hill):
    return InProcess(Workload(lambda _: hill, {}))


def opened(hill, path, depends_on=DEPENDS_ON, measures=("sharpe",)):
    return Memory.of(workers(hill), measures, path, depends_on)


def test_equal_tasks_are_run_once(hill):
    memory = Memory(workers(hill), ("sharpe",))
    first = dict(memory.outcomes([*TASKS, *TASKS]))
    assert hill.asked == len(TASKS)
    assert first == dict(memory.outcomes([*TASKS, *TASKS]))
    assert hill.asked == len(TASKS)


def test_the_same_set_on_another_span_is_another_task(hill):
    memory = Memory(workers(hill), ("sharpe",))
    half = Span(0, PERIOD.before_ms // 2)
    list(memory.outcomes([TASKS[0], TASKS[0]._replace(span=half)]))
    assert hill.asked == 2


def test_what_a_killed_search_had_found_costs_nothing_after_it(hill, tmp_path):
    path = tmp_path / "search.jsonl"
    with opened(hill, path) as memory:
        taken = memory.outcomes(TASKS)
        before = [next(taken) for _ in range(4)]
    path.write_bytes(path.read_bytes()[:-7])  # the kill came in the middle of a line
    again = Hill(candles())
    with opened(again, path) as memory:
        assert memory.known == 3
        outcomes = dict(memory.outcomes(TASKS))
    assert again.asked == len(TASKS) - 3
    assert {number: outcomes[number] for number, _ in before} == dict(before)
    with opened(Hill(candles()), path) as memory:
        assert memory.known == len(TASKS)
        assert dict(memory.outcomes(TASKS)) == outcomes


def test_numbers_come_back_to_the_last_digit(tmp_path):
    odd = Outcome({"sharpe": 0.1 + 0.2, "drawdown": None}, 12)

    class One:
        def outcomes(self, tasks):
            return ((number, odd) for number in range(len(tasks)))

    path = tmp_path / "search.jsonl"
    with Memory.of(One(), ("sharpe", "drawdown"), path, DEPENDS_ON) as memory:
        list(memory.outcomes(TASKS[:1]))
    with opened(Hill({}), path, measures=("sharpe", "drawdown")) as memory:
        assert dict(memory.outcomes(TASKS[:1])) == {0: odd}


def test_a_curve_that_is_wanted_is_made_again(hill, tmp_path):
    path = tmp_path / "search.jsonl"
    with opened(hill, path) as memory:
        list(memory.outcomes(TASKS))
        size = path.stat().st_size
        ((_, outcome),) = memory.outcomes([TASKS[0]._replace(with_curve=True)])
        assert outcome.curve is not None
        assert hill.asked == len(TASKS) + 1
        assert path.stat().st_size == size, "it is known already"


def test_an_outcome_without_a_measure_of_the_new_goal_is_run_again(hill, tmp_path):
    path = tmp_path / "search.jsonl"
    with opened(hill, path) as memory:
        list(memory.outcomes(TASKS))
    more = Hill(candles())
    with opened(more, path, measures=("sharpe", "calmar")) as memory:
        list(memory.outcomes(TASKS))
    assert more.asked == len(TASKS)


@pytest.mark.parametrize("name", ["data", "space"])
def test_a_file_of_another_search_is_refused_with_what_differs(hill, tmp_path, name):
    path = tmp_path / "search.jsonl"
    opened(hill, path).__exit__()
    with pytest.raises(OptimizeError) as refused:
        opened(hill, path, {**DEPENDS_ON, name: "other"})
    assert str(refused.value) == (
        f"--storage {path} is of another search: its {name} is {DEPENDS_ON[name]}, here it is other; name another file."
    )


def test_two_optimisations_do_not_share_a_file(hill, tmp_path):
    path = tmp_path / "search.jsonl"
    with opened(hill, path), pytest.raises(OptimizeError, match=r"is in use by another optimisation\.$"):
        opened(hill, path)


@pytest.mark.parametrize("content", ["open_time_ms,open\n1,2\n", '{"some": "json"}\n', "[1]\n"])
def test_another_file_is_refused_and_left_as_it_is(hill, tmp_path, content):
    path = tmp_path / "candles.csv"
    path.write_text(content)
    with pytest.raises(OptimizeError, match="is no file of an optimisation; name another one"):
        opened(hill, path)
    assert path.read_text() == content


def test_a_folder_that_is_not_there_is_named(hill, tmp_path):
    with pytest.raises(OptimizeError, match=r"search.jsonl cannot be opened: No such file or directory\.$"):
        opened(hill, tmp_path / "none" / "search.jsonl")


def test_each_line_is_a_document(hill, tmp_path):
    path = tmp_path / "search.jsonl"
    with opened(hill, path) as memory:
        list(memory.outcomes(TASKS))
    head, *lines = map(json.loads, path.read_text().splitlines())
    assert head == {"format": 1, "depends_on": DEPENDS_ON}
    assert [line["params"] for line in lines] == [task.params for task in TASKS]


KILLED = """
import sys
from pathlib import Path
from tests.backtest.optimize.objectives import KilledHill, candles
from tests.backtest.optimize.test_memory import DEPENDS_ON, TASKS
from binance_trade_agent.backtest.optimize.memory import Memory
from binance_trade_agent.backtest.optimize.workers import InProcess, Workload

folder = Path(sys.argv[1])
deadly = Workload(KilledHill(folder / "killed", dict(TASKS[6].params)), candles())
with Memory.of(InProcess(deadly), ("sharpe",), folder / "search.jsonl", DEPENDS_ON) as memory:
    list(memory.outcomes(TASKS))
"""


def test_a_real_kill_loses_nothing_that_was_found(hill, tmp_path):
    command = [sys.executable, "-c", KILLED, str(tmp_path)]
    ended = subprocess.run(command, cwd=Path(__file__).parents[3], capture_output=True, check=False, timeout=60)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    with opened(hill, tmp_path / "search.jsonl") as memory:
        assert memory.known == 6
        outcomes = dict(memory.outcomes(TASKS))
    assert hill.asked == len(TASKS) - 6
    assert outcomes == dict(InProcess(Workload(Hill, candles())).outcomes(TASKS))

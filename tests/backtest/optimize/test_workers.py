"""One process or several: the same outcomes, each once; and no process that outlives the first one."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from binance_trade_agent.backtest.optimize.model import OptimizeError, Outcome, Task
from binance_trade_agent.backtest.optimize.workers import InProcess, PoolWhenWorthIt, Workload, local_workers
from tests.backtest.optimize.objectives import PERIOD, Hill, KilledHill, candles, workload

TASKS = [Task({"rsi_period": str(period)}, PERIOD) for period in range(5, 25)]


def measures(outcomes):
    return {number: outcome.measures for number, outcome in outcomes}


def test_a_pool_has_the_candles_and_gives_what_one_process_gives(tmp_path):
    with local_workers(workload(), 2, expected=20, now_seconds=lambda: 0.0) as workers:
        outcomes = list(workers.outcomes(TASKS))
        again = list(workers.outcomes(TASKS[:3]))
    assert sorted(number for number, _ in outcomes) == list(range(len(TASKS)))
    assert measures(outcomes) == measures(InProcess(workload()).outcomes(TASKS))
    assert measures(again) == measures(InProcess(workload()).outcomes(TASKS[:3]))


def test_a_worker_that_is_killed_is_said_to_be(tmp_path):
    deadly = Workload(KilledHill(tmp_path / "killed", dict(TASKS[3].params)), candles())
    with (
        pytest.raises(OptimizeError, match="a worker process was ended from outside"),
        local_workers(deadly, 2, expected=20, now_seconds=lambda: 0.0) as workers,
    ):
        list(workers.outcomes(TASKS))


class Elsewhere:
    """Stands for a pool."""

    def outcomes(self, tasks):
        return ((number, Outcome({}, 1000 + number)) for number in reversed(range(len(tasks))))


@pytest.mark.parametrize(("seconds_a_task", "here"), [(0.1, 20), (0.2, 20), (0.31, 1), (5.0, 1)])
def test_a_pool_is_started_once_the_work_turns_out_to_be_long(seconds_a_task, here):
    """20 tasks are expected: at 0.3 s each they take 6 s, for which a pool is worth its start."""
    now = [0.0]

    class Slow(Hill):
        def __call__(self, task):
            now[0] += seconds_a_task
            return super().__call__(task)

    started = []
    slow = Workload(lambda _: Slow({}), {})
    workers = PoolWhenWorthIt(slow, 21, lambda: now[0], lambda: started.append(1) or Elsewhere())
    outcomes = dict(workers.outcomes(TASKS))
    assert sorted(outcomes) == list(range(len(TASKS)))
    assert sum(outcome.trades < 1000 for outcome in outcomes.values()) == here
    assert len(started) == (here < 20)
    assert outcomes[19].trades == (1018 if started else 40)


PARENT = """
import os, signal, sys
from tests.backtest.optimize.test_workers import name_yourself
from tests.backtest.optimize.objectives import PERIOD, candles
from binance_trade_agent.backtest.optimize.model import Task
from binance_trade_agent.backtest.optimize.workers import Workload, local_workers

if __name__ == "__main__":
    with local_workers(Workload(name_yourself, candles()), 2, expected=2, now_seconds=lambda: 0.0) as workers:
        ((_, outcome),) = workers.outcomes([Task({}, PERIOD)])
        print(outcome.trades, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
"""


def name_yourself(_candles):
    """Answers with the number of its process."""
    return lambda _task: Outcome({}, os.getpid())


def test_workers_end_when_the_first_process_is_killed(tmp_path):
    root = Path(__file__).parents[3]
    parent = subprocess.run(
        [sys.executable, "-c", PARENT],
        cwd=root,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert parent.returncode == -signal.SIGKILL, parent.stderr
    worker = int(parent.stdout)
    descriptor = _opened(worker)
    if descriptor is not None:
        assert _has_ended(descriptor), "the worker waits for ever"
    assert list(tmp_path.iterdir()) == [], "its candles are left behind"


def _opened(pid):
    try:
        return os.pidfd_open(pid)
    except ProcessLookupError:
        return None


def _has_ended(descriptor):
    import select

    ready, _, _ = select.select([descriptor], [], [], 10)
    os.close(descriptor)
    return bool(ready)

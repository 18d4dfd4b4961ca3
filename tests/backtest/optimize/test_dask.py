"""A real cluster of worker processes on this machine; one of them is killed in the middle."""

import logging
import socket
from contextlib import contextmanager

import distributed
import pytest

from binance_trade_agent.backtest.optimize import dask_workers as module
from binance_trade_agent.backtest.optimize.dask_workers import dask_workers
from binance_trade_agent.backtest.optimize.model import OptimizeError, Task
from binance_trade_agent.backtest.optimize.workers import InProcess, Workload
from tests.backtest.optimize.objectives import PERIOD, KilledHill, candles, workload

TASKS = [Task({"rsi_period": str(period)}, PERIOD) for period in range(5, 45)]


@contextmanager
def cluster(workers):
    with distributed.LocalCluster(
        n_workers=workers, threads_per_worker=1, dashboard_address=":0", silence_logs=logging.CRITICAL
    ) as running:
        yield running


@pytest.mark.parametrize("count", [2, pytest.param(1, id="all-of-them-with-the-candles")])
def test_a_worker_that_is_killed_costs_no_set_and_no_set_counts_twice(tmp_path, count):
    marker = tmp_path / "killed"
    deadly = Workload(KilledHill(marker, dict(TASKS[17].params)), candles())
    with cluster(count) as running, dask_workers(deadly, running.scheduler_address) as workers:
        outcomes = list(workers.outcomes(TASKS))
    assert marker.exists(), "no worker was killed"
    assert sorted(number for number, _ in outcomes) == list(range(len(TASKS)))
    expected = dict(InProcess(workload()).outcomes(TASKS))
    assert {number: outcome.measures for number, outcome in outcomes} == {
        number: outcome.measures for number, outcome in expected.items()
    }


def refused(address):
    with pytest.raises(OptimizeError) as failure, dask_workers(workload(), address):
        pass
    return str(failure.value)


def test_a_scheduler_that_cannot_be_reached_is_one_sentence(monkeypatch):
    assert module._CONNECT_SECONDS < 5
    monkeypatch.setattr(module, "_CONNECT_SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts, and never answers
        port = silent.getsockname()[1]
        said = refused(f"127.0.0.1:{port}")
        assert said == f"--dask 127.0.0.1:{port}: no Dask scheduler answers there (not within 0.3 s)."
    monkeypatch.setattr(module, "_CONNECT_SECONDS", 60)  # that nobody listens is known at once
    assert refused(f"127.0.0.1:{port}").endswith("no Dask scheduler answers there (Connection refused).")


@pytest.mark.parametrize(
    ("address", "because"), [("127.0.0.1", "missing port number"), ("dask://here:1", "unknown address scheme")]
)
def test_an_address_that_is_none_says_why(address, because):
    assert because in refused(address)


def test_a_scheduler_without_workers_is_said_to_have_none():
    with cluster(0) as running:
        assert refused(running.scheduler_address).startswith(
            f"--dask {running.scheduler_address}: the scheduler has no workers; start some with `dask worker "
        )

"""The workloads through this project's own backtest."""

from backtest.workloads import Workload


def run_w1(workload: Workload) -> dict:
    """Run it and say what came of it, in the words of `backtest/peers/measured.py`."""
    raise NotImplementedError(f"workload {workload.name}: the package has no backtest yet")

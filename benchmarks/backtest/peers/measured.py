"""What the scripts of all peers have in common: read the workload, measure, print one JSON line.

A peer is run as `PYTHON -m backtest.peers.NAME WORKLOAD CANDLES.npz` from the folder benchmarks/.
"""

import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TypeVar

from backtest.workloads import WORKLOADS, Candles, Parameters, read_npz

State = TypeVar("State")
Raw = TypeVar("Raw")


@dataclass(slots=True)
class Run:
    """What one set of parameters came to.

    Attributes:
        final_quote: Cash and position at the end, as the peer values it.
        trades: Index of the candle of each entry's and exit's fill; a trade left open may be missing.
        prices: Of the same fills, in quote.
    """

    final_quote: float
    trades: list[tuple[int, int]] = field(default_factory=list)
    prices: list[tuple[float, float]] = field(default_factory=list)


def report(
    distribution: str | None,
    counted: str,
    prepare: Callable[[Candles, Sequence[Parameters]], State],
    run: Callable[[State], Raw],
    read: Callable[[Raw], list[Run]],
    *,
    rounds: int = 1,
) -> None:
    """Measure `run` and print the peer's line; the candles were read and `prepare` has ended before the clock starts.

    Args:
        distribution: Name on PyPI, for the version; None for plain Python.
        counted: What the CPU seconds include, for the table.
        prepare: Makes from candles and sets of parameters what one run works on; called before each round.
        run: The work that is counted.
        read: The result of each set of parameters.
        rounds: So many are made, the least counts; the first is told apart, for what it compiles.
    """
    workload = WORKLOADS[sys.argv[1]]
    candles = read_npz(Path(sys.argv[2]))
    seconds: list[float] = []
    runs: list[Run] = []
    for _ in range(rounds):
        state = prepare(candles, workload.parameter_sets)
        started = time.process_time()
        raw = run(state)
        seconds.append(time.process_time() - started)
        runs = read(raw)
        del state, raw
    line = {
        "version": version(distribution) if distribution else ".".join(map(str, sys.version_info[:3])),
        "candles": len(candles),
        "cpu_seconds": min(seconds),
        "first_cpu_seconds": seconds[0],
        "rounds": len(seconds),
        "counted": counted,
        "trades": [one.trades for one in runs],
        "prices": [one.prices for one in runs],
        "final_quote": [one.final_quote for one in runs],
    }
    print(json.dumps(line))

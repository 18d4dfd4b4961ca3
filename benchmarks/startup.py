"""How long `trade-agent --help` takes, beside an interpreter that does nothing."""

import statistics
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from support.machine import print_head
from support.processes import TRADE_AGENT, wall_and_cpu_seconds

RUNS = 10
TARGET_SECONDS = 0.3
COMMANDS = {
    "python -c pass (reference)": [sys.executable, "-c", "pass"],
    "python -c 'import click' (reference)": [sys.executable, "-c", "import click"],
    "python -c 'import pandas' (reference)": [sys.executable, "-c", "import pandas"],
    "trade-agent --help": [TRADE_AGENT, "--help"],
    "trade-agent run --help": [TRADE_AGENT, "run", "--help"],
    "trade-agent config": [TRADE_AGENT, "config"],
}


def main() -> None:
    """Measure and print. The first run of each command warms the disk's cache and does not count."""
    print_head("benchmarks/startup.py")
    print(f"Median of {RUNS} runs, seconds; the target for --help is {TARGET_SECONDS} of wall time")
    with TemporaryDirectory() as folder:
        for name, command in COMMANDS.items():
            runs = [wall_and_cpu_seconds(command, Path(folder)) for _ in range(RUNS + 1)][1:]
            wall, cpu = (statistics.median(column) for column in zip(*runs, strict=True))
            print(f"  {name:37} wall {wall:5.2f}   cpu {cpu:5.2f}")


if __name__ == "__main__":
    main()

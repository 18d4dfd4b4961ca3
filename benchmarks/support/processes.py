"""Starting the real programs, and what the kernel says of them (Linux)."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from binance_trade_agent.ops.clock import monotonic_seconds

TRADE_AGENT = str(Path(sys.executable).with_name("trade-agent"))
_OWN_PREFIXES = ("TRADING_", "RISK_", "STRATEGY_", "SIMULATION_", "BINANCE_", "EXCHANGE_", "REDIS_", "LOG_", "LEDGER_")


def start(command: Sequence[str], folder: Path, settings: Mapping[str, str], *, read: bool = False) -> subprocess.Popen:
    """Start `command` in `folder` with these settings and no others; `read` gives its standard output as text."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(_OWN_PREFIXES)}
    return subprocess.Popen(
        command,
        cwd=folder,
        env={**inherited, **settings},
        stdout=subprocess.PIPE if read else subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def finished(process: subprocess.Popen) -> float:
    """Wait for the end of `process`; processor seconds that it used.

    Raises:
        RuntimeError: it failed.
    """
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{process.args} ended with {process.returncode}")
    return usage.ru_utime + usage.ru_stime


def wall_and_cpu_seconds(command: Sequence[str], folder: Path) -> tuple[float, float]:
    """Run `command` to its end; wall and processor seconds."""
    started = monotonic_seconds()
    cpu = finished(start(command, folder, {}))
    return monotonic_seconds() - started, cpu


def resident_mb(pid: int) -> float:
    """Memory of a running process that is in RAM now, in MB (VmRSS; pages shared with others count in full)."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) * 1024 / 1e6


def cpu_seconds(pid: int) -> float:
    """Processor seconds that a running process has used so far, of all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

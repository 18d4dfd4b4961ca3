"""The machine that a benchmark ran on, for the head of its output."""

import os
import platform
from pathlib import Path


def print_head(command: str) -> None:
    """Print machine, Python and the command to repeat the benchmark with."""
    print(f"{platform.platform()}, {os.cpu_count()} x {_processor()}, Python {platform.python_version()}")
    print(f"Run: .venv/bin/python {command}")


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")

"""Prometheus and its promtool, of Debian's package `prometheus`; tests that need them say so where they are missing."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
CONFIG = ROOT / "config" / "prometheus"

needs_prometheus = pytest.mark.skipif(
    shutil.which("promtool") is None or shutil.which("prometheus") is None,
    reason="needs prometheus and promtool: Debian's package `prometheus`",
)


def promtool(*arguments: str, given: bytes = b"") -> str:
    """Run promtool; it has to be content. Returns what it says."""
    done = subprocess.run(["promtool", *arguments], input=given, capture_output=True, timeout=30, check=False)
    said = (done.stdout + done.stderr).decode()
    assert done.returncode == 0, said
    return said

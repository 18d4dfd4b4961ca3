"""Each peer in a virtual environment of its own under the cache folder, made when asked for, and run there."""

import json
import os
import shutil
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path

from backtest.workloads import Workload

BENCHMARKS = Path(__file__).parents[1]
INSTALL_SECONDS = 900
RUN_SECONDS = 1_800
NEXT_OPEN, OWN_CLOSE = "next open", "signal's own close"
# Where a machine sets these for older builds of OpenBLAS, they slow NumPy down.
NOT_INHERITED = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")


class PeerError(Exception):
    """A peer cannot be installed or run; the text is one sentence."""


@dataclass(frozen=True, slots=True)
class Peer:
    """Another way to run the rule of the workloads.

    Attributes:
        module: Script under `backtest/peers/`, and folder of the environment.
        title: For the table.
        requirements: Pinned, for pip; without any the project's own interpreter runs it.
        workloads: Names of those that it can run.
        fills_at: `NEXT_OPEN`, or `OWN_CLOSE` where the peer knows nothing else.
    """

    module: str
    title: str
    requirements: tuple[str, ...] = ()
    workloads: tuple[str, ...] = ("w1", "w2")
    fills_at: str = NEXT_OPEN

    def python(self, cache: Path) -> Path:
        """Interpreter that runs it, whether it is there or not."""
        return cache / "environments" / self.module / "bin" / "python" if self.requirements else Path(sys.executable)

    def is_installed(self, cache: Path) -> bool:
        """Whether its environment was made to the end, with these very requirements."""
        mark = self._mark(cache)
        return not self.requirements or (mark.exists() and mark.read_text(encoding="utf-8") == self._wanted)

    def install(self, cache: Path) -> None:
        """Make its environment anew.

        Raises:
            PeerError: pip failed or took too long.
        """
        folder = self._mark(cache).parent
        shutil.rmtree(folder, ignore_errors=True)
        venv.create(folder, with_pip=True)
        command = [self.python(cache), "-m", "pip", "install", "--quiet", *self.requirements]
        _finished(f"pip install {' '.join(self.requirements)}", command, BENCHMARKS, INSTALL_SECONDS)
        self._mark(cache).write_text(self._wanted, encoding="utf-8")

    def measured(self, workload: Workload, cache: Path) -> dict:
        """The line that its script prints, see `backtest/peers/measured.py`.

        Raises:
            PeerError: the script failed or took too long.
        """
        candles = workload.file(workload.symbols[0], "npz", cache)
        command = [self.python(cache), "-m", f"backtest.peers.{self.module}", workload.name, candles]
        printed = _finished(self.title, command, BENCHMARKS, RUN_SECONDS)
        return json.loads(printed.splitlines()[-1])

    def _mark(self, cache: Path) -> Path:
        return cache / "environments" / self.module / "requirements.txt"

    @property
    def _wanted(self) -> str:
        return "\n".join(self.requirements)


def _finished(name: str, command: list[str | Path], folder: Path, seconds: float) -> str:
    inherited = {key: value for key, value in os.environ.items() if key not in NOT_INHERITED}
    try:
        done = subprocess.run(
            command, cwd=folder, env=inherited, capture_output=True, text=True, timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired:
        raise PeerError(f"{name} did not end within {seconds} s") from None
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise PeerError(f"{name} ended with {done.returncode}: {reason}")
    return done.stdout


PEERS = (
    Peer("talib_numpy", "TA-Lib with NumPy"),
    Peer("talib_numba", "TA-Lib with numba", ("numba==0.68.1", "TA-Lib==0.8.2")),
    Peer("plain_calls", "plain pipeline, direct calls"),
    Peer("plain_queues", "plain pipeline, asyncio queues", workloads=("w1",)),
    Peer("vectorbt_signals", "vectorbt", ("vectorbt==1.2.0", "TA-Lib==0.8.2")),
    Peer("backtesting_py", "backtesting.py", ("backtesting==0.6.6", "TA-Lib==0.8.2")),
    Peer("nautilus", "NautilusTrader", ("nautilus_trader==1.221.0",), ("w1",)),
    Peer("jesse_research", "jesse", ("jesse==3.5.3",), fills_at=OWN_CLOSE),
    Peer("freqtrade_backtest", "freqtrade", ("freqtrade==2026.9",), ("w1",)),
    Peer("backtrader_engine", "backtrader", ("backtrader==1.9.78.123", "numpy==2.4.6")),
)

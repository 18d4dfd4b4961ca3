"""Memory of an idle daemon with two symbols and of its simulated exchange, beside the libraries alone."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from binance_trade_agent.ops import heartbeat
from binance_trade_agent.ops.clock import block_seconds, monotonic_seconds
from support.machine import print_head
from support.processes import TRADE_AGENT, finished, resident_mb, start

TARGET_MB = 150
SETTLE_SECONDS = 20
START_SECONDS = 60
# Each line imports what the one before it does, and more.
LIBRARIES = {
    "python": "",
    "  + aiohttp, pydantic, structlog, binance": "import aiohttp, pydantic_settings, structlog, binance",
    "  + numpy": "import aiohttp, pydantic_settings, structlog, binance, numpy",
    "  + pandas, talib": "import aiohttp, pydantic_settings, structlog, binance, pandas, talib",
}


def main() -> None:
    """Measure and print."""
    print_head("benchmarks/memory.py")
    print(f"Resident memory (VmRSS), MB; the target for the idle daemon is under {TARGET_MB}")
    for name, code in LIBRARIES.items():
        print(f"  {name:55} {library_mb(code):6.1f}   (reference)")
    for speed, what in ((1, "idle: one cycle in 20 s"), (60, "busy: ten cycles in 20 s")):
        daemon_mb, exchange_mb = daemon_and_exchange_mb(speed)
        print(f"  {f'daemon, {what}':55} {daemon_mb:6.1f}")
        print(f"  {'  its simulated exchange':55} {exchange_mb:6.1f}")


def library_mb(code: str) -> float:
    """Memory of an interpreter that has run `code` and waits."""
    waiting = f"{code}\nprint(flush=True)\ninput()"
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", waiting], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        used = resident_mb(process.pid)
        process.communicate("\n")
    return used


def daemon_and_exchange_mb(speed: int) -> tuple[float, float]:
    """Memory of both processes SETTLE_SECONDS after the first cycle, interval 120 s, market at `speed`."""
    with TemporaryDirectory() as name:
        ledger = Path(name) / "ledger.db"
        settings = {"LEDGER_PATH": str(ledger), "TRADING_INTERVAL_SECONDS": "120", "TRADING_DURATION_MINUTES": "0"}
        daemon = start([TRADE_AGENT, "run"], Path(name), {**settings, "SIMULATION_SPEED": str(speed)})
        try:
            wait_for_first_cycle(ledger)
            block_seconds(SETTLE_SECONDS)
            exchange = json.loads(ledger.with_name("ledger.db.exchange.json").read_text(encoding="utf-8"))
            measured = resident_mb(daemon.pid), resident_mb(exchange["pid"])
        finally:
            daemon.send_signal(signal.SIGTERM)
            finished(daemon)
    return measured


def wait_for_first_cycle(ledger: Path) -> None:
    """Return when the daemon has finished a cycle; RuntimeError when none comes."""
    deadline = monotonic_seconds() + START_SECONDS
    while monotonic_seconds() < deadline:
        last = heartbeat.read(heartbeat.heartbeat_path(ledger))
        if last is not None and last.cycle >= 1:
            return
        block_seconds(0.1)
    raise RuntimeError(f"the daemon has not finished a cycle in {START_SECONDS} s")


if __name__ == "__main__":
    main()

"""What watching costs the trader: a scrape, and its ticks while 100 clients poll.

Run `.venv/bin/python benchmarks/metrics.py [seconds a window] [rounds]`: 20 20 without them, which takes 27 minutes.

A scrape is measured as processor time of a trader that ticks once an hour, while it is scraped, less what it uses while
it is not: nothing else that the machine does is in it.

Ticks: a trader ticks ten times a second on the simulated exchange, dashboard and MCP server run beside it, and windows
take turns: nobody looks, a scrape each second, 100 clients. A client asks the MCP server for get_system_status, in a
session of its own, and the dashboard for /health, every 5 seconds. All clients are one process at nice value 19. Every
tick is noted (support/ticking.py). A 99th percentile is one number of some thousand ticks, and ticks of one window are
alike: the interval beside each change is of 2,000 draws of whole windows (bootstrap, 95 %). Where it spans more than
what is asked about, it says nothing: take more rounds. The processor time of the trading loop's thread in a tick knows
nothing of other programs: where it stands still while the 99th percentile moves, ticks wait for a processor.
"""

import asyncio
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from binance_trade_agent.ops.clock import monotonic_seconds, sleep_seconds
from support.machine import print_head
from support.processes import TRADE_AGENT, start

METRICS_PORT, DASHBOARD_PORT, MCP_PORT = 19_464, 18_052, 18_081
CLIENTS, EVERY_SECONDS = 100, 5.0
AIM_P99_PCT, AIM_SCRAPE_MS = 10, 5
SCRAPES_A_WINDOW, SCRAPE_EVERY_SECONDS = 20, 0.6  # more seldom than answers are made anew
_START_SECONDS = 90
_WARM_UP_SECONDS = 15.0  # a trader that has just begun still reads and imports
_SETTLE_SECONDS = 1.0
_DRAWS = 2_000

T = TypeVar("T")
_random = random.Random(1)  # noqa: S311 (draws of a bootstrap)


@dataclass(frozen=True)
class Tick:
    """Times in ms: on the wall, and of the processor for the trading loop's thread."""

    wall_ms: float
    cpu_ms: float


@dataclass
class Watching:
    """One kind of watching: each window is from when until when, on the monotonic clock."""

    name: str
    spans: list[tuple[float, float]] = field(default_factory=list)
    process_pct: list[float] = field(default_factory=list)
    windows: list[list[Tick]] = field(default_factory=list)


def main(seconds: float, rounds: int) -> None:
    print_head(f"benchmarks/metrics.py {seconds:g} {rounds}")
    with tempfile.TemporaryDirectory() as name:
        asyncio.run(measure_scrapes(Path(name), rounds=max(1, rounds // 2)))
    with tempfile.TemporaryDirectory() as name:
        asyncio.run(measure_ticks(Path(name), seconds, rounds))


async def measure_scrapes(folder: Path, rounds: int) -> None:
    """Windows of scrapes and windows without take turns; the difference of processor time, by scrape."""
    trader = start([TRADE_AGENT, "run"], folder, settings(folder, interval_seconds=3600, speed=1))
    try:
        await until_scraped()
        await sleep_seconds(_WARM_UP_SECONDS)
        costs_ms: list[float] = []
        for _ in range(rounds):
            begun, before = monotonic_seconds(), process_seconds(trader.pid)
            await sleep_seconds(SCRAPES_A_WINDOW * SCRAPE_EVERY_SECONDS)
            middle, between = monotonic_seconds(), process_seconds(trader.pid)
            for _ in range(SCRAPES_A_WINDOW):
                size = len(await scrape())
                await sleep_seconds(SCRAPE_EVERY_SECONDS)
            alone = (between - before) / (middle - begun) * (monotonic_seconds() - middle)
            costs_ms.append(1000 * (process_seconds(trader.pid) - between - alone) / SCRAPES_A_WINDOW)
    finally:
        stop_all(trader)
    low, high = interval([statistics.mean(drawn(costs_ms)) for _ in range(_DRAWS)])
    print(
        f"a scrape ({size / 1000:.0f} KB) costs the trader {statistics.mean(costs_ms):.2f} ms of processor "
        f"(95 %: {low:.2f} to {high:.2f}; {rounds * SCRAPES_A_WINDOW} scrapes; aim {AIM_SCRAPE_MS})"
    )


async def measure_ticks(folder: Path, seconds: float, rounds: int) -> None:
    """All kinds of watching in turns, over one trader."""
    known = settings(folder, interval_seconds=60, speed=600)
    here = {**known, "PYTHONPATH": str(Path(__file__).parent)}
    noted = folder / "ticks"
    trader = start([sys.executable, "-m", "support.ticking", str(noted), "run"], folder, here)
    others = [start([TRADE_AGENT, program], folder, known) for program in ("dashboard", "mcp")]
    clients = None
    try:
        await until_scraped()
        await until_open(MCP_PORT)
        await until_open(DASHBOARD_PORT)
        clients = Clients()
        await sleep_seconds(_WARM_UP_SECONDS)
        quiet, scraped, polled = Watching("nobody looks"), Watching("a scrape each second"), Watching("100 clients")
        kinds = [quiet, scraped, polled]
        for number in range(rounds):
            for kind in kinds[number % 3 :] + kinds[: number % 3]:
                await watch(
                    kind, trader.pid, seconds, clients=clients if kind is polled else None, scrapes=kind is scraped
                )
        answers = clients.end()
    finally:
        stop_all(*([clients.process] if clients else []), *others, trader)
    sort_ticks(noted, kinds)
    for kind in kinds:
        print(described(kind, quiet))
    for asked, took in answers.items():
        print(f"{asked}: {len(took)} answers, p50 {statistics.median(took):.1f} ms, p99 {percentile(took):.1f} ms")


async def watch(kind: Watching, pid: int, seconds: float, *, clients: "Clients | None", scrapes: bool) -> None:
    """One window."""
    if clients:
        clients.tell("poll")
    await sleep_seconds(_SETTLE_SECONDS)
    begun, cpu = monotonic_seconds(), process_seconds(pid)
    if scrapes:
        while monotonic_seconds() - begun < seconds:
            await scrape()
            await sleep_seconds(1)
    else:
        await sleep_seconds(seconds)
    ended = monotonic_seconds()
    kind.spans.append((begun, ended))
    kind.process_pct.append(100 * (process_seconds(pid) - cpu) / (ended - begun))
    if clients:
        clients.tell("rest")


class Clients:
    """The process of all clients."""

    def __init__(self) -> None:
        urls = (f"http://127.0.0.1:{MCP_PORT}/mcp", f"http://127.0.0.1:{DASHBOARD_PORT}/health")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "support.pollers", str(CLIENTS), str(EVERY_SECONDS), *urls],
            cwd=Path(__file__).parent,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._expect("ready")

    def tell(self, order: str) -> None:
        """Begin or end to poll."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{order}\n")
        self.process.stdin.flush()
        self._expect("done")

    def end(self) -> dict[str, list[float]]:
        """How long each answer took, in ms, by whom it was asked of."""
        said, _ = self.process.communicate()
        answers: dict[str, list[float]] = json.loads(said)
        return answers

    def _expect(self, word: str) -> None:
        assert self.process.stdout is not None
        if self.process.stdout.readline().strip() != word:
            raise RuntimeError("the clients have ended")


def described(kind: Watching, quiet: Watching) -> str:
    walls, cpus = walls_ms(kind.windows), cpus_ms(kind.windows)
    said = (
        f"{kind.name}: {len(walls)} ticks, p50 {statistics.median(walls):.1f} ms, p99 {percentile(walls):.1f} ms, "
        f"processor of the loop {statistics.mean(cpus):.2f} ms a tick; "
        f"trader {statistics.mean(kind.process_pct):.1f} % of a core"
    )
    if kind is quiet:
        return said
    moved = (
        f"p99 {change_pct(kind, quiet, lambda windows: percentile(walls_ms(windows)))} (aim +{AIM_P99_PCT})",
        f"p50 {change_pct(kind, quiet, lambda windows: statistics.median(walls_ms(windows)))}",
        f"processor {change_pct(kind, quiet, lambda windows: statistics.mean(cpus_ms(windows)))}",
    )
    return f"{said}\n  against nobody: {'; '.join(moved)}"


def change_pct(kind: Watching, quiet: Watching, figure: Callable[[list[list[Tick]]], float]) -> str:
    """How much more a figure is than while nobody looks, and the interval of it."""
    draws = [figure(drawn(kind.windows)) / figure(drawn(quiet.windows)) for _ in range(_DRAWS)]
    low, high = interval([100 * (draw - 1) for draw in draws])
    return f"{100 * (figure(kind.windows) / figure(quiet.windows) - 1):+.1f} % (95 %: {low:+.1f} to {high:+.1f})"


def walls_ms(windows: list[list[Tick]]) -> list[float]:
    return [tick.wall_ms for window in windows for tick in window]


def cpus_ms(windows: list[list[Tick]]) -> list[float]:
    return [tick.cpu_ms for window in windows for tick in window]


def drawn(values: list[T]) -> list[T]:
    """As many of them, each drawn from all."""
    return _random.choices(values, k=len(values))


def interval(draws: list[float]) -> tuple[float, float]:
    ordered = sorted(draws)
    return ordered[int(0.025 * len(ordered))], ordered[int(0.975 * len(ordered))]


def percentile(values: list[float]) -> float:
    """The 99th."""
    return sorted(values)[int(0.99 * len(values))]


def sort_ticks(noted: Path, kinds: list[Watching]) -> None:
    """Put each tick into the window in which it began."""
    ticks = [tuple(map(float, line.split())) for line in noted.read_text("utf-8").splitlines()]
    for kind in kinds:
        kind.windows = [
            [Tick(wall, cpu) for at, wall, cpu in ticks if begun <= at < ended] for begun, ended in kind.spans
        ]


def settings(folder: Path, *, interval_seconds: int, speed: int) -> dict[str, str]:
    return {
        "LEDGER_PATH": str(folder / "ledger.db"),
        "SIMULATION_SPEED": str(speed),
        "TRADING_INTERVAL_SECONDS": str(interval_seconds),
        "TRADING_DURATION_MINUTES": "0",
        "METRICS_PORT": str(METRICS_PORT),
        "DASHBOARD_PORT": str(DASHBOARD_PORT),
        "MCP_PORT": str(MCP_PORT),
    }


def process_seconds(pid: int) -> float:
    """Processor seconds of a process, with threads that have ended, to the nanosecond (clock_getcpuclockid(3))."""
    return time.clock_gettime((~pid << 3) | 2)


async def scrape() -> bytes:
    """The answer, on a connection of its own."""
    reader, writer = await asyncio.open_connection("127.0.0.1", METRICS_PORT)
    writer.write(b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
    answer = await reader.read(-1)
    writer.close()
    if not answer.startswith((b"HTTP/1.0 200", b"HTTP/1.1 200")):
        raise RuntimeError(f"a scrape was answered {answer[:200]!r}")
    return answer


async def until_scraped() -> None:
    """Until the trader ticks."""
    await until_open(METRICS_PORT)
    deadline = monotonic_seconds() + _START_SECONDS
    while b"\ntrade_agent_ticks_total 0.0" in await scrape():
        if monotonic_seconds() > deadline:
            raise RuntimeError("the trader does not tick")
        await sleep_seconds(0.5)


async def until_open(port: int) -> None:
    deadline = monotonic_seconds() + _START_SECONDS
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            if monotonic_seconds() > deadline:
                raise
            await sleep_seconds(0.2)
        else:
            writer.close()
            return


def stop_all(*processes: subprocess.Popen[str]) -> None:
    for process in processes:
        process.terminate()
    for process in processes:
        process.wait(20)


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 20, int(sys.argv[2]) if len(sys.argv) > 2 else 20)

"""What watching costs the trader: its ticks while nobody looks, while Prometheus scrapes, and while 100 clients poll.

Run `.venv/bin/python benchmarks/metrics.py [seconds a window] [rounds]`. A trader ticks twice a second on the simulated
exchange, the dashboard runs beside it. The windows take turns, so that what else the machine does meets all of them.
"""

import asyncio
import statistics
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from binance_trade_agent.ops import vitals
from binance_trade_agent.ops.clock import monotonic_seconds, sleep_seconds
from binance_trade_agent.ops.tasks import spawn, stop
from support.machine import print_head
from support.processes import TRADE_AGENT, cpu_seconds, start

METRICS_PORT, DASHBOARD_PORT, MCP_PORT = 19_464, 18_052, 18_081
CLIENTS = 100
AIM_P99_PCT, AIM_SCRAPE_MS = 10, 5
ASK_STATUS = '{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"get_system_status","arguments":{}}}'
_BEGIN = (
    '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},'
    '"clientInfo":{"name":"benchmark","version":"1"}}}'
)
_START_SECONDS = 60
_LOOK_SECONDS = 0.02


@dataclass
class Window:
    """What was measured under one kind of watching."""

    name: str
    clients: int
    port: int = METRICS_PORT
    path: str = "/metrics"
    body: str = ""
    headers: str = ""
    ticks_ms: list[float] = field(default_factory=list)
    lags_ms: list[float] = field(default_factory=list)
    answers_ms: list[float] = field(default_factory=list)
    cpu_pct: list[float] = field(default_factory=list)


def windows() -> list[Window]:
    return [
        Window("nobody looks", 0),
        Window("a scrape each second", 1),
        Window(f"{CLIENTS} clients, metrics", CLIENTS),
        Window(f"{CLIENTS} clients, health", CLIENTS, DASHBOARD_PORT, "/health"),
        Window(f"{CLIENTS} clients, MCP", CLIENTS, MCP_PORT, "/mcp", ASK_STATUS),
    ]


def main(seconds: float, rounds: int) -> None:
    print_head(f"benchmarks/metrics.py {seconds:g} {rounds}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        settings = {
            "LEDGER_PATH": str(folder / "ledger.db"),
            "SIMULATION_SPEED": "120",
            "TRADING_INTERVAL_SECONDS": "60",
            "TRADING_DURATION_MINUTES": "0",
            "METRICS_PORT": str(METRICS_PORT),
            "DASHBOARD_PORT": str(DASHBOARD_PORT),
            "MCP_PORT": str(MCP_PORT),
        }
        trader = start([TRADE_AGENT, "run"], folder, settings)
        dashboard = start([TRADE_AGENT, "dashboard"], folder, settings)
        assistants = start([TRADE_AGENT, "mcp"], folder, settings)
        try:
            asyncio.run(measure(folder / "ledger.db", trader.pid, seconds, rounds))
        finally:
            for process in (assistants, dashboard, trader):
                process.terminate()
            for process in (assistants, dashboard, trader):
                process.wait(20)


async def measure(ledger_path: Path, pid: int, seconds: float, rounds: int) -> None:
    await until(lambda: cycle_of(ledger_path) > 20)
    measured = windows()
    for window in measured:
        if window.body:
            window.headers = await begun_session(window)
    for _ in range(rounds):
        for window in measured:
            await watch(window, ledger_path, pid, seconds)
    quiet, scraped = measured[0], measured[1]
    for window in measured:
        p99, cpu = percentile(window.ticks_ms, 0.99), statistics.mean(window.cpu_pct)
        more = 100 * (p99 / percentile(quiet.ticks_ms, 0.99) - 1)
        print(
            f"{window.name:<22} {len(window.ticks_ms)} ticks: p50 {statistics.median(window.ticks_ms):.1f} ms, "
            f"p99 {p99:.1f} ms ({more:+.0f} %, aim {AIM_P99_PCT}); lag of the loop p99 "
            f"{percentile(window.lags_ms, 0.99):.1f} ms; trader {cpu:.1f} % of a core; "
            f"answers {told(window.answers_ms)}"
        )
    scrape_ms = 10 * (statistics.mean(scraped.cpu_pct) - statistics.mean(quiet.cpu_pct))
    print(f"a scrape costs the trader {scrape_ms:.1f} ms of processor (aim {AIM_SCRAPE_MS})")


async def watch(window: Window, ledger_path: Path, pid: int, seconds: float) -> None:
    """Let the clients ask, each once a second, and take down every tick meanwhile."""
    clients = [spawn(poll(window, number / max(1, window.clients)), name="client") for number in range(window.clients)]
    await sleep_seconds(1)
    begun, cpu, cycle = monotonic_seconds(), cpu_seconds(pid), cycle_of(ledger_path)
    while monotonic_seconds() - begun < seconds:
        await sleep_seconds(_LOOK_SECONDS)
        told = vitals.read(vitals.vitals_path(ledger_path))
        if told and told.ticks.ended_wall_ms and told.ticks.cycle != cycle and told.ticks.last_ms is not None:
            cycle = told.ticks.cycle
            window.ticks_ms.append(told.ticks.last_ms)
            if told.process.loop_lag_ms is not None:
                window.lags_ms.append(told.process.loop_lag_ms)
    window.cpu_pct.append(100 * (cpu_seconds(pid) - cpu) / (monotonic_seconds() - begun))
    for client in clients:
        await stop(client)


async def poll(window: Window, offset_seconds: float) -> None:
    """Ask once a second, from `offset_seconds` on."""
    await sleep_seconds(offset_seconds)
    while True:
        begun = monotonic_seconds()
        answer = await answered(window, window.body)
        if b" 200 " not in answer[:20] or b'"isError":true' in answer:
            raise RuntimeError(f"{window.path} answered {answer[:200]!r}")
        window.answers_ms.append(1000 * (monotonic_seconds() - begun))
        await sleep_seconds(max(0.0, 1 - (monotonic_seconds() - begun)))


async def begun_session(window: Window) -> str:
    """The header of a session with the MCP server, which its clients share."""
    answer = await answered(window, _BEGIN)
    (session,) = [line for line in answer.decode().splitlines() if line.lower().startswith("mcp-session-id:")]
    window.headers = session + "\r\n"
    await answered(window, '{"jsonrpc":"2.0","method":"notifications/initialized"}')
    return window.headers


async def answered(window: Window, body: str) -> bytes:
    """The answer to one request on a connection of its own."""
    head = f"{'POST' if body else 'GET'} {window.path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
    if body:
        head += "Content-Type: application/json\r\nAccept: application/json, text/event-stream\r\n"
        head += f"Content-Length: {len(body)}\r\n{window.headers}"
    reader, writer = await asyncio.open_connection("127.0.0.1", window.port)
    writer.write(f"{head}\r\n{body}".encode())
    answer = await reader.read(-1)
    writer.close()
    return answer


async def until(is_so: Callable[[], bool]) -> None:
    deadline = monotonic_seconds() + _START_SECONDS
    while not is_so():
        if monotonic_seconds() > deadline:
            raise RuntimeError("the trader does not tick")
        await sleep_seconds(0.1)


def cycle_of(ledger_path: Path) -> int:
    told = vitals.read(vitals.vitals_path(ledger_path))
    return told.ticks.cycle if told else 0


def percentile(values: list[float], part: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


def told(answers_ms: list[float]) -> str:
    if not answers_ms:
        return "none"
    return f"p50 {statistics.median(answers_ms):.1f} ms, p99 {percentile(answers_ms, 0.99):.1f} ms"


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 60, int(sys.argv[2]) if len(sys.argv) > 2 else 3)

"""The dashboard: weight and paint of each page, from a commit to the page, twenty tabs, a ledger of a million fills.

Run `.venv/bin/python benchmarks/dashboard.py [fills]`. A trader runs on the simulated exchange at 60 times the speed,
the dashboard beside it, both as processes. Without chromium the paints are left out.
"""

import asyncio
import json
import re
import shutil
import statistics
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from subprocess import Popen
from typing import Any
from urllib.error import HTTPError

from websockets.sync.client import ClientConnection, connect

from binance_trade_agent.control import commands
from binance_trade_agent.control.commands import CommandKind
from binance_trade_agent.dashboard.rendering import NAVIGATION
from binance_trade_agent.ops.clock import monotonic_seconds, sleep_seconds, wall_ms
from support.long_ledger import MILLION, write_long_ledger
from support.machine import print_head
from support.processes import TRADE_AGENT, cpu_seconds, resident_mb, start

PAGES = [path for path, _ in NAVIGATION]
TABS, TAB_SECONDS = 20, 20.0
COMMITS, LOADS = 40, 5
PORT, LARGE_PORT = 18_050, 18_051
AIM_KB, AIM_PAINT_MS, AIM_CHART_MS, AIM_COMMIT_MS, AIM_MB, AIM_CPU_PCT, AIM_LARGE_MS = 150, 300, 600, 300, 100, 15, 200
_START_SECONDS = 30

# When the first chart of the page shows something, on the page's own clock; a canvas is drawn on before it is shown.
_WATCH_CHARTS = """
(() => {
  const look = () => {
    for (const canvas of document.querySelectorAll("canvas")) {
      if (!canvas.width || !canvas.height) continue;
      if (canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data.some(Boolean)) {
        window.chartPainted = performance.now();
        return;
      }
    }
    requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
})();
"""


def main(fills: int) -> None:
    print_head(f"benchmarks/dashboard.py {fills}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with trader(folder), dashboard(folder, PORT) as served:
            base = f"http://127.0.0.1:{PORT}"
            until_it_answers(f"{base}/health", is_healthy=True)
            asyncio.run(measure_paints(base))
            measure_commits(base, folder / "ledger.db")
            measure_tabs(base, served.pid)
    with tempfile.TemporaryDirectory() as name:
        measure_large_ledger(Path(name), fills)


@contextmanager
def running(process: Popen[str]) -> Iterator[Popen[str]]:
    """The process, ended with the block."""
    try:
        yield process
    finally:
        process.terminate()
        process.wait(20)


def trader(folder: Path) -> Any:
    settings = {
        "LEDGER_PATH": str(folder / "ledger.db"),
        "SIMULATION_SPEED": "60",
        "TRADING_INTERVAL_SECONDS": "60",
        "TRADING_DURATION_MINUTES": "0",
        "STRATEGY_NAME": "rsi_momentum",
        "STRATEGY_PARAMS": "rsi_period=2,rsi_oversold=45,rsi_overbought=55",
        "RISK_COOLDOWN_SECONDS": "0",
    }
    return running(start([TRADE_AGENT, "run"], folder, settings))


def dashboard(folder: Path, port: int) -> Any:
    settings = {"LEDGER_PATH": str(folder / "ledger.db"), "DASHBOARD_PORT": str(port)}
    return running(start([TRADE_AGENT, "dashboard"], folder, settings))


def until_it_answers(url: str, *, is_healthy: bool) -> None:
    deadline = monotonic_seconds() + _START_SECONDS
    while True:
        try:
            urllib.request.urlopen(url, timeout=5).close()  # noqa: S310 (ours)
        except HTTPError:
            if not is_healthy:
                return
        except OSError:
            pass
        else:
            return
        if monotonic_seconds() > deadline:
            raise RuntimeError(f"{url} does not answer")
        asyncio.run(sleep_seconds(0.1))


async def measure_paints(base: str) -> None:
    """Weight, first paint and first chart of each page; each is loaded with an empty cache, the best of some loads."""
    executable = shutil.which("chromium")
    if executable is None:
        print("pages  there is no chromium: weight and paints are not measured")
        return
    from playwright.async_api import async_playwright

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=executable, args=["--no-sandbox", "--disable-gpu"])
        for path in PAGES:
            loads = [await one_load(browser, base + path) for _ in range(LOADS)]
            weight = max(load["kb"] for load in loads)
            paint = statistics.median(load["paint"] for load in loads)
            charts = [load["chart"] for load in loads if load["chart"]]
            chart = f", chart {statistics.median(charts):4.0f} ms (aim {AIM_CHART_MS})" if charts else ""
            print(
                f"page   {path:<11} {weight:5.1f} KB (aim {AIM_KB}), paint {paint:4.0f} ms (aim {AIM_PAINT_MS}){chart}"
            )
        await browser.close()


async def one_load(browser: Any, url: str) -> dict[str, float]:
    """KB received, first contentful paint and first chart in ms (0 where there is none)."""
    context = await browser.new_context(viewport={"width": 1440, "height": 900})
    page = await context.new_page()
    received = [0.0]
    wire = await context.new_cdp_session(page)
    await wire.send("Network.enable")
    wire.on("Network.loadingFinished", lambda event: received.append(event["encodedDataLength"]))
    await page.add_init_script(_WATCH_CHARTS)
    await page.goto(url)
    await page.wait_for_timeout(1_200)
    paint = await page.evaluate("performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0")
    chart = await page.evaluate("window.chartPainted ?? 0")
    await context.close()
    return {"kb": sum(received) / 1000, "paint": paint, "chart": chart}


def measure_commits(base: str, ledger_path: Path) -> None:
    """From a command's commit to its life at the tab, while the trader ticks."""
    waits = []
    with tab(base) as shown:
        for _ in range(COMMITS):
            number = newest_command(ledger_path) + 1
            watch(shown, [(f"/commands/life?command_id={number}", "ledger")])
            next_region(shown)
            commands.place(
                ledger_path, CommandKind.RESUME, requested_by="bench", requested_wall_ms=wall_ms(), payload={}
            )
            begun = monotonic_seconds()
            next_region(shown)
            waits.append(1000 * (monotonic_seconds() - begun))
    waits.sort()
    p95 = waits[int(0.95 * len(waits))]
    print(f"commit to a tab: p50 {statistics.median(waits):.0f} ms, p95 {p95:.0f} ms (aim {AIM_COMMIT_MS})")


def newest_command(ledger_path: Path) -> int:
    from binance_trade_agent.ledger.connection import open_read_only

    connection = open_read_only(ledger_path)
    try:
        return int(connection.execute("SELECT coalesce(max(command_id), 0) FROM commands").fetchone()[0])
    finally:
        connection.close()


def measure_tabs(base: str, pid: int) -> None:
    """Twenty tabs, the seven pages in turn, while the trader ticks each second."""
    regions = {path: regions_of(base, path) for path in PAGES}
    with ExitStack() as stack:
        tabs = [stack.enter_context(tab(base)) for _ in range(TABS)]
        for number, shown in enumerate(tabs):
            watch(shown, regions[PAGES[number % len(PAGES)]])
        drain(tabs, 3.0)
        before = cpu_seconds(pid)
        drain(tabs, TAB_SECONDS)
        busy_pct = 100 * (cpu_seconds(pid) - before) / TAB_SECONDS
    print(
        f"{TABS} tabs: {resident_mb(pid):.0f} MB (aim {AIM_MB}), {busy_pct:.1f} % of a core (aim {AIM_CPU_PCT}), "
        f"the trader ticks each second"
    )


def regions_of(base: str, path: str) -> list[tuple[str, str]]:
    """(address, sources) of the regions of a page."""
    text = urllib.request.urlopen(base + path).read().decode()  # noqa: S310 (ours)
    found = re.findall(r'data-live="([^"]+)" data-on="([^"]+)"', text)
    return [(url.replace("&amp;", "&"), on) for url, on in found]


def tab(base: str) -> ClientConnection:
    return connect(f"{base.replace('http', 'ws')}/live", origin=base, proxy=None)


def watch(shown: ClientConnection, regions: list[tuple[str, str]]) -> None:
    shown.send(json.dumps({"watch": [{"url": url, "on": on} for url, on in regions]}))


def next_region(shown: ClientConnection) -> dict[str, Any]:
    while "now" in (message := json.loads(shown.recv(10))):
        pass
    return message


def drain(tabs: list[ClientConnection], seconds: float) -> None:
    """Take what comes, as browsers do."""
    deadline = monotonic_seconds() + seconds
    while (left := deadline - monotonic_seconds()) > 0:
        for shown in tabs:
            try:
                while True:
                    shown.recv(0)
            except TimeoutError:
                pass
        asyncio.run(sleep_seconds(min(left, 0.1)))


def measure_large_ledger(folder: Path, fills: int) -> None:
    """Each page with its regions, made on a ledger of `fills` fills; the median of some loads after the first."""
    path = folder / "ledger.db"
    begun = monotonic_seconds()
    write_long_ledger(path, fills)
    print(
        f"ledger of {fills} fills: {path.stat().st_size / 1e6:.0f} MB, written in {monotonic_seconds() - begun:.0f} s"
    )
    base = f"http://127.0.0.1:{LARGE_PORT}"
    with dashboard(folder, LARGE_PORT):
        until_it_answers(f"{base}/health", is_healthy=False)
        for page in PAGES:
            times = []
            for _ in range(LOADS + 1):
                begun = monotonic_seconds()
                urllib.request.urlopen(base + page, timeout=60).read()  # noqa: S310 (ours)
                times.append(1000 * (monotonic_seconds() - begun))
            again = statistics.median(times[1:])
            print(f"large  {page:<11} {again:5.0f} ms (aim {AIM_LARGE_MS}), the first time {times[0]:.0f} ms")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else MILLION)

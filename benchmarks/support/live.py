"""A simulated exchange and a trader as processes, at real speed, and what both tell of themselves."""

import json
import signal
import socket
import subprocess
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl
from urllib.request import urlopen

from prometheus_client.parser import text_string_to_metric_families

from binance_trade_agent.exchange.weights import cost
from binance_trade_agent.ops import heartbeat, vitals
from binance_trade_agent.ops.clock import block_seconds, monotonic_seconds
from support.processes import TRADE_AGENT, cpu_seconds, start

_LOOK_SECONDS = 0.02
_SCRAPE_SECONDS = 0.2
_STOP_SECONDS = 30


def names(count: int) -> str:
    """So many symbols of the synthetic market, as settings have them."""
    return ",".join(f"SIM{number}USDT" for number in range(1, count + 1))


class Exchange:
    """The simulated exchange as a process; its synthetic market begins at the machine's time."""

    def __init__(self, folder: Path, symbols: int, *options: str) -> None:
        command = [TRADE_AGENT, "exchange", "--port=0", "--control-port=0", f"--symbols={names(symbols)}", "--seed=1"]
        self._process = start([*command, "--start=now", "--balance=USDT=10000000", *options], folder, {}, read=True)
        assert self._process.stdout is not None
        words = self._process.stdout.readline().split()
        where = words.index("control")
        self.url, self._control_url = words[where - 1], words[where + 1]
        self.pid = self._process.pid

    @property
    def settings(self) -> dict[str, str]:
        """What a trader needs to know of it."""
        return {"EXCHANGE_URL": self.url, "EXCHANGE_CONTROL_URL": self._control_url}

    def requests(self) -> list[dict[str, Any]]:
        """The last requests, with their numbers."""
        return self._asked("log")["requests"]

    def last_request(self) -> int:
        """Number of the last request, 0 before any."""
        return max((request["number"] for request in self.requests()), default=0)

    def requests_after(self, number: int) -> list[dict[str, Any]]:
        """Those that came after it."""
        return [request for request in self.requests() if request["number"] > number]

    def state(self) -> dict[str, Any]:
        """Balances, orders and faults; it is looked through for broken invariants, which takes a moment."""
        return self._asked("state")

    def stop(self) -> None:
        """End it."""
        ended(self._process)

    def _asked(self, what: str) -> Any:
        with urlopen(f"{self._control_url}/sim/{what}") as answer:  # noqa: S310 (our own server)
            return json.load(answer)


class Trader:
    """`trade-agent run` as a process, which tells its metrics."""

    def __init__(self, folder: Path, exchange: Exchange, symbols: int, settings: Mapping[str, str]) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._metrics_port = free.getsockname()[1]
        self.ledger_path = folder / "ledger.db"
        own = {
            "TRADING_SYMBOLS": names(symbols),
            "TRADING_DURATION_MINUTES": "0",
            "LEDGER_PATH": str(self.ledger_path),
            "METRICS_PORT": str(self._metrics_port),
        }
        self.began_seconds = monotonic_seconds()
        self._process = start([TRADE_AGENT, "run"], folder, {**own, **exchange.settings, **settings})
        self.pid = self._process.pid

    def cycle(self) -> int:
        """The last tick that has ended."""
        last = heartbeat.read(heartbeat.heartbeat_path(self.ledger_path))
        return last.cycle if last is not None and last.pid == self.pid else 0

    def wait_for_first_tick(self, seconds: float) -> float:
        """Wait until the first tick has ended, which decides on all symbols; seconds since the process began.

        Raises:
            RuntimeError: it has ended, or none came in so many seconds.
        """
        while not (self.cycle() and self._has_ticked()):
            passed = monotonic_seconds() - self.began_seconds
            if self._process.poll() is not None or passed > seconds:
                raise RuntimeError(f"the trader has not ticked in {passed:.0f} s, exit code {self._process.returncode}")
            block_seconds(_LOOK_SECONDS)
        return monotonic_seconds() - self.began_seconds

    def _has_ticked(self) -> bool:
        """Whether a tick has ended: a long one gives signs of life under its number before."""
        block_seconds(_SCRAPE_SECONDS)  # which costs the trader something
        return self.metrics().number("tick_cpu_seconds_count") > 0

    def vitals(self) -> vitals.Vitals:
        """What it last told of itself."""
        told = vitals.read(vitals.vitals_path(self.ledger_path))
        assert told is not None, "it has ticked"
        return told

    def metrics(self) -> "Metrics":
        """What Prometheus would read now."""
        with urlopen(f"http://127.0.0.1:{self._metrics_port}/metrics") as answer:
            return Metrics(answer.read().decode())

    def stop(self) -> None:
        """End it."""
        ended(self._process)


class Metrics:
    """The numbers of one scrape, by name without the prefix; labels are added up unless they are given."""

    def __init__(self, text: str) -> None:
        self._samples: defaultdict[str, list[tuple[dict[str, str], float]]] = defaultdict(list)
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                self._samples[sample.name.removeprefix("trade_agent_")].append((sample.labels, sample.value))

    def number(self, name: str, **labels: str) -> float:
        """The sum of all that have these labels."""
        return sum(value for given, value in self._samples[name] if labels.items() <= given.items())

    def buckets(self, name: str) -> list[tuple[float, float]]:
        """Of a histogram, by upper bound in seconds, how many did not exceed it."""
        return sorted((float(labels["le"]), value) for labels, value in self._samples[f"{name}_bucket"])


def quantile_ms(before: Metrics, after: Metrics, name: str, share: float) -> float | None:
    """Of what a histogram counted between two scrapes, as Prometheus reckons it: in a straight line within a bucket.

    None when nothing was counted.
    """
    counted = [
        (bound, late - early)
        for (bound, late), (_, early) in zip(after.buckets(name), before.buckets(name), strict=True)
    ]
    rank = share * counted[-1][1] if counted else 0
    if not rank:
        return None
    low_seconds = low_count = 0.0
    for bound, count in counted:
        if count >= rank:
            high = bound if bound != float("inf") else low_seconds
            return 1000 * (low_seconds + (high - low_seconds) * (rank - low_count) / max(1, count - low_count))
        low_seconds, low_count = bound, count
    return None


@dataclass
class Spent:
    """Request weight by path, and how often each was asked."""

    weight: Counter[str] = field(default_factory=Counter)
    count: Counter[str] = field(default_factory=Counter)


def spent(requests: Sequence[Mapping[str, Any]]) -> Spent:
    """What these requests of the exchange's log weigh (orders and cancels cost nothing while they succeed)."""
    found = Spent()
    for request in requests:
        path, _, query = request["target"].partition("?")
        if request["method"] == "WS":
            continue
        path = path.removeprefix("/api/v3/")
        name = f"{request['method']} {path}"
        found.count[name] += 1
        if request["method"] == "GET":
            found.weight[name] += cost("get", path, dict(parse_qsl(query))).weight
    return found


@dataclass
class Use:
    """Processor seconds of a process over a time."""

    pid: int
    begun_seconds: float = field(default_factory=monotonic_seconds)
    begun_cpu: float = field(init=False)

    def __post_init__(self) -> None:
        self.begun_cpu = cpu_seconds(self.pid)

    def pct(self) -> float:
        """Percent of a core since then."""
        return 100 * (cpu_seconds(self.pid) - self.begun_cpu) / (monotonic_seconds() - self.begun_seconds)


def ended(process: subprocess.Popen) -> None:
    """Let a process end by itself, within some seconds."""
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()

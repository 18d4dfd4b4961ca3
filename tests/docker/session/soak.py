"""Soak: everything at work at speed, and memory and open files of each process sampled."""

import json
import statistics
from dataclasses import dataclass
from typing import NamedTuple

from tests.docker.session.engine import AGENT
from tests.docker.session.scenario import Session, pause, seconds
from tests.docker.session.stack import BRISK, Stack
from tests.docker.session.visiting import PAGES, Assistant, Visitor

_PASSWORD, _TOKEN = "a password of the soak", "a-token-of-the-soak-test"
_SAMPLES = 60  # no more often than every 5 s
_LEAST_SECONDS = 5
# From the middle third of the time to the last one: what a start fills (caches, pools, indicators' history) is over then.
_MOST_GROWTH, _MOST_GROWTH_MB, _MOST_MORE_FILES = 0.05, 4.0, 4

# Name, memory, open files and threads of each process; a program is named by what supervisord starts.
_LOOK = """
import json, os, re
found = []
for pid in filter(str.isdigit, os.listdir("/proc")):
    try:
        line = open(f"/proc/{pid}/cmdline").read().replace("\\0", " ")
        status = open(f"/proc/{pid}/status").read()
        files = len(os.listdir(f"/proc/{pid}/fd"))
    except OSError:
        continue
    named = re.search(r"python\\S* (?:-m )?\\S*(?:trade-agent |ops\\.|/)(run|exchange|dashboard|mcp|watchdog|supervisord)\\b", line)
    name = named and named[1].replace("run", "trader")
    memory = re.search(r"VmRSS:\\s+(\\d+)", status)
    if name and memory:
        found.append([name, int(memory[1]) / 1024, files, int(re.search(r"Threads:\\s+(\\d+)", status)[1])])
print(json.dumps(found))
"""


class Sample(NamedTuple):
    """Of one process at one moment; memory is what is resident, in MiB."""

    at_seconds: float
    memory_mb: float
    files: int
    threads: int


@dataclass(frozen=True)
class Line:
    """A process's samples in one line, `middle` and `last` being medians of a third of the time."""

    name: str
    samples: list[Sample]

    def third(self, number: int, what: str) -> float:
        """The median in the third `number`, 0 to 2."""
        size = len(self.samples) / 3
        part = self.samples[int(number * size) : int((number + 1) * size)] or self.samples
        return statistics.median(getattr(sample, what) for sample in part)

    @property
    def slope_mb_per_hour(self) -> float:
        """Of memory, by least squares over the last two thirds."""
        late = self.samples[len(self.samples) // 3 :]
        times, sizes = [sample.at_seconds for sample in late], [sample.memory_mb for sample in late]
        return statistics.linear_regression(times, sizes).slope * 3_600 if len(set(times)) > 1 else 0.0

    @property
    def is_flat(self) -> bool:
        """Whether neither memory nor open files grow."""
        middle, last = self.third(1, "memory_mb"), self.third(2, "memory_mb")
        more_files = self.third(2, "files") - self.third(1, "files")
        return last - middle <= max(_MOST_GROWTH * middle, _MOST_GROWTH_MB) and more_files <= _MOST_MORE_FILES

    def __str__(self) -> str:
        first, last = self.samples[0], self.samples[-1]
        most = max(sample.memory_mb for sample in self.samples)
        return (
            f"{self.name:12} {first.memory_mb:7.1f} {self.third(1, 'memory_mb'):7.1f} {self.third(2, 'memory_mb'):7.1f} "
            f"{most:7.1f} {self.slope_mb_per_hour:+9.1f}   {first.files:5} {last.files:5}   {first.threads:5} {last.threads:5}"
        )


def soak(session: Session) -> None:
    """everything at work at sixty times the speed: memory and open files of each process stay flat."""
    duration = session.soak_minutes * 60
    with session.stack({**BRISK, "DASHBOARD_PASSWORD": _PASSWORD, "MCP_AUTH_TOKEN": _TOKEN}) as stack:
        stack.up()
        session.within(120, "trading", stack.fills)
        visitor, samples, began = Visitor(), {}, seconds()
        session.expect(visitor.log_in(_PASSWORD).status == 200, "somebody watches")
        while (at := seconds() - began) < duration:
            _use(visitor)
            for name, *values in json.loads(stack.exec("python", "-c", _LOOK).out):
                samples.setdefault(name, []).append(Sample(at, *values))
            pause(max(_LEAST_SECONDS, duration / _SAMPLES))
        _judge(session, stack, [Line(name, found) for name, found in sorted(samples.items())], seconds() - began)


def _judge(session: Session, stack: Stack, lines: list[Line], took_seconds: float) -> None:
    print(
        f"        memory in MiB, resident, of {len(lines[0].samples)} samples; middle and last are medians of a third"
    )
    print("        process        first  middle    last    most  MiB/hour   files: first, last  threads: first, last")
    for line in lines:
        print(f"        {line}")
    session.expect(
        {"trader", "exchange", "dashboard", "mcp", "watchdog"} <= {line.name for line in lines}, "each program was seen"
    )
    minutes, cycles = took_seconds / 60, stack.count("Trading Cycle #")
    session.expect(cycles > minutes * 20, f"{minutes:.1f} min, {cycles} cycles, {stack.fills()} fills")
    size = stack.exec("du", "-sm", "/app/data").out.split()[0]
    limit = session.engine.docker("stats", "--no-stream", "--format", "{{.MemUsage}}", AGENT).out.strip()
    session.expect(int(size) >= 0, f"the volume takes {size} MB, the container's memory is {limit}")
    restarted = len([line for line in stack.log().splitlines() if "spawned: 'trader'" in line])
    session.expect(restarted <= 1, "no program was restarted", restarted)
    for line in lines:
        session.expect(line.is_flat, f"{line.name} is flat", str(line))
    session.no_differences(stack)


def _use(visitor: Visitor) -> None:
    """Ask all pages and a few tools, and forget the answers."""
    for page in PAGES:
        visitor.get(page)
    visitor.seen.clear()
    assistant = Assistant(_TOKEN)
    assistant.begin()
    for tool in ("get_system_status", "get_trade_history", "get_candles"):
        arguments = {"symbol": "BTCUSDT"} if tool == "get_candles" else {}
        assistant.ask("tools/call", name=tool, arguments=arguments)

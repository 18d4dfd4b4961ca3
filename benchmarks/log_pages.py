"""What it costs to read a log of 50 MB, and to write to it: `python benchmarks/log_pages.py`."""

import random
import tempfile
from pathlib import Path

from binance_trade_agent.domain.wording import iso_utc
from binance_trade_agent.ops.clock import monotonic_seconds
from binance_trade_agent.ops.log_file import LogFile, json_line
from binance_trade_agent.ops.log_pages import LogQuery, page, tail

BEGIN_MS, MB = 1_767_614_400_000, 1_000_000


def event(number: int, chance: random.Random) -> dict[str, object]:
    """A decision as the trader logs it; one in 5,000 is an error."""
    symbol = chance.choice(["BTCUSDT", "ETHUSDT", "SOLUSDT"])
    return {
        "timestamp": iso_utc(BEGIN_MS + number * 700),
        "level": "error" if number % 5000 == 0 else "info",
        "event": "decision",
        "line": f"{symbol}: HOLD signal, RSI {chance.uniform(30, 70):.1f} is between 30 and 70",
        "logger": "trading",
        "symbol": symbol,
        "run": "20260105T143600.123-4711",
        "tick": iso_utc(BEGIN_MS + number * 700),
        "cycle": number // 3,
        "outcome": "held",
        "action": "HOLD",
    }


def write_log(folder: Path) -> int:
    """Fill 50 MB; returns how many lines were written."""
    chance, number = random.Random(7), 0  # noqa: S311
    file = LogFile(folder, "trader", 50)
    started, put_seconds, written = monotonic_seconds(), 0.0, 0
    while written < 49 * MB:
        text = json_line(event(number, chance))
        before = monotonic_seconds()
        file.put(text)
        put_seconds += monotonic_seconds() - before
        written, number = written + len(text), number + 1
        if number % 10_000 == 0:  # no faster than the thread writes, else lines are lost
            while file._waiting:  # noqa: SLF001
                pass
    file.close()
    seconds = monotonic_seconds() - started
    print(f"write  {number} lines, {written / MB:.0f} MB in {seconds:.1f} s; {1e6 * put_seconds / number:.1f} us a put")
    assert not file.lost
    return number


def measure(what: str, folder: Path, query: LogQuery, cursor: str | None = None) -> str | None:
    """Print the best of five looks; returns the cursor of the page behind."""
    best = float("inf")
    for _ in range(5):
        started = monotonic_seconds()
        got = page(folder, query, cursor)
        best = min(best, monotonic_seconds() - started)
    print(f"page   {1000 * best:7.1f} ms  {len(got.entries):4} entries  {what}")
    return got.older


def main() -> None:
    """Measure."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lines = write_log(folder)
        older = measure("newest", folder, LogQuery())
        measure("the page before", folder, LogQuery(), older)
        measure("a text that is nowhere", folder, LogQuery(text="nowhere to be found"))
        measure("a text that is nowhere, not ASCII", folder, LogQuery(text="größe ⛔"))
        measure("errors, 1 in 5000", folder, LogQuery(least_level="error"))
        measure("a run that is none", folder, LogQuery(run="20250101T000000.000-1"))
        measure("an order that is none", folder, LogQuery(client_order_id="btadefault-nothing"))
        middle_ms = BEGIN_MS + lines * 350
        measure("a minute in the middle", folder, LogQuery(from_ms=middle_ms, until_ms=middle_ms + 60_000))
        started = monotonic_seconds()
        tail(folder, LogQuery(), page(folder, LogQuery(), size=1).end)
        print(f"tail   {1000 * (monotonic_seconds() - started):7.1f} ms  when nothing has come")


if __name__ == "__main__":
    main()

"""`trade-agent` that notes each of its ticks: `python -m support.ticking FILE run`.

A line a tick: when it began (CLOCK_MONOTONIC, which all processes share), how long it took, and how much processor the
trading loop's thread has used meanwhile, in ms. It is written after the tick's end, so it is no part of it.
"""

import os
import sys
import time

from binance_trade_agent.cli import main
from binance_trade_agent.ops.clock import monotonic_seconds
from binance_trade_agent.ops.tick_times import TickTimes


def note_ticks(descriptor: int) -> None:
    """Let every TickTimes write to this file."""
    begin, end = TickTimes.begin, TickTimes.end
    at = cpu = 0.0

    def noted_begin(times: TickTimes, cycle: int, lag_market_ms: float) -> None:
        nonlocal at, cpu
        begin(times, cycle, lag_market_ms)
        at, cpu = monotonic_seconds(), time.thread_time()

    def noted_end(times: TickTimes) -> None:
        took, used = monotonic_seconds() - at, time.thread_time() - cpu
        end(times)
        os.write(descriptor, f"{at} {1000 * took} {1000 * used}\n".encode())

    TickTimes.begin, TickTimes.end = noted_begin, noted_end  # type: ignore[method-assign]


if __name__ == "__main__":
    note_ticks(os.open(sys.argv.pop(1), os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600))
    main()

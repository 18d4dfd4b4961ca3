"""One simulated hour of the default session at full speed: wall time, and the processor time of both processes."""

import signal
from pathlib import Path
from tempfile import TemporaryDirectory

from binance_trade_agent.ops.clock import monotonic_seconds
from support.machine import print_head
from support.processes import TRADE_AGENT, finished, start

HOUR_SECONDS = 3600
FULL_SPEED = "1000000"


def main() -> None:
    """Measure and print. The exchange is started apart from the daemon, so that each is accounted for by itself."""
    print_head("benchmarks/session.py")
    with TemporaryDirectory() as name:
        folder = Path(name)
        started = monotonic_seconds()
        exchange = start(
            [TRADE_AGENT, "exchange", "--port=0", "--control-port=0", "--speed=stepped", f"--state={folder / 'state'}"],
            folder,
            {},
            read=True,
        )
        words = exchange.stdout.readline().split()
        ready = monotonic_seconds() - started
        where = words.index("control")
        settings = {
            "EXCHANGE_URL": words[where - 1],
            "EXCHANGE_CONTROL_URL": words[where + 1],
            "SIMULATION_SPEED": FULL_SPEED,
        }
        started = monotonic_seconds()
        daemon_cpu = finished(start([TRADE_AGENT, "run"], folder, settings))
        wall = monotonic_seconds() - started
        exchange.send_signal(signal.SIGTERM)
        exchange_cpu = finished(exchange)
        exchange.stdout.close()
    print("Two symbols, combined_default, 30 cycles in 60 minutes of market time, start and report included; seconds")
    print(f"  exchange ready after         {ready:5.2f}")
    print(f"  daemon, wall                 {wall:5.2f}   ({HOUR_SECONDS / wall:,.0f} times real time)")
    print(f"  daemon, processor            {daemon_cpu:5.2f}")
    print(f"  exchange, processor          {exchange_cpu:5.2f}   (its start included)")
    print(f"  the same hour at speed 60    {HOUR_SECONDS / 60:5.2f}   wall, by its schedule (reference)")


if __name__ == "__main__":
    main()

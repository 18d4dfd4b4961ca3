"""`python -m tests.sessions.kill_loop --kills 200`: real `kill -9` of a real daemon, again and again on one ledger.

The simulated exchange is a process of its own that lives on. Each daemon starts as a user starts it, trades eagerly with
protection, under faults of the exchange, and is killed at a random moment of its start or its trading. After the last
kill the faults end, a daemon runs to its end in good order, and everything has to be equal to the last digit.
"""

import argparse
import asyncio
import random
import shutil
import signal
import sys
import tempfile
import traceback
from collections import Counter
from pathlib import Path

from binance_trade_agent.ledger import queries
from binance_trade_agent.ledger.reader import LedgerReader
from binance_trade_agent.ops.clock import monotonic_seconds, sleep_seconds
from tests.exchange_process import RunningExchange, exchange_process
from tests.sessions.daemon_process import EAGER, assert_books_balance, assert_equal_to_exchange, daemon, session

PROTECTED = {**EAGER, "RISK_STOP_LOSS_PCT": "0.3", "RISK_TAKE_PROFIT_PCT": "0.4", "TRADING_DURATION_MINUTES": "0"}
_FAULTS = (
    {"kind": "drop_after", "method": "POST", "path": "order*", "probability": 0.1},
    {"kind": "unknown_executed", "method": "POST", "path": "order*", "probability": 0.1},
    {"kind": "unknown_not_executed", "method": "POST", "path": "order*", "probability": 0.1},
    {"kind": "http", "method": "GET", "path": "order", "status": 503, "probability": 0.05},
    {"kind": "event_drop", "event": "executionReport", "probability": 0.1},
    {"kind": "event_duplicate", "event": "executionReport", "probability": 0.1},
    {"kind": "latency", "method": "POST", "path": "order*", "ms": 200, "probability": 0.3},
)
_LONGEST_LIFE_SECONDS = 3.0
_CONFIRM_EVERY = 25


async def kill_again_and_again(folder: Path, kills: int, seed: int) -> Counter[str]:
    """Kill `kills` daemons on the ledger in `folder`; returns the states of all orders afterwards.

    Raises:
        AssertionError: ledger and exchange differ, or an order was sent twice.
    """
    moments = random.Random(seed)
    async with exchange_process(speed=None, seed=seed) as exchange:
        urls = {"EXCHANGE_URL": exchange.url, "EXCHANGE_CONTROL_URL": exchange.control_url}
        faults = [await exchange.fault(seed=seed + number, **fault) for number, fault in enumerate(_FAULTS)]
        for number in range(1, kills + 1):
            # More starts a minute than the exchange's weight allows: the limits are S12's, not this loop's.
            await exchange.fault("weight", used=0)
            await exchange.fault("orders_used", n=0)
            await _one_life(folder, urls, moments.uniform(0.0, _LONGEST_LIFE_SECONDS))
            if number % _CONFIRM_EVERY == 0:
                print(f"{number} kills, {await _orders_on(exchange)} orders on the exchange", flush=True)
        for fault in faults:
            await exchange._request("DELETE", f"fault/{fault}", None)
        await session(folder, **{**PROTECTED, "TRADING_DURATION_MINUTES": "15"}, **urls)
        fills = assert_books_balance(folder / "ledger.db")
        await assert_equal_to_exchange(folder / "ledger.db", exchange, log_is_whole=False)
    with LedgerReader.open(folder / "ledger.db") as reader:
        orders = reader.snapshot(queries.orders)
    states = Counter(str(entry.order.state) for entry in orders)
    states["fills"] = fills
    return states


async def _one_life(folder: Path, urls: dict[str, str], trading_seconds: float) -> None:
    """A daemon that is killed so long after it has begun to trade; at once, some are killed while they start."""
    async with daemon(folder, is_cold=True, **PROTECTED, **urls) as running:
        if trading_seconds < 0.6:
            await sleep_seconds(trading_seconds * 4)
        else:
            await running.until_logged("Trading Cycle #1")
            await sleep_seconds(trading_seconds - 0.6)
        running.send(signal.SIGKILL)


async def _orders_on(exchange: RunningExchange) -> int:
    return len((await exchange.state())["orders"])


def main() -> int:
    """Run the loop of the command line; 1 when something was lost, doubled or differs."""
    parser = argparse.ArgumentParser(prog="python -m tests.sessions.kill_loop", description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=200, help="how many (200)")
    parser.add_argument("--seed", type=int, default=1, help="of the moments, the faults and the market (1)")
    options = parser.parse_args()
    began = monotonic_seconds()
    folder = Path(tempfile.mkdtemp(prefix="kill-loop-"))
    try:
        states = asyncio.run(kill_again_and_again(folder, options.kills, options.seed))
    except AssertionError:
        traceback.print_exc()
        print(f"seed {options.seed} failed; the ledger is left in {folder}")
        return 1
    shutil.rmtree(folder)
    seconds = monotonic_seconds() - began
    print(f"{options.kills} kills in {seconds:.0f} s; {', '.join(f'{name} {count}' for name, count in states.items())}")
    print("0 lost, 0 doubled, 0 differences")
    return 0


if __name__ == "__main__":
    sys.exit(main())

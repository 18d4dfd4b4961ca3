"""Waiting for what the trader reads of a market once somebody looks at it."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from binance_trade_agent.desk.desk import Desk
from binance_trade_agent.ops.clock import monotonic_seconds, sleep_seconds

FRESH_SECONDS = 5.0  # the trader reads what is looked at about each second
WAIT_SECONDS = 6.0
LOOK_SECONDS = 0.1

T = TypeVar("T")


async def awaited(desk: Desk, look: Callable[[], Awaitable[T | None]], is_enough: Callable[[T], bool]) -> T | None:
    """What `look` finds on the board, once it is enough; until then it looks again, for some seconds.

    Without a trader nobody puts up more, so then it does not wait.
    """
    until = monotonic_seconds() + WAIT_SECONDS
    while True:
        found = await look()
        if (found is not None and is_enough(found)) or monotonic_seconds() >= until or not desk.is_running():
            return found
        await sleep_seconds(LOOK_SECONDS)

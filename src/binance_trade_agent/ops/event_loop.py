"""The event loop of the daemon, and what would hold it from outside: Python's garbage collector."""

import asyncio
import contextlib
import gc
from collections.abc import Iterator

from binance_trade_agent.ops.clock import is_machines_time

_SETTLED_SECONDS = 120.0


def fast_loop() -> "type[asyncio.AbstractEventLoop] | None":
    """The uvloop event loop where it is installed, else None, asyncio's own."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.Loop


@contextlib.contextmanager
def settling() -> Iterator[None]:
    """Once this has gone on for two minutes, what is there then is out of the collector's way: most of it stays.

    With 500 symbols a full collection held the event loop for 8 to 48 ms before, and for 3 to 11 ms after. In virtual
    time one process lives through many such programs, whose remains are to be collected.
    """
    timer = asyncio.get_running_loop().call_later(_SETTLED_SECONDS, gc.freeze) if is_machines_time() else None
    try:
        yield
    finally:
        if timer is not None:
            timer.cancel()

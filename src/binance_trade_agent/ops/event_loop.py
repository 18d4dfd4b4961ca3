"""The event loop of the daemon, and what would hold it from outside: Python's garbage collector."""

import asyncio
import contextlib
import gc
import socket
import sys
from collections.abc import Callable, Iterator
from typing import Any

from binance_trade_agent.ops.clock import is_machines_time

_SETTLED_SECONDS = 120.0
_SWITCH_SECONDS = 0.0002


def fast_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """What makes a uvloop event loop where that is installed, else None: asyncio's own."""
    try:
        import uvloop
    except ImportError:
        return None

    def made() -> asyncio.AbstractEventLoop:
        loop = uvloop.Loop()
        loop.set_exception_handler(_unless_nobody_waits)
        return loop

    return made


def _unless_nobody_waits(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Report as ever what nobody caught, but for the look-up of a name that a connection has stopped waiting for.

    uvloop forgets it when connecting takes too long (MagicStack/uvloop issue 437, pull request 590). Who wanted the
    connection has said so; without this, a Redis whose name is unknown fills the log.
    """
    if type(context.get("future")) is asyncio.Future and isinstance(context.get("exception"), socket.gaierror):
        return
    loop.default_exception_handler(context)


def let_threads_in() -> None:
    """Let the ledger's thread have the interpreter soon when the event loop is busy.

    It waits for it after each step of SQLite, by default 5 ms. While 500 candles were decided on, a look into the
    ledger for an entry took up to 130 ms, and then 4 to 30.
    """
    sys.setswitchinterval(_SWITCH_SECONDS)


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

"""Runs coroutines that never wait, without an event loop: a loop's turn costs more than what an agent does in it."""

from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


def run_now(coroutine: Coroutine[Any, Any, T]) -> T:
    """What `coroutine` returns; what it raises comes out.

    Raises:
        RuntimeError: it waits for something, which nobody would bring; it was closed.
    """
    try:
        awaited = coroutine.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    coroutine.close()
    raise RuntimeError(f"{coroutine} waits for {awaited!r}, and in a backtest nothing is waited for")

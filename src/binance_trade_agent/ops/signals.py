"""Signals that end the daemon: before it trades, while it trades, and a second time when the first takes too long."""

import asyncio
import contextlib
import logging
import signal
import sys
from collections.abc import Iterator
from types import FrameType
from typing import Any, Protocol

log = logging.getLogger(__name__)


class Stoppable(Protocol):
    """What the first signal asks to end."""

    def request_stop(self, reason: str) -> None:
        """End after what is under way."""
        ...


class StopSignals:
    """The first signal ends the run in good order, the second at once.

    Attributes:
        has_ended_start: whether the first one came before there was a loop, and cancelled the start.
    """

    def __init__(self, main: "asyncio.Task[Any] | None") -> None:
        self.has_ended_start = False
        self._loop: Stoppable | None = None
        self._main = main
        self._first: signal.Signals | None = None

    def listen_for(self, loop: Stoppable) -> None:
        """From here on the first signal stops this loop, at once when it has come already.

        A cancelled start may go on all the same: asyncio.wait_for of Python 3.11, which redis-py uses, returns a result
        that comes at the same moment instead (python/cpython issue 86296).
        """
        self._loop = loop
        if self._first is not None:
            self._stop(loop, self._first)

    def receive(self, number: signal.Signals) -> None:
        """Handle one signal."""
        if self._first is None and self._loop is not None:
            self._stop(self._loop, number)
        elif self._main is not None:
            self.has_ended_start = self._loop is None
            self._main.cancel()
        self._first = number

    def _stop(self, loop: Stoppable, number: signal.Signals) -> None:
        log.info("%s: ending; a second signal ends at once", number.name)
        loop.request_stop(number.name)


def end_quietly_until_listened_to(before: str) -> None:
    """Let a signal end the process well while it still imports and reads settings; nothing can be under way yet.

    Args:
        before: what has not happened then, such as `trading began`.
    """

    def end(number: int, _frame: FrameType | None) -> None:
        print(f"{signal.Signals(number).name}: stopped before {before}", file=sys.stderr)
        sys.exit(0)

    for number in _handled():
        signal.signal(number, end)


@contextlib.contextmanager
def stop_signals() -> Iterator[StopSignals]:
    """Listen to signals in the running event loop until the end of the context."""
    running = asyncio.get_running_loop()
    before = {number: signal.getsignal(number) for number in _handled()}
    signals = StopSignals(asyncio.current_task())
    for number in before:
        running.add_signal_handler(number, signals.receive, number)
    try:
        yield signals
    finally:
        for number, handler in before.items():
            running.remove_signal_handler(number)
            signal.signal(number, handler)


def _handled() -> list[signal.Signals]:
    """SIGHUP too, which a closed terminal sends, unless somebody (nohup) had it ignored."""
    numbers = [signal.SIGTERM, signal.SIGINT]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        numbers.append(signal.SIGHUP)
    return numbers

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
        loop: the loop that the first one stops; while there is none it cancels the start.
        has_ended_start: whether it did.
    """

    def __init__(self, main: "asyncio.Task[Any] | None") -> None:
        self.loop: Stoppable | None = None
        self.has_ended_start = False
        self._main = main
        self._is_first = True

    def receive(self, number: signal.Signals) -> None:
        """Handle one signal."""
        if self._is_first and self.loop is not None:
            log.info("%s: ending; a second signal ends at once", number.name)
            self.loop.request_stop(number.name)
        elif self._main is not None:
            self.has_ended_start = self.loop is None
            self._main.cancel()
        self._is_first = False


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

"""Faults of user events on their way to a connection: later, never, twice, or behind the next one."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from binance_trade_agent.simulator.faults.kinds import EventDelay, EventDrop, EventDuplicate, EventFault, EventReorder
from binance_trade_agent.simulator.outbox import Outbox

Send = Callable[[], None]


@dataclass(slots=True)
class _Delayed:
    """An event in its line; `due_seconds` is time of the event loop."""

    due_seconds: float
    send: Send


class EventFaults:
    """The way of user events to connections. Delayed events form a line: what comes behind them waits as well."""

    def __init__(self, meeting: Callable[[str, Outbox], EventFault | None]) -> None:
        """`meeting` says what meets an event of a type on its way to a connection."""
        self._meeting = meeting
        self._overtaken: WeakKeyDictionary[Outbox, list[Send]] = WeakKeyDictionary()
        self._lines: WeakKeyDictionary[Outbox, deque[_Delayed]] = WeakKeyDictionary()

    def pass_on(self, event: str, outbox: Outbox, send: Send) -> None:
        """Send an event of type `event`, as the fault has it that meets it."""
        match fault := self._meeting(event, outbox):
            case None:
                self._send_in_line(outbox, send)
                self._send_overtaken(outbox)
            case EventDelay():
                self._send_in_line(outbox, send, fault.ms)
                self._send_overtaken(outbox)
            case EventDrop():
                pass
            case EventDuplicate():
                self._send_in_line(outbox, send)
                self._send_in_line(outbox, send)
                self._send_overtaken(outbox)
            case EventReorder():
                self._overtaken.setdefault(outbox, []).append(send)
                asyncio.get_running_loop().call_later(fault.ms / 1000, self._send_overtaken, outbox)

    def _send_overtaken(self, outbox: Outbox) -> None:
        """Send what had to wait for another event."""
        for send in self._overtaken.pop(outbox, []):
            self._send_in_line(outbox, send)

    def _send_in_line(self, outbox: Outbox, send: Send, delay_ms: int = 0) -> None:
        """Send behind all that is delayed, and not before `delay_ms` have passed."""
        line = self._lines.get(outbox)
        if not line and not delay_ms:
            send()
            return
        if line is None:
            line = self._lines[outbox] = deque()
        loop = asyncio.get_running_loop()
        line.append(_Delayed(loop.time() + delay_ms / 1000, send))
        if len(line) == 1:
            loop.call_at(line[0].due_seconds, self._send_due, outbox)

    def _send_due(self, outbox: Outbox) -> None:
        """Send the head of the line, and what waited for nothing but that."""
        line, loop = self._lines[outbox], asyncio.get_running_loop()
        while line and line[0].due_seconds <= loop.time():
            line.popleft().send()
        if line:
            loop.call_at(line[0].due_seconds, self._send_due, outbox)

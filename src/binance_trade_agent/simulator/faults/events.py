"""Faults of user events on their way to a connection: later, never, twice, or behind the next one."""

import asyncio
from collections.abc import Callable
from weakref import WeakKeyDictionary

from binance_trade_agent.simulator.faults.kinds import EventDelay, EventDrop, EventDuplicate, EventFault, EventReorder
from binance_trade_agent.simulator.outbox import Outbox

Send = Callable[[], None]


class EventFaults:
    """The way of user events to connections."""

    def __init__(self, meeting: Callable[[str, Outbox], EventFault | None]) -> None:
        """`meeting` says what meets an event of a type on its way to a connection."""
        self._meeting = meeting
        self._overtaken: WeakKeyDictionary[Outbox, list[Send]] = WeakKeyDictionary()

    def pass_on(self, event: str, outbox: Outbox, send: Send) -> None:
        """Send an event of type `event`, as the fault has it that meets it."""
        match fault := self._meeting(event, outbox):
            case None:
                send()
                self._send_overtaken(outbox)
            case EventDelay():
                asyncio.get_running_loop().call_later(fault.ms / 1000, send)
            case EventDrop():
                pass
            case EventDuplicate():
                send()
                send()
                self._send_overtaken(outbox)
            case EventReorder():
                self._overtaken.setdefault(outbox, []).append(send)
                asyncio.get_running_loop().call_later(fault.ms / 1000, self._send_overtaken, outbox)

    def _send_overtaken(self, outbox: Outbox) -> None:
        """Send what had to wait for another event."""
        for send in self._overtaken.pop(outbox, []):
            send()

"""Faults of sockets: closing, cutting, freezing, and a shutdown that is announced (binance-protocol.md Appendix A)."""

from collections.abc import Callable, Sequence

from binance_trade_agent.ops import tasks
from binance_trade_agent.ops.clock import sleep_seconds
from binance_trade_agent.simulator.faults.kinds import (
    Fault,
    Occasion,
    ServerShutdown,
    Target,
    WsAbort,
    WsClose,
    WsFreezeAll,
    WsFreezeData,
)
from binance_trade_agent.simulator.outbox import GOING_AWAY, Freeze, Outbox
from binance_trade_agent.simulator.streams.connection import StreamConnection

TARGETS: tuple[Target, ...] = ("ws-api", "streams")
_FREEZES = {WsFreezeData: Freeze.DATA, WsFreezeAll: Freeze.ALL}


class SocketFaults:
    """Does to connections what faults say.

    Args:
        ws_api: the open connections of the WebSocket API; the list is looked at each time.
        streams: those of the market streams.
        announce_shutdown: sends the event serverShutdown to all sockets of a target.
    """

    def __init__(
        self,
        ws_api: Sequence[Outbox],
        streams: Sequence[StreamConnection],
        announce_shutdown: Callable[[Target], None],
    ) -> None:
        self._ws_api = ws_api
        self._streams = streams
        self._announce_shutdown = announce_shutdown
        self._frozen: dict[Target, Freeze] = dict.fromkeys(TARGETS, Freeze.NO)

    def begin(self, fault: Fault, occasion: Occasion | None) -> None:
        """Let a fault of sockets happen."""
        match fault:
            case WsClose():
                for outbox in self._met(fault, occasion):
                    tasks.spawn(outbox.disconnect(fault.code), name="close a websocket")
            case WsAbort():
                for outbox in self._met(fault, occasion):
                    outbox.reset()
            case WsFreezeData() | WsFreezeAll():
                self._freeze(fault, occasion, _FREEZES[type(fault)])
            case ServerShutdown():
                for target in targets_of(fault):
                    self._announce_shutdown(target)
                tasks.spawn(_close_later(self._met(fault, occasion), fault.lead_ms), name="shut websockets down")

    def end(self, fault: Fault) -> None:
        """Thaw what a fault has frozen."""
        self._freeze(fault, None, Freeze.NO)

    def connected(self, target: Target, outbox: Outbox) -> None:
        """A new connection has come: it is as frozen as the others."""
        if self._frozen[target] is not Freeze.NO:
            outbox.freeze(self._frozen[target])

    def outboxes(self, target: Target) -> list[Outbox]:
        """Every open connection of a target."""
        return list(self._ws_api) if target == "ws-api" else [connection.outbox for connection in self._streams]

    def _freeze(self, fault: Fault, occasion: Occasion | None, freeze: Freeze) -> None:
        if occasion is None:
            self._frozen |= dict.fromkeys(targets_of(fault), freeze)
        for outbox in self._met(fault, occasion):
            outbox.freeze(freeze)

    def _met(self, fault: Fault, occasion: Occasion | None) -> list[Outbox]:
        """The connections that a fault is about: the one of the occasion, those that hear its stream, or all."""
        if occasion is not None and occasion.outbox is not None:
            return [occasion.outbox]
        if occasion is not None and occasion.stream:
            return [connection.outbox for connection in self._streams if occasion.stream in connection.names]
        return [outbox for target in targets_of(fault) for outbox in self.outboxes(target)]


def targets_of(fault: Fault) -> Sequence[Target]:
    """The kinds of sockets that a fault is about."""
    return TARGETS if fault.target is None else (fault.target,)


async def _close_later(outboxes: Sequence[Outbox], lead_ms: int) -> None:
    await sleep_seconds(lead_ms / 1000)
    for outbox in outboxes:
        await outbox.disconnect(GOING_AWAY)

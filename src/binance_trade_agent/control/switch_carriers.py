"""The commands that need nothing but their row: they are switches, and the row itself is where a switch stands."""

import logging
from collections.abc import Awaitable, Callable, Mapping

from binance_trade_agent.control import commands
from binance_trade_agent.control.carriers import Carried, Carrier, Moment, done, refused
from binance_trade_agent.control.commands import Command, CommandKind
from binance_trade_agent.domain.orders import Role
from binance_trade_agent.domain.pause_scope import PauseScope
from binance_trade_agent.ledger.ledger import Ledger

log = logging.getLogger(__name__)


class SwitchCarriers:
    """Pause, resume, kill and release, for the trader named `instance`.

    What one switch allows again the other may still keep away: then the answer says so.

    Args:
        ledger: where the commands are.
        instance: the trader's name.
        obey: does at once what the kill switch asks for, and says how far that has come; empty for nothing to say.
    """

    def __init__(self, ledger: Ledger, instance: str, obey: Callable[[], Awaitable[str]]) -> None:
        self._ledger = ledger
        self._obey = obey
        self._release = f"`trade-agent release {instance}`"
        self._instance = instance

    @property
    def by_kind(self) -> Mapping[CommandKind, Carrier]:
        """The carrier of each kind."""
        return {
            CommandKind.PAUSE: self._pause,
            CommandKind.RESUME: self._resume,
            CommandKind.KILL: self._kill,
            CommandKind.RELEASE: self._let_go,
        }

    async def _pause(self, command: Command, moment: Moment) -> Carried:  # noqa: ARG002 (a Carrier)
        scope = command.payload.get("scope", PauseScope.ENTRIES)
        if scope not in list(PauseScope):
            return refused(f"scope is {scope!r}: it is {' or '.join(PauseScope)}")
        said = "entries are paused"
        if scope == PauseScope.EVERYTHING:
            said = "everything is paused but what protects positions: the strategy decides on no order"
        purchases = [
            order.client_order_id
            for order in await self._ledger.open_orders()
            if order.role is Role.ENTRY and order.is_persons_to_rest and not order.is_terminal
        ]
        if purchases:  # a pause decides on nothing new
            said += f"; what rests stays, and may still buy until it is cancelled: {', '.join(purchases)}"
        return done(said)

    async def _resume(self, command: Command, moment: Moment) -> Carried:  # noqa: ARG002 (a Carrier)
        if await commands.is_killed(self._ledger):
            return done(f"entries are no longer paused, but the kill switch is on until {self._release}")
        return done("entries are allowed again")

    async def _kill(self, command: Command, moment: Moment) -> Carried:  # noqa: ARG002 (a Carrier)
        said = f"the kill switch is on: nothing is entered until {self._release}"
        try:
            progress = await self._obey()
        except Exception as failure:  # refused, the switch would be off: it stands, and is obeyed at the next look
            log.exception("what the kill switch asks for failed")
            progress = f"not everything could be done yet: {type(failure).__name__}: {failure}"
        return done(f"{said}; {progress}" if progress else said)

    async def _let_go(self, command: Command, moment: Moment) -> Carried:  # noqa: ARG002 (a Carrier)
        given = command.payload.get("name", "")
        if given != self._instance:
            return refused(f"this trader is {self._instance}, not {given}: {self._release}")
        if await commands.is_paused(self._ledger):
            return done("the kill switch is off, but entries are paused until `trade-agent resume`")
        return done("the kill switch is off")

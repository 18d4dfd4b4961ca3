"""The commands that need nothing but their row: they are switches, and the row itself is where a switch stands."""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Literal, Protocol

from binance_trade_agent.control import commands
from binance_trade_agent.control.carriers import Carried, Carrier, Moment, done, refused
from binance_trade_agent.control.commands import HEARD, OF_ACCOUNT, Command, CommandKind
from binance_trade_agent.domain.claims import Halt, going_on
from binance_trade_agent.domain.orders import Role
from binance_trade_agent.domain.pause_scope import PauseScope
from binance_trade_agent.ledger.ledger import Ledger
from binance_trade_agent.ops.clock import wall_ms

log = logging.getLogger(__name__)


_OTHERS_WITHIN_MS = 60_000  # of when they were to stop: nobody wants it any more when a trader starts hours later


class Others(Protocol):
    """The other daemons of an account that several share."""

    def others(self) -> Sequence[str]:
        """The names of those that run and are not killed, as they were last seen."""
        ...

    async def halt_others(self, halt: Halt) -> str:
        """Have them stop or pause too; says who was asked, and who could not be."""
        ...


class SwitchCarriers:
    """Pause, resume, kill and release, for the trader named `instance`.

    What one switch allows again the other may still keep away: then the answer says so.

    Args:
        ledger: where the commands are.
        instance: the trader's name.
        obey: does at once what the kill switch asks for, and says how far that has come; empty for nothing to say.
        others: on the same account; None where this trader has it to itself.
    """

    def __init__(
        self, ledger: Ledger, instance: str, obey: Callable[[], Awaitable[str]], others: Others | None = None
    ) -> None:
        self._ledger = ledger
        self._others = others
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
        return done(_joined(said, await self._of_others(command, scope)))

    async def _resume(self, command: Command, moment: Moment) -> Carried:  # noqa: ARG002 (a Carrier)
        if await commands.is_killed(self._ledger):
            return done(f"entries are no longer paused, but the kill switch is on until {self._release}")
        return done("entries are allowed again")

    async def _kill(self, command: Command, moment: Moment) -> Carried:  # noqa: ARG002 (a Carrier)
        said = f"the kill switch is on: nothing is entered until {self._release}"
        others = await self._of_others(command, command.payload.get("reason", ""))
        try:
            progress = await self._obey()
        except Exception as failure:  # refused, the switch would be off: it stands, and is obeyed at the next look
            log.exception("what the kill switch asks for failed")
            progress = f"not everything could be done yet: {type(failure).__name__}: {failure}"
        return done(_joined(said, progress, others))

    async def _of_others(self, command: Command, said: str) -> str:
        """What becomes of the other daemons of the account; empty where there are none."""
        reach = command.payload.get(OF_ACCOUNT)
        if self._others is None:
            return "no other daemon is on this account, of which this one has all" if reach == "true" else ""
        if reach == HEARD:
            return ""
        if reach != "true":
            return going_on(self._others.others(), command.kind.value)
        if wall_ms() - command.requested_wall_ms > _OTHERS_WITHIN_MS:
            return "the other daemons of this account were not asked: it came too late"
        by = f"{command.requested_by} by way of {self._instance}"
        kind: Literal["kill", "pause"] = "kill" if command.kind is CommandKind.KILL else "pause"
        return await self._others.halt_others(Halt(kind, said, by, command.requested_wall_ms))

    async def _let_go(self, command: Command, moment: Moment) -> Carried:  # noqa: ARG002 (a Carrier)
        given = command.payload.get("name", "")
        if given != self._instance:
            return refused(f"this trader is {self._instance}, not {given}: {self._release}")
        if await commands.is_paused(self._ledger):
            return done("the kill switch is off, but entries are paused until `trade-agent resume`")
        return done("the kill switch is off")


def _joined(*parts: str) -> str:
    return "; ".join(part for part in parts if part)

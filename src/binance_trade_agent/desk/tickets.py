"""Confirmations: what is confirmed is what was shown, and a form that is sent twice places one command.

A confirmation shows what will be placed and keeps it here under a name that nobody can guess; the form carries the name
only. Kept in this process's memory: after a restart nothing that was shown before can be confirmed.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from binance_trade_agent.control.commands import CommandKind
from binance_trade_agent.ops.clock import monotonic_seconds
from binance_trade_agent.ops.tasks import spawn

LIFETIME_SECONDS = 60
_KEPT_SECONDS = 3_600.0  # so long a form that was sent is recognised
_MOST = 2_000


class TicketError(ValueError):
    """It cannot be confirmed; the sentence says why, and that nothing was placed."""


@dataclass(slots=True)
class Ticket:
    """What was shown to one session.

    Attributes:
        owner: the session's token.
        words: what was shown, in a sentence.
        command_id: of the command that it was placed as; None until then.
    """

    kind: CommandKind
    payload: Mapping[str, str]
    owner: str
    made_at: float
    words: str = ""
    name: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    command_id: int | None = None
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


class Tickets:
    """All of them, the oldest first."""

    def __init__(self) -> None:
        self._kept: dict[str, Ticket] = {}

    def issue(self, kind: CommandKind, payload: Mapping[str, str], owner: str, words: str = "") -> Ticket:
        """Keep what is shown."""
        now = monotonic_seconds()
        while self._kept:
            oldest = next(iter(self._kept.values()))
            if len(self._kept) < _MOST and now - oldest.made_at <= _KEPT_SECONDS:
                break
            del self._kept[oldest.name]
        ticket = Ticket(kind, dict(payload), owner, now, words)
        self._kept[ticket.name] = ticket
        return ticket

    def find(self, name: str, owner: str) -> Ticket:
        """A ticket that may be redeemed, or that was.

        Raises:
            TicketError: it is not known, another session's, or too old.
        """
        ticket = self._kept.get(name)
        if ticket is None or ticket.owner != owner:
            raise TicketError(  # it may have been placed, and the process begun anew since
                "this confirmation is not known any more: nothing is placed by it now; see what was asked for "
                "before you ask again"
            )
        if ticket.command_id is None and monotonic_seconds() - ticket.made_at > LIFETIME_SECONDS:
            raise TicketError(
                f"this confirmation is older than {LIFETIME_SECONDS} s, and prices have moved: look at the order "
                "again; nothing was placed"
            )
        return ticket

    def withdraw(self, ticket: Ticket) -> None:
        """It can be redeemed no more."""
        self._kept.pop(ticket.name, None)

    async def redeem(self, name: str, owner: str, place: Callable[[Ticket], Awaitable[int]]) -> int:
        """The command of a ticket: placed now, or the one that it was placed as before.

        Placing goes on when who asked for it gives up meanwhile, so that the next who asks finds that command.

        Raises:
            TicketError: it is not known, another session's, or too old.
        """
        ticket = self.find(name, owner)

        async def placed() -> int | Exception:
            async with ticket.turn:
                try:
                    if ticket.command_id is None:
                        self.find(name, owner)  # time has passed, or somebody has withdrawn it
                        ticket.command_id = await place(ticket)
                except Exception as failure:  # noqa: BLE001 (it belongs to who asked, and is no failure of the task)
                    return failure
                return ticket.command_id

        came: int | Exception = await asyncio.shield(spawn(placed(), name="redeem"))
        if isinstance(came, Exception):
            raise came
        return came

"""How a command is carried out: one carrier for each kind, which says what came of it.

The trading loop asks the carrier and writes its answer; what has to be written in the same transaction, and what is to
happen once it is written, goes with it.
"""

import sqlite3
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from binance_trade_agent.control.commands import Command, CommandState


@dataclass(frozen=True, slots=True)
class Moment:
    """When, and in which run, a command is carried out. Market time, ms UTC.

    Attributes:
        next_tick_ms: when the next tick is due.
    """

    run_id: str
    now_ms: int
    next_tick_ms: int


@dataclass(frozen=True, slots=True)
class Carried:
    """What came of a command.

    Attributes:
        state: DONE or REFUSED.
        answer: one sentence for who asked.
        client_order_id: of the order that it asked for; None when there is none.
        beside: written in the transaction of the answer.
        afterwards: called once the answer is written.
    """

    state: CommandState
    answer: str
    client_order_id: str | None = None
    beside: Callable[[sqlite3.Connection], None] | None = None
    afterwards: Callable[[], None] | None = None


Carrier = Callable[[Command, Moment], Awaitable[Carried | None]]
"""Carries a command out; None: what came of it is not known yet, and it is carried on at the next look.

Raises:
    ExchangeError, LedgerError: it could not be done now; the command waits and is carried out at the next look.
"""


class Switch(Protocol):
    """Changes what is in use when a command asks for it, and keeps to it over restarts."""

    async def begin_run(self, run_id: str, started_ms: int) -> None:
        """Note what the run begins with, where the ledger does not say it already."""
        ...

    async def carry_out(self, command: Command, moment: Moment) -> Carried:
        """See Carrier."""
        ...


def done(answer: str) -> Carried:
    """It was done."""
    return Carried(CommandState.DONE, answer)


def refused(answer: str) -> Carried:
    """It was not done, and nothing has changed."""
    return Carried(CommandState.REFUSED, answer)

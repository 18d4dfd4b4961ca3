"""Alarms: said once in the log, counted and kept in the ledger, and a shut gate for those that forbid to enter."""

import logging

from binance_trade_agent.agents.entry_gate import EntryGate
from binance_trade_agent.domain.clock import Clock
from binance_trade_agent.ledger.books import Books
from binance_trade_agent.ledger.errors import LedgerError

log = logging.getLogger(__name__)


class Alarms:
    """Raises and clears alarms. What stood when the last daemon ended stands again after `load`.

    Args:
        gate: shut by alarms that block, under the alarm's kind and subject.
    """

    def __init__(self, books: Books, clock: Clock, gate: EntryGate) -> None:
        self._books = books
        self._clock = clock
        self._gate = gate
        self._standing: set[tuple[str, str]] = set()

    async def load(self) -> None:
        """Take over the alarms that stand in the ledger."""
        for alarm in await self._books.alarms():
            self._standing.add((alarm.kind, alarm.subject))
            if alarm.blocks:
                self._gate.block(alarm.kind, alarm.text, alarm.subject)

    async def sound(self, kind: str, subject: str, text: str, *, blocks: str | None = None) -> None:
        """Raise an alarm. While it stands, it is counted and not said again.

        Args:
            kind: what is wrong, such as `late_fill`.
            subject: what it is about: an order, a symbol, an asset; empty for everything.
            text: one sentence for a person.
            blocks: the symbol that may not be entered meanwhile, empty for all of them; None blocks nothing. An alarm
                that blocks has the symbol as its subject.
        """
        if blocks is not None:
            self._gate.block(kind, text, blocks)
        if (kind, subject) not in self._standing:
            self._standing.add((kind, subject))
            log.error("alarm %s%s: %s", kind, f" ({subject})" if subject else "", text)
        try:
            await self._books.raise_alarm(kind, subject, text, self._clock.now_ms(), blocks=blocks is not None)
        except LedgerError as failure:
            log.warning("the alarm could not be written: %s", failure)

    async def clear(self, kind: str, subject: str = "") -> None:
        """Note that it is over, if it stands."""
        if (kind, subject) not in self._standing:
            return
        try:
            await self._books.clear_alarm(kind, subject, self._clock.now_ms())
        except LedgerError:
            return  # it stands until that can be written
        self._standing.discard((kind, subject))
        self._gate.clear(kind, subject)
        log.warning("alarm %s%s is over", kind, f" ({subject})" if subject else "")

    def stands(self, kind: str, subject: str) -> bool:
        """Whether this alarm stands."""
        return (kind, subject) in self._standing

    def standing(self, kind: str) -> set[str]:
        """Subjects of the alarms of a kind that stand."""
        return {subject for name, subject in self._standing if name == kind}

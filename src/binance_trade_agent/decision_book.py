"""DecisionBook: what becomes of decisions once they are made: a line in the log, a count, a row in the ledger."""

from collections import Counter
from collections.abc import Callable, Collection, Sequence

import structlog

from binance_trade_agent.domain.decisions import Decision
from binance_trade_agent.ledger.ledger import Ledger
from binance_trade_agent.ledger.repeats import Repeats
from binance_trade_agent.reports.decision_line import decision_line
from binance_trade_agent.reports.decision_sums import DecisionSums, sums_line

trading_log = structlog.get_logger("trading")


class DecisionBook:
    """See above.

    Args:
        held: symbols with a position.
        is_wide: there are many symbols: what says nothing new is counted, and neither said nor written.

    Attributes:
        decided: decisions of this run, by (symbol, outcome, rule that refused or empty).
    """

    def __init__(self, ledger: Ledger, held: Callable[[], Collection[str]], *, is_wide: bool) -> None:
        self.decided: Counter[tuple[str, str, str]] = Counter()
        self._ledger = ledger
        self._held = held
        self._sums = DecisionSums() if is_wide else None
        self._repeats = Repeats() if is_wide else None
        self._fills_seen = 0

    def note(self, decisions: list[Decision]) -> list[Decision]:
        """Say and count them."""
        for decision in decisions:
            if self._sums is None or self._sums.is_news(decision):
                _log_decision(decision)
            self.decided[decision.symbol, decision.outcome.value, decision.rule or ""] += 1
        return decisions

    def say_sums(self, when: str) -> None:
        """Say what was counted of decisions that have no line of their own."""
        if self._sums is not None and (counted := self._sums.take()):
            trading_log.info("decisions_counted", line=sums_line(counted, when), counted=counted, when=when)

    async def keep(self, decisions: Sequence[Decision]) -> None:
        """Write them; with many symbols those that say something new, and of the others that they do not.

        Raises:
            LedgerError: they could not be written.
        """
        if not decisions:
            return
        if self._repeats is None:
            await self._ledger.record_decisions(decisions)
            return
        fills = self._ledger.counts.fills.total()
        if fills != self._fills_seen:  # what is said of the time since a trade begins with it
            self._fills_seen = fills
            self._repeats.forget()
        new, again = self._repeats.sorted_out(decisions, self._held())
        await self._ledger.record_decisions(new, again)
        self._repeats.note(new)


def _log_decision(decision: Decision) -> None:
    signal = decision.signal
    trading_log.info(
        "decision",
        line=decision_line(decision),
        symbol=decision.symbol,
        outcome=decision.outcome.value,
        detail=decision.detail,
        rule=decision.rule,
        client_order_id=decision.client_order_id,
        action=signal.action.value if signal else None,
        confidence=signal.confidence if signal else None,
        reason=signal.reason if signal else None,
    )

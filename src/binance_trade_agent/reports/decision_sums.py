"""What the log says of many symbols' decisions: a line each of what is new, one line for all others together."""

from collections import Counter

from binance_trade_agent.domain.decisions import Decision, Outcome

# What goes on like this says nothing new; where it begins it is said.
_CALM = frozenset({Outcome.HELD, Outcome.SKIPPED})
_LASTING = frozenset({Outcome.REFUSED, Outcome.NO_DATA, Outcome.FAILED})
_MOST_ALIKE = 5  # lines at a time about the same; the others are counted

_WORDS = {
    Outcome.HELD: "HOLD",
    Outcome.SKIPPED: "nothing to do",
    Outcome.REFUSED: "refused by {}",
    Outcome.NO_DATA: "no sound data",
    Outcome.FAILED: "failed",
}


class DecisionSums:
    """Sorts out what gets a line of its own, and counts the rest until it is said."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[Outcome, str | None]] = {}
        self._said: Counter[tuple[Outcome, str | None]] = Counter()
        self._counted: Counter[tuple[Outcome, str | None]] = Counter()

    def is_news(self, decision: Decision) -> bool:
        """Whether a decision gets its own line: what came of an order, and a refusal or a failure that begins."""
        end = (decision.outcome, decision.rule)
        begins = self._last.get(decision.symbol) != end
        self._last[decision.symbol] = end
        if decision.outcome in _LASTING and begins and self._said[end] < _MOST_ALIKE:
            self._said[end] += 1
            return True
        if decision.outcome in _CALM | _LASTING:
            self._counted[end] += 1
            return False
        return True

    def take(self) -> dict[str, int]:
        """How many were counted since the last time, by how they ended: `HOLD`, `refused by max_open_positions`."""
        counted: Counter[str] = Counter()
        for (outcome, rule), times in self._counted.items():
            counted[_WORDS[outcome].format(rule)] += times
        self._counted.clear()
        self._said.clear()
        return dict(counted.most_common())


def sums_line(counted: dict[str, int], when: str) -> str:
    """`312 HOLD, 170 refused by max_open_positions (more of this tick)`."""
    return f"⏸️ {', '.join(f'{times:,} {ended}' for ended, times in counted.items())} ({when})"

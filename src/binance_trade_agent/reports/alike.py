"""Decisions that ended alike, counted together: reasons that differ in numbers only are the same."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from binance_trade_agent.domain.decisions import Outcome

_NUMBER = re.compile(r"[-+±]?\d[\d,]*(?:\.\d+)?")
_WITH_ORDER = {Outcome.ORDERED, Outcome.EXECUTED, Outcome.REJECTED, Outcome.UNFILLED, Outcome.UNKNOWN}


class Ended(Protocol):
    """What is counted of a decision."""

    @property
    def outcome(self) -> Outcome: ...  # noqa: D102
    @property
    def rule(self) -> str | None: ...  # noqa: D102
    @property
    def detail(self) -> str: ...  # noqa: D102
    @property
    def again(self) -> int: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Count:
    """How many decisions ended alike. In the reason `…` stands for a number that differed among them."""

    outcome: str
    rule: str | None
    reason: str
    times: int


def counts(decisions: Iterable[Ended]) -> list[Count]:
    """How many decisions ended how and why, most frequent first; reasons that differ in numbers only are the same."""
    alike: dict[tuple[str, str | None, str], list[str]] = {}
    times: Counter[tuple[str, str | None, str]] = Counter()
    for decision in decisions:
        # What an order came to is told by its own line; why nothing was ordered is told by the reasons.
        reason = "" if decision.outcome in _WITH_ORDER else decision.detail
        key = (decision.outcome.value, decision.rule, _NUMBER.sub("…", reason))
        alike.setdefault(key, []).append(reason)
        times[key] += 1 + decision.again
    found = [Count(key[0], key[1], _common(reasons), times[key]) for key, reasons in alike.items()]
    return sorted(found, key=lambda count: -count.times)


def how_often(decisions: Iterable[tuple[str, Ended]]) -> dict[str, int]:
    """How many decisions there are under each name, most first."""
    times: Counter[str] = Counter()
    for name, decision in decisions:
        times[name] += 1 + decision.again
    return dict(times.most_common())


def _common(reasons: Sequence[str]) -> str:
    """The reason that all share, with the numbers that are the same in all."""
    numbers = zip(*(_NUMBER.findall(reason) for reason in reasons), strict=True)
    same = iter([given[0] if len(set(given)) == 1 else "…" for given in numbers])
    return _NUMBER.sub(lambda _: next(same), reasons[0])

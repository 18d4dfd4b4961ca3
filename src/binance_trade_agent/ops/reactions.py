"""How long it takes from the event that closes a candle until the order that it leads to is on the wire.

It begins where the event is taken from its connection and ends where the request's head is written: strategy, rules,
ledger and the wait for the request budget lie between. What the event loop was late by before is in its own lag.
"""

import asyncio
import math
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from binance_trade_agent.ops.clock import monotonic_seconds
from binance_trade_agent.ops.durations import Durations
from binance_trade_agent.ops.tasks import wait_for_any
from binance_trade_agent.ops.vitals import ReactionVitals

_MEASURED = 1_000
_SHARES = (0.5, 0.9, 0.99)
# Dense where a quick trader is: quantiles are told from these.
_BOUNDS_SECONDS = (
    *(0.005, 0.01, 0.015, 0.02, 0.03, 0.04, 0.05, 0.075, 0.1, 0.15, 0.2, 0.25),
    *(0.35, 0.5, 0.75, 1.0, 2.5, 5.0, 10.0, 30.0),
)


class Reactions:
    """Measures the first order of each decision that a closed candle has led to.

    Attributes:
        durations: of all of them.
    """

    def __init__(self) -> None:
        self.durations = Durations(_BOUNDS_SECONDS)
        self._latest_ms: deque[float] = deque(maxlen=_MEASURED)
        self._under_way = 0
        self._are_over = asyncio.Event()

    async def over(self, timeout_seconds: float) -> None:
        """Wait until each decision on a candle that has begun has its order on the wire, or leads to none."""
        if self._under_way:
            self._are_over.clear()
            await wait_for_any((), timeout_seconds, self._are_over)

    def one_less(self) -> None:
        """One is over."""
        self._under_way -= 1
        if not self._under_way:
            self._are_over.set()

    @contextmanager
    def to(self, closed_seconds: float | None) -> Iterator[None]:
        """While this task decides on a candle whose end came at that monotonic time; None: nothing has just closed."""
        if closed_seconds is None:
            yield
            return
        reaction = _Reaction(self, closed_seconds)
        self._under_way += 1
        token = _present.set(reaction)
        try:
            yield
        finally:
            _present.reset(token)
            reaction.gives_up()  # tasks that it has begun go on in its context

    def note(self, seconds: float) -> None:
        """One took so long."""
        self.durations.note(seconds)
        self._latest_ms.append(1000 * seconds)

    def vitals(self) -> ReactionVitals:
        """What was measured. A percentile is the smallest time that so many do not exceed."""
        ordered = sorted(self._latest_ms)
        if not ordered:
            return ReactionVitals()
        p50, p90, p99 = (round(ordered[math.ceil(share * len(ordered)) - 1], 1) for share in _SHARES)
        return ReactionVitals(
            count=self.durations.count,
            measured=len(ordered),
            p50_ms=p50,
            p90_ms=p90,
            p99_ms=p99,
            longest_ms=round(ordered[-1], 1),
        )


class _Reaction:
    """One decision's."""

    def __init__(self, reactions: Reactions, closed_seconds: float) -> None:
        self._is_over = False
        self._reactions = reactions
        self._closed_seconds = closed_seconds

    def ends(self) -> None:
        """Its order is on the wire."""
        if not self._is_over:
            self._reactions.note(monotonic_seconds() - self._closed_seconds)
            self.gives_up()

    def gives_up(self) -> None:
        """What has been sent until now is all that counts."""
        if not self._is_over:
            self._is_over = True
            self._reactions.one_less()


_present: ContextVar[_Reaction | None] = ContextVar("present_reaction", default=None)


def order_sent() -> None:
    """An order of the present task is on the wire."""
    if (reaction := _present.get()) is not None:
        reaction.ends()

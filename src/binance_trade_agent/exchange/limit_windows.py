"""What is used up of the exchange's limits in the running calendar window (binance-protocol.md 2.8)."""

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from binance_trade_agent.exchange.weights import SHARE, Cost, Priority

MINUTE_MS = 60_000
_DEFAULT_WEIGHT_LIMIT = 6_000
_DEFAULT_ORDER_LIMIT = 50
_TEN_SECONDS_MS, _DAY_MS = 10_000, 86_400_000
# How much of an order limit entries may use, with what protects them: the rest is for positions that are there already.
ENTRIES_SHARE = 0.9


@dataclass(frozen=True, slots=True)
class Mark:
    """The moment in which a request was sent: the number of the minute, and all weight that was settled by then."""

    minute: int
    settled: int


class WeightWindow:
    """The weight that the address has used in this minute, never less than what the exchange may have counted.

    That is what it said, and all that may have been counted after it said so.

    Args:
        now_ms: the exchange's time in ms.
        uncertainty_ms: how far that time may be off. So near to a window's beginning an answer may still speak of the
            window before, so its header says nothing.
    """

    def __init__(self, now_ms: Callable[[], int], uncertainty_ms: float) -> None:
        self.limit = _DEFAULT_WEIGHT_LIMIT
        self._now_ms = now_ms
        self._uncertainty_ms = min(uncertainty_ms, MINUTE_MS / 2)
        self._number = 0
        self._confirmed = 0
        self._in_flight = 0
        self._settled = 0  # in all, over all minutes

    @property
    def number(self) -> int:
        """Number of the running minute since the epoch."""
        number = self._now_ms() // MINUTE_MS
        if number > self._number or number < self._number - 1:  # a clock that is set back a little stays in its window
            self._number, self._confirmed = number, 0
        return self._number

    @property
    def used(self) -> int:
        """Weight used in the running minute."""
        _ = self.number
        return self._confirmed + self._in_flight

    @property
    def ms_left(self) -> int:
        """Exchange time until the next minute begins, at least 1."""
        return max(1, (self.number + 1) * MINUTE_MS - self._now_ms())

    def room_for(self, priority: Priority) -> int:
        """How much of the limit this priority may use."""
        return int(self.limit * SHARE[priority])

    def fits(self, cost: Cost) -> bool:
        """Whether the request may be sent now. One that is too large for any window may be sent in an empty one."""
        room = self.room_for(cost.priority)
        return self.used + min(cost.weight, room) <= room

    def reserve(self, weight: int) -> None:
        """Take the weight before the request is sent."""
        self._in_flight += weight

    def mark(self) -> Mark:
        """To be taken when the request is sent."""
        return Mark(self.number, self._settled)

    def release(self, weight: int) -> None:
        """Give back what was not sent."""
        self._in_flight -= weight

    def answered(self, weight: int, sent: Mark, used_weight: int | None) -> None:
        """Settle a request that was sent.

        Args:
            weight: what was reserved.
            sent: when.
            used_weight: what the answer says, None when there was none. It was true at some moment since the sending:
                what was settled in between may have been counted before it or after.
        """
        self._in_flight -= weight
        number = self.number
        is_certain = self._now_ms() - number * MINUTE_MS >= self._uncertainty_ms
        if used_weight is None or sent.minute != number or not is_certain:
            self._confirmed += weight
        else:
            self._confirmed = max(self._confirmed, used_weight + self._settled - sent.settled)
        self._settled += weight

    def raise_to(self, used: int) -> None:
        """Somebody else who asks from this address knows of more."""
        self._confirmed = max(self._confirmed, used - self._in_flight)


class OrderWindow:
    """Orders that the account has placed in the running calendar window, as the placements' answers say.

    Attributes:
        limit: as many may be placed; None while it is not known.
        length: in words.
    """

    def __init__(self, now_ms: Callable[[], int], length_ms: int, length: str, limit: int | None) -> None:
        self.limit = limit
        self.length = length
        self._now_ms = now_ms
        self._length_ms = length_ms
        self._number = 0
        self._count: int | None = None
        self._unanswered = 0

    def note(self, count: int) -> None:
        """Take the count from an answer; of those that come at once the first may say more than the last."""
        self._count = max(count, self.count or 0)

    def miss(self, orders: int) -> None:
        """So many were sent and not answered: they may count."""
        self._roll()
        self._unanswered += orders

    @property
    def count(self) -> int | None:
        """As many as a placement of this window was told; None when there was none in it."""
        self._roll()
        return self._count

    @property
    def seconds_left(self) -> int:
        """Whole seconds of exchange time until the next window begins."""
        return math.ceil((self._length_ms - self._now_ms() % self._length_ms) / 1000)

    def objection(self, orders: int, expected: int) -> str | None:
        """Why an entry of so many orders may not be made now; None when it may.

        It may when it leaves free what is kept for exits, though all that are `expected` are placed too. One that is
        too large for any window may be made in an empty one.
        """
        used = (self.count or 0) + self._unanswered + expected
        if self.limit is None or not used or used + orders <= (room := int(self.limit * ENTRIES_SHARE)):
            return None
        what = "an entry" if orders == 1 else f"an entry's {orders} orders"
        return (
            f"no room for {what}: {used:,} of the {self.limit:,} orders that the exchange takes in {self.length} are "
            f"placed or about to be, {self.limit - room:,} are kept for exits; the count begins anew in "
            f"{self.seconds_left:,} s"
        )

    def _roll(self) -> None:
        if (number := self._now_ms() // self._length_ms) != self._number:
            self._number, self._count, self._unanswered = number, None, 0


class OrderLimits:
    """How many orders the account may place in ten seconds and in a day, and who is about to.

    Attributes:
        under_way: orders of requests that want to be sent, or were and are not answered: they may count already.
    """

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self.ten_seconds = OrderWindow(now_ms, _TEN_SECONDS_MS, "10 s", _DEFAULT_ORDER_LIMIT)
        self.day = OrderWindow(now_ms, _DAY_MS, "a day", None)
        self.under_way = 0
        self._promised: dict[asyncio.Task[Any], int] = {}

    def begin(self, orders: int) -> None:
        """So many want to be sent by this task, which may have been promised them."""
        self.under_way += orders
        task = asyncio.current_task()
        if task is not None and task in self._promised:
            self._promised[task] = max(0, self._promised[task] - orders)

    def end(self, orders: int, *, is_known: bool) -> None:
        """They are not under way any more. `is_known`: they were answered, or surely not sent."""
        self.under_way -= orders
        if orders and not is_known:
            self.ten_seconds.miss(orders)
            self.day.miss(orders)

    def fits(self, cost: Cost) -> bool:
        """Whether the orders, which are under way, may be placed now; those that are too many for any window, alone."""
        window = self.ten_seconds
        orders = (window.count or 0) + self.under_way
        return orders <= cost.orders or window.limit is None or orders <= int(window.limit * SHARE[cost.priority])

    def promise(self, orders: int) -> None:
        """Keep so many free for this task until it sends them or ends, from other entries only."""
        task = asyncio.current_task()
        assert task is not None, "an order is decided on in a task"
        self._promised[task] = orders

    def objection(self, orders: int) -> str | None:
        """Why an entry of so many orders may not be made now; None when it may.

        What this task was promised is for these orders, not beside them.
        """
        this = asyncio.current_task()
        self._promised = {task: left for task, left in self._promised.items() if left and not task.done()}
        expected = self.under_way + sum(left for task, left in self._promised.items() if task is not this)
        return self.ten_seconds.objection(orders, expected) or self.day.objection(orders, expected)

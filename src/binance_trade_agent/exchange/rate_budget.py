"""What the exchange lets us ask: the weight of each minute, and its orders to be silent (binance-protocol.md 2.8)."""

import asyncio
import contextlib
import heapq
import itertools
import math
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from binance_trade_agent.exchange.errors import OrderLimitError, RateLimitedError
from binance_trade_agent.exchange.limit_windows import Mark, OrderLimits, WeightWindow
from binance_trade_agent.exchange.limits_store import ALL, ORDERS, LimitsFile, RedisLimits, Silences
from binance_trade_agent.exchange.weights import Cost, Priority
from binance_trade_agent.ops.clock import MarketClock, ScaledClock, SteppedClock, monotonic_seconds, wall_ms
from binance_trade_agent.ops.vitals import BudgetVitals

LONGEST_WAIT_SECONDS = 10.0
_SHORTEST_TIMER_SECONDS = 0.001
_CLOCK_UNCERTAINTY_MS = 500  # real ms: half of the slowest round trip that a clock is set by, and some more
_SILENCED = "The exchange has asked us to wait."
# Why an entry is refused before anything is asked for it: names of rules.
ORDER_LIMIT, SILENCE = "order_limit", "silence"


@dataclass(order=True, slots=True)
class _Waiter:
    """A request in the queue. Its turn is the error that refuses it, or None when its weight is reserved."""

    priority: Priority
    place: int
    cost: Cost = field(compare=False)
    deadline_seconds: float = field(compare=False)
    turn: asyncio.Future[RateLimitedError | None] = field(compare=False)


class Spending:
    """A request that has its weight.

    Attributes:
        is_answered: whether the exchange itself has answered, of which headers about its limits are the sign.
    """

    def __init__(self, budget: "RateBudget", sent: Mark) -> None:
        self.sent = sent
        self.used_weight: int | None = None
        self.is_answered = False
        self._budget = budget

    def note(self, headers: Mapping[str, str]) -> None:
        """Take what the answer's headers say about the limits."""
        self.used_weight = self._budget.note(headers.get("x-mbx-used-weight-1m"))
        in_ten_seconds, today = headers.get("x-mbx-order-count-10s"), headers.get("x-mbx-order-count-1d")
        self._budget.note_orders(in_ten_seconds, today)
        self.is_answered = self.used_weight is not None or in_ten_seconds is not None


# The request that this task is sending; python-binance hands nothing through to where the answer arrives (P12).
present_spending: ContextVar[Spending | None] = ContextVar("present_spending", default=None)


class RateBudget:
    """Gives each request its weight, in the order of asking, the more important first.

    Who waits is woken when its weight is reserved already, by one timer, at the end of the minute or of the silence.

    Args:
        clock: the exchange's time. Limits of a simulated exchange run as fast as its market does; those of a stepped
            one on the sum of its time and wall time, and there nobody waits: its market stands still meanwhile.
        file: keeps silences over a restart.
        shared: what other processes of this machine use.
        longest_wait_seconds: real seconds; a request that would wait longer is refused at once.
    """

    def __init__(
        self,
        clock: MarketClock,
        *,
        file: LimitsFile | None = None,
        shared: RedisLimits | None = None,
        longest_wait_seconds: float = LONGEST_WAIT_SECONDS,
    ) -> None:
        is_stepped = isinstance(clock, SteppedClock)
        now_ms: Callable[[], int] = (lambda: wall_ms() + clock.now_ms()) if is_stepped else clock.now_ms
        self._speed = clock.speed if isinstance(clock, ScaledClock) else 1.0
        self._longest_wait = 0.0 if is_stepped else longest_wait_seconds
        self._file = file
        self._shared = shared
        self._weight = WeightWindow(now_ms, _CLOCK_UNCERTAINTY_MS * self._speed)
        self._orders = OrderLimits(now_ms)
        self._silent_until = {ALL: 0.0, ORDERS: 0.0}  # monotonic seconds
        self._places = itertools.count()
        self._waiting: list[_Waiter] = []
        self._timer: asyncio.TimerHandle | None = None
        self.used_weight: int | None = None
        self.orders_used: dict[str, int] = {}

    @contextlib.asynccontextmanager
    async def spend(self, cost: Cost) -> AsyncIterator[Spending]:
        """The time in which a request is under way.

        Raises:
            RateLimitedError: it may not be sent within the longest wait.
        """
        self._orders.begin(cost.orders)
        spending = None
        try:
            await self._take(cost)
            spending = Spending(self, self._weight.mark())
            token = present_spending.set(spending)
            try:
                yield spending
            finally:
                present_spending.reset(token)
                self._weight.answered(cost.weight, spending.sent, spending.used_weight)
                self._wake()
        finally:
            self._orders.end(cost.orders, is_known=spending is None or spending.is_answered)

    def check(self) -> None:
        """Raise RateLimitedError while nothing at all may be sent."""
        self._read_file()
        if (left := self._seconds_of_silence()) > 0:
            raise self._refusal(left, _SILENCED)

    async def block(self, error: RateLimitedError) -> None:
        """Send nothing (or no new order) until the time that `error` names, and tell the others."""
        scope = ORDERS if isinstance(error, OrderLimitError) else ALL
        seconds = error.retry_after_seconds / self._speed
        self._silent_until[scope] = max(self._silent_until[scope], monotonic_seconds() + seconds)
        self._wake()
        silences = {scope: wall_ms() + math.ceil(seconds * 1000)}
        if self._file is not None:
            self._file.write(silences)
        if self._shared is not None:
            await self._shared.write(silences)

    def learn(self, rate_limits: Iterable[Mapping[str, Any]]) -> None:
        """Take the limits from `rateLimits` of GET exchangeInfo."""
        for row in rate_limits:
            with contextlib.suppress(KeyError, TypeError, ValueError):
                window = (row["rateLimitType"], row["interval"], int(row["intervalNum"]))
                if window == ("REQUEST_WEIGHT", "MINUTE", 1):
                    self._weight.limit = max(1, int(row["limit"]))
                elif window == ("ORDERS", "SECOND", 10):
                    self._orders.ten_seconds.limit = max(1, int(row["limit"]))
                elif window == ("ORDERS", "DAY", 1):
                    self._orders.day.limit = max(1, int(row["limit"]))

    def note(self, used_weight: str | None) -> int | None:
        """Take the used weight from an answer's header; returns it, None when it says nothing."""
        with contextlib.suppress(TypeError, ValueError):
            self.used_weight = int(used_weight or "")
            return self.used_weight
        return None

    def note_orders(self, in_ten_seconds: str | None, today: str | None) -> None:
        """Take the order counts from an answer's headers; only placements carry them."""
        windows = ("10s", self._orders.ten_seconds, in_ten_seconds), ("1d", self._orders.day, today)
        for name, window, count in windows:
            with contextlib.suppress(TypeError, ValueError):
                self.orders_used[name] = int(count or "")
                window.note(self.orders_used[name])

    def entry_refusal(self, orders: int) -> tuple[str, str] | None:
        """Why an entry of so many orders cannot be sent now, what protects it among them: the rule and a sentence.

        None when it can: there is no silence, and what is kept for exits stays free though all is placed that is under
        way or promised to other tasks.
        """
        self._read_file()
        if (left := self._seconds_of_silence()) > 0:
            return SILENCE, f"the exchange has asked us to wait: it is asked nothing for {self._seconds(left):,} s"
        if (left := self._seconds_of_silence(ORDERS)) > 0:
            return (
                ORDER_LIMIT,
                f"the exchange takes no new orders for {self._seconds(left):,} s, as too many were placed",
            )
        objection = self._orders.objection(orders)
        return None if objection is None else (ORDER_LIMIT, objection)

    def promise(self, orders: int) -> None:
        """Keep so many orders from other entries until this task has sent them or has ended."""
        self._orders.promise(orders)

    @property
    def waiting(self) -> int:
        """How many requests wait for their turn."""
        return len(self._waiting)

    @property
    def has_leisure(self) -> bool:
        """Whether nobody waits, nothing asks for silence, and less than half of the minute's weight is used."""
        self._read_file()
        return not self._waiting and self._seconds_of_silence() <= 0 and self._weight.used * 2 < self._weight.limit

    def vitals(self) -> BudgetVitals:
        """What is used of which limits, and until when there is silence."""
        self._read_file()
        return BudgetVitals(
            weight_used=self._weight.used,
            weight_limit=self._weight.limit,
            orders_10s=self._orders.ten_seconds.count,
            order_limit_10s=self._orders.ten_seconds.limit,
            orders_day=self._orders.day.count,
            order_limit_day=self._orders.day.limit,
            waiting=self.waiting,
            silent_until_wall_ms=self._wall_end_of_silence(ALL),
            no_orders_until_wall_ms=self._wall_end_of_silence(ORDERS),
        )

    async def close(self) -> None:
        """Let go of Redis and of the timer."""
        if self._timer is not None:
            self._timer.cancel()
        if self._shared is not None:
            await self._shared.close()

    async def _take(self, cost: Cost) -> None:
        """Return when the weight is reserved, here and with the others."""
        place = next(self._places)
        deadline = monotonic_seconds() + self._longest_wait
        while True:
            self._read_file()
            self._check_orders(cost)
            await self._turn(cost, place, deadline)
            if self._shared is None or await self._shares(self._shared, cost):
                return

    async def _shares(self, shared: RedisLimits, cost: Cost) -> bool:
        """Whether the others leave room for the request; if not, its weight is given back."""
        minute = self._weight.number
        room = self._weight.room_for(cost.priority)
        at_least = self._weight.used - cost.weight
        try:
            answer = await shared.take(minute, min(cost.weight, room), room=room, at_least=at_least)
        except BaseException:
            self._give_back(cost)
            raise
        if answer is None:
            return True
        self._be_silent(answer.silences)
        may_be_sent = answer.fits and not self._is_silent_for(cost)
        if not may_be_sent:
            self._weight.release(cost.weight)
        if minute == self._weight.number:
            self._weight.raise_to(answer.used)
        self._wake()
        return may_be_sent

    async def _turn(self, cost: Cost, place: int, deadline: float) -> None:
        """Return when the weight is reserved.

        Raises:
            RateLimitedError: that cannot be before `deadline`.
        """
        turn: asyncio.Future[RateLimitedError | None] = asyncio.get_running_loop().create_future()
        waiter = _Waiter(cost.priority, place, cost, deadline, turn)
        heapq.heappush(self._waiting, waiter)
        self._wake()
        try:
            refusal = await turn
        except asyncio.CancelledError:
            if waiter in self._waiting:
                self._waiting.remove(waiter)
                heapq.heapify(self._waiting)
                self._wake()
            elif not turn.cancelled() and turn.result() is None:
                self._give_back(cost)  # its turn and the cancellation came together
            raise
        if refusal is not None:
            raise refusal

    def _wake(self) -> None:
        """Give their turn to those at the head whose weight fits, refuse those who would wait too long."""
        if not self._waiting:
            self._set_timer()
            return
        self._read_file()
        while self._waiting and self._may_go(self._waiting[0]):
            waiter = heapq.heappop(self._waiting)
            if not waiter.turn.done():
                self._weight.reserve(waiter.cost.weight)
                waiter.turn.set_result(None)
        if self._waiting:
            self._refuse_the_late()
        self._set_timer()

    def _may_go(self, waiter: _Waiter) -> bool:
        return waiter.turn.done() or (self._seconds_of_silence() <= 0 and self._weight.fits(waiter.cost))

    def _refuse_the_late(self) -> None:
        seconds = self._seconds_until_change()
        opens_at = monotonic_seconds() + seconds
        late = [waiter for waiter in self._waiting if waiter.deadline_seconds < opens_at]
        if late:
            self._waiting = [waiter for waiter in self._waiting if waiter.deadline_seconds >= opens_at]
            heapq.heapify(self._waiting)
        for waiter in late:
            if not waiter.turn.done():
                waiter.turn.set_result(self._refusal(seconds, self._reason(waiter.cost)))

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._waiting:
            seconds = max(_SHORTEST_TIMER_SECONDS, self._seconds_until_change())
            self._timer = asyncio.get_running_loop().call_later(seconds, self._wake)

    def _seconds_until_change(self) -> float:
        """Real seconds until more may be sent than now."""
        silence = self._seconds_of_silence()
        return silence if silence > 0 else self._weight.ms_left / 1000 / self._speed

    def _seconds_of_silence(self, scope: str = ALL) -> float:
        return self._silent_until[scope] - monotonic_seconds()

    def _wall_end_of_silence(self, scope: str) -> int | None:
        left = self._seconds_of_silence(scope)
        return wall_ms() + math.ceil(left * 1000) if left > 0 else None

    def _is_silent_for(self, cost: Cost) -> bool:
        return self._seconds_of_silence() > 0 or (cost.orders > 0 and self._seconds_of_silence(ORDERS) > 0)

    def _check_orders(self, cost: Cost) -> None:
        """An order does not wait for its turn among orders: what it was decided on would be old by then."""
        if not cost.orders:
            return
        if (left := self._seconds_of_silence(ORDERS)) > 0:
            raise OrderLimitError(self._seconds(left), "The exchange takes no more new orders for a while.")
        if not self._orders.fits(cost):
            seconds = self._orders.ten_seconds.seconds_left
            raise OrderLimitError(seconds, "As many orders were placed as the exchange takes in 10 s.")

    def _reason(self, cost: Cost) -> str:
        if self._seconds_of_silence() > 0:
            return _SILENCED
        return (
            f"{self._weight.used} of the {self._weight.limit} request weight of this minute are used; "
            f"{'what is left is for open orders' if cost.priority else 'nothing is left'}."
        )

    def _refusal(self, real_seconds: float, message: str) -> RateLimitedError:
        return RateLimitedError(self._seconds(real_seconds), message)

    def _seconds(self, real_seconds: float) -> int:
        """The exchange's, whole, at least 1."""
        return max(1, math.ceil(real_seconds * self._speed))

    def _give_back(self, cost: Cost) -> None:
        self._weight.release(cost.weight)
        self._wake()

    def _read_file(self) -> None:
        if self._file is not None:
            self._be_silent(self._file.changes())

    def _be_silent(self, silences: Silences) -> None:
        for scope, until_ms in silences.items():
            if scope in self._silent_until:
                until = monotonic_seconds() + (until_ms - wall_ms()) / 1000
                self._silent_until[scope] = max(self._silent_until[scope], until)

"""The budget of request weight, on virtual time: nothing here waits for real."""

import asyncio
from collections import defaultdict
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from binance_trade_agent.exchange.errors import BannedError, OrderLimitError, RateLimitedError
from binance_trade_agent.exchange.limit_windows import MINUTE_MS
from binance_trade_agent.exchange.rate_budget import LONGEST_WAIT_SECONDS, RateBudget
from binance_trade_agent.exchange.weights import SHARE, Cost, Priority
from binance_trade_agent.ops.clock import ScaledClock, SteppedClock, monotonic_seconds, sleep_seconds
from binance_trade_agent.ops.tasks import spawn
from tests.torture.loop import START_WALL_MS, run_virtual

QUESTION = Cost(4, Priority.ESSENTIAL)
CANDLES = Cost(2, Priority.MARKET_DATA)
BUY = Cost(1, Priority.ENTRY, orders=1)
SELL = Cost(1, Priority.ESSENTIAL, orders=1)


def headers(used: int | None = None, orders: int | None = None) -> dict[str, str]:
    values = {"x-mbx-used-weight-1m": used, "x-mbx-order-count-10s": orders, "x-mbx-order-count-1d": orders}
    return {name: str(value) for name, value in values.items() if value is not None}


def budget_at(second_of_minute: float = 0.0, **options) -> RateBudget:
    """A budget whose exchange is so many seconds into a minute."""
    clock = ScaledClock(speed=options.pop("speed", 1.0))
    clock.synchronise(START_WALL_MS + round(second_of_minute * 1000), age_seconds=0)
    return RateBudget(clock, **options)


async def ask(budget: RateBudget, cost: Cost = QUESTION, **answer: int) -> None:
    async with budget.spend(cost) as spending:
        spending.note(headers(**answer))


async def filled(second_of_minute: float, used: int, **options) -> RateBudget:
    budget = budget_at(second_of_minute, **options)
    await ask(budget, used=used)
    return budget


def on_virtual_time(test):
    """Run an async test method on the virtual loop."""

    def run(self):
        run_virtual(test, self)

    run.__name__ = test.__name__
    run.__doc__ = test.__doc__
    return run


class TestSilence:
    @on_virtual_time
    async def test_nothing_is_refused_before_the_exchange_has_complained(self):
        budget = budget_at()
        budget.check()
        await ask(budget)
        assert budget.waiting == 0

    @on_virtual_time
    async def test_it_lasts_as_long_as_was_asked_for(self):
        budget = budget_at()
        await budget.block(RateLimitedError(30, "Too much."))
        await sleep_seconds(19.5)
        with pytest.raises(RateLimitedError) as refusal:
            await ask(budget)
        assert refusal.value.retry_after_seconds == 11
        with pytest.raises(RateLimitedError, match="asked us to wait"):
            budget.check()
        await sleep_seconds(2)
        began = monotonic_seconds()
        await ask(budget)
        assert monotonic_seconds() - began == pytest.approx(8.5, abs=0.01), "what is short enough is waited for"

    @on_virtual_time
    async def test_a_shorter_wait_does_not_shorten_a_ban(self):
        budget = budget_at()
        await budget.block(BannedError(300, "Banned."))
        await budget.block(RateLimitedError(1, "Too much."))
        await sleep_seconds(289)
        with pytest.raises(RateLimitedError):
            await ask(budget)
        await sleep_seconds(11)
        await ask(budget)

    @on_virtual_time
    async def test_seconds_are_those_of_the_exchange(self):
        budget = budget_at(speed=60.0)
        await budget.block(RateLimitedError(600, "Too much."))
        began = monotonic_seconds()
        await ask(budget)
        assert monotonic_seconds() - began == pytest.approx(10, abs=0.01)

    @on_virtual_time
    async def test_nobody_waits_for_a_market_that_stands_still_meanwhile(self):
        budget = RateBudget(SteppedClock("http://nowhere", speed=60, now_ms=0))
        await budget.block(RateLimitedError(1, "Too much."))
        began = monotonic_seconds()
        with pytest.raises(RateLimitedError):
            await ask(budget)
        assert monotonic_seconds() == began
        await sleep_seconds(1)
        await ask(budget)

    @on_virtual_time
    async def test_too_many_orders_silence_new_orders_only(self):
        budget = budget_at()
        await budget.block(OrderLimitError(3600, "Too many new orders."))
        for cost in (BUY, SELL):
            with pytest.raises(OrderLimitError):
                await ask(budget, cost)
        await ask(budget)
        await ask(budget, CANDLES)


class TestWeight:
    @pytest.mark.parametrize(
        ("used", "cost", "may_pass"),
        [
            (5398, CANDLES, True),
            (5399, CANDLES, False),
            (5879, BUY, True),
            (5880, BUY, False),
            (5996, QUESTION, True),
            (5997, QUESTION, False),
            (5999, SELL, True),
        ],
    )
    def test_what_is_left_is_for_the_more_important(self, used, cost, may_pass):
        async def test():
            budget = await filled(1, used)
            if may_pass:
                await ask(budget, cost)
                return
            with pytest.raises(RateLimitedError, match=f"{used} of the 6000") as refusal:
                await ask(budget, cost)
            assert refusal.value.retry_after_seconds == 59

        run_virtual(test)

    @on_virtual_time
    async def test_end_of_the_minute_is_waited_for_when_it_is_near(self):
        budget = await filled(55, 6000)
        began = monotonic_seconds()
        await ask(budget, CANDLES)
        assert monotonic_seconds() - began == pytest.approx(5, abs=0.01)

    @on_virtual_time
    async def test_limit_is_the_one_that_exchange_info_names(self):
        budget = budget_at()
        budget.learn([
            {"rateLimitType": "RAW_REQUESTS", "interval": "MINUTE", "intervalNum": 5, "limit": 1},
            {"rateLimitType": "REQUEST_WEIGHT"},
            {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 100},
            {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 5},
        ])  # fmt: skip
        await ask(budget, Cost(89, Priority.MARKET_DATA))
        with pytest.raises(RateLimitedError):
            await ask(budget, CANDLES)
        await ask(budget, BUY, orders=4)
        with pytest.raises(OrderLimitError):
            await ask(budget, BUY)
        await ask(budget, SELL, orders=5)
        with pytest.raises(OrderLimitError):
            await ask(budget, SELL)
        assert budget.orders_used == {"10s": 5, "1d": 5}
        await sleep_seconds(10)
        await ask(budget, BUY)

    @on_virtual_time
    async def test_request_that_is_larger_than_the_limit_is_sent_in_an_empty_minute(self):
        budget = budget_at(second_of_minute=51)
        budget.learn([{"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 10}])
        await ask(budget, Cost(80, Priority.ESSENTIAL))
        began = monotonic_seconds()
        await ask(budget)
        assert monotonic_seconds() - began == pytest.approx(9, abs=0.01)

    @on_virtual_time
    async def test_what_is_not_answered_yet_counts(self):
        budget = budget_at(1)
        async with budget.spend(Cost(5998, Priority.ESSENTIAL)):
            with pytest.raises(RateLimitedError):
                await ask(budget)
        with pytest.raises(RateLimitedError):
            await ask(budget)

    @on_virtual_time
    async def test_orders_that_are_not_answered_yet_count(self):
        budget = budget_at()
        await ask(budget, SELL, orders=48)
        async with budget.spend(BUY):
            with pytest.raises(OrderLimitError):
                await ask(budget, BUY)
            async with budget.spend(SELL) as last:
                with pytest.raises(OrderLimitError):
                    await ask(budget, SELL)
                last.note(headers(orders=50))
        await sleep_seconds(10)
        await ask(budget, BUY)

    @on_virtual_time
    async def test_of_orders_that_are_answered_at_once_the_highest_count_holds(self):
        budget = budget_at()
        await ask(budget, SELL, orders=50)
        await sleep_seconds(10)
        async with budget.spend(SELL) as one, budget.spend(SELL) as other:
            one.note(headers(orders=49))
            other.note(headers(orders=48))
        with pytest.raises(OrderLimitError):
            await ask(budget, BUY)

    @on_virtual_time
    async def test_order_that_cost_nothing_gives_back_its_weight(self):
        budget = await filled(1, 5999)
        await ask(budget, SELL, used=5999)
        await ask(budget, SELL, used=5999)

    @on_virtual_time
    async def test_answers_may_come_in_another_order_than_they_were_given(self):
        budget = budget_at(1)
        async with budget.spend(QUESTION) as first:
            await ask(budget, used=5998)
            first.note(headers(used=5994))
        with pytest.raises(RateLimitedError):
            await ask(budget)

    @on_virtual_time
    async def test_late_answer_says_nothing_of_what_was_sent_after_it_was_given(self):
        budget = budget_at(1)
        async with budget.spend(QUESTION) as late:
            async with budget.spend(Cost(5990, Priority.ESSENTIAL)):
                pass
            late.note(headers(used=4))
        with pytest.raises(RateLimitedError, match="5994 of the 6000"):
            await ask(budget, Cost(20, Priority.ESSENTIAL))

    @on_virtual_time
    async def test_answer_from_around_the_minute_s_end_says_nothing_of_the_new_one(self):
        budget = budget_at(59.9)
        async with budget.spend(QUESTION) as spending:
            await sleep_seconds(0.3)
            spending.note(headers(used=6000))
        await ask(budget, CANDLES)
        await ask(budget, CANDLES, used=6000)  # sent in the new minute by our clock, counted in the old by theirs
        await ask(budget, CANDLES)

    @on_virtual_time
    async def test_clock_that_is_set_back_over_the_minute_s_end_does_not_free_the_minute(self):
        clock = ScaledClock()
        clock.synchronise(START_WALL_MS + 1000, age_seconds=0)
        budget = RateBudget(clock)
        await ask(budget, used=6000)
        clock.synchronise(START_WALL_MS - 50, age_seconds=0)
        with pytest.raises(RateLimitedError):
            await ask(budget)
        clock.synchronise(START_WALL_MS - 3_600_000, age_seconds=0)
        await ask(budget)

    @pytest.mark.parametrize(("header", "known"), [("17", 17), ("0", 0), (None, 5), ("", 5), ("many", 5)])
    def test_used_weight_is_the_last_that_was_readable(self, header, known):
        budget = budget_at()
        budget.note("5")
        budget.note(header)
        assert budget.used_weight == known


class TestQueue:
    async def waiting(self, budget: RateBudget, *costs: Cost) -> tuple[list[int], list[asyncio.Task[None]]]:
        """Let a task wait for each cost, in this order; the list tells who was served, in order."""
        served: list[int] = []

        async def wait(number: int, cost: Cost) -> None:
            async with budget.spend(cost):
                served.append(number)

        tasks = []
        for number, cost in enumerate(costs):
            tasks.append(spawn(wait(number, cost), name=f"request {number}"))
            await sleep_seconds(0)
        assert budget.waiting == len(costs)
        return served, tasks

    def test_more_important_requests_go_first_and_equal_ones_in_order(self):
        async def test():
            budget = await filled(55, 6000)
            served, tasks = await self.waiting(budget, CANDLES, BUY, CANDLES, QUESTION, BUY, QUESTION)
            await asyncio.gather(*tasks)
            assert served == [3, 5, 1, 4, 0, 2]

        run_virtual(test)

    def test_cancelled_request_leaves_no_trace(self):
        async def test():
            budget = await filled(55, 6000)
            served, tasks = await self.waiting(budget, CANDLES, CANDLES, CANDLES)
            tasks[0].cancel()
            tasks[2].cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            assert (served, budget.waiting) == ([1], 0)
            with pytest.raises(RateLimitedError, match="5998 of the 6000"):
                async with budget.spend(Cost(5996, Priority.ESSENTIAL)):
                    await ask(budget)

        run_virtual(test)

    def test_cancellation_in_the_moment_of_its_turn_gives_the_weight_back(self):
        async def test():
            budget = await filled(55, 6000)
            _, (task,) = await self.waiting(budget, Cost(6000, Priority.ESSENTIAL))
            budget._weight.release(6000)  # as if the exchange had counted less; the next to finish wakes the queue
            budget._wake()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            budget._weight.reserve(6000)
            assert budget._weight.used == 6000

        run_virtual(test)

    def test_answer_that_frees_weight_wakes_the_next(self):
        async def test():
            budget = await filled(52, 5999)
            began = monotonic_seconds()
            async with budget.spend(SELL) as spending:
                served, tasks = await self.waiting(budget, Cost(1, Priority.ESSENTIAL))
                spending.note(headers(used=5999))
            await asyncio.gather(*tasks)
            assert (served, monotonic_seconds()) == ([0], began)

        run_virtual(test)

    def test_those_for_whom_the_next_minute_has_no_room_are_refused(self):
        async def test():
            budget = await filled(55, 6000)
            served, tasks = await self.waiting(budget, *(Cost(3000, Priority.ESSENTIAL) for _ in range(3)))
            outcomes = await asyncio.gather(*tasks, return_exceptions=True)
            assert served == [0, 1]
            assert isinstance(outcomes[2], RateLimitedError)

        run_virtual(test)


class Exchange:
    """Counts as the exchange does: each request at some moment while it is under way."""

    def __init__(self, clock: ScaledClock) -> None:
        self._clock = clock
        self.used: defaultdict[int, int] = defaultdict(int)

    @property
    def minute(self) -> int:
        return self._clock.now_ms() // MINUTE_MS

    def count(self, weight: int) -> int:
        self.used[self.minute] += weight
        return self.used[self.minute]


REQUESTS = st.lists(
    st.tuples(
        st.sampled_from([0, 0, 0.1, 1, 7, 30]),  # seconds after the one before
        st.integers(1, 60),  # weight
        st.sampled_from(Priority),
        st.sampled_from([0, 0.05, 0.4, 3, 70]),  # seconds until it is counted
        st.sampled_from([0, 0.05, 2]),  # seconds from there to the answer
        st.sampled_from([None, None, None, 0, 0.5, 8]),  # seconds until whoever asks gives up
        st.booleans(),  # whether the answer has headers
    ),
    max_size=40,
)


@settings(deadline=None)
@given(REQUESTS, st.sampled_from([0, 30, 52, 59.99]), st.sampled_from([None, 1, 8, 30]), st.integers(0, 2**32))
def test_never_above_the_limit_in_order_and_without_a_leak(requests, second, silence, seed):
    async def test():
        clock = ScaledClock()
        clock.synchronise(START_WALL_MS + round(second * 1000), age_seconds=0)
        exchange, budget = Exchange(clock), RateBudget(clock)
        budget.learn([{"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 100}])
        served: dict[Priority, list[int]] = defaultdict(list)

        async def request(number, weight, priority, before, after, has_headers):
            began = monotonic_seconds()
            try:
                async with budget.spend(Cost(weight, priority)) as spending:
                    assert monotonic_seconds() - began <= LONGEST_WAIT_SECONDS + 0.01
                    assert budget._seconds_of_silence() <= 0
                    served[priority].append(number)
                    await sleep_seconds(before)
                    used = exchange.count(weight)
                    assert used <= 100
                    await sleep_seconds(after)
                    if has_headers:
                        spending.note(headers(used=used))
            except RateLimitedError:
                assert monotonic_seconds() - began <= LONGEST_WAIT_SECONDS + 0.01

        tasks = []
        for number, (delay, weight, priority, before, after, gives_up, has_headers) in enumerate(requests):
            await sleep_seconds(delay)
            if number == 10 and silence:
                await budget.block(RateLimitedError(silence, "Too much."))
            fitting = min(weight, int(100 * SHARE[priority]))
            task = spawn(request(number, fitting, priority, before, after, has_headers), name=f"request {number}")
            if gives_up is not None:
                asyncio.get_running_loop().call_later(gives_up, task.cancel)
            await sleep_seconds(0)
            tasks.append(task)
        for outcome in await asyncio.gather(*tasks, return_exceptions=True):
            assert outcome is None or isinstance(outcome, asyncio.CancelledError)
        assert all(numbers == sorted(numbers) for numbers in served.values())
        assert budget.waiting == 0
        assert budget._timer is None
        assert budget._weight._in_flight == 0
        await sleep_seconds(60)
        assert budget._weight.used == 0

    run_virtual(test, seed=seed)


def test_closing_lets_go_of_those_who_wait_no_more():
    async def test():
        budget = await filled(55, 6000)
        task = spawn(ask(budget), name="waits")
        await sleep_seconds(0)
        await budget.close()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        assert budget._timer is None

    run_virtual(test)

"""Room for entries among the orders that the exchange takes: asked for before, kept until they are sent. Virtual time."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from binance_trade_agent.exchange.errors import BannedError, OrderLimitError, RateLimitedError
from binance_trade_agent.exchange.limit_windows import ENTRIES_SHARE
from binance_trade_agent.exchange.rate_budget import ORDER_LIMIT, SILENCE, RateBudget
from binance_trade_agent.exchange.weights import Cost, Priority
from binance_trade_agent.ops.clock import monotonic_seconds, sleep_seconds
from binance_trade_agent.ops.tasks import spawn
from tests.exchange.test_rate_budget import BUY, SELL, ask, budget_at, headers, on_virtual_time
from tests.torture.loop import run_virtual

ENTRY_ORDERS = 3  # its own, and the two of the list that protects it
LIST = Cost(1, Priority.ESSENTIAL, orders=2)
_WINDOW_SECONDS = 10


def limited(orders: int, *, orders_a_day: int = 160_000, second_of_minute: float = 0.0) -> RateBudget:
    """A budget of an exchange that takes so many orders in ten seconds, and in a day."""
    budget = budget_at(second_of_minute)
    budget.learn([
        {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": orders},
        {"rateLimitType": "ORDERS", "interval": "DAY", "intervalNum": 1, "limit": orders_a_day},
    ])  # fmt: skip
    return budget


async def promised(budget: RateBudget, work: Callable[[], Awaitable[object]] | None = None) -> asyncio.Task[None]:
    """A decision that was let through, in its own task: it does `work`, or waits until it is cancelled."""
    begun = asyncio.Event()

    async def decision() -> None:
        budget.promise(ENTRY_ORDERS)
        begun.set()
        await (work() if work else asyncio.Event().wait())

    task = spawn(decision(), name="decision")
    await begun.wait()
    return task


async def end(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


class TestRefusal:
    @on_virtual_time
    async def test_nothing_is_against_an_entry_before_any_order(self):
        assert limited(50).entry_refusal(ENTRY_ORDERS) is None

    @pytest.mark.parametrize(("placed", "is_refused"), [(42, False), (43, True), (50, True)])
    def test_a_tenth_of_the_orders_is_kept_for_exits(self, placed, is_refused):
        async def test():
            budget = limited(50, second_of_minute=3)
            await ask(budget, SELL, orders=placed)
            refusal = budget.entry_refusal(ENTRY_ORDERS)
            if not is_refused:
                assert refusal is None
                return
            rule, text = refusal
            assert rule == ORDER_LIMIT
            assert text == (
                f"no room for an entry's 3 orders: {placed} of the 50 orders that the exchange takes in 10 s are placed "
                "or about to be, 5 are kept for exits; the count begins anew in 7 s"
            )
            await sleep_seconds(7)
            assert budget.entry_refusal(ENTRY_ORDERS) is None

        run_virtual(test)

    @on_virtual_time
    async def test_entry_without_protection_on_the_exchange_is_one_order(self):
        budget = limited(50)
        await ask(budget, SELL, orders=44)
        assert budget.entry_refusal(1) is None
        assert budget.entry_refusal(ENTRY_ORDERS) is not None
        await ask(budget, SELL, orders=45)
        assert "no room for an entry: 45 of the 50" in budget.entry_refusal(1)[1]

    @on_virtual_time
    async def test_orders_of_the_day_are_limited_too(self):
        budget = limited(50, orders_a_day=1_000)
        budget.note_orders("1", "897")
        assert budget.entry_refusal(ENTRY_ORDERS) is None
        budget.note_orders("2", "898")
        rule, text = budget.entry_refusal(ENTRY_ORDERS)
        assert rule == ORDER_LIMIT
        assert "898 of the 1,000 orders that the exchange takes in a day" in text
        assert "100 are kept for exits" in text

    @on_virtual_time
    async def test_entry_that_is_too_large_for_any_window_goes_alone(self):
        budget = limited(2)
        assert budget.entry_refusal(ENTRY_ORDERS) is None
        await ask(budget, SELL, orders=1)
        assert budget.entry_refusal(ENTRY_ORDERS) is not None

    @on_virtual_time
    async def test_order_without_an_answer_may_be_counted(self):
        budget = limited(10)
        for _ in range(4):
            await ask(budget, LIST)
        assert "8 of the 10" in budget.entry_refusal(ENTRY_ORDERS)[1]
        await ask(budget, SELL)  # an exit goes by what the exchange has said
        await sleep_seconds(_WINDOW_SECONDS)
        assert budget.entry_refusal(ENTRY_ORDERS) is None

    @on_virtual_time
    async def test_order_that_the_exchange_refused_is_not(self):
        budget = limited(10)
        for _ in range(4):
            await ask(budget, LIST, used=7)
        assert budget.entry_refusal(ENTRY_ORDERS) is None

    @pytest.mark.parametrize(
        ("complaint", "rule", "text"),
        [
            (BannedError(300, "Banned."), SILENCE, "the exchange has asked us to wait: it is asked nothing for 300 s"),
            (RateLimitedError(2, "Too much."), SILENCE, "asked nothing for 2 s"),
            (OrderLimitError(9, "Too many."), ORDER_LIMIT, "takes no new orders for 9 s, as too many were placed"),
        ],
    )
    def test_silence_is_known_beforehand(self, complaint, rule, text):
        async def test():
            budget = limited(50)
            await budget.block(complaint)
            found, said = budget.entry_refusal(ENTRY_ORDERS)
            assert (found, text in said) == (rule, True)
            await sleep_seconds(complaint.retry_after_seconds)
            assert budget.entry_refusal(ENTRY_ORDERS) is None

        run_virtual(test)


class TestPromise:
    @on_virtual_time
    async def test_counts_for_others_until_its_task_has_ended(self):
        budget = limited(10)
        tasks = [await promised(budget) for _ in range(3)]
        assert "9 of the 10" in budget.entry_refusal(ENTRY_ORDERS)[1]
        await end(tasks.pop())
        assert budget.entry_refusal(ENTRY_ORDERS) is None
        for task in tasks:
            await end(task)

    @on_virtual_time
    async def test_is_not_counted_against_the_one_who_has_it(self):
        budget = limited(10)
        others = [await promised(budget) for _ in range(2)]
        budget.promise(ENTRY_ORDERS)
        assert budget.entry_refusal(ENTRY_ORDERS) is None
        others.append(await promised(budget))
        assert budget.entry_refusal(ENTRY_ORDERS) is not None, "what has come since counts"
        for task in others:
            await end(task)

    @on_virtual_time
    async def test_is_kept_order_by_order_as_they_are_sent(self):
        budget = limited(10)
        sent, may_end = asyncio.Event(), asyncio.Event()

        async def buy_and_protect() -> None:
            await ask(budget, BUY, orders=1)
            await ask(budget, LIST, orders=3)
            sent.set()
            await may_end.wait()

        task = await promised(budget, buy_and_protect)
        await sent.wait()
        await ask(budget, SELL, orders=6)
        assert budget.entry_refusal(ENTRY_ORDERS) is None, "what was sent is counted, and not twice"
        may_end.set()
        await task

    @on_virtual_time
    async def test_what_is_left_of_it_goes_over_into_the_next_window(self):
        budget = limited(10, second_of_minute=9)
        tasks = [await promised(budget) for _ in range(3)]
        await sleep_seconds(2)
        assert budget.entry_refusal(ENTRY_ORDERS) is not None
        for task in tasks:
            await end(task)

    @on_virtual_time
    async def test_never_holds_back_an_exit(self):
        budget = limited(10)
        tasks = [await promised(budget) for _ in range(3)]
        for number in range(1, 11):
            await ask(budget, SELL, orders=number)
        for task in tasks:
            await end(task)


class Account:
    """Counts as the exchange does: calendar windows; an order that is filled is given back.

    Attributes:
        by_entries: orders of entries and of what protects them, by window.
        by_exits: exits that were, or may yet be, counted in a window.
    """

    def __init__(self, budget: RateBudget, limit: int) -> None:
        self._budget = budget
        self._limit = limit
        self._counts: Counter[int] = Counter()
        self.by_entries: Counter[int] = Counter()
        self.by_exits: Counter[int] = Counter()

    @property
    def window(self) -> int:
        return int(monotonic_seconds() // _WINDOW_SECONDS)

    async def place(self, cost: Cost, before: float, after: float, *, is_filled: bool, is_entry: bool) -> None:
        """A request that is counted `before` seconds after it was sent, and answered `after` seconds later."""
        async with self._budget.spend(cost) as spending:
            await sleep_seconds(before)
            assert self._counts[self.window] + cost.orders <= self._limit, "429"
            self._counts[self.window] += cost.orders
            if is_entry:
                self.by_entries[self.window] += cost.orders
            if is_filled:
                self._counts[self.window] -= 1
            told = self._counts[self.window]
            await sleep_seconds(after)
            spending.note(headers(used=1, orders=told))


SECONDS = st.sampled_from([0, 0.02, 0.3, 4, 12])
WISHES = st.lists(
    st.tuples(
        st.sampled_from([0, 0, 0, 0.01, 0.5, 3]),  # seconds after the one before
        st.sampled_from(["entry", "entry", "entry", "exit"]),
        SECONDS,  # until depth and price are known, and it is the entry's turn
        SECONDS,  # until an order is counted
        SECONDS,  # from there to its answer
        st.booleans(),  # whether it is filled at once
        st.sampled_from([None, None, None, None, 0.01, 0.4, 5]),  # seconds until the decision is cut off
    ),
    max_size=40,
)


@settings(deadline=None)
@given(WISHES, st.integers(10, 60), st.integers(0, 2**32))
def test_entries_never_take_what_is_kept_for_exits(wishes, limit, seed):
    async def test():
        # The loop's time and the exchange's begin with a window.
        await sleep_seconds(-monotonic_seconds() % _WINDOW_SECONDS)
        budget = limited(limit)
        account = Account(budget, limit)
        room = int(limit * ENTRIES_SHARE)
        done: Counter[str] = Counter()

        async def enter(asking: float, before: float, after: float, is_filled: bool) -> None:
            if budget.entry_refusal(ENTRY_ORDERS) is not None:
                done["refused"] += 1
                return
            budget.promise(ENTRY_ORDERS)
            await sleep_seconds(asking)
            if budget.entry_refusal(ENTRY_ORDERS) is not None:
                done["refused in its turn"] += 1
                return
            await account.place(BUY, before, after, is_filled=is_filled, is_entry=True)
            await account.place(LIST, before, after, is_filled=False, is_entry=True)
            done["entered"] += 1

        async def leave(before: float, after: float) -> None:
            began = account.window
            windows = range(began, began + 3)  # in which it may be counted, or taken for being counted
            if max(account.by_exits[window] for window in windows) < limit - room:
                account.by_exits.update(windows)
                await account.place(SELL, before, after, is_filled=False, is_entry=False)
                done["left"] += 1

        tasks = []
        for delay, kind, asking, before, after, is_filled, gives_up in wishes:
            await sleep_seconds(delay)
            work = leave(before, after) if kind == "exit" else enter(asking, before, after, is_filled)
            tasks.append(spawn(work, name=kind))
            if gives_up is not None:
                asyncio.get_running_loop().call_later(gives_up, tasks[-1].cancel)
            await sleep_seconds(0)
        for outcome in await asyncio.gather(*tasks, return_exceptions=True):
            assert outcome is None or isinstance(outcome, asyncio.CancelledError), outcome
        assert all(orders <= room for orders in account.by_entries.values())
        await sleep_seconds(_WINDOW_SECONDS)
        assert budget.entry_refusal(ENTRY_ORDERS) is None, "nothing is left behind"

    run_virtual(test, seed=seed)

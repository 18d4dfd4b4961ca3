"""A few seeds pass, the same seed is the same run, and bugs that are planted are found."""

import pytest

from binance_trade_agent.agents.adoption import Adoption
from binance_trade_agent.agents.execution import TradeExecutionAgent
from binance_trade_agent.agents.order_keeper import OrderKeeper
from binance_trade_agent.domain.orders import OrderState
from binance_trade_agent.exchange.binance_gateway import BinanceGateway
from binance_trade_agent.exchange.errors import UnknownOutcomeError
from binance_trade_agent.ledger import fills
from tests.torture.episode import run_seed
from tests.torture.exchange import order_ids_in
from tests.torture.loop import run_virtual
from tests.torture.plan import plan_of
from tests.torture.world import World

_SEEDS_TO_FIND_A_BUG = 80


@pytest.mark.parametrize("seed", range(1001, 1007))
def test_seed_passes(seed):
    result = run_seed(seed)

    assert result.violations == []
    assert result.orders > 0
    assert result.lives > 2


def test_the_same_seed_is_the_same_run():
    first, other, again = run_seed(11), run_seed(12), run_seed(11)

    assert first.hash == again.hash
    assert (first.posts, first.fills, first.virtual_seconds) == (again.posts, again.fills, again.virtual_seconds)
    assert first.hash != other.hash


def test_plans_hold_every_kind_of_trouble():
    plans = [plan_of(seed) for seed in range(400)]

    assert {plan.network_name for plan in plans} == {"perfect", "slow", "flaky", "treacherous"}
    kinds = {deed.what for plan in plans for deed in plan.deeds}
    assert kinds >= {
        "unknown_executed", "unknown_not_executed", "drop_before", "drop_after", "timeout_after", "truncate_json",
        "event_before_response", "event_delay", "event_drop", "event_duplicate", "event_reorder", "ws_close", "ws_abort",
        "ws_freeze_data", "ws_freeze_all", "ban", "weight", "clock_skew", "partition", "refuse", "reset all", "wall jump",
    }  # fmt: skip


def _finds(text: str, *, known: tuple[int, ...] = ()) -> bool:
    """Whether one of some seeds finds the bug, and says it with `text`; those that are known to find it go first."""
    seeds = (*known, *range(1, 1 + _SEEDS_TO_FIND_A_BUG))
    return any(text in violation for seed in seeds for violation in run_seed(seed).violations)


def test_an_order_that_is_sent_again_is_found(monkeypatch):
    place = BinanceGateway.place_order

    async def place_again(self, intent):
        try:
            return await place(self, intent)
        except UnknownOutcomeError:
            return await place(self, intent)

    monkeypatch.setattr(BinanceGateway, "place_order", place_again)

    assert _finds("was sent 2 times", known=(12, 15))


def test_an_order_that_is_sent_before_it_is_committed_is_found(monkeypatch):
    execute = TradeExecutionAgent.execute

    async def hurry(self, decision, intent, *told):
        await self._gateway.place_order(intent)
        return await execute(self, decision, intent, *told)

    monkeypatch.setattr(TradeExecutionAgent, "execute", hurry)

    assert _finds("before its intent was committed")


def test_a_fill_that_is_booked_twice_is_found(monkeypatch):
    from binance_trade_agent.ledger import journal

    post = journal.post

    def post_twice(connection, epoch, postings, *, kind, reference, at_ms):
        post(connection, epoch, postings, kind=kind, reference=reference, at_ms=at_ms)
        if kind == "fill":
            post(connection, epoch, postings, kind=kind, reference=f"{reference}:again", at_ms=at_ms)

    monkeypatch.setattr(fills, "post", post_twice)

    assert _finds("booked as coming from outside")


def test_an_order_that_is_given_up_too_soon_is_found(monkeypatch):
    from binance_trade_agent.agents import order_keeper

    monkeypatch.setattr(order_keeper, "QUIET_MS", 0, raising=False)

    # One seed in thirty finds it: to search for the first would take a minute.
    assert _finds("was given up as NOT_PLACED", known=(51, 91, 104, 149))


def test_a_cancel_that_is_believed_whatever_is_answered_is_found(monkeypatch):
    async def believe(self, orders, _):
        for order in orders:
            await self._move(order, OrderState.CANCELED, "")

    monkeypatch.setattr(OrderKeeper, "conclude", believe)

    assert _finds("ledger CANCELED", known=(9, 35))


def test_a_restored_ledger_that_adopts_nothing_is_found(monkeypatch):
    async def ignore(self, _):
        return None

    monkeypatch.setattr(Adoption, "_own", ignore)

    # What it lost counts as coming from outside, or is missing and ends the start.
    assert _finds("", known=(108, 83, 148, 33))


def test_events_and_recovery_that_book_nothing_are_found(monkeypatch):
    async def ignore(self, *_):
        return None

    monkeypatch.setattr(OrderKeeper, "on_event", ignore)
    monkeypatch.setattr(OrderKeeper, "ask", ignore)

    assert _finds("exchange")


def test_the_world_is_a_laboratory():
    """An exchange in maintenance for five virtual minutes, as a test would have it."""

    async def work():
        async with World(7) as world:
            daemon = world.start()
            await world.sleep(30)
            before = world.invariants.posts
            world.exchange.fault("http", status=503, path="*", for_seconds=300)
            await world.sleep(300)
            during = world.invariants.posts
            await world.sleep(60)
            world.coin.is_quiet = True
            differences = await world.converged()
            await daemon.stop()
            return before, during, world.invariants.posts, differences, daemon.end, world.invariants.violations

    before, during, after, differences, end, violations = run_virtual(work)

    assert 0 < before <= during < after
    assert (differences, end, violations) == ([], "SIGTERM", [])


def test_order_ids_are_read_from_requests_that_place():
    assert order_ids_in("POST", "/api/v3/order?newClientOrderId=a&x=1", "") == ["a"]
    assert order_ids_in(
        "POST", "/api/v3/orderList/oco", "aboveClientOrderId=a&belowClientOrderId=b&listClientOrderId=l"
    ) == [
        "a",
        "b",
    ]
    assert order_ids_in("DELETE", "/api/v3/order?newClientOrderId=a", "") == []
    assert order_ids_in("POST", "/api/v3/order/test?newClientOrderId=a", "") == []

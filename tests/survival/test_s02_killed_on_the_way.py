"""S02: killed anywhere between the decision and the last commit. The next start asks; nothing is doubled or orphaned."""

import pytest

from binance_trade_agent.agents.order_keeper import QUIET_MS
from binance_trade_agent.domain.decisions import Outcome
from binance_trade_agent.domain.orders import OrderState, Role, Side
from binance_trade_agent.ops.tasks import spawn, stop
from tests.agents.desk import Desk, desk, reopened
from tests.survival.trader import Killed, assert_equal, assert_settled, dying_at, held, legs, resting

# Where it dies, whether the order has reached the exchange then, and what the next start makes of it at once.
POINTS = [
    ("intent.committed", 0, OrderState.UNKNOWN),
    ("order.sending", 0, OrderState.UNKNOWN),
    ("order.answered", 1, OrderState.FILLED),
    ("order.booked", 1, OrderState.FILLED),
]


async def start(ready: Desk) -> None:
    """What a start does before it trades."""
    await ready.reconciler.run("start")
    await ready.ledger.take_over("run-b")


async def test_s02_killed_before_anything_was_written_the_decision_is_free_to_be_taken_again(tmp_path):
    async with desk(tmp_path) as ready:
        intent = await ready.intent()
        with dying_at("decision.approved"), pytest.raises(Killed):
            await ready.execution.execute(ready.decision(intent), intent)
        async with reopened(tmp_path, ready.exchange) as again:
            await start(again)
            assert await again.orders() == []
            assert (await again.execution.execute(again.decision(intent), intent)).outcome is Outcome.EXECUTED
            await assert_settled(again, sent=1)


@pytest.mark.parametrize(("point", "sent", "state"), POINTS)
async def test_s02_killed_on_an_orders_way_it_is_asked_about_and_never_sent_again(tmp_path, point, sent, state):
    async with desk(tmp_path) as ready:
        intent = await ready.intent()
        with dying_at(point), pytest.raises(Killed):
            await ready.execution.execute(ready.decision(intent), intent)
        for _ in range(2):  # the second start finds nothing more to do
            async with reopened(tmp_path, ready.exchange) as again:
                await start(again)
                entry = await again.entry(intent)
                assert entry.order.state is state
                assert entry.is_settled or entry.order.owner == "run-b", "somebody answers for it"
                refused = await again.execution.execute(again.decision(intent), intent)
                assert refused.outcome is Outcome.SKIPPED
                assert await again.times_sent() == sent
        async with reopened(tmp_path, ready.exchange) as again:
            await again.wait(QUIET_MS + 1)
            await start(again)
            if state is OrderState.UNKNOWN:
                assert (await again.entry(intent)).order.state is OrderState.NOT_PLACED
            await assert_settled(again, sent=sent)


@pytest.mark.parametrize(
    ("fault", "state"),
    [
        ({"kind": "latency", "ms": 30_000}, OrderState.NOT_PLACED),  # it was on its way, and went with its connection
        ({"kind": "event_before_response", "ms": 30_000}, OrderState.FILLED),
        ({"kind": "timeout_after"}, OrderState.FILLED),
    ],
    ids=lambda value: value["kind"] if isinstance(value, dict) else "",
)
async def test_s02_killed_during_the_call_the_order_is_found_or_proved_absent(tmp_path, fault, state):
    async with desk(tmp_path) as ready:
        await ready.exchange.fault(method="POST", path="order", **fault)
        trading = spawn(ready.trade(), name="trade")
        while not await ready.times_sent():
            assert not trading.done()
        await stop(trading)
        (order,) = await ready.ledger.open_orders()
        assert order.state is OrderState.SENT
        async with reopened(tmp_path, ready.exchange) as again:
            await start(again)
            await again.wait(QUIET_MS + 1)
            await again.recovery.catch_up()
            assert (await again.entry(order)).order.state is state
            await assert_settled(again, sent=1)


@pytest.mark.parametrize("end", ["recovery.asked", "recovery.booked"])
@pytest.mark.parametrize("killed_by", ["order.sending", "order.answered"])
async def test_s02_killed_in_the_recovery_itself_the_next_one_ends_it(tmp_path, killed_by, end):
    async with desk(tmp_path) as ready:
        with dying_at(killed_by), pytest.raises(Killed):
            await ready.trade()
        if killed_by == "order.answered" or end == "recovery.asked":
            async with reopened(tmp_path, ready.exchange) as again:
                with dying_at(end), pytest.raises(Killed):
                    await start(again)
        async with reopened(tmp_path, ready.exchange) as again:
            await start(again)
            await again.wait(QUIET_MS + 1)
            await assert_settled(again, sent=int(killed_by == "order.answered"))


async def test_s02_killed_when_the_first_epoch_has_begun_the_next_start_goes_on_in_it(tmp_path):
    async with desk(tmp_path, opened=False) as ready:
        with dying_at("epoch.opened"), pytest.raises(Killed):
            await start(ready)
        async with reopened(tmp_path, ready.exchange) as again:
            await start(again)
            assert (await again.ledger.current_epoch()).epoch == 1
            await assert_settled(again, sent=0)


@pytest.mark.parametrize("point", ["protection.committed", "order.sending", "order.answered", "order.booked"])
async def test_s02_killed_while_a_position_is_protected_it_gets_one_list(tmp_path, point):
    async with desk(tmp_path) as ready:
        await ready.trade()
        rules = ready.rules["BTCUSDT"]
        with dying_at(point), pytest.raises(Killed):
            await ready.protection().ensure("BTCUSDT", rules)
        is_placed = point in {"order.answered", "order.booked"}
        async with reopened(tmp_path, ready.exchange) as again:
            await start(again)
            await again.wait(1000)
            await again.protection().ensure("BTCUSDT", rules)
            assert await again.times_sent() == (2 if is_placed else 1), "unknown legs are waited for"
            await again.wait(QUIET_MS + 1)
            await again.recovery.ask_about_unsettled()
            await again.protection().ensure("BTCUSDT", rules)
            both = await legs(again)
            assert set(both) == {Role.STOP_LOSS, Role.TAKE_PROFIT}
            assert {order.state for order in both.values()} == {OrderState.ACCEPTED}
            assert {order.quantity for order in both.values()} == {rules.round_market_quantity(await held(again))}
            assert len(await resting(again)) == 2
            given_up = [entry for entry in await again.orders() if entry.order.state is OrderState.NOT_PLACED]
            assert len(given_up) == (0 if is_placed else 2)
            assert is_placed == (len(await again.orders()) == 3)
            await assert_equal(again, sent=2)


@pytest.mark.parametrize("point", ["cancel.committed", "cancel.answered", "recovery.asked", "recovery.booked"])
async def test_s02_killed_while_the_protection_is_cancelled_the_wish_is_kept_or_done(tmp_path, point):
    async with desk(tmp_path) as ready:
        await ready.trade()
        rules = ready.rules["BTCUSDT"]
        await ready.protection().ensure("BTCUSDT", rules)
        if point == "recovery.asked":  # which only an answer is that was not seen
            await ready.exchange.fault("truncate_json", method="DELETE", path="order")
        with dying_at(point), pytest.raises(Killed):
            await ready.protection().release("BTCUSDT")
        async with reopened(tmp_path, ready.exchange) as again:
            await start(again)
            left = await legs(again)
            assert len(left) == len(await resting(again)) == (2 if point == "cancel.committed" else 0)
            assert all(order.cancel_requested_ms for order in left.values())
            await again.wait(1000)
            await again.protection().ensure("BTCUSDT", rules)  # nobody sells any more: it is protected anew
            anew = await legs(again)
            assert not {order.client_order_id for order in anew.values()} & {
                order.client_order_id for order in left.values()
            }
            assert len(anew) == len(await resting(again)) == 2
            await assert_equal(again, sent=3)


async def test_s02_killed_between_the_cancel_and_the_sale_the_position_is_whole_and_protected_again(tmp_path):
    async with desk(tmp_path) as ready:
        await ready.trade()
        before = await held(ready)
        rules = ready.rules["BTCUSDT"]
        await ready.protection().ensure("BTCUSDT", rules)
        assert await ready.protection().release("BTCUSDT")
        await ready.wait(1000)
        with dying_at("order.sending"), pytest.raises(Killed):
            await ready.trade(Side.SELL, "0.00999")
        async with reopened(tmp_path, ready.exchange) as again:
            await start(again)
            await again.protection().ensure("BTCUSDT", rules)
            assert await resting(again) == [], "the sale may still come: its coins are not promised twice"
            await again.wait(QUIET_MS + 1)
            await again.recovery.ask_about_unsettled()
            await again.protection().ensure("BTCUSDT", rules)
            assert await held(again) == before
            assert len(await resting(again)) == 2
            await assert_equal(again, sent=3)

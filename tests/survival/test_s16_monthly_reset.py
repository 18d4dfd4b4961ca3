"""S16: the exchange forgets everything while the daemon runs: two signs, one closed epoch, and trading goes on."""

from decimal import Decimal

import pytest

from binance_trade_agent.agents.epochs import CannotReconcileError
from binance_trade_agent.domain.decisions import Outcome
from binance_trade_agent.domain.orders import OrderState, Role, Side, client_order_id
from binance_trade_agent.ledger import queries
from tests.agents.desk import Desk, desk, reopened
from tests.agents.market import alarms, held, levels, price
from tests.agents.watching import deposit, watched

UNKNOWN_ORDER = '{"code": -2013, "msg": "Order does not exist."}'


async def bought(ready: Desk, quantity: str = "0.01") -> None:
    await price(ready, "64000")
    assert (await ready.trade(quantity=quantity)).outcome is Outcome.EXECUTED
    await ready.wait(1)


async def epochs(ready: Desk) -> list[tuple[int, str]]:
    return [(epoch.epoch, epoch.reason) for epoch in await ready.ledger.read(queries.epochs)]


async def assert_began_anew(ready: Desk) -> None:
    """A second epoch with the account's balances, no position, no profit, and nothing open."""
    assert await epochs(ready) == [(1, "first start"), (2, "the exchange was reset")]
    assert await ready.ledger.wallet() == (await ready.gateway.account()).balances
    assert await ready.ledger.positions() == {}
    assert await ready.ledger.open_orders() == []
    external = await ready.ledger.read(
        lambda connection: connection.execute(
            "SELECT count(*) FROM postings WHERE epoch = 1 AND kind = 'external'"
        ).fetchone()[0]
    )
    assert external == 0  # nothing of the reset is booked in the epoch that it ended
    assert await ready.reconciler.run("the test wants to know") == []
    assert await alarms(ready) == {}


async def test_s16_seen_at_the_next_glance_and_trading_goes_on(tmp_path):
    async with desk(tmp_path) as ready:
        watch = watched(ready, "2", "4")
        await bought(ready)
        await watch.tick()
        before = {entry.order.client_order_id: entry for entry in await ready.orders()}
        position = (await ready.ledger.positions())["BTCUSDT"]
        assert len(await levels(ready)) == 2
        await ready.reset()
        await watch.tick()
        await assert_began_anew(ready)
        # What was open and held stays as it was, in the epoch that is closed.
        after = {entry.order.client_order_id: entry for entry in await ready.orders()}
        assert after == before
        assert {entry.epoch for entry in after.values()} == {1}
        assert await ready.ledger.read(lambda c: queries.position(c, 1, "BTCUSDT")) == position
        # It trades on.
        await bought(ready, "0.02")
        await watch.tick(1)
        assert {quantity for quantity, _ in (await levels(ready)).values()} == {Decimal("0.01998")}
        assert await held(ready) == Decimal("0.01998")
        assert await ready.reconciler.run("the test wants to know") == []
        assert await ready.ledger.wallet() == (await ready.gateway.account()).balances


async def test_s16_same_decision_has_another_id_in_the_next_epoch(tmp_path):
    parts = {"instance": "test", "strategy": "s", "symbol": "BTCUSDT", "tick_ms": 7, "leg": "entry", "attempt": 1}
    assert client_order_id(epoch=1, **parts) != client_order_id(epoch=2, **parts)


async def test_s16_seen_by_the_hourly_check_where_the_balances_are_the_same(tmp_path):
    """An order that filled nothing: the balances of the new exchange may be those of the old to the last digit."""
    async with desk(tmp_path) as ready:
        watch = watched(ready)
        await bought(ready)
        await ready.reset()
        for asset, amount in (await ready.ledger.wallet()).items():
            there = (await ready.gateway.account()).balances.get(asset, Decimal(0))
            await deposit(ready, asset, amount - there) if amount != there else None
        assert await ready.reconciler.is_equal_at_a_glance()
        await watch.tick()
        assert len(await epochs(ready)) == 1
        for _ in range(60):
            await watch.tick()
        await assert_began_anew(ready)


async def test_s16_seen_by_a_refused_order(tmp_path):
    """The bot sells what the new account has not got."""
    async with desk(tmp_path) as ready:
        watch = watched(ready)
        await bought(ready)
        await ready.reset()
        assert (await ready.trade(Side.SELL, "0.009")).outcome is Outcome.REJECTED
        await watch.tick(1)
        await assert_began_anew(ready)


@pytest.mark.parametrize("orders_before", [1, 2, 3])
async def test_s16_seen_by_an_order_whose_number_was_there_before(tmp_path, orders_before):
    """It is bought before anybody has looked: the new order's number is one that the ledger knows."""
    async with desk(tmp_path) as ready:
        watch = watched(ready)
        for _ in range(orders_before):
            await bought(ready)
        await watch.tick()
        await ready.reset()
        await ready.trade(quantity="0.01")
        await watch.tick(1)
        assert await epochs(ready) == [(1, "first start"), (2, "the exchange was reset")]
        assert await ready.ledger.wallet() == (await ready.gateway.account()).balances
        assert await ready.ledger.positions() == {}
        assert await ready.reconciler.run("the test wants to know") == []


async def test_s16_protection_that_was_placed_before_it_was_seen_is_not_taken_for_a_strangers(tmp_path):
    async with desk(tmp_path) as ready:
        watch = watched(ready, "2", "4")
        await bought(ready)
        await watch.tick()
        await ready.reset()
        await ready.wait(1000)
        await bought(ready, "0.02")
        await watch.tick(1)
        await watch.tick()
        await watch.tick()
        assert [number for number, _ in await epochs(ready)] == [1, 2]
        assert await ready.reconciler.run("the test wants to know") == []
        assert ready.gate.refusal("BTCUSDT") is None
        assert await ready.ledger.wallet() == (await ready.gateway.account()).balances


async def test_s16_stream_that_lives_through_it_books_nothing_wrong(tmp_path):
    async with desk(tmp_path) as ready:
        watch = watched(ready, "2", "4")
        async with watch.streaming():
            await bought(ready)
            await watch.tick()
            await ready.reset()
            await watch.tick()
            await assert_began_anew(ready)
            await bought(ready)
            await watch.tick(1)
            assert await held(ready) == Decimal("0.00999")
            assert len(await levels(ready)) == 2


async def test_s16_order_under_way_stays_in_the_closed_epoch(tmp_path):
    async with desk(tmp_path) as ready:
        watch = watched(ready)
        await bought(ready)
        await ready.exchange.fault("unknown_executed", method="POST", path="order")
        lost = await ready.trade(quantity="0.02")
        assert lost.outcome is Outcome.UNKNOWN
        await ready.reset()
        await watch.tick()
        await watch.tick()
        await assert_began_anew(ready)
        entry = await ready.entry(lost)
        assert entry.epoch == 1
        assert entry.order.state in {OrderState.UNKNOWN, OrderState.NOT_PLACED}  # nobody can tell any more
        assert await ready.times_sent() == 2


async def test_s16_one_sign_alone_closes_nothing(tmp_path):
    """The order is not known, once or for long, but its trade is; or the balances are others, but the order is known."""
    async with desk(tmp_path) as ready:
        watch = watched(ready, "2", "4")
        await bought(ready)
        await watch.tick()
        fault = {"kind": "http", "method": "GET", "path": "order", "status": 400, "body": UNKNOWN_ORDER}
        await ready.exchange.fault(**fault)
        await ready.reconciler.run("the test wants to know")
        await watch.tick()
        lasting = await ready.exchange.fault(**fault, count=None)
        for _ in range(3):
            await watch.tick()
        await ready.exchange._request("DELETE", f"fault/{lasting}", None)
        await deposit(ready, "USDT", "500")
        await watch.tick()
        assert await epochs(ready) == [(1, "first start")]
        assert {order.role for order in await ready.ledger.open_orders()} == {Role.STOP_LOSS, Role.TAKE_PROFIT}
        assert await ready.reconciler.run("the test wants to know") == []
        assert await ready.ledger.wallet() == (await ready.gateway.account()).balances
        assert await alarms(ready) == {}


async def test_s16_trades_alone_that_are_not_known_close_nothing(tmp_path):
    async with desk(tmp_path) as ready:
        watch = watched(ready)
        await bought(ready)
        lasting = await ready.exchange.fault("http", method="GET", path="myTrades", status=200, body="[]", count=None)
        for _ in range(3):
            await watch.tick()
            await ready.reconciler.run("the test wants to know")
        await ready.exchange._request("DELETE", f"fault/{lasting}", None)
        assert await epochs(ready) == [(1, "first start")]
        assert await ready.reconciler.run("the test wants to know") == []


async def test_s16_where_nothing_is_ever_reset_the_same_signs_halt(tmp_path):
    async with desk(tmp_path) as first, reopened(tmp_path, first.exchange, may_reset=False) as ready:
        await ready.reconciler.run("start")
        watch = watched(ready)
        await bought(ready)
        await watch.tick()
        await ready.reset()
        with pytest.raises(CannotReconcileError, match="other keys or another account"):
            await watch.tick()
        assert await epochs(ready) == [(1, "first start")]
        assert await held(ready) == Decimal("0.00999")


async def test_s16_suspicion_that_nothing_confirms_is_not_asked_about_without_end(tmp_path):
    """All orders are unknown and all trades are there: each look would reconcile, and spend the weight of a minute."""
    async with desk(tmp_path) as ready:
        watch = watched(ready, "2", "4")
        await bought(ready)
        await watch.tick()
        await ready.exchange.fault("http", method="GET", path="order", status=400, body=UNKNOWN_ORDER, count=None)
        await ready.reconciler.run("the test wants to know")
        assert ready.reconciler.is_suspicious
        runs = 0
        run = ready.reconciler.run

        async def counted(reason: str):
            nonlocal runs
            runs += 1
            return await run(reason)

        ready.reconciler.run = counted
        watch.watch._is_stepped = False
        for _ in range(60):
            await ready.wait(1000)
            await watch.watch.between_ticks()
        assert runs <= 6

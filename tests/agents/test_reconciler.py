"""Reconciler: the same way to the same truth at the start, after a gap, and while things move."""

from decimal import Decimal

import pytest

from binance_trade_agent.agents.reconciler import DIFFERENCE, MISSING_COINS
from binance_trade_agent.domain.decisions import Outcome
from binance_trade_agent.domain.orders import OrderState, Side
from binance_trade_agent.exchange.errors import UnavailableError
from binance_trade_agent.ops.tasks import spawn
from tests.agents.desk import Desk, desk, reopened
from tests.agents.market import alarms, assert_equal, price
from tests.agents.watching import deposit


async def external(ready: Desk) -> list[tuple[str, str]]:
    """What was booked as coming from outside after the epoch had begun: asset and amount in the wallet."""
    return await ready.ledger.read(
        lambda connection: [
            (row["asset"], row["amount"])
            for row in connection.execute(
                "SELECT asset, amount FROM postings WHERE kind = 'external' AND account = 'wallet' ORDER BY at_ms, asset"
            )
        ]
    )


async def test_nothing_to_reconcile_changes_nothing(tmp_path):
    async with desk(tmp_path) as ready:
        await ready.trade()
        for _ in range(3):
            assert await ready.reconciler.run("every hour") == []
        assert await external(ready) == []
        assert ready.reconciler.done_ms == ready.clock.now_ms()


async def test_balance_that_moves_while_it_is_looked_at_is_looked_at_again(tmp_path):
    """The bot's own order fills between the question for the balances and the reading of the ledger."""
    async with desk(tmp_path) as ready:
        await price(ready, "64000")
        account, asked = ready.gateway.account, 0

        async def moving():
            nonlocal asked
            asked += 1
            found = await account()
            if asked == 2:  # the first is of the glance before
                await ready.wait(1)
                await ready.trade(quantity="0.01")
            return found

        await deposit(ready, "USDT", "3")
        ready.gateway.account = moving
        assert not await ready.reconciler.is_equal_at_a_glance()
        assert await ready.reconciler.run("balances differ") == []
        ready.gateway.account = account
        assert await external(ready) == [("USDT", "3")]
        await ready.assert_reconciled()


async def test_two_orders_alike_that_end_within_two_looks_are_nothing_from_outside(tmp_path, caplog):
    """Each is in the wallet and not in the account, by the same amounts."""
    async with desk(tmp_path) as ready:
        await price(ready, "64000")
        account = ready.gateway.account

        async def moving():
            found = await account()
            await ready.wait(1)
            assert (await ready.trade(quantity="0.01")).outcome is Outcome.EXECUTED
            return found

        ready.gateway.account = moving
        assert await ready.reconciler.run("every hour") == []
        assert "they keep moving" in caplog.text
        ready.gateway.account = account
        await ready.wait(1)
        assert await ready.reconciler.run("every hour") == []
        assert await external(ready) == []
        await ready.assert_reconciled()


async def test_balances_that_never_stand_still_are_left_for_the_next_time(tmp_path, caplog):
    async with desk(tmp_path) as ready:
        account = ready.gateway.account

        async def moving():
            await deposit(ready, "USDT", "1")
            return await account()

        ready.gateway.account = moving
        await ready.reconciler.run("every hour")
        assert "they keep moving" in caplog.text
        ready.gateway.account = account
        await ready.reconciler.run("every hour")
        await ready.assert_reconciled()


async def test_two_at_a_time_book_an_amount_once(tmp_path):
    async with desk(tmp_path) as ready:
        await deposit(ready, "USDT", "7")
        both = [spawn(ready.reconciler.run(reason), name=reason) for reason in ("every hour", "balances differ")]
        for each in both:
            await each
        assert await external(ready) == [("USDT", "7")]


@pytest.mark.parametrize("path", ["account", "myTrades", "openOrders", "order"])
async def test_exchange_that_cannot_be_asked_leaves_the_books_as_they_are(tmp_path, path):
    async with desk(tmp_path) as ready:
        await ready.trade()
        await deposit(ready, "USDT", "7")
        before = await ready.ledger.wallet()
        fault = await ready.exchange.fault("http", method="GET", path=path, status=503, count=None)
        with pytest.raises(UnavailableError):
            await ready.reconciler.run("every hour")
        assert await alarms(ready) == {}
        assert (await ready.ledger.wallet())["BTC"] == before["BTC"]
        await ready.exchange._request("DELETE", f"fault/{fault}", None)
        await ready.wait(60_000)
        assert await ready.reconciler.run("every hour") == []
        assert await external(ready) == [("USDT", "7")]


async def test_difference_that_nothing_explains_blocks_its_symbol_until_it_is_gone(tmp_path):
    async with desk(tmp_path) as ready:
        entry = await ready.entry(await ready.trade())
        await ready.ledger.write(
            lambda connection: connection.execute(
                "UPDATE orders SET executed_base = '0.02' WHERE client_order_id = ?", (entry.order.client_order_id,)
            )
        )
        (found,) = await ready.reconciler.run("every hour")
        assert (found.subject, "FILLED 0.02" in found.text) == ("BTCUSDT", True)
        assert found.text in (await alarms(ready))[DIFFERENCE, "BTCUSDT"]
        assert ready.gate.refusal("BTCUSDT")[0] == DIFFERENCE
        assert ready.gate.refusal("ETHUSDT") is None
        assert not await ready.reconciler.is_equal_at_a_glance()  # so it is looked for again in a minute
        await ready.ledger.write(
            lambda connection: connection.execute(
                "UPDATE orders SET executed_base = '0.01' WHERE client_order_id = ?", (entry.order.client_order_id,)
            )
        )
        assert await ready.reconciler.run("every hour") == []
        assert ready.gate.refusal("BTCUSDT") is None
        assert await ready.reconciler.is_equal_at_a_glance()


async def test_missing_coins_are_an_alarm_while_it_runs_and_no_start_afterwards(tmp_path):
    async with desk(tmp_path) as ready:
        await ready.trade(quantity="0.01")
        await deposit(ready, "BTC", "-0.005")
        await ready.reconciler.run("every hour")
        assert (MISSING_COINS, "BTCUSDT") in await alarms(ready)
        await deposit(ready, "BTC", "0.005")
        async with reopened(tmp_path, ready.exchange) as again:
            assert again.gate.refusal("BTCUSDT")[0] == MISSING_COINS  # it stood when the last daemon ended
            assert await again.reconciler.run("start") == []
            assert again.gate.reasons() == {}


async def test_what_our_own_protection_locks_is_not_taken_for_another_s(tmp_path):
    async with desk(tmp_path) as ready:
        await price(ready, "64000")
        await ready.trade(quantity="0.01")
        await ready.trade(symbol="ETHUSDT", quantity="0.5")
        protection = ready.protection()
        await protection.ensure_all(ready.rules)
        assert len([order for order in await ready.ledger.open_orders() if order.state is OrderState.ACCEPTED]) == 4
        await assert_equal(ready)
        assert ready.reconciler.foreign_locked == {}
        client = await ready.exchange.client()
        await client.order_market_buy(symbol="BTCUSDT", quantity="0.1")
        await client.order_limit_sell(symbol="BTCUSDT", quantity="0.05", price="99000")
        await client.order_limit_buy(symbol="ETHUSDT", quantity="0.1", price="1000")
        await assert_equal(ready)
        assert ready.reconciler.foreign_locked == {"BTC": Decimal("0.05"), "USDT": Decimal(100)}
        assert (await ready.trade(Side.SELL, "0.00001", "BTCUSDT")).outcome  # whatever comes of it, the books hold
        await assert_equal(ready)

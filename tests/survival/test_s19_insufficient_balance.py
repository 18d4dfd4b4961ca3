"""S19: -2010 for want of money: refused for good, the balances are read again, and the decision is not tried again."""

from decimal import Decimal

import pytest

from binance_trade_agent.domain.decisions import Outcome
from binance_trade_agent.domain.orders import OrderState, Side
from binance_trade_agent.exchange.errors import UnavailableError
from tests.agents.desk import desk
from tests.agents.market import alarms, price
from tests.agents.watching import deposit, watched

INSUFFICIENT = "Account has insufficient balance for requested action. (-2010)"


async def test_s19_money_that_was_withdrawn_refuses_the_order_once_and_the_wallet_learns_of_it(tmp_path):
    async with desk(tmp_path) as ready:
        watch = watched(ready)
        await price(ready, "64000")
        await deposit(ready, "USDT", "-9900")
        intent = await ready.intent(quantity="0.01")
        decision = await ready.execution.execute(ready.decision(intent), intent)
        assert (decision.outcome, decision.detail) == (Outcome.REJECTED, INSUFFICIENT)
        entry = await ready.entry(decision)
        assert (entry.order.state, entry.is_settled, entry.order.reserved_quote) == (OrderState.REJECTED, True, 0)
        assert (await ready.ledger.wallet())["USDT"] == 10_000  # it has not been told yet
        await watch.tick(1)
        assert (await ready.ledger.wallet())["USDT"] == 100
        # The same decision again, as after a restart in the same tick: it has its order.
        again = await ready.execution.execute(ready.decision(intent), intent)
        assert again.outcome is Outcome.SKIPPED
        for _ in range(3):
            await watch.tick()
        assert await ready.times_sent() == 1
        assert await alarms(ready) == {}
        assert ready.gate.reasons() == {}
        await ready.assert_reconciled()


async def test_s19_one_refusal_is_one_reconciliation(tmp_path):
    async with desk(tmp_path) as ready:
        watch = watched(ready)
        await deposit(ready, "USDT", "-9999")
        reasons = []
        run = ready.reconciler.run

        async def noted(reason: str):
            reasons.append(reason)
            return await run(reason)

        ready.reconciler.run = noted
        await ready.trade()
        for _ in range(5):
            await watch.tick(10_000)
        assert reasons == [f"an order was refused: {INSUFFICIENT}"]


async def test_s19_coins_that_were_sold_by_hand_refuse_the_sale_and_the_symbol_is_not_entered(tmp_path):
    async with desk(tmp_path) as ready:
        watch = watched(ready)
        await price(ready, "64000")
        await ready.trade(quantity="0.01")
        client = await ready.exchange.client()
        await client.order_market_sell(symbol="BTCUSDT", quantity="0.009")
        refused = await ready.trade(Side.SELL, "0.00999")
        assert (refused.outcome, refused.detail) == (Outcome.REJECTED, INSUFFICIENT)
        await watch.tick(1)
        assert (await ready.ledger.positions())["BTCUSDT"].quantity == Decimal("0.00999")  # it did not sell them
        name, text = ready.gate.refusal("BTCUSDT")
        assert (name, ready.gate.refusal("ETHUSDT")) == ("missing_coins", None)
        assert "hold 0.00999 BTC but the account has only 0.00099" in text
        await client.order_market_buy(symbol="BTCUSDT", quantity="0.02")
        await watch.tick()
        assert ready.gate.refusal("BTCUSDT") is None
        await ready.wait(1)
        assert (await ready.trade(Side.SELL, "0.00999")).outcome is Outcome.EXECUTED
        await watch.tick()
        assert await ready.ledger.wallet() == (await ready.gateway.account()).balances


async def test_s19_reconciliation_that_could_not_be_made_is_made_later(tmp_path):
    async with desk(tmp_path) as ready:
        watch = watched(ready)
        await price(ready, "64000")
        await deposit(ready, "USDT", "-9900")
        await ready.trade()
        await ready.exchange.fault("http", method="GET", path="account", status=503)
        with pytest.raises(UnavailableError):
            await watch.tick(1)
        await watch.tick(30_000)
        assert (await ready.ledger.wallet())["USDT"] == 100


async def test_s19_funds_that_an_order_of_another_locks_are_known_at_the_next_glance(tmp_path):
    async with desk(tmp_path) as ready:
        watch = watched(ready)
        client = await ready.exchange.client()
        await client.order_limit_buy(symbol="BTCUSDT", quantity="0.1", price="50000")
        await watch.tick()
        assert ready.reconciler.foreign_locked == {"USDT": Decimal(5000)}
        await client.cancel_order(symbol="BTCUSDT", orderId=(await client.get_open_orders())[0]["orderId"])
        await watch.tick()
        assert ready.reconciler.foreign_locked == {}

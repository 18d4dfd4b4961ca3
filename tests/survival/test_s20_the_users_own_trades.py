"""S20: the user deposits, withdraws and trades by hand in the same account: recognised, said once, left alone."""

from decimal import Decimal

import pytest

from binance_trade_agent.agents.facts import compared, ledger_facts
from binance_trade_agent.agents.order_keeper import STRANGER
from binance_trade_agent.domain.decisions import Outcome
from binance_trade_agent.domain.order_ids import client_order_id
from binance_trade_agent.domain.orders import Side
from binance_trade_agent.domain.signals import Action
from tests.agents.desk import Desk, desk, reopened
from tests.agents.market import alarms, levels, price
from tests.agents.watching import Watched, deposit, watched
from tests.test_orchestrator import pipeline


async def assert_right(ready: Desk) -> None:
    """The wallet is the account's, `reconcile` finds nothing, and nothing is wrong."""
    symbols = tuple(ready.rules)
    ours = await ready.ledger.read(lambda connection: ledger_facts(connection, symbols))
    assert (await compared(ready.gateway, ours, ready.rules.values())).differences == []
    wallet = {asset: amount for asset, amount in (await ready.ledger.wallet()).items() if amount}
    balances = (await ready.gateway.account()).balances
    assert wallet == {asset: balances[asset] for asset in wallet}
    assert await alarms(ready) == {}
    assert ready.gate.reasons() == {}


async def everything_a_person_does(ready: Desk) -> None:
    client = await ready.exchange.client()
    await deposit(ready, "USDT", "1234.5")
    await deposit(ready, "BTC", "0.5")
    await deposit(ready, "USDT", "-200")
    await client.order_market_buy(symbol="BTCUSDT", quantity="0.02")
    await client.order_market_sell(symbol="BTCUSDT", quantity="0.3", newClientOrderId="by-hand")
    await client.order_limit_buy(symbol="ETHUSDT", quantity="0.5", price="1000")
    resting = await client.order_limit_sell(symbol="BTCUSDT", quantity="0.1", price="90000")
    await client.cancel_order(symbol="BTCUSDT", orderId=resting["orderId"])


async def settle(watch: Watched) -> None:
    for _ in range(2):
        await watch.tick()


@pytest.mark.parametrize("streaming", [True, False], ids=["heard", "polled"])
async def test_s20_while_it_runs(tmp_path, caplog, streaming):
    async with desk(tmp_path) as ready:
        watch = watched(ready, "20", "40")
        await price(ready, "64000")
        await ready.trade(quantity="0.01")
        if streaming:
            async with watch.streaming():
                await watch.tick()
                held = (await ready.ledger.positions())["BTCUSDT"]
                await everything_a_person_does(ready)
                await settle(watch)
        else:
            watch.is_live = False
            await watch.tick()
            held = (await ready.ledger.positions())["BTCUSDT"]
            await everything_a_person_does(ready)
            await settle(watch)
        assert (await ready.ledger.positions())["BTCUSDT"] == held
        assert len(await levels(ready)) == 2  # its protection stands as it stood
        assert {entry.order.symbol for entry in await ready.orders()} == {"BTCUSDT"}
        assert len(await ready.ledger.fills()) == 1
        assert ready.reconciler.foreign_locked == {"USDT": Decimal(500)}
        await assert_right(ready)
        said = [record for record in caplog.records if "from outside" in record.message]
        assert len(said) == 2  # USDT and BTC, each once
        await settle(watch)
        assert len([record for record in caplog.records if "from outside" in record.message]) == 2
        notes = [record.message for record in caplog.records if "left alone" in record.message]
        assert len(notes) == len(set(notes))


async def test_s20_while_it_is_away(tmp_path):
    async with desk(tmp_path) as ready:
        await price(ready, "64000")
        await ready.trade(quantity="0.01")
        held = (await ready.ledger.positions())["BTCUSDT"]
        await everything_a_person_does(ready)
        async with reopened(tmp_path, ready.exchange) as again:
            assert await again.reconciler.run("start") == []
            assert (await again.ledger.positions())["BTCUSDT"] == held
            assert again.reconciler.foreign_locked == {"USDT": Decimal(500)}
            await assert_right(again)
            await again.wait(1)
            assert (await again.trade(Side.SELL, "0.00999")).outcome is Outcome.EXECUTED
            await assert_right(again)


async def test_s20_order_of_the_user_that_fills_later(tmp_path):
    async with desk(tmp_path) as ready:
        watch = watched(ready)
        await price(ready, "64000")
        async with watch.streaming():
            client = await ready.exchange.client()
            order = await client.order_limit_buy(symbol="BTCUSDT", quantity="0.1", price="60000")
            await watch.tick()
            assert ready.reconciler.foreign_locked == {"USDT": Decimal(6000)}
            await ready.exchange.control("trade", symbol="BTCUSDT", price="60000", qty="0.03", taker="SELL")
            await ready.exchange.control("trade", symbol="BTCUSDT", price="59000", qty="9", taker="SELL")
            assert (await client.get_order(symbol="BTCUSDT", orderId=order["orderId"]))["status"] == "FILLED"
            await settle(watch)
            assert ready.reconciler.foreign_locked == {}
            assert ready.keeper.counts["foreign_order"] == 1
            assert await ready.ledger.positions() == {}
            await assert_right(ready)


async def test_s20_what_is_locked_by_others_is_not_spent(tmp_path):
    async with pipeline(tmp_path, BTCUSDT=Action.BUY) as line:
        ready = line.desk
        line.orchestrator._risk._locked_by_others = lambda: ready.reconciler.foreign_locked
        client = await ready.exchange.client()
        await client.order_limit_buy(symbol="ETHUSDT", quantity="9.95", price="1000")
        await ready.reconciler.run("every hour")
        decision = (await line.tick())["BTCUSDT"]
        assert (decision.outcome, decision.rule) == (Outcome.REFUSED, "balance")
        assert await ready.times_sent() == 1  # the user's
        await client.cancel_order(symbol="ETHUSDT", orderId=(await client.get_open_orders())[0]["orderId"])
        await ready.reconciler.run("every hour")
        assert (await line.tick())["BTCUSDT"].outcome is Outcome.EXECUTED


async def test_s20_deposit_that_a_reconciliation_sees_before_its_event_is_booked_once(tmp_path):
    async with desk(tmp_path) as ready:
        watch = watched(ready)
        async with watch.streaming() as stream:
            await ready.exchange.fault("event_delay", event="balanceUpdate", ms=150)
            await deposit(ready, "USDT", "100")
            await ready.reconciler.run("every hour")
            assert (await ready.ledger.wallet())["USDT"] == 10_100
            while not ready.keeper.heard_of_balance:
                await stream.catch_up()
            assert (await ready.ledger.wallet())["USDT"] == 10_100
            await settle(watch)
            external = await ready.ledger.read(
                lambda connection: connection.execute(
                    "SELECT count(DISTINCT reference) FROM postings WHERE kind = 'external'"
                ).fetchone()[0]
            )
            assert external == 1
            await assert_right(ready)


async def test_s20_coins_that_the_bot_never_trades_are_not_its_business(tmp_path, caplog):
    async with desk(tmp_path, balances={"USDT": Decimal(10_000), "DOGE": Decimal(5)}) as ready:
        watch = watched(ready)
        async with watch.streaming():
            await deposit(ready, "DOGE", "100")
            await settle(watch)
            assert "DOGE" not in await ready.ledger.wallet()
            assert "from outside" not in caplog.text
            await assert_right(ready)


async def test_s20_withdrawal_of_the_bots_own_coins_is_an_alarm_and_nothing_is_invented(tmp_path):
    async with desk(tmp_path) as ready:
        watch = watched(ready)
        await price(ready, "64000")
        await ready.trade(quantity="0.01")
        await deposit(ready, "BTC", "-0.005")
        await settle(watch)
        assert {kind for kind, _ in await alarms(ready)} == {"missing_coins"}
        assert (await ready.ledger.positions())["BTCUSDT"].quantity == Decimal("0.00999")
        assert (await ready.ledger.wallet())["BTC"] == Decimal("0.00999")
        await deposit(ready, "BTC", "0.005")
        await settle(watch)
        await assert_right(ready)


def ours(instance: str, fence: int) -> str:
    parts = {"epoch": 1, "strategy": "s", "symbol": "BTCUSDT", "tick_ms": 7, "leg": "entry", "attempt": 1}
    return client_order_id(instance=instance, fence=fence, **parts)


@pytest.mark.parametrize("heard", [True, False], ids=["heard", "asked"])
@pytest.mark.parametrize(
    ("order_id", "who"),
    [
        (ours("test", 9), "generation 9 of this same TRADING_INSTANCE (test)"),
        (ours("another", 2), "generation 2 of another TRADING_INSTANCE"),
    ],
)
async def test_s20_order_with_our_mark_that_the_ledger_lacks_blocks_its_symbol(tmp_path, order_id, who, heard):
    async with desk(tmp_path) as ready:
        watch = watched(ready)
        client = await ready.exchange.client()
        placing = {"symbol": "BTCUSDT", "quantity": "0.01", "price": "50000", "newClientOrderId": order_id}
        if heard:
            async with watch.streaming():
                order = await client.order_limit_buy(**placing)
                await watch.tick(1)
        else:
            order = await client.order_limit_buy(**placing)
            await ready.reconciler.run("every hour")
        assert who in (await alarms(ready))[STRANGER, "BTCUSDT"]
        assert ready.gate.refusal("BTCUSDT") is not None
        assert ready.gate.refusal("ETHUSDT") is None
        async with reopened(tmp_path, ready.exchange) as again:
            assert again.gate.refusal("BTCUSDT") is not None  # over a restart too
        await client.cancel_order(symbol="BTCUSDT", orderId=order["orderId"])
        await ready.reconciler.run("every hour")
        await assert_right(ready)

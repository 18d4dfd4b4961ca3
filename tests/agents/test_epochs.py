"""Epochs: which signs say that the exchange has forgotten everything, and which do not."""

from decimal import Decimal

import pytest

from binance_trade_agent.domain.orders import Side
from binance_trade_agent.ledger import queries
from tests.agents.desk import Desk, desk, reopened
from tests.agents.market import killed_at, price
from tests.agents.watching import deposit

UNKNOWN_ORDER = '{"code": -2013, "msg": "Order does not exist."}'


async def number(ready: Desk) -> int:
    return (await ready.epochs.current()).epoch


async def unfilled(ready: Desk) -> None:
    await ready.exchange.control("book", symbol="BTCUSDT", bids=[["63999", "1"]], asks=[])
    await ready.trade()


@pytest.mark.parametrize(
    ("path", "body", "status"), [("order", UNKNOWN_ORDER, 400), ("myTrades", "[]", 200), ("account", None, 0)]
)
async def test_one_sign_alone_says_nothing(tmp_path, path, body, status):
    async with desk(tmp_path) as ready:
        await ready.trade()
        if body is None:
            await deposit(ready, "USDT", "100")
        else:
            await ready.exchange.fault("http", method="GET", path=path, status=status, body=body, count=None)
        assert await number(ready) == 1


async def test_without_any_order_nothing_can_have_been_forgotten(tmp_path):
    async with desk(tmp_path) as ready:
        await deposit(ready, "USDT", "100")
        await ready.reset()
        assert await number(ready) == 1


async def test_unfilled_order_alone_needs_other_balances_beside_it(tmp_path):
    async with desk(tmp_path) as ready:
        await unfilled(ready)
        await ready.reset()
        assert await number(ready) == 1  # the same balances: nothing was lost, and nothing contradicts the books
        await deposit(ready, "USDT", "1")
        assert await number(ready) == 2


async def test_symbol_with_a_trade_is_the_witness_wherever_it_stands(tmp_path):
    async with desk(tmp_path) as ready:
        await unfilled(ready)
        await ready.trade(symbol="ETHUSDT", quantity="0.1")
        assert await number(ready) == 1
        await ready.reset()
        assert await number(ready) == 2


async def test_long_history_is_asked_about_by_one_order(tmp_path):
    async with desk(tmp_path) as ready:
        for side in (Side.BUY, Side.SELL) * 5:
            await price(ready, "64000")
            await ready.trade(side, "0.009" if side is Side.SELL else "0.01")
            await ready.wait(1)
        since = len(await ready.exchange.log())
        assert await number(ready) == 1
        assert [row["target"].split("?")[0] for row in (await ready.exchange.log())[since:]] == ["/api/v3/order"]


async def test_killed_when_the_epoch_was_opened_it_is_opened_once(tmp_path):
    async with desk(tmp_path) as ready:
        await ready.trade()
        await ready.reset()
        with killed_at("epoch.opened"):
            await ready.reconciler.run("start")
        async with reopened(tmp_path, ready.exchange) as again:
            assert await again.reconciler.run("start") == []
            found = await again.ledger.read(queries.epochs)
            assert [epoch.epoch for epoch in found] == [1, 2]
            assert await again.ledger.wallet() == {"USDT": Decimal(10_000)}


async def test_old_trades_of_the_account_are_before_the_new_epoch(tmp_path):
    """What was traded by hand between the reset and its discovery is in the opening balances, not booked again."""
    async with desk(tmp_path) as ready:
        await ready.trade()
        await ready.reset()
        client = await ready.exchange.client()
        await client.order_market_buy(symbol="BTCUSDT", quantity="0.05")
        assert await ready.reconciler.run("every hour") == []
        assert (await ready.ledger.current_epoch()).epoch == 2
        assert await ready.ledger.wallet() == (await ready.gateway.account()).balances
        assert await ready.ledger.fills() == []

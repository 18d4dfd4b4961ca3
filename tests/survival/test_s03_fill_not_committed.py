"""S03: killed between a fill and its commit. The account's trades are read again from the last one that was booked."""

import re
from decimal import Decimal

import pytest

from binance_trade_agent.domain.orders import OrderState, Role, Side
from binance_trade_agent.domain.values import replace
from tests.agents.desk import Desk, desk, reopened
from tests.agents.test_execution import Streaming
from tests.survival.trader import Killed, assert_equal, assert_settled, dying_at, held, legs


async def asked_from(ready: Desk, symbol: str = "BTCUSDT") -> list[int]:
    """From which trade ids the account's trades were read on, without those of one order."""
    asked = [request["target"] for request in await ready.exchange.log() if "myTrades" in request["target"]]
    asked = [target for target in asked if f"symbol={symbol}" in target and "orderId" not in target]
    return [int(found[1]) for target in asked if (found := re.search(r"fromId=(\d+)", target))]


async def let_the_target_fill(ready: Desk) -> None:
    target = (await legs(ready))[Role.TAKE_PROFIT]
    price = str(target.price)
    await ready.exchange.control("trade", symbol="BTCUSDT", price=price, qty=str(target.quantity * 3), taker="BUY")


async def test_s03_fill_that_was_missed_is_not_hidden_by_later_fills_that_were_booked(tmp_path):
    async with desk(tmp_path) as ready:
        missed = await ready.sent(quantity="0.002")
        await ready.gateway.place_order(missed)
        await ready.ledger.transition(missed.client_order_id, OrderState.DENIED, ready.clock.now_ms())
        for _ in range(3):
            await ready.wait(1000)
            await ready.trade(quantity="0.003")
        async with reopened(tmp_path, ready.exchange) as again:
            await again.reconciler.run("start")
            assert (await again.entry(missed)).order.state is OrderState.FILLED
            assert len(await again.ledger.fills()) == 4
            await assert_settled(again, sent=4)


@pytest.mark.parametrize("levels", [1, 3])
async def test_s03_killed_with_the_answer_in_hand_every_fill_is_booked_once(tmp_path, levels):
    async with desk(tmp_path) as ready:
        await ready.trade(quantity="0.002")
        await ready.wait(1000)
        asks = [[str(64_000 + number), "0.002"] for number in range(levels)]
        await ready.exchange.control("book", symbol="BTCUSDT", bids=[["63999", "1"]], asks=asks)
        with dying_at("order.answered"), pytest.raises(Killed):
            await ready.trade(quantity=str(Decimal("0.002") * levels))
        assert len(await ready.ledger.fills()) == 1
        for _ in range(2):
            async with reopened(tmp_path, ready.exchange) as again:
                await again.reconciler.run("start")
                assert len(await again.ledger.fills()) == 1 + levels
                await assert_settled(again, sent=2)


async def test_s03_killed_between_two_fills_of_one_order_the_rest_is_found(tmp_path):
    async with desk(tmp_path) as ready:
        asks = [["64000", "0.002"], ["64001", "0.002"], ["64002", "0.002"]]
        await ready.exchange.control("book", symbol="BTCUSDT", bids=[["63999", "1"]], asks=asks)
        intent = await ready.sent(quantity="0.006")
        report = await ready.gateway.place_order(intent)
        first = report.fills[0]
        partly = replace(report, status="PARTIALLY_FILLED", executed_base=first.quantity, fills=(first,))
        async with ready.keeper.turn("BTCUSDT"):
            await ready.keeper.apply(partly)
        async with reopened(tmp_path, ready.exchange) as again:
            await again.reconciler.run("start")
            assert len(await again.ledger.fills()) == 3
            await assert_settled(again, sent=1)


@pytest.mark.parametrize("point", ["event.received", "event.booked"])
async def test_s03_killed_with_an_event_of_the_stream_in_hand_the_fill_is_booked_once(tmp_path, point):
    async with desk(tmp_path) as ready:
        await ready.trade()
        await ready.protection().ensure("BTCUSDT", ready.rules["BTCUSDT"])
        died = []

        async def dying(event) -> None:
            try:
                await ready.keeper.on_event(event)
            except Killed:
                died.append(event)

        async with Streaming(ready, dying) as stream:
            with dying_at(point):
                await let_the_target_fill(ready)
                await stream.catch_up()
        assert len(died) == 1
        async with reopened(tmp_path, ready.exchange) as again:
            await again.reconciler.run("start")
            assert [fill.side for fill in await again.ledger.fills()] == [Side.BUY, Side.SELL]
            await assert_settled(again, sent=2)


async def test_s03_what_filled_while_nobody_was_there_is_replayed_from_the_last_trade(tmp_path):
    async with desk(tmp_path) as ready:
        await ready.trade()
        bought = await held(ready)
        await ready.protection().ensure("BTCUSDT", ready.rules["BTCUSDT"])
        await ready.reconciler.run("check")
        cursor = await ready.ledger.trade_cursor("BTCUSDT")
        assert cursor == await ready.ledger.last_trade_id("BTCUSDT")
        await let_the_target_fill(ready)
        before = len(await asked_from(ready))
        async with reopened(tmp_path, ready.exchange) as again:
            assert await again.ledger.trade_cursor("BTCUSDT") == cursor, "it is kept in the same file"
            await again.reconciler.run("start")
            assert (await asked_from(again))[before] == cursor + 1, "nothing is read from the beginning again"
            assert await held(again) == bought - again.rules["BTCUSDT"].round_market_quantity(bought)
            assert await again.ledger.trade_cursor("BTCUSDT") == await again.ledger.last_trade_id("BTCUSDT")
            states = {entry.order.role: entry.order.state for entry in await again.orders()}
            assert states[Role.TAKE_PROFIT] is OrderState.FILLED
            assert states[Role.STOP_LOSS] in {OrderState.EXPIRED, OrderState.CANCELED}
            await assert_settled(again, sent=2)


async def test_s03_killed_in_the_replay_it_begins_again_where_it_was(tmp_path):
    async with desk(tmp_path) as ready:
        await ready.trade()
        await ready.protection().ensure("BTCUSDT", ready.rules["BTCUSDT"])
        await ready.reconciler.run("check")
        await let_the_target_fill(ready)
        for point in ("recovery.asked", "recovery.booked"):
            async with reopened(tmp_path, ready.exchange) as again:
                with dying_at(point), pytest.raises(Killed):
                    await again.reconciler.run("start")
        async with reopened(tmp_path, ready.exchange) as again:
            await again.reconciler.run("start")
            assert len(await again.ledger.fills()) == 2
            await assert_settled(again, sent=2)


async def test_s03_trades_of_others_do_not_hide_ours(tmp_path):
    async with desk(tmp_path) as ready:
        client = await ready.exchange.client()
        for _ in range(2):
            await client.order_market_buy(symbol="BTCUSDT", quantity="0.003")
            with dying_at("order.answered"), pytest.raises(Killed):
                await ready.trade()
            await client.order_market_sell(symbol="BTCUSDT", quantity="0.002")
            await ready.wait(1000)
            async with reopened(tmp_path, ready.exchange) as again:
                await again.reconciler.run("start")
        assert await held(ready) == 2 * Decimal("0.00999")
        assert [fill.quantity for fill in await ready.ledger.fills()] == [Decimal("0.01")] * 2
        assert await ready.ledger.wallet() == (await ready.gateway.account()).balances
        assert await ready.reconciler.run("check") == []


async def test_s03_books_of_a_fill_are_written_whole_or_not_at_all(tmp_path):
    """The fill, its postings, the wallet, the position and the order's sums are one transaction."""
    async with desk(tmp_path) as ready:
        intent = await ready.sent()
        report = await ready.gateway.place_order(intent)
        for table in ("fills", "postings", "positions", "orders", "order_events"):
            event = "INSERT" if table != "orders" else "UPDATE"
            trigger = f"CREATE TRIGGER dies BEFORE {event} ON {table} BEGIN SELECT RAISE(ABORT, 'killed'); END"
            await ready.ledger.write(lambda connection, sql=trigger: connection.execute(sql))
            async with ready.keeper.turn("BTCUSDT"):
                with pytest.raises(Exception, match="killed"):
                    await ready.keeper.apply(report)
            await ready.ledger.write(lambda connection: connection.execute("DROP TRIGGER dies"))
            assert await ready.ledger.fills() == []
            assert await held(ready) == 0
            assert await ready.ledger.wallet() == {"USDT": Decimal(10_000)}
            assert (await ready.entry(intent)).filled_base == 0
        await ready.recovery.catch_up()
        await assert_equal(ready, sent=1)

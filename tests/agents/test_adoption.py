"""What a restored ledger takes back from the exchange, and what it leaves alone."""

from contextlib import asynccontextmanager
from decimal import Decimal

from binance_trade_agent.agents.adoption import Adoption
from binance_trade_agent.agents.symbols import rules_of_books
from binance_trade_agent.domain.order_ids import client_order_id
from binance_trade_agent.domain.orders import OrderState, OrderType, Role, Side
from binance_trade_agent.domain.values import replace
from binance_trade_agent.ledger import queries, restorations
from binance_trade_agent.ledger.backup import back_up
from binance_trade_agent.ledger.external_sums import external_sum
from binance_trade_agent.ledger.lock import Holder, LedgerLock
from binance_trade_agent.ledger.restore import restore
from tests.agents.desk import Desk, desk, reopened
from tests.ledger.bookkeeping import run_record
from tests.survival.trader import alarms, legs


def put_back(tmp_path) -> None:
    """Restore the backup, as a person does who has ended the trader."""
    path = tmp_path / "ledger.db"
    with LedgerLock.acquire(path, Holder(1, "test", 0)):
        restore(path, tmp_path / "backup", 1_000, lambda _: None)


@asynccontextmanager
async def restored(tmp_path, ready: Desk):
    """The desk after its ledger was put back and it has started again."""
    await ready.ledger.close()
    put_back(tmp_path)
    async with reopened(tmp_path, ready.exchange) as again:
        await adopt(again)
        yield again


async def adopt(ready: Desk) -> None:
    """What a start does before it trades."""
    adoption = Adoption(ready.gateway, ready.ledger, ready.clock, ready.rules, instance="test")
    await adoption.after_restoration(ready.epochs)
    await ready.reconciler.run("start")


async def test_position_and_protection_that_came_after_the_backup_are_the_bots_again(tmp_path):
    async with desk(tmp_path) as ready:
        await ready.trade()
        back_up(tmp_path / "ledger.db", tmp_path / "backup")
        await ready.wait(1_000)
        await ready.trade(quantity="0.02")
        await ready.protection().ensure_all(ready.rules)
        lost = {entry.order.client_order_id: entry.order for entry in await ready.orders()}
        held = (await ready.ledger.positions())["BTCUSDT"]
        async with restored(tmp_path, ready) as again:
            orders = {entry.order.client_order_id: entry.order for entry in await again.orders()}
            assert orders.keys() == lost.keys()
            for name, order in orders.items():
                told = ("side", "type", "quantity", "price", "stop_price", "role", "state", "executed_base", "exit")
                assert [getattr(order, field) for field in told] == [getattr(lost[name], field) for field in told]
            legs = [order for order in orders.values() if order.role.is_protective]
            assert {leg.role for leg in legs} == {Role.STOP_LOSS, Role.TAKE_PROFIT}
            assert len({leg.list_id for leg in legs}) == 1
            found = (await again.ledger.positions())["BTCUSDT"]
            assert (found.quantity, found.cost_quote) == (held.quantity, held.cost_quote)
            assert again.reconciler.found == 0
            assert await alarms(again) == []
            sent = await again.times_sent()
            await again.protection().ensure_all(again.rules)
            assert await again.times_sent() == sent, "it is protected already"


async def test_a_sale_after_the_backup_closes_the_position(tmp_path):
    async with desk(tmp_path) as ready:
        await ready.trade()
        back_up(tmp_path / "ledger.db", tmp_path / "backup")
        await ready.wait(1_000)
        await ready.trade(Side.SELL, quantity="0.00999")
        async with restored(tmp_path, ready) as again:
            assert (await again.ledger.positions())["BTCUSDT"].quantity == 0
            await again.assert_reconciled()


async def test_a_target_that_had_sold_a_part_when_it_was_cancelled_is_told_by_its_list(tmp_path):
    async with desk(tmp_path) as ready:
        await ready.trade()
        back_up(tmp_path / "ledger.db", tmp_path / "backup")
        await ready.wait(1_000)
        await ready.protection().ensure_all(ready.rules)
        target = (await legs(ready))[Role.TAKE_PROFIT]
        price = str(target.price)
        await ready.exchange.control("trade", symbol="BTCUSDT", price=price, qty="0.004", taker="BUY")
        await ready.recovery.catch_up()
        assert (await ready.entry(target)).filled_base == Decimal("0.004")
        await ready.gateway.cancel_order("BTCUSDT", target.exchange_order_id)
        await ready.recovery.catch_up()
        held = (await ready.ledger.positions())["BTCUSDT"].quantity
        async with restored(tmp_path, ready) as again:
            assert (await again.ledger.positions())["BTCUSDT"].quantity == held
            assert again.reconciler.found == 0
            await again.assert_reconciled()


async def part_filled_and_cancelled(ready: Desk):
    """A person's order that rested, bought a part and was cancelled."""
    price = (await ready.gateway.book_ticker("BTCUSDT")).bid - 1000
    intent = replace(await ready.intent(), type=OrderType.LIMIT, price=price)
    await ready.execution.execute(ready.decision(intent), intent)
    await ready.exchange.control("trade", symbol="BTCUSDT", price=str(price), qty="0.004", taker="SELL")
    await ready.execution.cancel([(await ready.entry(intent)).order])
    return intent


async def test_a_persons_order_that_had_bought_a_part_when_it_was_cancelled_is_told_by_the_cancels_id(tmp_path):
    async with desk(tmp_path) as ready:
        back_up(tmp_path / "ledger.db", tmp_path / "backup")
        await ready.wait(1_000)
        intent = await part_filled_and_cancelled(ready)
        async with restored(tmp_path, ready) as again:
            entry = await again.entry(intent)
            assert (entry.order.state, entry.filled_base) == (OrderState.CANCELED, Decimal("0.004"))
            assert entry.order.is_persons_to_rest
            await again.assert_reconciled()
            assert await again.ledger.read(lambda inside: external_sum(inside, 1, "BTC")) == 0


async def test_an_order_that_was_not_yet_sent_at_the_backup_and_was_cancelled_since_is_told_its_number(tmp_path):
    async with desk(tmp_path) as ready:
        commit_intent = ready.ledger.commit_intent

        async def commit_and_back_up(*arguments, **named):
            order = await commit_intent(*arguments, **named)
            back_up(tmp_path / "ledger.db", tmp_path / "backup")
            return order

        ready.ledger.commit_intent = commit_and_back_up
        intent = await part_filled_and_cancelled(ready)
        async with restored(tmp_path, ready) as again:
            assert (await again.entry(intent)).filled_base == Decimal("0.004")
            assert await alarms(again) == [], "it was never given up"
            await again.assert_reconciled()


async def test_orders_of_an_earlier_ledger_on_the_same_account_are_none_of_the_restored_ones(tmp_path):
    async with desk(tmp_path) as earlier:
        await earlier.trade()
        await earlier.wait(1_000)
        (tmp_path / "later").mkdir()
        async with reopened(tmp_path / "later", earlier.exchange) as ready:
            await ready.reconciler.run("start")
            await ready.ledger.begin_run(run_record())
            back_up(tmp_path / "later" / "ledger.db", tmp_path / "later" / "backup")
            await ready.wait(1_000)
            mine = await ready.trade(quantity="0.02")
            async with restored(tmp_path / "later", ready) as again:
                assert [entry.order.client_order_id for entry in await again.orders()] == [mine.client_order_id]
                assert (await again.ledger.positions())["BTCUSDT"].quantity == Decimal("0.01998")


async def test_a_symbol_that_is_not_traded_any_more_is_asked_about_once_if_the_backup_ever_traded_it(tmp_path):
    async with desk(tmp_path) as ready:
        back_up(tmp_path / "ledger.db", tmp_path / "backup")
        traded = {"BTCUSDT": ready.rules["BTCUSDT"]}
        assert (await rules_of_books(ready.gateway, ready.ledger, traded)).keys() == {"BTCUSDT"}
        await ready.ledger.close()
        put_back(tmp_path)
        async with reopened(tmp_path, ready.exchange) as again:
            assert (await rules_of_books(again.gateway, again.ledger, traded)).keys() == {"BTCUSDT", "ETHUSDT"}
            await adopt(again)
            assert (await rules_of_books(again.gateway, again.ledger, traded)).keys() == {"BTCUSDT"}


async def test_an_order_whose_answer_was_not_seen_at_the_backup_is_found_by_its_own_name(tmp_path):
    async with desk(tmp_path) as ready:
        intent = await ready.sent()
        back_up(tmp_path / "ledger.db", tmp_path / "backup")
        await ready.gateway.place_order(intent)
        async with restored(tmp_path, ready) as again:
            assert (await again.entry(intent)).order.state is OrderState.FILLED
            await again.assert_reconciled()


async def test_orders_of_another_instance_stay_foreign(tmp_path):
    async with desk(tmp_path) as ready:
        await ready.trade()
        back_up(tmp_path / "ledger.db", tmp_path / "backup")
        await ready.wait(1_000)
        other = client_order_id(
            instance="other", epoch=1, strategy="s", symbol="BTCUSDT", tick_ms=1, leg="BUY", attempt=1
        )
        await ready.gateway.place_order(replace(await ready.intent(), client_order_id=other))
        async with restored(tmp_path, ready) as again:
            assert (await again.ledger.positions())["BTCUSDT"].quantity == Decimal("0.00999")
            assert len(await again.orders()) == 1
            assert await alarms(again) == ["difference"]


async def test_a_ledger_that_was_not_restored_adopts_nothing(tmp_path):
    async with desk(tmp_path) as ready:
        await ready.trade()
        mine = replace(await ready.intent(), client_order_id="btaxyz-BTCUSDT-1-0f3c5a9be1d274")
        await ready.gateway.place_order(mine)
        await adopt(ready)
        assert len(await ready.orders()) == 1


async def test_adopting_is_done_once_and_a_start_that_was_killed_on_the_way_goes_on(tmp_path):
    async with desk(tmp_path) as ready:
        back_up(tmp_path / "ledger.db", tmp_path / "backup")
        await ready.trade()
        await ready.wait(1_000)
        await ready.trade(quantity="0.02")
        await ready.ledger.close()
        put_back(tmp_path)
        async with reopened(tmp_path, ready.exchange) as killed:
            first, *_ = await killed.gateway.orders_since("BTCUSDT", 0)
            assets = {"base_asset": "BTC", "quote_asset": "USDT"}
            assert await killed.ledger.write(lambda inside: restorations.adopt(inside, first, **assets))
            assert not await killed.ledger.write(lambda inside: restorations.adopt(inside, first, **assets))
        async with reopened(tmp_path, ready.exchange) as again:
            await adopt(again)
            assert await again.ledger.read(restorations.to_adopt) is None
            assert len(await again.orders()) == 2
            await adopt(again)
            await again.assert_reconciled()


async def test_an_exchange_that_was_reset_since_the_backup_begins_a_new_epoch_and_nothing_is_adopted(tmp_path):
    async with desk(tmp_path) as ready:
        await ready.trade()
        back_up(tmp_path / "ledger.db", tmp_path / "backup")
        await ready.reset()
        async with restored(tmp_path, ready) as again:
            assert await again.ledger.read(queries.epoch_number) == 2
            assert await again.ledger.positions() == {}
            assert await again.ledger.read(restorations.to_adopt) is None
            assert again.reconciler.found == 0

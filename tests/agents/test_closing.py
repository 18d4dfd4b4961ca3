"""Closing positions: by a person, and by the kill switch until it is done."""

from decimal import Decimal

from binance_trade_agent.agents.closing import CLOSE_AGAIN_MS
from binance_trade_agent.control.commands import CommandKind, CommandState, refuse_stale
from binance_trade_agent.domain.exits import ExitKind
from binance_trade_agent.domain.orders import OrderState, Role
from binance_trade_agent.ledger.errors import LedgerUnavailable
from tests.agents.desk import Desk, desk, reopened
from tests.agents.market import assert_equal, held, killed_at, open_orders, price, resting
from tests.agents.persons import ASKED_WALL_MS, Person, person

BOTH = {"BTCUSDT": ("64000", "0.01"), "ETHUSDT": ("3200", "0.2")}


async def bought_both(ready: Desk, who: Person) -> None:
    for symbol, (bid, quantity) in BOTH.items():
        await price(ready, bid, symbol=symbol)
        await ready.trade(quantity=quantity, symbol=symbol)
    await who.watch.tick(1)
    for symbol, (bid, _) in BOTH.items():  # a minute of market has gone by
        await price(ready, bid, symbol=symbol)


async def test_close_takes_off_what_rests_sells_the_position_and_says_so(tmp_path):
    async with desk(tmp_path) as ready:
        who = person(ready)
        await bought_both(ready, who)
        await who.order("SELL", "0.004", "limit", price="70000")
        await who.order("BUY", "0.004", "limit", price="60000")
        command = await who.ask(CommandKind.CLOSE, symbol="BTCUSDT", reason="no more")
        assert command.state is CommandState.DONE
        assert command.answer.startswith("BTCUSDT: EXECUTED 0.00999 @ 64,000.00, fee ")
        entry = await ready.ledger.order(command.client_order_id)
        assert (entry.order.exit, entry.order.detail) == (ExitKind.MANUAL, "closed by ann (command 3): no more")
        assert (await held(ready), await open_orders(ready)) == (0, [])
        assert await held(ready, "ETHUSDT") > 0
        assert len(await resting(ready)) == 2, "the other symbol stays protected"
        await assert_equal(ready)


async def test_close_of_all_closes_each_and_says_what_could_not_be(tmp_path):
    async with desk(tmp_path) as ready:
        who = person(ready)
        await bought_both(ready, who)
        await ready.exchange.control("config", symbol={"symbol": "ETHUSDT", "status": "BREAK"})
        command = await who.ask(CommandKind.CLOSE, symbol="")
        assert command.state is CommandState.REFUSED
        first, second = command.answer.split("; ")
        assert first.startswith("BTCUSDT: EXECUTED 0.00999 @ 64,000.00")
        assert second.startswith("ETHUSDT is not closed: refused by symbol_status: ETHUSDT is in status BREAK")
        assert len(await open_orders(ready, "ETHUSDT")) == 2, "what cannot be sold stays protected"


async def test_close_of_what_only_rests_cancels_it(tmp_path):
    async with desk(tmp_path) as ready:
        who = person(ready)
        await price(ready, "64000")
        order = await who.order("BUY", "0.004", "limit", price="60000")
        paused = await who.ask(CommandKind.PAUSE)
        assert paused.answer == (
            f"entries are paused; what rests stays, and may still buy until it is cancelled: {order.client_order_id}"
        )
        command = await who.ask(CommandKind.CLOSE, symbol="")
        assert command.state is CommandState.DONE
        assert command.answer == "BTCUSDT: what rested is cancelled, nothing was to be sold"
        assert await open_orders(ready) == []


async def test_close_of_nothing_is_refused(tmp_path):
    async with desk(tmp_path) as ready:
        who = person(ready)
        assert (await who.ask(CommandKind.CLOSE, symbol="BTCUSDT")).answer == "nothing is held of BTCUSDT"
        assert (await who.ask(CommandKind.CLOSE, symbol="")).answer == "nothing is held"
        assert (await who.ask(CommandKind.CLOSE)).answer == "it does not say of which symbol"


async def test_close_that_a_crash_cut_in_two_says_what_was_sold_and_sells_nothing_later(tmp_path):
    async with desk(tmp_path) as ready:
        who = person(ready)
        await bought_both(ready, who)
        number = who.place(CommandKind.CLOSE, symbol="")
        with killed_at("order.booked"):
            await who.carry_out()
        async with reopened(tmp_path, ready.exchange) as again:
            await again.reconciler.run("start")
            await refuse_stale(again.ledger, again.clock.now_ms())
            who = person(again, fence=2)
            who.wall_ms = ASKED_WALL_MS + 3_600_000
            await who.carry_out()
            command = await who.command(number)
            assert command.state is CommandState.REFUSED
            assert command.answer.startswith("BTCUSDT: EXECUTED 0.00999 @ ")
            assert command.answer.endswith("ETHUSDT is not closed: the trader ended meanwhile")
            await who.watch.tick(1)
            assert len(await open_orders(again, "ETHUSDT")) == 2
            assert await held(again) == 0


async def test_kill_switch_closes_all_positions_and_holds_over_a_restart_until_all_are_closed(tmp_path):
    async with desk(tmp_path) as ready:
        who = person(ready)
        await bought_both(ready, who)
        await ready.exchange.control("book", symbol="ETHUSDT", bids=[["3200", "0.1"]], asks=[["3200.01", "50"]])
        killed = await who.ask(CommandKind.KILL, close_positions="true", reason="fire")
        assert killed.answer.endswith("tried again every 15 s: ETHUSDT (nobody buys more)")
        assert await held(ready) == 0
        left = await held(ready, "ETHUSDT")
        assert left == Decimal("0.0998")
        assert {row["origQty"] for row in await open_orders(ready, "ETHUSDT")} == {"0.09980000"}, (
            "it is protected again"
        )
        orders = len(await ready.orders())
        await who.emergency.obey()
        assert len(await ready.orders()) == orders, "a try that failed is followed by a pause"
        async with reopened(tmp_path, ready.exchange) as again:
            await again.reconciler.run("start")
            who = person(again, fence=2)
            await again.wait(CLOSE_AGAIN_MS)
            await price(again, "3200", symbol="ETHUSDT")
            await who.emergency.obey()
            assert who.emergency.progress == "all positions are closed"
            assert await held(again, "ETHUSDT") == 0
            sales = [entry.order for entry in await again.orders() if entry.order.role is Role.EXIT]
            assert {order.exit for order in sales} == {ExitKind.EMERGENCY}
            assert {order.state for order in sales} == {OrderState.FILLED, OrderState.EXPIRED}
            assert (await again.ledger.open_orders(), await open_orders(again, "ETHUSDT")) == ([], [])
            assert (await who.ask(CommandKind.RELEASE, name="test")).answer == "the kill switch is off"
            await who.emergency.obey()
            assert (who.emergency.is_on, who.emergency.progress) == (False, "")
            await assert_equal(again)


async def test_second_kill_takes_back_nothing_that_the_first_has_asked_for(tmp_path):
    async with desk(tmp_path) as ready:
        who = person(ready)
        await bought_both(ready, who)
        who.place(CommandKind.KILL, close_positions="true")
        who.place(CommandKind.KILL)
        await who.emergency.obey()
        assert (await held(ready), await held(ready, "ETHUSDT")) == (0, 0)


async def test_exchange_that_is_away_keeps_the_answer_waiting_no_longer_than_the_try(tmp_path):
    async with desk(tmp_path) as ready:
        who = person(ready)
        await bought_both(ready, who)
        await ready.exchange.fault("http", path="*", status=503, for_seconds=300)
        killed = await who.ask(CommandKind.KILL, close_positions="true")
        assert killed.state is CommandState.DONE
        assert "not closed yet and tried again every 15 s: BTCUSDT (" in killed.answer
        assert await held(ready) > 0


async def test_protection_stays_on_while_no_order_may_be_sent(tmp_path):
    async with desk(tmp_path) as ready:
        who = person(ready)
        await bought_both(ready, who)
        before = [await open_orders(ready, symbol) for symbol in BOTH]
        objection = "the account's lease was not renewed for 30 s"
        ready.execution._may_send = lambda: objection
        assert (await who.order("SELL", "0.005")).answer == objection
        assert (await who.ask(CommandKind.CLOSE, symbol="BTCUSDT")).answer == f"BTCUSDT is not closed: {objection}"
        killed = await who.ask(CommandKind.KILL, close_positions="true")
        assert killed.answer.endswith(f"BTCUSDT ({objection}), ETHUSDT ({objection})")
        assert [await open_orders(ready, symbol) for symbol in BOTH] == before
        ready.execution._may_send = lambda: None
        await ready.wait(CLOSE_AGAIN_MS)
        await price(ready, "64000")
        await price(ready, "3200", symbol="ETHUSDT")
        await who.emergency.obey()
        assert who.emergency.progress == "all positions are closed"
        await assert_equal(ready)


async def test_what_the_exchange_does_not_list_is_not_said_to_be_closed(tmp_path):
    async with desk(tmp_path) as ready:
        who = person(ready)
        await bought_both(ready, who)
        who.closer.rules = {"BTCUSDT": ready.rules["BTCUSDT"]}
        killed = await who.ask(CommandKind.KILL, close_positions="true")
        assert await held(ready) == 0
        assert killed.answer.endswith("ETHUSDT (the exchange did not list it when this run began)")


async def test_kill_whose_ledger_cannot_be_read_says_nothing_of_positions(tmp_path, monkeypatch):
    async with desk(tmp_path) as ready:
        who = person(ready)
        await bought_both(ready, who)
        who.place(CommandKind.KILL, close_positions="true")

        async def fails(_):
            raise LedgerUnavailable("the disk failed")

        monkeypatch.setattr(ready.ledger, "consult", fails)
        assert await who.emergency.obey_and_tell() == "not everything could be done yet: the disk failed"

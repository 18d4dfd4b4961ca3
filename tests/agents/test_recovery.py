"""Recovery: after a kill at any point of an order's life, and after what others did to the account."""

from decimal import Decimal

import pytest

from binance_trade_agent.agents.epochs import CannotReconcileError
from binance_trade_agent.agents.facts import exchange_facts, ledger_facts
from binance_trade_agent.agents.order_keeper import QUIET_MS
from binance_trade_agent.agents.symbols import rules_of_books
from binance_trade_agent.domain.decisions import Outcome
from binance_trade_agent.domain.orders import OrderState, Side
from binance_trade_agent.domain.values import replace
from binance_trade_agent.exchange.errors import UnavailableError
from binance_trade_agent.ledger.reconciliation import reconcile
from binance_trade_agent.ops.clock import sleep_seconds
from binance_trade_agent.ops.tasks import spawn
from tests.agents.desk import SYMBOLS, Desk, desk, reopened


async def state(ready: Desk, order) -> OrderState:
    return (await ready.entry(order)).order.state


async def restart(ready: Desk) -> None:
    """What a start does before it trades."""
    await ready.reconciler.run("start")


async def test_first_start_opens_an_epoch_from_the_exchanges_balances(tmp_path):
    async with desk(tmp_path, opened=False, balances={"USDT": Decimal(500), "BTC": Decimal("0.25")}) as ready:
        epoch = await ready.epochs.current()
        assert (epoch.epoch, epoch.reason) == (1, "first start")
        assert await ready.ledger.wallet() == {"USDT": Decimal(500), "BTC": Decimal("0.25")}
        assert await ready.ledger.positions() == {}  # what was there before is not the bot's to sell
        assert await ready.epochs.current() == epoch


async def test_killed_before_the_send_the_order_is_given_up_and_never_sent(tmp_path):
    async with desk(tmp_path) as ready:
        intent = await ready.intent()
        await ready.ledger.commit_intent(ready.decision(intent), intent, ready.clock.now_ms())
        await restart(ready)
        assert await state(ready, intent) is OrderState.DENIED
        again = await ready.execution.execute(ready.decision(intent), intent)
        assert again.outcome is Outcome.SKIPPED
        assert await ready.times_sent() == 0


async def test_order_that_nobody_has_seen_is_absent_only_after_the_quiet_time(tmp_path):
    async with desk(tmp_path) as ready:
        intent = await ready.sent()
        await restart(ready)
        assert await state(ready, intent) is OrderState.UNKNOWN
        await ready.wait(QUIET_MS)
        await ready.recovery.catch_up()
        assert await state(ready, intent) is OrderState.UNKNOWN
        await ready.wait(1)
        await ready.recovery.catch_up()
        assert await state(ready, intent) is OrderState.NOT_PLACED
        assert await ready.times_sent() == 0
        await ready.assert_reconciled()


async def test_killed_between_send_and_answer_the_fills_are_found(tmp_path):
    async with desk(tmp_path) as ready:
        intent = await ready.sent()
        await ready.gateway.place_order(intent)
        async with reopened(tmp_path, ready.exchange) as again:
            await restart(again)
            assert await state(again, intent) is OrderState.FILLED
            assert (await again.ledger.positions())["BTCUSDT"].quantity == Decimal("0.00999")
            assert await again.times_sent() == 1
            await again.assert_reconciled()


async def test_killed_between_a_fill_and_the_rest_the_missing_fills_are_found(tmp_path):
    async with desk(tmp_path) as ready:
        asks = [["64000", "1"], ["64001", "1"]]
        await ready.exchange.control("book", symbol="BTCUSDT", bids=[["63999", "1"]], asks=asks)
        intent = await ready.sent(quantity="0.1")
        report = await ready.gateway.place_order(intent)
        async with ready.keeper.turn(intent.symbol):
            await ready.keeper.apply(replace(report, fills=()))
        assert [order.client_order_id for order in await ready.ledger.open_orders()] == [intent.client_order_id]
        await restart(ready)
        await ready.assert_reconciled()


@pytest.mark.parametrize(
    ("fault", "end"),
    [
        ("unknown_executed", OrderState.FILLED),
        ("drop_after", OrderState.FILLED),
        ("unknown_not_executed", OrderState.NOT_PLACED),
    ],
)
async def test_unknown_outcome_is_resolved_by_asking_and_never_sent_again(tmp_path, fault, end):
    async with desk(tmp_path) as ready:
        await ready.exchange.fault(fault, method="POST", path="order")
        decision = await ready.trade()
        assert decision.outcome is Outcome.UNKNOWN
        await ready.wait(QUIET_MS + 1)
        await ready.recovery.catch_up()
        assert await state(ready, decision) is end
        assert await ready.times_sent() == 1
        await ready.assert_reconciled()


async def test_order_that_cannot_be_asked_about_keeps_its_state(tmp_path):
    async with desk(tmp_path) as ready:
        await ready.exchange.fault("unknown_executed", method="POST", path="order")
        decision = await ready.trade()
        await ready.wait(10 * QUIET_MS)
        fault = await ready.exchange.fault("http", method="GET", path="order", status=503, count=None)
        with pytest.raises(UnavailableError):
            await ready.recovery.catch_up()
        assert await state(ready, decision) is OrderState.UNKNOWN
        async with reopened(tmp_path, ready.exchange) as again:
            await again.exchange._request("DELETE", f"fault/{fault}", None)
            await again.recovery.catch_up()
            await again.assert_reconciled()


async def test_recovery_beside_an_order_that_is_being_sent_waits_for_its_end(tmp_path):
    """The user stream may connect, and so reconcile, at any moment."""
    async with desk(tmp_path) as ready:
        await ready.exchange.fault("latency", method="POST", path="order", ms=200)
        trading = spawn(ready.trade(), name="trade")
        while not await ready.ledger.open_orders():
            await sleep_seconds(0.005)
        await ready.recovery.catch_up()
        decision = await trading
        assert decision.outcome is Outcome.EXECUTED
        assert await state(ready, decision) is OrderState.FILLED
        events = await ready.ledger.read(
            lambda connection: [
                row[0] for row in connection.execute("SELECT state FROM order_events ORDER BY sequence")
            ]
        )
        assert events == [OrderState.INTENT, OrderState.SENT, OrderState.FILLED]


async def test_trade_of_an_order_of_ours_that_no_event_told_is_booked(tmp_path):
    async with desk(tmp_path) as ready:
        await ready.trade()
        first = await ready.entry(await ready.trade())
        await ready.wait(1000)
        intent = await ready.sent()
        report = await ready.gateway.place_order(intent)
        for executed_state in (OrderState.ACCEPTED, OrderState.CANCELED):
            await ready.ledger.transition(
                intent.client_order_id,
                executed_state,
                ready.clock.now_ms(),
                exchange_order_id=report.exchange_order_id,
            )
        assert first.is_settled
        assert await ready.ledger.open_orders() == []
        await ready.recovery.catch_up()
        await ready.assert_reconciled()


async def test_what_a_person_traded_is_booked_as_external_and_the_position_stays(tmp_path, caplog):
    async with desk(tmp_path) as ready:
        await ready.trade()
        held = (await ready.ledger.positions())["BTCUSDT"]
        client = await ready.exchange.client()
        await client.order_market_buy(symbol="BTCUSDT", quantity="0.02")
        await client.order_market_buy(symbol="ETHUSDT", quantity="0.5")
        await restart(ready)
        assert (await ready.ledger.positions())["BTCUSDT"] == held
        assert "BTC in the account changed by 0.01998 from outside" in caplog.text
        wallet = await ready.ledger.wallet()
        balances = (await ready.gateway.account()).balances
        assert wallet == balances
        await restart(ready)
        assert await ready.ledger.wallet() == wallet  # once


async def test_two_changes_from_outside_at_the_same_market_time_are_both_booked(tmp_path):
    async with desk(tmp_path) as ready:
        client = await ready.exchange.client()
        for quantity in ("0.01", "0.02"):
            await client.order_market_buy(symbol="BTCUSDT", quantity=quantity)
            await restart(ready)
        assert await ready.ledger.wallet() == (await ready.gateway.account()).balances


async def test_balances_are_left_alone_while_an_order_is_not_settled(tmp_path, caplog):
    async with desk(tmp_path) as ready:
        intent = await ready.sent()
        await ready.reconciler.run("start")
        assert "balances are not compared" in caplog.text
        await ready.gateway.place_order(intent)
        assert (await ready.ledger.wallet())["USDT"] == 10_000
        await restart(ready)
        await ready.assert_reconciled()


async def test_withdrawn_coins_of_the_bot_stop_the_start(tmp_path):
    async with desk(tmp_path) as ready:
        await ready.trade(quantity="0.01")
        client = await ready.exchange.client()
        await client.order_market_sell(symbol="BTCUSDT", quantity="0.009")
        async with reopened(tmp_path, ready.exchange) as again:
            with pytest.raises(CannotReconcileError, match=r"hold 0\.00999 BTC but the account has only 0\.00099"):
                await restart(again)
        # While it runs it is an alarm, and the symbol is not entered any more.
        await ready.reconciler.run("every hour")
        assert ready.gate.refusal("BTCUSDT")[0] == "missing_coins"
        assert ready.gate.refusal("ETHUSDT") is None
        await client.order_market_buy(symbol="BTCUSDT", quantity="0.01")
        await ready.reconciler.run("every hour")
        assert ready.gate.refusal("BTCUSDT") is None


async def test_reset_exchange_begins_a_new_epoch_without_profit_or_loss(tmp_path):
    async with desk(tmp_path) as ready:
        await ready.trade()
        await ready.reset()
        async with reopened(tmp_path, ready.exchange) as again:
            await restart(again)
            epoch = await again.ledger.current_epoch()
            assert (epoch.epoch, epoch.reason) == (2, "the exchange was reset")
            assert await again.ledger.positions() == {}
            assert (await again.ledger.wallet())["USDT"] == 10_000
            await restart(again)
            assert (await again.ledger.current_epoch()) == epoch


async def test_reset_is_told_from_the_balances_when_nothing_was_filled(tmp_path):
    async with desk(tmp_path) as ready:
        await ready.exchange.control("book", symbol="BTCUSDT", bids=[["63999", "1"]], asks=[])
        assert (await ready.trade()).outcome is Outcome.UNFILLED
        assert (await ready.epochs.current()).epoch == 1
        await ready.reset()
        await ready.exchange.control("config", deposit={"asset": "USDT", "amount": "1"})
        async with reopened(tmp_path, ready.exchange) as again:
            assert (await again.epochs.current()).epoch == 2


async def test_other_account_is_refused_where_nothing_is_ever_reset(tmp_path):
    async with desk(tmp_path) as ready:
        await ready.trade()
        await ready.reset()
        async with reopened(tmp_path, ready.exchange, may_reset=False) as again:
            with pytest.raises(CannotReconcileError, match="Set LEDGER_PATH to that account's own ledger"):
                await again.epochs.current()


async def test_order_on_a_symbol_that_is_not_traded_any_more_is_still_resolved(tmp_path):
    async with desk(tmp_path) as ready:
        intent = await ready.intent(symbol="ETHUSDT", quantity="0.1")
        await ready.ledger.commit_intent(ready.decision(intent), intent, ready.clock.now_ms())
        await ready.ledger.transition(intent.client_order_id, OrderState.SENT, ready.clock.now_ms())
        await ready.gateway.place_order(intent)
        traded = {"BTCUSDT": ready.rules["BTCUSDT"]}
        known = await rules_of_books(ready.gateway, ready.ledger, traded)
        assert list(known) == list(SYMBOLS)
        async with reopened(tmp_path, ready.exchange, symbols=list(known)) as again:
            await restart(again)
            await again.assert_reconciled()
            assert await rules_of_books(again.gateway, again.ledger, traded) == known  # for its position


async def test_facts_of_both_sides_agree_until_somebody_trades_by_hand(tmp_path):
    async def compared(ready: Desk):
        ours = await ready.ledger.read(lambda connection: ledger_facts(connection, SYMBOLS))
        return reconcile(ours, await exchange_facts(ready.gateway, ours, SYMBOLS), ("BTC", "ETH", "USDT", "BNB"))

    async with desk(tmp_path) as ready:
        await ready.trade()
        await ready.wait(1000)
        await ready.trade(Side.SELL, "0.009")
        result = await compared(ready)
        assert (result.differences, result.notes) == ([], [])
        client = await ready.exchange.client()
        await client.order_market_buy(symbol="BTCUSDT", quantity="0.05", newClientOrderId="by-hand")
        await client.order_limit_buy(symbol="ETHUSDT", quantity="0.1", price="2800", newClientOrderId="by-hand-too")
        result = await compared(ready)
        assert {difference.subject for difference in result.differences} == {"BTC", "USDT"}
        assert len(result.notes) == 2


async def test_another_market_begins_a_new_epoch_before_any_order(tmp_path):
    async with desk(tmp_path) as ready, reopened(tmp_path, ready.exchange, market="quite another") as again:
        epoch = await again.epochs.current()
        assert (epoch.epoch, epoch.reason, epoch.market) == (2, "another market", "quite another")
        assert (await again.epochs.current()).epoch == 2
        await again.reconciler.run("start")
        moves = await again.ledger.read(
            lambda c: c.execute("SELECT * FROM postings WHERE kind = 'external'").fetchall()
        )
        assert moves == []


async def test_epoch_of_an_older_ledger_is_of_the_market_that_comes_next(tmp_path):
    async with desk(tmp_path) as ready:
        await ready.ledger.write(lambda connection: connection.execute("UPDATE epochs SET market = NULL"))
        assert (await ready.epochs.current()).epoch == 1
        assert (await ready.ledger.current_epoch()).market.startswith("simulated ")


async def test_trades_that_are_all_in_the_ledger_cost_no_question_about_their_orders(tmp_path):
    async with desk(tmp_path) as ready:
        for side in (Side.BUY, Side.SELL, Side.BUY):
            await ready.trade(side)
            await ready.wait(1_000)
        cursor = await ready.ledger.trade_cursor("BTCUSDT")
        assert cursor is None or cursor < (await ready.ledger.fills("BTCUSDT"))[-1].trade_id
        before = await asked_for_orders(ready)
        await ready.recovery.catch_up()
        assert await asked_for_orders(ready) == before
        assert await ready.ledger.trade_cursor("BTCUSDT") == (await ready.ledger.fills("BTCUSDT"))[-1].trade_id
        await ready.assert_reconciled()


async def asked_for_orders(ready):
    return sum(
        request["method"] == "GET" and request["target"].startswith("/api/v3/order?")
        for request in await ready.exchange.log()
    )

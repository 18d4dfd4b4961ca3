from decimal import Decimal

import pytest

from binance_trade_agent.domain.decisions import Outcome
from binance_trade_agent.domain.orders import OrderState, Side
from binance_trade_agent.domain.values import replace
from binance_trade_agent.ledger import queries
from binance_trade_agent.ledger.errors import ContradictoryFill, DuplicateIntent, LedgerError, UnknownOrder
from binance_trade_agent.ledger.ledger import Ledger
from binance_trade_agent.ledger.records import EquityPoint
from tests.ledger.bookkeeping import (
    BTCUSDT,
    OPENING,
    decision,
    fill,
    intent,
    place,
    report,
    run_record,
    signal,
    trading_ledger,
)

ORDER = "bta-BTCUSDT-1"


@pytest.fixture
async def ledger(tmp_path):
    async with trading_ledger(tmp_path / "ledger.sqlite3") as opened:
        yield opened


async def test_a_new_ledger_has_no_epoch_no_orders_and_takes_no_run(tmp_path):
    async with await Ledger.open(tmp_path / "ledger.sqlite3") as ledger:
        assert await ledger.current_epoch() is None
        assert (await ledger.open_orders(), await ledger.wallet(), await ledger.positions()) == ([], {}, {})
        with pytest.raises(LedgerError, match="no epoch yet"):
            await ledger.begin_run(run_record())


async def test_an_intent_is_kept_with_its_decision_and_comes_back_whole(ledger):
    ordered = decision(outcome=Outcome.ORDERED, signal=signal(), client_order_id=ORDER, bid=Decimal("59999.9"))
    order = await ledger.commit_intent(ordered, intent(), 1_000)
    entry = await ledger.order(ORDER)
    assert entry.order == order
    assert (entry.epoch, entry.run_id, order.state) == (1, "run-a", OrderState.INTENT)
    assert await ledger.read(lambda connection: queries.decisions(connection, "run-a")) == [ordered]


async def test_the_same_intent_again_is_refused_and_changes_nothing(ledger):
    await place(ledger)
    with pytest.raises(DuplicateIntent, match="already"):
        await ledger.commit_intent(decision(2_000), intent(quantity=Decimal(7)), 2_000)
    assert (await ledger.order(ORDER)).order.quantity == Decimal("0.002")
    assert len(await ledger.read(lambda connection: queries.decisions(connection, "run-a"))) == 1


async def test_an_order_that_fills_in_two_reports_is_settled_after_the_second(ledger):
    await place(ledger)
    first = await ledger.apply_report(report("PARTIALLY_FILLED", "0.001", fill(1)), **BTCUSDT)
    assert (first.order.state, first.is_settled) == (OrderState.PARTIALLY_FILLED, False)
    second = await ledger.apply_report(report("FILLED", "0.002", fill(2)), **BTCUSDT)
    assert (second.order.state, second.order.executed_base, second.is_settled) == (
        OrderState.FILLED,
        Decimal("0.002"),
        True,
    )
    assert await ledger.open_orders() == []
    events = await ledger.read(lambda connection: queries.order_events(connection, ORDER))
    assert [(event.sequence, event.state) for event in events] == [
        (1, "INTENT"),
        (2, "SENT"),
        (3, "PARTIALLY_FILLED"),
        (4, "FILLED"),
    ]


async def test_a_repeated_report_changes_nothing(ledger):
    await place(ledger)
    await ledger.apply_report(report("FILLED", "0.002", fill(1), fill(2)), **BTCUSDT)
    wallet = await ledger.wallet()
    again = await ledger.apply_report(report("FILLED", "0.002", fill(1), fill(2)), **BTCUSDT)
    assert (again.is_changed, again.new_fills, again.is_after_end) == (False, (), False)
    assert await ledger.wallet() == wallet


async def test_a_late_report_neither_moves_the_state_back_nor_lowers_the_quantity(ledger):
    await place(ledger)
    await ledger.apply_report(report("FILLED", "0.002", fill(1), fill(2)), **BTCUSDT)
    for status, executed in (("NEW", "0"), ("PARTIALLY_FILLED", "0.001"), ("CANCELED", "0.001")):
        late = await ledger.apply_report(report(status, executed), **BTCUSDT)
        assert (late.is_changed, late.order.state, late.order.executed_base) == (
            False,
            OrderState.FILLED,
            Decimal("0.002"),
        )


async def test_a_partial_fill_that_grows_is_news_though_the_state_stays(ledger):
    await place(ledger)
    await ledger.apply_report(report("PARTIALLY_FILLED", "0.0005"), **BTCUSDT)
    grown = await ledger.apply_report(report("PARTIALLY_FILLED", "0.001"), **BTCUSDT)
    assert (grown.is_changed, grown.order.executed_base) == (True, Decimal("0.001"))


async def test_a_fill_before_the_answer_is_booked_and_the_answer_still_moves_the_state(ledger):
    await place(ledger)
    assert await ledger.book_fill(fill(1), **BTCUSDT)
    assert (await ledger.order(ORDER)).order.state is OrderState.SENT
    applied = await ledger.apply_report(report("FILLED", "0.001", fill(1)), **BTCUSDT)
    assert (applied.order.state, applied.new_fills, applied.is_settled) == (OrderState.FILLED, (), True)


async def test_an_order_that_ended_is_open_until_its_fills_add_up(ledger):
    await place(ledger)
    ended = await ledger.apply_report(report("EXPIRED", "0.001"), **BTCUSDT)
    assert (ended.order.is_terminal, ended.is_settled) == (True, False)
    assert [order.client_order_id for order in await ledger.open_orders()] == [ORDER]
    await ledger.book_fill(fill(1), **BTCUSDT)
    assert await ledger.open_orders() == []


async def test_a_fill_for_an_order_thought_dead_is_booked_and_told(ledger):
    await place(ledger)
    await ledger.transition(ORDER, OrderState.UNKNOWN, 1_050)
    await ledger.transition(ORDER, OrderState.NOT_PLACED, 1_060)
    late = await ledger.apply_report(report("FILLED", "0.001", fill(1)), **BTCUSDT)
    assert late.is_after_end
    assert late.is_revived  # the exchange proved us wrong
    assert (late.order.state, late.order.executed_base) == (OrderState.FILLED, Decimal("0.001"))
    assert (await ledger.positions())["BTCUSDT"].quantity == Decimal("0.000999")


async def test_a_report_on_an_intent_proves_that_it_was_sent(ledger):
    await ledger.commit_intent(decision(outcome=Outcome.ORDERED), intent(), 1_000)
    applied = await ledger.apply_report(report("FILLED", "0.001", fill(1)), **BTCUSDT)
    assert (applied.order.state, applied.is_settled) == (OrderState.FILLED, True)


async def test_a_status_that_is_not_known_keeps_the_state_and_books_the_fill(ledger):
    await place(ledger)
    applied = await ledger.apply_report(report("HALF_MATCHED", "0.001", fill(1)), **BTCUSDT)
    assert (applied.order.state, applied.order.executed_base, len(applied.new_fills)) == (
        OrderState.SENT,
        Decimal("0.001"),
        1,
    )


async def test_an_unknown_order_is_refused_everywhere(ledger):
    with pytest.raises(UnknownOrder, match="is not in the ledger"):
        await ledger.apply_report(report("FILLED", "0.001", fill(1)), **BTCUSDT)
    with pytest.raises(UnknownOrder):
        await ledger.book_fill(fill(1), **BTCUSDT)
    with pytest.raises(UnknownOrder):
        await ledger.transition(ORDER, OrderState.SENT, 1)


async def test_a_known_trade_id_with_other_numbers_is_refused_and_nothing_of_the_report_stays(ledger):
    await place(ledger)
    await ledger.book_fill(fill(1), **BTCUSDT)
    before = await ledger.order(ORDER)
    other = fill(1, quantity=Decimal("0.0005"), quote_quantity=Decimal(30))
    with pytest.raises(ContradictoryFill, match="probably reset"):
        await ledger.apply_report(report("FILLED", "0.002", fill(2), other), **BTCUSDT)
    assert await ledger.order(ORDER) == before
    assert await ledger.last_trade_id("BTCUSDT") == 1


async def test_trade_ids_are_compared_as_integers(ledger):
    await place(ledger)
    for trade_id in (9, 10, 100):
        await ledger.book_fill(fill(trade_id), **BTCUSDT)
    assert await ledger.last_trade_id("BTCUSDT") == 100
    assert await ledger.last_trade_id("ETHUSDT") is None


async def test_the_last_entry_is_the_last_buy(ledger):
    await place(ledger)
    await place(ledger, "bta-BTCUSDT-2", Side.SELL, tick_ms=2_000)
    await ledger.book_fill(fill(1), **BTCUSDT)
    await ledger.book_fill(fill(2, "bta-BTCUSDT-2", Side.SELL), **BTCUSDT)
    assert await ledger.last_entry_fill_ms("BTCUSDT") == 1_001
    assert await ledger.last_entry_fill_ms("ETHUSDT") is None


async def test_a_new_epoch_starts_from_its_own_balances_and_its_trade_ids_start_again(ledger):
    await place(ledger)
    await ledger.book_fill(fill(1), **BTCUSDT)
    epoch = await ledger.open_epoch(5_000, "testnet reset", {"USDT": Decimal(7)})
    assert epoch == await ledger.current_epoch()
    assert epoch.epoch == 2
    assert (await ledger.wallet(), await ledger.positions(), await ledger.open_orders()) == (
        {"USDT": Decimal(7)},
        {},
        [],
    )
    await place(ledger, "bta-BTCUSDT-9", tick_ms=6_000)
    assert await ledger.book_fill(fill(1, "bta-BTCUSDT-9"), **BTCUSDT)
    epochs = await ledger.read(queries.epochs)
    assert [(past.epoch, past.closed_ms) for past in epochs] == [(1, 5_000), (2, None)]


async def test_money_from_outside_moves_the_wallet_once(ledger):
    assert await ledger.post_external("USDT", Decimal("-2.5"), 2_000, "withdrawal 1")
    assert not await ledger.post_external("USDT", Decimal("-2.5"), 2_000, "withdrawal 1")
    assert (await ledger.wallet())["USDT"] == OPENING["USDT"] - Decimal("2.5")


async def test_a_decision_on_the_same_tick_replaces_the_earlier_one(ledger):
    ordered = decision(outcome=Outcome.ORDERED, signal=signal(), client_order_id=ORDER)
    await ledger.record_decisions([ordered, decision(symbol="ETHUSDT")])
    executed = replace(ordered, outcome=Outcome.EXECUTED, detail="0.002 @ 60,000")
    await ledger.record_decisions([executed])
    assert await ledger.read(lambda connection: queries.decisions(connection, "run-a")) == [
        executed,
        decision(symbol="ETHUSDT"),
    ]


async def test_a_run_and_its_equity_come_back_whole(ledger):
    point = EquityPoint("run-a", 1_000, 1, *(Decimal(number) / 3 for number in range(1, 6)))
    await ledger.record_equity(point)
    await ledger.end_run("run-a", 9_000, 99, "duration is over")
    assert await ledger.read(lambda connection: queries.equity(connection, "run-a")) == [point]
    ended = run_record(ended_ms=9_000, ended_wall_ms=99, end_reason="duration is over", number=1, epoch=1)
    assert await ledger.read(queries.runs) == [ended]


async def test_the_order_learns_its_exchange_id(ledger):
    await place(ledger)
    await ledger.apply_report(report("NEW", "0"), **BTCUSDT)
    assert (await ledger.order(ORDER)).order.exchange_order_id == 9

"""A cancel books what its answer says when that is all there is to know, and asks whenever anything is open."""

import itertools
import json
from collections.abc import Sequence
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from binance_trade_agent.agents.alarms import Alarms
from binance_trade_agent.agents.entry_gate import EntryGate
from binance_trade_agent.agents.order_keeper import OrderKeeper, end_told
from binance_trade_agent.domain.orders import Order, OrderReport, OrderState, Role, Side
from binance_trade_agent.domain.values import replace
from binance_trade_agent.exchange.gateway import Replaced
from binance_trade_agent.ledger.orders import order_of
from binance_trade_agent.ledger.records import OrderEntry
from tests.agents.desk import Desk, desk
from tests.agents.test_execution import Recorder, Streaming, books
from tests.agents.test_replacement import higher, replaced, states, target
from tests.ledger.bookkeeping import fill, intent, report, trading_ledger
from tests.survival.test_s06_cancel_and_fill import let_the_target_fill
from tests.survival.trader import alarms, assert_equal, assert_settled, held, legs

PLACED = replace(order_of("run-a", intent(side=Side.SELL), 1_000), state=OrderState.ACCEPTED, exchange_order_id=9)
UNTOUCHED = OrderEntry(PLACED, 1, "run-a", Decimal(0), Decimal(0))
PART = Decimal("0.001")
PARTLY_SOLD = OrderEntry(
    replace(PLACED, state=OrderState.PARTIALLY_FILLED, executed_base=PART, executed_quote=Decimal(60)),
    1,
    "run-a",
    filled_base=PART,
    filled_quote=Decimal(60),
)


def answered(executed: str = "0", status: str = "CANCELED", **changes) -> OrderReport:
    return report(status, executed, side=Side.SELL, **changes)


@pytest.mark.parametrize("status", ["CANCELED", "EXPIRED", "EXPIRED_IN_MATCH"])
@pytest.mark.parametrize(("entry", "executed"), [(UNTOUCHED, "0"), (PARTLY_SOLD, "0.001")], ids=["none", "part"])
def test_end_of_which_every_fill_is_known_is_told_beside_what_is_said_of_others(entry, executed, status):
    answer = answered(executed, status)
    other = replace(answer, exchange_order_id=10, client_order_id="bta-BTCUSDT-2")
    assert end_told(entry, [other, answer]) is answer


@pytest.mark.parametrize(
    "answers",
    [
        (),
        (answered(exchange_order_id=10),),
        (answered(order_id="bta-BTCUSDT-2"),),
        (answered(symbol="ETHUSDT"),),
        (replace(answered(), side=Side.BUY),),
        (answered(quantity=Decimal("0.003")),),
        (answered("0.001"),),  # a fill of which the ledger does not know
        (answered("0.002"),),
        (answered("-0.001"),),
        (answered("0.001", executed_quote=Decimal(0)),),
        (answered(executed_quote=Decimal(1)),),
        (answered(status="NEW"),),
        (answered(status="PENDING_CANCEL"),),
        (answered(status="FILLED"),),
        (answered(status="REJECTED"),),
        (answered(status="CANCELLED"),),
        (answered(status=["CANCELED"]),),
        (replace(answered(), fills=(fill(),)),),
        (answered(), answered()),
        (answered(), answered(status="FILLED")),
    ],
    ids=str,
)
def test_answer_that_leaves_anything_open_tells_no_end(answers):
    assert end_told(UNTOUCHED, answers) is None


@pytest.mark.parametrize("answer", [answered(), answered("0.002"), answered("0.001", executed_quote=Decimal(59))])
def test_answer_that_knows_less_or_more_than_was_filled_tells_no_end(answer):
    assert end_told(PARTLY_SOLD, [answer]) is None


def test_fill_that_the_exchange_has_told_of_and_that_is_not_booked_tells_no_end():
    entry = replace(UNTOUCHED, order=replace(PLACED, executed_base=Decimal("0.001")))
    assert end_told(entry, [answered()]) is None


def test_order_whose_number_is_not_known_is_asked_about_by_its_id():
    entry = replace(UNTOUCHED, order=replace(PLACED, exchange_order_id=None, state=OrderState.UNKNOWN))
    assert end_told(entry, [answered()]) is None


# A change of one thing that the answer says, of which none is true of any of the orders above.
UNTRUE = {
    "symbol": st.sampled_from(["ETHUSDT", ""]),
    "exchange_order_id": st.integers().filter(lambda number: number != 9),
    "client_order_id": st.text().filter(lambda name: name != PLACED.client_order_id),
    "side": st.just(Side.BUY),
    "status": st.sampled_from(["NEW", "PARTIALLY_FILLED", "PENDING_CANCEL", "FILLED", "REJECTED", ""]),
    "quantity": st.decimals("-0.001", "0.004", allow_nan=False, places=4).filter(lambda base: base != PLACED.quantity),
    "executed_base": st.decimals("-0.001", "0.003", allow_nan=False, places=4).filter(
        lambda base: base not in {0, PART}
    ),
    "executed_quote": st.decimals("-99", "99", allow_nan=False, places=4).filter(lambda quote: quote not in {0, 60}),
    "fills": st.just((fill(),)),
}


@given(
    st.sampled_from([(UNTOUCHED, answered()), (PARTLY_SOLD, answered("0.001"))]),
    st.fixed_dictionaries({}, optional=UNTRUE),
    st.integers(),
)
def test_answer_tells_an_end_only_when_all_of_it_is_true(known, changes, at_ms):
    entry, truth = known
    answer = replace(truth, at_ms=at_ms, detail="whenever it was", **changes)
    assert end_told(entry, [answer]) is (None if changes else answer)


async def protected(ready: Desk) -> dict[Role, Order]:
    """A position with a stop and a target on the exchange."""
    await ready.trade()
    await ready.protection().ensure("BTCUSDT", ready.rules["BTCUSDT"])
    return await legs(ready)


async def asked(ready: Desk, since: int = 0) -> list[str]:
    """The signed requests after the first `since`."""
    paths = [(request["method"], request["target"].split("?")[0]) for request in (await ready.exchange.log())[since:]]
    return [f"{method} {path.removeprefix('/api/v3/')}" for method, path in paths if path.startswith("/api/v3/")]


async def test_protection_is_taken_off_by_one_request(tmp_path):
    async with desk(tmp_path) as ready:
        both = await protected(ready)
        before = len(await ready.exchange.log())
        assert await ready.protection().release("BTCUSDT")
        assert await asked(ready, before) == ["DELETE order"]
        assert await states(ready, *both.values()) == [OrderState.CANCELED] * 2
        assert await held(ready) == Decimal("0.00999")
        assert await alarms(ready) == []
        await assert_settled(ready, sent=2)


async def test_sale_of_a_part_that_was_booked_before_the_cancel_is_not_asked_for(tmp_path):
    async with desk(tmp_path) as ready:
        await protected(ready)
        await let_the_target_fill(ready, Decimal("0.004"))
        await ready.recovery.catch_up()
        (left,) = (await legs(ready)).values()
        before = len(await ready.exchange.log())
        assert await ready.protection().release("BTCUSDT")
        assert await asked(ready, before) == ["DELETE order"]
        entry = await ready.entry(left)
        assert (entry.order.state, entry.filled_base, entry.is_settled) == (OrderState.CANCELED, Decimal("0.004"), True)
        await assert_settled(ready, sent=2)


async def test_moved_order_is_not_asked_about(tmp_path):
    async with desk(tmp_path) as ready:
        old = await target(ready)
        before = len(await ready.exchange.log())
        new = higher(ready, old)
        assert (await replaced(ready, old, new)).state is OrderState.ACCEPTED
        assert await asked(ready, before) == ["POST order/cancelReplace"]
        assert await states(ready, old, new) == [OrderState.CANCELED, OrderState.ACCEPTED]
        await assert_equal(ready, sent=3)


async def test_answer_to_a_replacement_that_speaks_of_another_new_order_is_believed_in_neither_half(tmp_path):
    async with desk(tmp_path) as ready:
        old = await target(ready)
        replace_order = ready.gateway.replace_order

        async def mixed_up(*arguments):
            answer = await replace_order(*arguments)
            return Replaced(replace(answer.placed, client_order_id="bta-BTCUSDT-9"), answer.cancelled)

        ready.gateway.replace_order = mixed_up
        before = len(await ready.exchange.log())
        new = higher(ready, old)
        assert (await replaced(ready, old, new)).state is OrderState.UNKNOWN
        assert await asked(ready, before) == ["POST order/cancelReplace", "GET order"]
        await ready.recovery.ask_about_unsettled()
        assert await states(ready, old, new) == [OrderState.CANCELED, OrderState.ACCEPTED]
        await assert_equal(ready, sent=3)


def without_the_last(reports: Sequence[OrderReport]) -> Sequence[OrderReport]:
    return reports[:-1]


def of_others(reports: Sequence[OrderReport]) -> Sequence[OrderReport]:
    return [replace(report, exchange_order_id=report.exchange_order_id + 100) for report in reports]


def still_open(reports: Sequence[OrderReport]) -> Sequence[OrderReport]:
    return [replace(report, status="NEW") for report in reports]


def sold_out(reports: Sequence[OrderReport]) -> Sequence[OrderReport]:
    return [replace(report, executed_base=report.quantity) for report in reports]


def nothing(_: Sequence[OrderReport]) -> Sequence[OrderReport]:
    return ()


async def test_s06_answers_to_a_cancel_that_are_odd_are_asked_about_and_what_is_true_is_booked(tmp_path, monkeypatch):
    async with desk(tmp_path) as ready:
        await ready.trade()
        for number, change in enumerate((without_the_last, of_others, still_open, sold_out, nothing)):
            protection = ready.protection()
            await protection.ensure("BTCUSDT", ready.rules["BTCUSDT"])
            both = await legs(ready)
            before = len(await ready.exchange.log())
            with monkeypatch.context() as patch:
                cancel = ready.gateway.cancel_order

                async def odd(*arguments, cancel=cancel, change=change):
                    return change(await cancel(*arguments))

                patch.setattr(ready.gateway, "cancel_order", odd)
                assert await protection.release("BTCUSDT")
            doubtful = 1 if change is without_the_last else 2
            assert await asked(ready, before) == ["DELETE order", *["GET order"] * doubtful]
            assert await states(ready, *both.values()) == [OrderState.CANCELED] * 2
            await assert_settled(ready, sent=2 + number)
            await ready.wait(1000)


ABOUT_ANOTHER = {
    "symbol": "BTCUSDT", "origClientOrderId": "bta-BTCUSDT-9", "orderId": 999, "orderListId": -1,
    "clientOrderId": "x", "transactTime": 1, "origQty": "0.00999", "executedQty": "0", "cummulativeQuoteQty": "0",
    "status": "CANCELED", "side": "SELL",
}  # fmt: skip


@pytest.mark.parametrize(
    ("fault", "is_done"),
    [
        ({"kind": "truncate_json"}, True),
        ({"kind": "unknown_not_executed"}, False),
        ({"kind": "http", "status": 200, "body": "{}"}, False),
        ({"kind": "http", "status": 200, "body": json.dumps(ABOUT_ANOTHER)}, False),
        ({"kind": "http", "status": 400, "body": '{"code": -2011, "msg": "Unknown order sent."}'}, False),
    ],
    ids=lambda value: value.get("body", value["kind"])[:24] if isinstance(value, dict) else "",
)
async def test_s01_answer_to_a_cancel_that_is_lost_or_says_nothing_books_nothing(tmp_path, fault, is_done):
    async with desk(tmp_path) as ready:
        both = await protected(ready)
        await ready.exchange.fault(method="DELETE", path="order", count=2, **fault)
        assert await ready.protection().release("BTCUSDT") == is_done
        state = OrderState.CANCELED if is_done else OrderState.ACCEPTED
        assert await states(ready, *both.values()) == [state] * 2
        await assert_equal(ready, sent=2)


@pytest.mark.parametrize("sold", [None, "0.004"])
async def test_s06_answer_and_events_of_a_cancel_in_any_order_and_repeated_leave_the_same_books(tmp_path, sold):
    """The event of a fill may come after the answer that counts it: then the exchange is asked for it."""
    recorder = Recorder()
    async with desk(tmp_path) as ready:
        entry = await ready.entry(await ready.trade())
        order = higher(ready, replace(entry.order, price=Decimal(66_000), quantity=Decimal("0.00999")))
        async with Streaming(ready, recorder) as stream:
            placed = await ready.gateway.place_order(order)
            if sold:
                book = await ready.gateway.book_ticker("BTCUSDT")
                bids = [[str(book.bid), "5"]]
                await ready.exchange.control("book", symbol="BTCUSDT", bids=bids, asks=[])
                await ready.exchange.control("trade", symbol="BTCUSDT", price=str(order.price), qty=sold, taker="BUY")
            answer = await ready.gateway.cancel_order("BTCUSDT", placed.exchange_order_id)
            await stream.catch_up()
        events = [event for event in recorder.events if event["e"] == "executionReport"][1:]
        assert [event["X"] for event in events] == (["PARTIALLY_FILLED", "CANCELED"] if sold else ["CANCELED"])
        outcomes = []
        for number, messages in enumerate(itertools.permutations([answer, *events])):
            async with trading_ledger(tmp_path / f"{number}.db") as ledger:
                keeper = OrderKeeper(
                    ready.gateway,
                    ledger,
                    ready.clock,
                    ready.rules,
                    Alarms(ledger, ready.clock, EntryGate()),
                    instance="test",
                )
                await ledger.commit_protection("run-a", [order], order.tick_ms)
                async with keeper.turn("BTCUSDT"):
                    await keeper.apply(placed)
                for message in (*messages, *messages):
                    if message is answer:
                        async with keeper.turn("BTCUSDT"):
                            present = await ledger.order(order.client_order_id)
                            await keeper.conclude([present.order], answer)
                    else:
                        await keeper.on_event(message)
                assert await ledger.alarms() == []
                outcomes.append(await books(ledger))
        assert all(outcome == outcomes[0] for outcome in outcomes)
        assert len(outcomes[0][2]) == (1 if sold else 0)

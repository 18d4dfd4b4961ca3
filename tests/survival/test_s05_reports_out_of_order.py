"""S05: the fill before the acknowledgement, the stream before the answer, old news after new."""

import itertools
from decimal import Decimal

import pytest

from binance_trade_agent.domain.decisions import Outcome
from binance_trade_agent.domain.orders import OrderState
from binance_trade_agent.domain.values import replace
from binance_trade_agent.ledger import queries
from tests.agents.desk import desk
from tests.agents.test_execution import Streaming
from tests.ledger.bookkeeping import BTCUSDT, OPENING, fill, place, report, trading_ledger
from tests.survival.trader import alarms, assert_settled

_RANK = {OrderState.SENT: 0, OrderState.ACCEPTED: 1, OrderState.PARTIALLY_FILLED: 2, OrderState.FILLED: 3}


async def test_s05_stream_that_is_faster_than_the_answer_books_the_same(tmp_path):
    async with desk(tmp_path) as ready, Streaming(ready, ready.keeper.on_event) as stream:
        await ready.exchange.fault("event_before_response", method="POST", path="order", ms=100)
        decision = await ready.trade()
        assert decision.outcome is Outcome.EXECUTED
        await stream.catch_up()
        events = await ready.ledger.read(lambda c: queries.order_events(c, decision.client_order_id))
        assert [event.state for event in events] == ["INTENT", "SENT", "FILLED"], "what came first waited its turn"
        assert await alarms(ready) == []
        await assert_settled(ready, sent=1)


async def test_s05_events_in_the_wrong_order_end_in_the_same_books(tmp_path):
    async with desk(tmp_path, balances={"USDT": Decimal(100_000)}) as ready:
        async with Streaming(ready, ready.keeper.on_event) as stream:
            asks = [["64000", "0.1"], ["64001", "0.1"], ["64002", "0.5"]]
            await ready.exchange.control("book", symbol="BTCUSDT", bids=[["63999", "1"]], asks=asks)
            await ready.exchange.fault("event_reorder", event="executionReport", ms=50, count=None)
            await ready.exchange.fault("drop_after", method="POST", path="order")
            decision = await ready.trade(quantity="0.25")
            assert decision.outcome is Outcome.UNKNOWN
            await ready.gateway.account()
            await stream.catch_up()
        await ready.recovery.catch_up()
        assert (await ready.entry(decision)).order.state is OrderState.FILLED
        assert len(await ready.ledger.fills()) == 3
        await assert_settled(ready, sent=1)


@pytest.mark.parametrize("numbers", [(9, 10, 11), (99, 100, 101), (999_999, 1_000_000, 1_000_001)])
async def test_s05_every_order_of_news_follows_the_cumulative_quantity_and_never_goes_back(tmp_path, numbers):
    parts = ["0.0005", "0.0010", "0.0005"]
    prices = [60_000, 60_100, 60_200]
    fills = [
        fill(number, quantity=Decimal(part), price=Decimal(price), quote_quantity=Decimal(part) * price)
        for number, part, price in zip(numbers, parts, prices, strict=True)
    ]
    news = [
        report("NEW", "0"),
        report("PARTIALLY_FILLED", "0.0005", fills[0]),
        report("PARTIALLY_FILLED", "0.0015", fills[1]),
        report("FILLED", "0.0020", fills[2]),
    ]
    ends = []
    async with trading_ledger(tmp_path / "ledger.db") as ledger:
        for round_number, order in enumerate(itertools.permutations(news)):
            if round_number:
                await ledger.open_epoch(500 + round_number, "again", OPENING)
            client_order_id = f"bta-BTCUSDT-{round_number}"
            await place(ledger, client_order_id, tick_ms=1_000 + round_number)
            rank, executed, filled = 0, Decimal(0), Decimal(0)
            for message in order:
                named = _for(message, client_order_id)
                applied = await ledger.apply_report(named, **BTCUSDT)
                entry = await ledger.order(client_order_id)
                assert _RANK[entry.order.state] >= rank
                assert entry.order.executed_base >= max(executed, message.executed_base)
                assert entry.filled_base == filled + sum(part.quantity for part in message.fills)
                assert entry.is_settled is (
                    entry.order.state is OrderState.FILLED and entry.filled_base == Decimal("0.002")
                )
                assert not applied.is_after_end, "a late trade of an order that is not settled is no surprise"
                rank, executed, filled = _RANK[entry.order.state], entry.order.executed_base, entry.filled_base
            position = (await ledger.positions())["BTCUSDT"]
            ends.append(
                (position.quantity, position.cost_quote, await ledger.wallet(), await ledger.last_trade_id("BTCUSDT"))
            )
    assert all(end == ends[0] for end in ends)
    assert ends[0][3] == numbers[-1], "trade ids are numbers: 9 comes before 10"


def _for(message, client_order_id):

    fills = tuple(replace(part, client_order_id=client_order_id) for part in message.fills)
    return replace(message, client_order_id=client_order_id, fills=fills)

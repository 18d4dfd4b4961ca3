"""The execution agent: what reaches the exchange, and what the ledger makes of each way in which it may answer."""

import asyncio
import itertools
import random
from decimal import Decimal

import pytest

from binance_trade_agent.agents.alarms import Alarms
from binance_trade_agent.agents.entry_gate import EntryGate
from binance_trade_agent.agents.execution import execution_text
from binance_trade_agent.agents.order_keeper import OrderKeeper
from binance_trade_agent.domain.decisions import Outcome
from binance_trade_agent.domain.orders import Order, OrderState, Side
from binance_trade_agent.domain.values import replace
from binance_trade_agent.exchange.binance_gateway import BinanceGateway
from binance_trade_agent.exchange.endpoints import simulated
from binance_trade_agent.exchange.user_stream import UserStream
from binance_trade_agent.ledger.errors import LedgerUnavailable
from binance_trade_agent.ledger.ledger import Ledger
from binance_trade_agent.ops.tasks import spawn, stop
from tests.agents.desk import RUN_ID, desk, executing
from tests.exchange_process import API_KEY, API_SECRET
from tests.ledger.bookkeeping import fill, intent, run_record

DEEP = "60"  # BTC, more than the best level holds


class Recorder:
    """The events of the user stream as they come."""

    def __init__(self) -> None:
        self.events = []

    async def __call__(self, event) -> None:
        self.events.append(event)


class Streaming:
    """A real user stream whose events go to `on_event`."""

    def __init__(self, on_desk, on_event) -> None:
        async def nothing_missed() -> None:
            return

        url = on_desk.exchange.url.replace("http", "ws", 1) + "/ws-api/v3"
        self.stream = UserStream(
            url,
            API_KEY,
            API_SECRET,
            on_desk.clock,
            on_connected=nothing_missed,
            on_event=on_event,
            jitter=random.Random(1),
        )

    async def __aenter__(self) -> UserStream:
        self._task = spawn(self.stream.run(), name="user stream")
        await asyncio.wait_for(self.stream.is_live.wait(), 5)
        return self.stream

    async def __aexit__(self, *_) -> None:
        await stop(self._task)


async def books(ledger: Ledger):
    """What the ledger holds, without the log of how it came to it."""
    orders = await ledger.read(lambda connection: [tuple(row) for row in connection.execute("SELECT * FROM orders")])
    postings = await ledger.read(
        lambda connection: [tuple(row) for row in connection.execute("SELECT * FROM postings")]
    )
    return orders, postings, await ledger.fills(), await ledger.positions(), await ledger.wallet()


async def test_market_order_is_committed_sent_once_and_booked_from_its_answer(tmp_path):
    async with desk(tmp_path) as ready:
        decision = await ready.trade()
        assert decision.outcome is Outcome.EXECUTED
        assert decision.detail.startswith("0.01 @ ")
        assert decision.detail.endswith("fee 0.00001 BTC")
        assert (await ready.entry(decision)).order.state is OrderState.FILLED
        assert (await ready.ledger.positions())["BTCUSDT"].quantity == Decimal("0.00999")
        assert await ready.times_sent() == 1
        await ready.assert_reconciled()


async def test_every_fill_of_a_deep_order_has_postings_that_sum_to_zero(tmp_path):
    async with desk(tmp_path, balances={"USDT": Decimal(10_000_000)}) as ready:
        await ready.trade(quantity=DEEP)
        assert len(await ready.ledger.fills()) > 1
        rows = await ready.ledger.read(
            lambda connection: connection.execute(
                "SELECT reference, asset, amount FROM postings WHERE kind = 'fill'"
            ).fetchall()
        )
        sums: dict[tuple[str, str], Decimal] = {}
        for reference, asset, amount in rows:
            sums[reference, asset] = sums.get((reference, asset), Decimal(0)) + Decimal(amount)
        assert len(sums) == 2 * len(await ready.ledger.fills())
        assert set(sums.values()) == {Decimal(0)}
        await ready.assert_reconciled()


async def test_answer_and_events_in_any_order_and_repeated_leave_the_same_books(tmp_path):
    recorder = Recorder()
    async with desk(tmp_path, balances={"USDT": Decimal(10_000_000)}) as ready:
        asks = [["64000", "1"], ["64001", "1"], ["64002", "5"]]
        await ready.exchange.control("book", symbol="BTCUSDT", bids=[["63999", "1"]], asks=asks)
        async with Streaming(ready, recorder) as stream:
            placed = await ready.sent(quantity="2.5")
            answer = await ready.gateway.place_order(placed)
            await stream.catch_up()
        accepted, *trades = [event for event in recorder.events if event["e"] == "executionReport"]
        assert len(answer.fills) == len(trades) == len(asks)
        outcomes = []
        for number, messages in enumerate(itertools.permutations([answer, *trades])):
            path = tmp_path / f"{number}.db"
            async with await Ledger.open(path) as ledger:
                await ledger.open_epoch(500, "new market", {"USDT": Decimal(10_000_000)})
                await ledger.begin_run(run_record(RUN_ID))
                await ledger.commit_intent(ready.decision(placed), placed, placed.tick_ms)
                await ledger.transition(placed.client_order_id, OrderState.SENT, placed.tick_ms)
                alarms = Alarms(ledger, ready.clock, EntryGate())
                agent = OrderKeeper(ready.gateway, ledger, ready.clock, ready.rules, alarms, instance="test")
                for message in (*messages, *messages, accepted):
                    if message is answer:
                        async with agent.turn(answer.symbol):
                            await agent.apply(answer)
                    else:
                        await agent.on_event(message)
                outcomes.append(await books(ledger))
        assert all(outcome == outcomes[0] for outcome in outcomes)
        assert len(outcomes[0][2]) == len(answer.fills)


async def test_stream_that_runs_beside_the_orders_books_nothing_twice(tmp_path):
    async with desk(tmp_path) as ready, Streaming(ready, ready.keeper.on_event) as stream:
        for side, quantity in ((Side.BUY, "0.005"), (Side.SELL, "0.004"), (Side.BUY, "0.003")):
            assert (await ready.trade(side, quantity)).outcome is Outcome.EXECUTED
            await ready.wait(1000)
            await stream.catch_up()
        assert len(await ready.ledger.fills()) == 3
        await ready.assert_reconciled()


async def test_fills_come_from_the_stream_when_the_answer_is_lost(tmp_path):
    async with desk(tmp_path) as ready, Streaming(ready, ready.keeper.on_event) as stream:
        await ready.exchange.fault("drop_after", method="POST", path="order")
        decision = await ready.trade()
        assert decision.outcome is Outcome.UNKNOWN
        await stream.catch_up()
        assert (await ready.entry(decision)).order.state is OrderState.FILLED
        assert await ready.times_sent() == 1
        await ready.assert_reconciled()


async def test_order_of_another_program_is_left_alone(tmp_path, caplog):
    async with desk(tmp_path) as ready, Streaming(ready, ready.keeper.on_event) as stream:
        client = await ready.exchange.client()
        await client.order_market_buy(symbol="BTCUSDT", quantity="0.01")
        await stream.catch_up()
        assert await ready.ledger.fills() == []
        assert "is not ours; left alone" in caplog.text


async def test_deposit_while_trading_is_booked_as_external_once(tmp_path):
    async with desk(tmp_path) as ready, Streaming(ready, ready.keeper.on_event) as stream:
        await ready.exchange.fault("event_duplicate", event="balanceUpdate")
        await ready.exchange.control("config", deposit={"asset": "USDT", "amount": "-25.5"})
        await stream.catch_up()
        assert ready.reconciler.is_suspicious
        await ready.reconciler.run("the exchange has told of it")
        assert not ready.reconciler.is_suspicious
        assert (await ready.ledger.wallet())["USDT"] == Decimal("9974.5")


@pytest.mark.parametrize(
    ("fault", "outcome", "state"),
    [
        ({"kind": "unknown_executed"}, Outcome.UNKNOWN, OrderState.UNKNOWN),
        ({"kind": "unknown_not_executed"}, Outcome.UNKNOWN, OrderState.UNKNOWN),
        ({"kind": "drop_after"}, Outcome.UNKNOWN, OrderState.UNKNOWN),
        ({"kind": "http", "status": 502, "body": "<html>bad gateway</html>"}, Outcome.UNKNOWN, OrderState.UNKNOWN),
        ({"kind": "http", "status": 200, "body": "{}"}, Outcome.UNKNOWN, OrderState.UNKNOWN),
        ({"kind": "http", "status": 200, "body": "<html>"}, Outcome.UNKNOWN, OrderState.UNKNOWN),
        (
            {"kind": "http", "status": 400, "body": '{"code": -2010, "msg": "Account has insufficient balance."}'},
            Outcome.REJECTED,
            OrderState.REJECTED,
        ),
        (
            {"kind": "http", "status": 429, "body": '{"code": -1003, "msg": "Too many."}', "retry_after_seconds": 1},
            Outcome.REJECTED,
            OrderState.DENIED,
        ),
        (
            {"kind": "http", "status": 401, "body": '{"code": -2015, "msg": "Invalid API-key."}'},
            Outcome.REJECTED,
            OrderState.REJECTED,
        ),
    ],
    ids=lambda value: str(value.get("status", value["kind"])) if isinstance(value, dict) else "",
)
async def test_answer_decides_what_is_known_of_the_order(tmp_path, fault, outcome, state):
    async with desk(tmp_path) as ready:
        await ready.exchange.fault(method="POST", path="order", **fault)
        decision = await ready.trade()
        assert decision.outcome is outcome
        assert decision.detail
        assert (await ready.entry(decision)).order.state is state
        assert await ready.times_sent() == 1


async def test_unreachable_exchange_means_that_the_order_never_left(tmp_path):
    async with desk(tmp_path) as ready:
        placed = await ready.intent()
        nowhere = simulated("http://127.0.0.1:9")
        async with BinanceGateway(nowhere, API_KEY, API_SECRET, ready.clock) as gateway:
            agent = executing(gateway, ready.ledger, ready.clock, ready.keeper)
            decision = await agent.execute(ready.decision(placed), placed)
        assert decision.outcome is Outcome.REJECTED
        assert (await ready.entry(decision)).order.state is OrderState.DENIED


async def test_refusal_of_a_real_filter_is_told(tmp_path):
    async with desk(tmp_path) as ready:
        decision = await ready.trade(quantity="0.00001")
        assert decision.outcome is Outcome.REJECTED
        assert "NOTIONAL" in decision.detail
        await ready.assert_reconciled()


async def test_same_decision_again_sends_nothing(tmp_path):
    async with desk(tmp_path) as ready:
        first = await ready.trade()
        again = await ready.trade()
        assert again.client_order_id == first.client_order_id
        assert again.outcome is Outcome.SKIPPED
        assert await ready.times_sent() == 1


async def test_nothing_is_sent_when_the_intent_cannot_be_written(tmp_path, monkeypatch):
    async with desk(tmp_path) as ready:
        placed = await ready.intent()
        monkeypatch.setattr(ready.ledger, "write", _full_disk)
        with pytest.raises(LedgerUnavailable):
            await ready.execution.execute(ready.decision(placed), placed)
        assert await ready.times_sent() == 0


async def test_answer_is_booked_when_orders_that_are_not_on_the_wire_yet_had_their_moment(tmp_path):
    async with desk(tmp_path) as ready:
        seen = []

        async def others_first() -> None:
            seen.append((await ready.times_sent(), [entry.order.state for entry in await ready.orders()]))

        ready.execution = executing(ready.gateway, ready.ledger, ready.clock, ready.keeper, others_first=others_first)
        decision = await ready.trade()
        assert seen == [(1, [OrderState.SENT])]
        assert decision.outcome is Outcome.EXECUTED
        assert (await ready.entry(decision)).is_settled


async def test_fill_that_cannot_be_written_leaves_the_order_to_be_asked_about(tmp_path, monkeypatch):
    async with desk(tmp_path) as ready:
        with monkeypatch.context() as patched:
            patched.setattr(ready.ledger, "apply_reports", _full_disk)
            decision = await ready.trade()
        assert decision.outcome is Outcome.ORDERED
        assert "could not be written" in decision.detail
        await ready.recovery.catch_up()
        assert (await ready.entry(decision)).order.state is OrderState.FILLED
        assert await ready.times_sent() == 1
        await ready.assert_reconciled()


async def test_market_order_that_runs_out_of_liquidity_is_what_was_bought(tmp_path):
    async with desk(tmp_path, balances={"USDT": Decimal(100_000_000)}) as ready:
        best = await ready.gateway.book_ticker("BTCUSDT")
        levels = {"bids": [[str(best.bid), "1"]], "asks": [[str(best.ask), "0.004"]]}
        await ready.exchange.control("book", symbol="BTCUSDT", **levels)
        decision = await ready.trade(quantity="0.01")
        assert decision.outcome is Outcome.EXECUTED
        assert "0.004 of 0.01 @" in decision.detail
        assert (await ready.entry(decision)).order.state is OrderState.EXPIRED
        assert (await ready.ledger.positions())["BTCUSDT"].quantity == Decimal("0.003996")
        await ready.assert_reconciled()


async def test_fill_of_an_order_thought_dead_is_booked_with_an_alarm(tmp_path, caplog):
    async with desk(tmp_path) as ready:
        placed = await ready.sent()
        answer = await ready.gateway.place_order(placed)
        for state in (OrderState.UNKNOWN, OrderState.NOT_PLACED):
            await ready.ledger.transition(placed.client_order_id, state, ready.clock.now_ms())
        async with ready.keeper.turn(placed.symbol):
            await ready.keeper.apply(answer)
        assert "it lived on after it was thought dead" in caplog.text
        await ready.assert_reconciled()


def test_execution_text_adds_up_fees_per_asset():
    fills = (
        fill(1, commission=Decimal("0.1"), commission_asset="BNB"),
        fill(2, commission=Decimal("0.00001"), commission_asset="BTC"),
        fill(3, commission=Decimal("0.25"), commission_asset="BNB"),
    )
    order = _order(executed_base="0.0015", executed_quote="99.18015")
    assert execution_text(order, fills) == "0.0015 of 0.002 @ 66,120.10, fee 0.35 BNB + 0.00001 BTC"
    cheap = replace(order, executed_base=Decimal("0.002"), executed_quote=Decimal("0.00000246"))
    assert execution_text(cheap, ()) == "0.002 @ 0.00123000, fee not stated"


def _order(**executed):
    wanted = intent()
    return Order(
        client_order_id=wanted.client_order_id,
        symbol=wanted.symbol,
        side=wanted.side,
        type=wanted.type,
        quantity=wanted.quantity,
        state=OrderState.FILLED,
        created_ms=1,
        updated_ms=1,
        tick_ms=1,
        candle_open_ms=1,
        reference_price=wanted.reference_price,
        **{name: Decimal(value) for name, value in executed.items()},
    )


async def _full_disk(*_, **__):
    raise LedgerUnavailable("the disk of the ledger is full; free some space")

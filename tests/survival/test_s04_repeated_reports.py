"""S04: execution reports that come twice, by the same way or by another. They are counted, and change nothing."""

from binance_trade_agent.domain.orders import OrderState, Side
from tests.agents.desk import desk, reopened
from tests.agents.test_execution import Streaming, books
from tests.survival.trader import alarms, assert_settled


async def test_s04_events_that_the_exchange_sends_twice_are_counted_and_ignored(tmp_path):
    async with desk(tmp_path) as ready, Streaming(ready, ready.keeper.on_event) as stream:
        await ready.exchange.fault("event_duplicate", event="executionReport", count=None)
        await ready.trade(quantity="0.01")
        await ready.wait(1000)
        await ready.trade(Side.SELL, "0.004")
        await stream.catch_up()
        assert len(await ready.ledger.fills()) == 2
        assert ready.keeper.counts["repeated_fill"] >= 4, "each came by the answer, and twice by the stream"
        assert await alarms(ready) == []
        await assert_settled(ready, sent=2)


async def test_s04_all_that_was_said_before_is_said_again_and_moves_no_row(tmp_path):
    seen = []

    async with desk(tmp_path) as ready:

        async def keep(event) -> None:
            seen.append(event)
            await ready.keeper.on_event(event)

        async with Streaming(ready, keep) as stream:
            answers = []
            for side, quantity in ((Side.BUY, "0.01"), (Side.SELL, "0.005")):
                await ready.wait(1000)
                intent = await ready.sent(side, quantity)
                answers.append(await ready.gateway.place_order(intent))
                async with ready.keeper.turn("BTCUSDT"):
                    await ready.keeper.apply(answers[-1])
                await stream.catch_up()
        before = await books(ready.ledger)
        counted = ready.keeper.counts["repeated_fill"]
        trades = sum(event.get("x") == "TRADE" for event in seen)
        for _ in range(3):
            for event in reversed(seen):
                await ready.keeper.on_event(event)
            for answer in answers:
                async with ready.keeper.turn("BTCUSDT"):
                    applied = await ready.keeper.apply(answer)
                assert (applied.is_changed, applied.new_fills) == (False, ())
                assert (applied.is_after_end, applied.is_revived) == (False, False)
        assert ready.keeper.counts["repeated_fill"] == counted + 3 * (trades + len(answers))
        assert await books(ready.ledger) == before
        assert await alarms(ready) == []
        await assert_settled(ready, sent=2)


async def test_s04_events_of_before_the_restart_are_known_after_it(tmp_path):
    seen = []

    async def keep(event) -> None:
        seen.append(event)

    async with desk(tmp_path) as ready, Streaming(ready, keep) as stream:
        decision = await ready.trade()
        await stream.catch_up()
        async with reopened(tmp_path, ready.exchange) as again:
            await again.reconciler.run("start")
            before, counted = await books(again.ledger), again.keeper.counts["repeated_fill"]
            for event in seen:
                await again.keeper.on_event(event)
            assert await books(again.ledger) == before
            assert again.keeper.counts["repeated_fill"] == counted + 1
            assert (await again.entry(decision)).order.state is OrderState.FILLED
            await assert_settled(again, sent=1)

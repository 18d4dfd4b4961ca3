"""S09: the user stream is down for minutes and events are lost. Buffered, asked, drained, reconciled; entries wait."""

from contextlib import suppress
from decimal import Decimal

import pytest

from binance_trade_agent.agents.account_watch import GLANCE_MS, NEWS_MS, POLL_MS
from binance_trade_agent.agents.order_keeper import QUIET_MS
from binance_trade_agent.domain.decisions import Outcome
from binance_trade_agent.domain.orders import OrderState, Role, Side
from binance_trade_agent.domain.signals import Action
from binance_trade_agent.exchange import sockets
from binance_trade_agent.exchange.errors import ExchangeError
from tests.agents.desk import desk, reopened
from tests.survival.stream import following, until, watching
from tests.survival.test_s06_cancel_and_fill import let_the_target_fill
from tests.survival.trader import alarms, assert_equal, assert_settled, held, legs, resting, trader


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(sockets, "_FIRST_BACK_OFF_SECONDS", 0.02)
    monkeypatch.setattr(sockets, "_LAST_BACK_OFF_SECONDS", 0.02)


async def test_s09_what_happened_while_the_stream_was_down_is_found_when_it_is_back(tmp_path):
    async with desk(tmp_path) as ready, following(ready) as followed:
        await ready.trade()
        await ready.protection().ensure("BTCUSDT", ready.rules["BTCUSDT"])
        closed = await ready.exchange.fault("ws_no_upgrade", status=503, count=None)
        await ready.exchange.control("kick", target="ws-api")
        await followed.goes()
        seen = len(followed.events)
        target = (await legs(ready))[Role.TAKE_PROFIT]
        await let_the_target_fill(ready, target.quantity)
        await ready.wait(180_000)
        await ready.exchange.fault("unknown_executed", method="POST", path="order")
        unknown = await ready.trade(quantity="0.003")
        assert unknown.outcome is Outcome.UNKNOWN
        assert (await ready.entry(target)).order.state is OrderState.ACCEPTED, "nobody has told"
        before = followed.reconciliations
        await ready.exchange._request("DELETE", f"fault/{closed}", None)
        await followed.comes()
        assert followed.reconciliations == before + 1
        assert len(followed.events) == seen, "events of then never come; asking has told"
        assert (await ready.entry(target)).order.state is OrderState.FILLED
        assert (await ready.entry(unknown)).order.state is OrderState.FILLED
        await ready.trade(Side.SELL, "0.002")
        await followed.stream.catch_up()
        assert len(followed.events) > seen
        await assert_settled(ready, sent=4)


async def test_s09_events_during_the_snapshot_are_kept_and_drained_behind_it(tmp_path):
    async with desk(tmp_path) as ready, following(ready) as followed:
        await ready.trade()
        await ready.wait(1000)
        order = await ready.sent(quantity="0.004")

        async def while_it_asks() -> None:
            followed.meanwhile = None
            await ready.gateway.place_order(order)  # its answer is not booked: only the stream and the snapshot tell
            assert not followed.is_live

        followed.meanwhile = while_it_asks
        before = len(followed.events)
        await ready.exchange.control("kick", target="ws-api")
        await until(lambda: followed.reconciliations == 2)
        await followed.comes()
        await followed.stream.catch_up()
        told = [event for event in followed.events[before:] if event.get("x") == "TRADE"]
        assert [event["c"] for event in told] == [order.client_order_id], "it came, after the snapshot that had it"
        assert ready.keeper.counts["repeated_fill"] >= 1
        assert await alarms(ready) == []
        await assert_settled(ready, sent=2)


async def test_s09_deposit_that_snapshot_and_event_both_tell_is_booked_once(tmp_path):
    async with desk(tmp_path) as ready, following(ready) as followed:

        async def deposit() -> None:
            followed.meanwhile = None
            await ready.exchange.control("config", deposit={"asset": "USDT", "amount": "500"})

        followed.meanwhile = deposit
        await ready.exchange.control("kick", target="ws-api")
        await until(lambda: followed.reconciliations == 2)
        await followed.comes()
        await followed.stream.catch_up()
        assert [event["d"] for event in followed.events if event["e"] == "balanceUpdate"] == ["500.00000000"]
        assert (await ready.ledger.wallet())["USDT"] == Decimal(10_500)
        assert await ready.reconciler.run("check") == []
        assert (await ready.ledger.wallet())["USDT"] == Decimal(10_500)


async def test_s09_connection_that_is_cut_again_and_again_loses_nothing(tmp_path):
    async with desk(tmp_path) as ready, following(ready) as followed:
        for trade in ((Side.BUY, "0.004"), (Side.SELL, "0.003")) * 2:
            await ready.exchange.fault("event_drop", method="POST", path="order")
            await ready.exchange.fault("drop_after", method="POST", path="order")
            decision = await ready.trade(*trade)
            assert decision.outcome is Outcome.UNKNOWN
            seen = followed.reconciliations
            await ready.exchange.fault("ws_abort", target="ws-api")
            await until(lambda seen=seen: followed.reconciliations > seen)
            await followed.comes()
            assert (await ready.entry(decision)).is_settled
            await ready.wait(1000)
        await assert_settled(ready, sent=4)


async def test_s09_fill_whose_event_was_lost_on_a_living_stream_is_seen_in_the_balances(tmp_path):
    async with desk(tmp_path) as ready, following(ready) as followed:
        watch = watching(ready, lambda: followed.is_live, protection=ready.protection())
        await ready.trade()
        await watch.between_ticks()
        target = (await legs(ready))[Role.TAKE_PROFIT]
        await ready.exchange.fault("event_drop", event="executionReport", count=None)
        await let_the_target_fill(ready, target.quantity)
        await followed.stream.catch_up()
        assert (await ready.entry(target)).order.state is OrderState.ACCEPTED
        await ready.wait(GLANCE_MS)
        await watch.between_ticks()
        assert (await ready.entry(target)).order.state is OrderState.FILLED
        await assert_settled(ready, sent=2)


async def test_s09_without_the_stream_orders_are_asked_for_every_few_seconds(tmp_path):
    async with desk(tmp_path) as ready:
        watch = watching(ready, lambda: False, protection=ready.protection())
        await ready.trade()
        await watch.between_ticks()
        assert len(await resting(ready)) == 2
        target = (await legs(ready))[Role.TAKE_PROFIT]
        await let_the_target_fill(ready, target.quantity)
        for _ in range(4):
            await ready.wait(POLL_MS)
            await watch.between_ticks()
            assert ready.gate.refusal("BTCUSDT") is None, "asking brings the news"
        assert (await ready.entry(target)).order.state is OrderState.FILLED
        assert await held(ready) < ready.rules["BTCUSDT"].step_size
        await assert_settled(ready, sent=2)


@pytest.mark.parametrize(
    "trouble",
    [
        {"kind": "http", "status": 503, "body": ""},
        {"kind": "html", "status": 502},
        {"kind": "drop_before"},
        {
            "kind": "http",
            "status": 429,
            "body": '{"code": -1003, "msg": "Too many requests."}',
            "retry_after_seconds": 9,
        },
        {"kind": "http", "status": 418, "body": '{"code": -1003, "msg": "Banned."}', "retry_after_seconds": 60},
    ],
    ids=lambda trouble: f"{trouble['kind']}-{trouble.get('status', '')}",
)
async def test_s09_entries_wait_while_neither_stream_nor_asking_works(tmp_path, trouble):
    async with trader(tmp_path, BTCUSDT=Action.BUY) as ready:
        here, is_live = ready.desk, False
        watch = watching(here, lambda: is_live)
        await ready.tick()
        await watch.between_ticks()
        assert here.gate.refusal("BTCUSDT") is None
        fault = await here.exchange.fault(**trouble, method="GET", count=None)
        reasons = []
        for _ in range(2 * NEWS_MS // POLL_MS):
            await here.wait(POLL_MS)
            with suppress(ExchangeError):
                await watch.between_ticks()
            refusal = here.gate.refusal("BTCUSDT")
            reasons.append(refusal and refusal[0])
        assert reasons[0] is None, "news of a few seconds ago is news"
        assert reasons[-1] == "no_news"
        assert here.gate.refusal("ETHUSDT") == here.gate.refusal("BTCUSDT"), "all symbols wait"

        is_live = True
        with suppress(ExchangeError):
            await watch.between_ticks()
        assert here.gate.refusal("BTCUSDT") is None, "the stream tells"
        is_live = False
        await here.exchange._request("DELETE", f"fault/{fault}", None)
        await here.wait(120_000)
        async with reopened(tmp_path, here.exchange) as again:  # limits are kept by the machine's time, which stands
            asking = watching(again, lambda: False) if is_limit(trouble) else watch
            for _ in range(3):
                with suppress(ExchangeError):
                    await asking.between_ticks()
                await here.wait(POLL_MS)
            gate = again.gate if is_limit(trouble) else here.gate
            assert gate.refusal("BTCUSDT") is None, "asking tells again"
            await assert_settled(again, sent=1)


def is_limit(trouble) -> bool:
    return trouble.get("status") in {418, 429}


async def test_s09_refused_entry_names_the_silence_and_an_exit_is_not_refused(tmp_path):
    async with trader(tmp_path, BTCUSDT=Action.BUY) as ready:
        watch = watching(ready.desk, lambda: False)
        await ready.tick()
        fault = await ready.desk.exchange.fault(
            "http", status=400, path="myTrades", count=None, body='{"code": -1100, "msg": "No."}'
        )
        for _ in range(NEWS_MS // POLL_MS + 2):
            await ready.desk.wait(POLL_MS)
            with suppress(ExchangeError):
                await watch.between_ticks()
        refused = (await ready.tick())["BTCUSDT"]
        assert (refused.outcome, refused.rule) == (Outcome.REFUSED, "no_news")
        assert "no news of the account for" in refused.detail
        ready.strategy.opinions["BTCUSDT"] = Action.SELL
        assert (await ready.tick())["BTCUSDT"].outcome is Outcome.EXECUTED
        await ready.desk.exchange._request("DELETE", f"fault/{fault}", None)
        await assert_settled(ready.desk, sent=2)


async def test_s09_order_of_unknown_outcome_is_asked_for_while_the_stream_lives(tmp_path):
    async with desk(tmp_path) as ready, following(ready) as followed:
        watch = watching(ready, lambda: followed.is_live)
        await ready.exchange.fault("unknown_not_executed", method="POST", path="order")
        decision = await ready.trade()
        await ready.wait(QUIET_MS + 1)
        await watch.between_ticks()
        assert (await ready.entry(decision)).order.state is OrderState.NOT_PLACED
        await assert_equal(ready, sent=1)

"""S10: the user stream that says nothing, and the error frame with id null. A probe finds it, a fresh connection follows."""

import orjson
import pytest

from binance_trade_agent.domain.orders import OrderState, Role
from binance_trade_agent.exchange import sockets, user_stream
from binance_trade_agent.ops.clock import monotonic_seconds
from tests.agents.desk import desk
from tests.survival.stream import following, until
from tests.survival.test_s06_cancel_and_fill import let_the_target_fill
from tests.survival.trader import alarms, assert_settled, legs


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(user_stream, "_PROBE_SECONDS", 0.05)
    for name, seconds in {
        "_ANSWER_SECONDS": 0.15,
        "_FIRST_BACK_OFF_SECONDS": 0.02,
        "_LAST_BACK_OFF_SECONDS": 0.02,
        "_CLOSE_SECONDS": 0.05,
    }.items():
        monkeypatch.setattr(sockets, name, seconds)


@pytest.mark.parametrize("silence", ["ws_freeze_data", "ws_freeze_all"])
async def test_s10_stream_that_says_nothing_is_found_by_a_probe_and_replaced(tmp_path, caplog, silence):
    async with desk(tmp_path) as ready, following(ready) as followed:
        await ready.trade()
        await ready.protection().ensure("BTCUSDT", ready.rules["BTCUSDT"])
        await followed.stream.catch_up()
        target = (await legs(ready))[Role.TAKE_PROFIT]
        frozen = await ready.exchange.fault(silence, target="ws-api")
        await let_the_target_fill(ready, target.quantity)  # the stream's socket is open, and nothing comes
        assert (await ready.entry(target)).order.state is OrderState.ACCEPTED
        await followed.goes()
        assert "session.subscriptions was not answered in 0.15 s" in caplog.text
        await ready.exchange._request("DELETE", f"fault/{frozen}", None)
        await followed.comes()
        assert followed.reconciliations == 2
        assert (await ready.entry(target)).order.state is OrderState.FILLED
        assert await alarms(ready) == []
        await assert_settled(ready, sent=2)


async def test_s10_decisions_do_not_wait_for_a_silent_stream(tmp_path):
    async with desk(tmp_path) as ready, following(ready) as followed:
        await ready.exchange.fault("ws_freeze_data", target="ws-api")
        began = monotonic_seconds()
        await followed.stream.catch_up()  # what each tick waits for on a stepped market
        decision = await ready.trade()
        assert monotonic_seconds() - began < 8
        assert (await ready.entry(decision)).order.state is OrderState.FILLED
        await assert_settled(ready, sent=1)


async def test_s10_error_frame_with_id_null_leads_to_a_fresh_connection(tmp_path, caplog):
    async with desk(tmp_path) as ready, following(ready) as followed:
        await ready.trade()
        await followed.stream.catch_up()
        error = {"code": -2015, "msg": "Invalid API-key, IP, or permissions for action."}
        (socket,) = ready.exchange.simulation.sockets.outboxes("ws-api")
        socket.put(orjson.dumps({"id": None, "status": 401, "error": error}).decode())
        await followed.goes()
        assert "Invalid API-key, IP, or permissions for action. (-2015)" in caplog.text
        await followed.comes()
        assert followed.reconciliations == 2
        await ready.wait(1000)
        await ready.trade(quantity="0.003")
        await followed.stream.catch_up()
        assert any(event.get("x") == "TRADE" for event in followed.events)
        await assert_settled(ready, sent=2)


async def test_s10_subscription_that_is_never_answered_is_given_up_and_tried_again(tmp_path, caplog):
    async with desk(tmp_path) as ready:
        frozen = await ready.exchange.fault("ws_freeze_data", target="ws-api")
        async with following(ready, wait=False) as followed:
            await until(lambda: "was not answered in 0.15 s" in caplog.text)
            assert not followed.is_live
            decision = await ready.trade()
            await ready.exchange._request("DELETE", f"fault/{frozen}", None)
            await followed.comes()
            assert (await ready.entry(decision)).order.state is OrderState.FILLED
            await assert_settled(ready, sent=1)


async def test_s10_quiet_account_keeps_its_connection(tmp_path, caplog):
    async with desk(tmp_path) as ready, following(ready) as followed:
        log = len(await ready.exchange.log())
        began = monotonic_seconds()
        await until(lambda: monotonic_seconds() - began > 0.3)  # six probes long
        probes = [request for request in (await ready.exchange.log())[log:] if "session.subscriptions" in str(request)]
        assert len(probes) >= 2
        assert followed.reconciliations == 1
        assert "lost" not in caplog.text


async def test_s10_stream_of_revoked_keys_hangs_nothing_and_comes_back_with_them(tmp_path):
    async with desk(tmp_path) as ready, following(ready) as followed:
        await ready.trade()
        revoked = await ready.exchange.fault("revoke_key")
        await ready.exchange.control("kick", target="ws-api")
        await followed.goes()
        refused = await ready.trade(quantity="0.002")
        assert (await ready.entry(refused)).is_settled, "what the exchange refuses is no unknown outcome"
        await ready.exchange._request("DELETE", f"fault/{revoked}", None)
        await ready.wait(7_200_000)  # nothing is signed with them for up to an hour
        await followed.comes()
        await assert_settled(ready, sent=await ready.times_sent())
        assert len(await ready.ledger.fills()) == 1

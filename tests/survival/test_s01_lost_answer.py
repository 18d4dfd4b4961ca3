"""S01: the answer to a request that changes something is lost. Unknown is a state; nothing is ever sent again for it."""

import json

import pytest
from binance.base_client import BaseClient

from binance_trade_agent.agents.order_keeper import QUIET_MS
from binance_trade_agent.domain.decisions import Outcome
from binance_trade_agent.domain.orders import OrderState, Role
from binance_trade_agent.domain.signals import Action
from binance_trade_agent.exchange.errors import UnavailableError
from binance_trade_agent.ledger.orders import UNKNOWN_DEADLINE_MS
from tests.agents.desk import RUN_ID, Desk, desk, reopened
from tests.survival.trader import (
    NO_SUCH_ORDER,
    alarms,
    assert_equal,
    assert_settled,
    held,
    legs,
    resting,
    trader,
)

_TIMEOUT = '{"code": -1007, "msg": "Timeout waiting for response from backend server."}'
_UNEXPECTED = '{"code": -1006, "msg": "An unexpected response was received from the message bus."}'
EXECUTED = [
    {"kind": "timeout_after"},
    {"kind": "drop_after"},
    {"kind": "unknown_executed"},
    {"kind": "truncate_json"},
]
NOT_EXECUTED = [
    {"kind": "drop_before"},
    {"kind": "unknown_not_executed"},
    {"kind": "html", "status": 502},
    {"kind": "http", "status": 500, "body": "<html>Internal Server Error</html>", "content_type": "text/html"},
    {"kind": "http", "status": 500, "body": '{"code": -1000, "msg": "An unknown error occurred."}'},
    {"kind": "http", "status": 502, "body": '{"code": -1001, "msg": "Internal error."}'},
    {"kind": "http", "status": 503, "body": "<html>Service Unavailable</html>", "content_type": "text/html"},
    {"kind": "http", "status": 503, "body": '{"code": -2010, "msg": "Account has insufficient balance."}'},
    {"kind": "http", "status": 400, "body": _UNEXPECTED},
    {"kind": "http", "status": 400, "body": _TIMEOUT},
    {"kind": "http", "status": 408, "body": ""},
    {"kind": "http", "status": 200, "body": "{}"},
    {"kind": "http", "status": 200, "body": "[]"},
    {"kind": "http", "status": 200, "body": "null"},
    {"kind": "http", "status": 200, "body": '"accepted"'},
    {"kind": "http", "status": 200, "body": ""},
]


def named(fault) -> str:
    return "-".join(str(fault[name])[:20] for name in ("kind", "status", "body") if name in fault)


LOST = [pytest.param(fault, True, id=f"{named(fault)}-executed") for fault in EXECUTED]
LOST += [pytest.param(fault, False, id=f"{named(fault)}-not-executed") for fault in NOT_EXECUTED]


@pytest.fixture(autouse=True)
def _impatient(request, monkeypatch):
    """The library waits 10 s for an answer; where none comes a second is enough."""
    parameters = request.node.callspec.params if hasattr(request.node, "callspec") else {}
    if parameters.get("fault", {}).get("kind") == "timeout_after":
        monkeypatch.setattr(BaseClient, "REQUEST_TIMEOUT", 1.0)


async def states(ready: Desk) -> set[OrderState]:
    return {entry.order.state for entry in await ready.orders()}


@pytest.mark.parametrize(("fault", "is_executed"), LOST)
async def test_s01_lost_answer_is_unknown_reserves_its_funds_and_shuts_the_symbol(tmp_path, fault, is_executed):
    buying = {"BTCUSDT": Action.BUY}
    async with trader(tmp_path, balances={"USDT": 150}, **buying) as ready:
        await ready.desk.exchange.fault(method="POST", path="order", **fault)
        decision = (await ready.tick())["BTCUSDT"]
        assert decision.outcome is Outcome.UNKNOWN
        order = (await ready.desk.entry(decision)).order
        assert order.state is OrderState.UNKNOWN
        assert order.owner == RUN_ID
        assert order.deadline_ms == order.updated_ms + UNKNOWN_DEADLINE_MS
        assert 99 < order.reserved_quote <= 100
        ready.strategy.opinions["ETHUSDT"] = Action.BUY
        for _ in range(2):
            refused = await ready.tick()
            assert (refused["BTCUSDT"].outcome, refused["BTCUSDT"].rule) == (Outcome.REFUSED, "open_order")
            assert refused["ETHUSDT"].outcome is Outcome.REFUSED
            against = {finding.rule: finding.detail for finding in refused["ETHUSDT"].findings if not finding.allows}
            assert against.keys() == {"balance", "max_exposure"}
            assert "reserved)" in against["balance"]
        assert await ready.desk.times_sent() == 1
        await ready.desk.recovery.catch_up()  # long after the quiet time
        assert await states(ready.desk) == {OrderState.FILLED if is_executed else OrderState.NOT_PLACED}
        await assert_settled(ready.desk, sent=1)
        entered = (await ready.tick())["BTCUSDT"].outcome
        assert entered is (Outcome.REFUSED if is_executed else Outcome.EXECUTED), "the funds are what they are again"


@pytest.mark.parametrize(("fault", "is_executed"), LOST)
async def test_s01_lost_answer_is_asked_for_by_client_id_until_the_quiet_time_is_over(tmp_path, fault, is_executed):
    async with desk(tmp_path) as ready:
        await ready.exchange.fault(method="POST", path="order", **fault)
        intent = await ready.intent()
        decision = await ready.execution.execute(ready.decision(intent), intent)
        assert decision.outcome is Outcome.UNKNOWN
        for wait in (0, QUIET_MS):
            await ready.wait(wait)
            await ready.recovery.ask_about_unsettled()
            expected = OrderState.FILLED if is_executed else OrderState.UNKNOWN
            assert (await ready.entry(decision)).order.state is expected
        await ready.wait(1)
        await ready.recovery.ask_about_unsettled()
        asked = [request for request in await ready.exchange.log() if request["method"] == "GET"]
        assert any(f"origClientOrderId={decision.client_order_id}" in request["target"] for request in asked)
        order = (await ready.entry(decision)).order
        assert order.state is (OrderState.FILLED if is_executed else OrderState.NOT_PLACED)
        assert (order.deadline_ms, order.reserved_quote) == (None, 0)
        again = await ready.execution.execute(ready.decision(intent), intent)
        assert again.outcome is Outcome.SKIPPED, "the same decision never sends a second order"
        await assert_settled(ready, sent=1)
        assert await alarms(ready) == []


@pytest.mark.parametrize(
    "change",
    [
        {"symbol": "ETHUSDT"},
        {"symbol": "XRPUSDT"},
        {"side": "SELL"},
        {"origQty": "0.02"},
        {"executedQty": "NaN"},
        {"executedQty": "1000"},
        {"fills": None},
    ],
    ids=str,
)
async def test_s01_answer_that_speaks_of_another_order_or_cannot_be_true_books_nothing(tmp_path, change):
    true = {
        "symbol": "BTCUSDT",
        "orderId": 5,
        "transactTime": 1,
        "origQty": "0.01",
        "executedQty": "0.01",
        "cummulativeQuoteQty": "640",
        "status": "FILLED",
        "side": "BUY",
        "fills": [{"price": "64000", "qty": "0.01", "commission": "0", "commissionAsset": "BTC", "tradeId": 1}],
    }
    async with desk(tmp_path) as ready:
        body = json.dumps({**true, **change})
        await ready.exchange.fault("http", status=200, method="POST", path="order", body=body)
        decision = await ready.trade()
        assert decision.outcome is Outcome.UNKNOWN
        assert (await ready.entry(decision)).order.state is OrderState.UNKNOWN
        assert await ready.ledger.fills() == []
        await ready.wait(QUIET_MS + 1)
        await ready.recovery.ask_about_unsettled()
        assert (await ready.entry(decision)).order.state is OrderState.NOT_PLACED
        await assert_settled(ready, sent=1)


async def test_s01_quiet_time_counts_from_the_question_not_from_its_answer(tmp_path):
    async with desk(tmp_path) as ready:
        await ready.exchange.fault("unknown_not_executed", method="POST", path="order")
        decision = await ready.trade()
        await ready.wait(QUIET_MS)
        ask = ready.gateway.order

        async def slow(symbol, client_order_id):
            report = await ask(symbol, client_order_id)
            await ready.wait(5_000)  # the answer is old when it comes
            return report

        ready.gateway.order = slow
        await ready.recovery.catch_up()
        assert (await ready.entry(decision)).order.state is OrderState.UNKNOWN
        await ready.recovery.catch_up()
        assert (await ready.entry(decision)).order.state is OrderState.NOT_PLACED
        await assert_settled(ready, sent=1)


async def test_s01_order_that_only_the_trades_know_is_found_by_them(tmp_path):
    async with desk(tmp_path) as ready:
        await ready.exchange.fault("unknown_executed", method="POST", path="order")
        decision = await ready.trade()
        await ready.wait(QUIET_MS + 1)
        await ready.exchange.fault("http", method="GET", path="order", **NO_SUCH_ORDER)  # the question by client id
        await ready.recovery.ask_about_unsettled()
        assert (await ready.entry(decision)).order.state is OrderState.FILLED
        await assert_settled(ready, sent=1)


async def test_s01_order_is_not_absent_while_the_account_has_a_trade_of_an_order_that_is_unknown(tmp_path):
    async with desk(tmp_path) as ready:
        await ready.exchange.fault("unknown_executed", method="POST", path="order")
        decision = await ready.trade()
        hidden = await ready.exchange.fault("http", method="GET", path="order", count=None, **NO_SUCH_ORDER)
        for _ in range(3):
            await ready.wait(UNKNOWN_DEADLINE_MS)
            await ready.recovery.catch_up()
            assert (await ready.entry(decision)).order.state is OrderState.UNKNOWN
        assert await alarms(ready) == ["unknown_outcome"]
        assert (await ready.trade()).outcome is Outcome.EXECUTED  # the agent obeys; it is the risk agent that refuses
        await ready.exchange._request("DELETE", f"fault/{hidden}", None)
        await ready.recovery.catch_up()
        assert (await ready.entry(decision)).order.state is OrderState.FILLED
        assert await alarms(ready) == []
        await assert_settled(ready, sent=2)


async def test_s01_alarm_for_an_outcome_that_stays_unknown_ends_when_it_is_known(tmp_path):
    async with desk(tmp_path) as ready:
        await ready.trade()
        await ready.wait(1000)
        protection = ready.protection()
        await ready.exchange.fault("unknown_executed", method="POST", path="orderList/oco")
        await protection.ensure("BTCUSDT", ready.rules["BTCUSDT"])
        hidden = await ready.exchange.fault("http", method="GET", path="order", count=None, **NO_SUCH_ORDER)
        trades = await ready.exchange.fault("http", method="GET", path="myTrades", count=None, status=503)
        await ready.wait(UNKNOWN_DEADLINE_MS + 1)
        with pytest.raises(UnavailableError):
            await ready.recovery.ask_about_unsettled()
        assert "unknown_outcome" in await alarms(ready)
        for fault in (hidden, trades):
            await ready.exchange._request("DELETE", f"fault/{fault}", None)
        await ready.recovery.ask_about_unsettled()
        assert "unknown_outcome" not in await alarms(ready), "the legs rest now, which is no unknown outcome"
        await protection.ensure("BTCUSDT", ready.rules["BTCUSDT"])
        assert await alarms(ready) == []
        assert await states(ready) == {OrderState.FILLED, OrderState.ACCEPTED}
        await assert_equal(ready, sent=2)


async def test_s01_outcome_that_was_proved_at_last_is_no_alarm(tmp_path, caplog):
    async with desk(tmp_path) as ready:
        await ready.exchange.fault("drop_before", method="POST", path="order")
        decision = await ready.trade()
        await ready.wait(10 * UNKNOWN_DEADLINE_MS)  # the daemon was away
        async with reopened(tmp_path, ready.exchange) as again:
            await again.reconciler.run("start")
            assert (await again.entry(decision)).order.state is OrderState.NOT_PLACED
            assert "unknown_outcome" not in caplog.text
            await assert_settled(again, sent=1)


@pytest.mark.parametrize(("fault", "is_executed"), LOST)
async def test_s01_lost_answer_to_a_cancel_leaves_one_truth(tmp_path, fault, is_executed):
    async with desk(tmp_path) as ready:
        await ready.trade()
        protection = ready.protection()
        await protection.ensure("BTCUSDT", ready.rules["BTCUSDT"])
        assert len(await resting(ready)) == 2
        # aiohttp sends a DELETE, which does the same once or twice, again when a kept connection turns out to be closed.
        times = 2 if fault["kind"] == "drop_before" else 1
        await ready.exchange.fault(method="DELETE", path="order", count=times, **fault)
        assert await protection.release("BTCUSDT") is is_executed, "asking has told what became of the cancel"
        left = await legs(ready)
        assert {order.state for order in left.values()} == (set() if is_executed else {OrderState.ACCEPTED})
        assert all(order.cancel_requested_ms for order in left.values()), "the wish is kept"
        assert len(await resting(ready)) == len(left)
        await ready.wait(1000)
        assert await protection.release("BTCUSDT")
        assert await resting(ready) == []
        assert {entry.order.state for entry in await ready.orders() if entry.order.role is not Role.ENTRY} <= {
            OrderState.CANCELED,
            OrderState.EXPIRED,
        }
        await assert_settled(ready, sent=2)


@pytest.mark.parametrize(("fault", "is_executed"), LOST)
async def test_s01_lost_answer_to_a_list_places_no_second_one(tmp_path, fault, is_executed):
    async with desk(tmp_path) as ready:
        await ready.trade()
        protection = ready.protection()
        rules = ready.rules["BTCUSDT"]
        await ready.exchange.fault(method="POST", path="orderList/oco", **fault)
        await protection.ensure("BTCUSDT", rules)
        both = await legs(ready)
        assert set(both) == {Role.STOP_LOSS, Role.TAKE_PROFIT}
        for order in both.values():
            assert order.state is OrderState.UNKNOWN
            assert (order.owner, order.deadline_ms) == (RUN_ID, order.updated_ms + UNKNOWN_DEADLINE_MS)
        assert await alarms(ready) == ["unprotected"]
        for wait in (0, QUIET_MS):
            await ready.wait(wait)
            await protection.ensure("BTCUSDT", rules)
            assert not await protection.release("BTCUSDT"), "nothing is sold while they are unknown"
            assert await ready.times_sent() == 2
        await ready.wait(1)
        await ready.recovery.ask_about_unsettled()
        await protection.ensure("BTCUSDT", rules)
        assert {order.state for order in (await legs(ready)).values()} == {OrderState.ACCEPTED}
        assert len(await resting(ready)) == 2
        assert await alarms(ready) == []
        sent = 2 if is_executed else 3
        await assert_equal(ready, sent=sent)
        assert await protection.release("BTCUSDT")
        await assert_settled(ready, sent=sent)
        assert await held(ready) > 0

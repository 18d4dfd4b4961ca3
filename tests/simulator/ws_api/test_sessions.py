"""Logging on, and subscriptions to the user data stream (binance-protocol.md 5.2, 5.3)."""

from decimal import Decimal

import pytest

from binance_trade_agent.ops.clock import wall_ms
from binance_trade_agent.simulator.keys import ApiKey, HmacSecret, Permission
from tests.exchange_process import API_KEY
from tests.simulator.signing import ed25519_pair, rsa_pair, sign
from tests.simulator.ws_api.client import EVENTS, WsClient, ws_client

ED_KEY = "E" * 64
RSA_KEY = "A" * 64
LIMIT = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.1", "price": "99000"}
TERMINATED = "eventStreamTerminated"


@pytest.fixture
async def client(exchange):
    exchange.register(ED_KEY, ed25519_pair().public_pem)
    exchange.register(RSA_KEY, rsa_pair().public_pem)
    async with ws_client(exchange.url) as connected:
        yield connected


async def log_on(client: WsClient) -> dict:
    answer = await client.signed("session.logon", key=ED_KEY, signer=ed25519_pair().sign)
    assert answer["status"] == 200
    return answer["result"]


def error(answer: dict) -> tuple[int, int]:
    return answer["status"], answer["error"]["code"]


async def test_logon_stands_for_key_and_signature_but_not_for_the_timestamp(client):
    before = (await client.ask("session.status"))["result"]
    assert (before["apiKey"], before["authorizedSince"], before["userDataStream"]) == (None, None, False)
    logged_on = await log_on(client)
    assert logged_on.keys() == before.keys() == {
        "apiKey", "authorizedSince", "connectedSince", "returnRateLimits", "serverTime", "userDataStream",
    }  # fmt: skip
    assert (logged_on["apiKey"], logged_on["connectedSince"]) == (ED_KEY, before["connectedSince"])
    assert logged_on["connectedSince"] <= logged_on["authorizedSince"] <= logged_on["serverTime"]
    assert (await client.ask("account.status", timestamp=wall_ms()))["status"] == 200
    assert error(await client.ask("account.status")) == (400, -1102)
    assert error(await client.ask("account.status", timestamp=wall_ms() - 6000)) == (400, -1021)
    assert (await client.ask("order.place", timestamp=wall_ms(), **LIMIT))["result"]["status"] == "NEW"
    status = (await client.ask("session.status"))["result"]
    assert (status["apiKey"], status["authorizedSince"]) == (ED_KEY, logged_on["authorizedSince"])


async def test_request_in_a_session_may_be_signed_by_another_key(client):
    await log_on(client)
    assert (await client.signed("account.status"))["status"] == 200
    assert error(await client.ask("account.status", timestamp=wall_ms(), apiKey=API_KEY)) == (400, -1102)
    assert error(await client.ask("account.status", timestamp=wall_ms(), signature="ff")) == (400, -1022)


@pytest.mark.parametrize(("key", "signer"), [(API_KEY, sign), (RSA_KEY, lambda payload: rsa_pair().sign(payload))])
async def test_only_ed25519_keys_log_on(client, key, signer):
    answer = await client.signed("session.logon", key=key, signer=signer)
    assert 400 <= answer["status"] < 500
    assert (await client.ask("session.status"))["result"]["apiKey"] is None
    assert error(await client.ask("account.status", timestamp=wall_ms())) == (401, -2014)


@pytest.mark.parametrize(
    ("params", "refusal"),
    [
        ({}, (401, -2014)),
        ({"apiKey": "short", "signature": "ff"}, (401, -2014)),
        ({"apiKey": "X" * 64, "signature": "ff"}, (401, -2015)),
        ({"apiKey": ED_KEY}, (400, -1102)),
        ({"apiKey": ED_KEY, "signature": "ff"}, (400, -1022)),
    ],
)
async def test_logon_that_does_not_prove_the_key_is_refused(client, params, refusal):
    assert error(await client.ask("session.logon", timestamp=wall_ms(), **params)) == refusal


@pytest.mark.parametrize(("key", "signer"), [(ED_KEY, ed25519_pair), (RSA_KEY, rsa_pair)])
async def test_subscription_may_be_signed_by_any_kind_of_key(client, key, signer):
    answer = await client.signed(EVENTS, key=key, signer=signer().sign, recvWindow=5000)
    assert answer["result"] == {"subscriptionId": 0}


async def test_subscription_of_the_logon_ends_with_the_logout_and_no_other(exchange, client):
    assert error(await client.ask("userDataStream.subscribe")) == (401, -2014)
    exchange.simulation.exchange.open_account("second", {"USDT": Decimal(1000)})
    second = ApiKey("B" * 64, HmacSecret("S" * 64), "second")
    exchange.simulation.exchange.access.register(second)
    await log_on(client)
    assert (await client.ask("userDataStream.subscribe"))["result"] == {"subscriptionId": 0}
    assert error(await client.ask("userDataStream.subscribe")) == (400, -2035)
    assert error(await client.signed(EVENTS)) == (400, -2035)
    assert (await client.signed(EVENTS, key=second.key))["result"] == {"subscriptionId": 1}
    assert (await client.ask("session.status"))["result"]["userDataStream"] is True
    logged_out = (await client.ask("session.logout"))["result"]
    assert (logged_out["apiKey"], logged_out["authorizedSince"], logged_out["userDataStream"]) == (None, None, True)
    ended = await client.receive()
    assert (ended["subscriptionId"], ended["event"]["e"]) == (0, TERMINATED)
    assert (await client.ask("session.subscriptions"))["result"] == [{"subscriptionId": 1}]
    assert error(await client.ask("account.status", timestamp=wall_ms())) == (401, -2014)


async def test_unsubscribing_by_id_and_from_all(exchange, client):
    exchange.simulation.exchange.open_account("second", {"USDT": Decimal(1000)})
    exchange.simulation.exchange.access.register(ApiKey("B" * 64, HmacSecret("S" * 64), "second"))
    assert error(await client.ask("userDataStream.unsubscribe")) == (400, -2036)
    await client.signed(EVENTS)
    await client.signed(EVENTS, key="B" * 64)
    assert error(await client.ask("userDataStream.unsubscribe", subscriptionId=2)) == (400, -2036)
    assert (await client.ask("userDataStream.unsubscribe", subscriptionId=0))["result"] == {}
    assert (await client.receive())["subscriptionId"] == 0
    assert (await client.signed(EVENTS))["result"] == {"subscriptionId": 2}
    assert (await client.ask("userDataStream.unsubscribe"))["result"] == {}
    assert [(await client.receive())["subscriptionId"] for _ in range(2)] == [1, 2]
    await client.signed("order.place", **LIMIT)
    assert (await client.ask("session.subscriptions"))["result"] == []


async def test_events_go_to_the_account_that_they_are_of(exchange, client):
    exchange.simulation.exchange.open_account("second", {"USDT": Decimal(100_000)})
    exchange.simulation.exchange.access.register(ApiKey("B" * 64, HmacSecret("S" * 64), "second"))
    await client.signed(EVENTS)
    async with ws_client(exchange.url) as other:
        await other.signed(EVENTS, key="B" * 64)
        await other.signed("order.place", key="B" * 64, **LIMIT)
        assert (await other.receive())["event"]["x"] == "NEW"
    assert (await client.ask("ping"))["result"] == {}


async def test_key_without_the_permission_may_not_listen(exchange, client):
    key = ApiKey("T" * 64, HmacSecret("S" * 64), "main", frozenset({Permission.TRADE}))
    exchange.simulation.exchange.access.register(key)
    assert error(await client.signed(EVENTS, key=key.key)) == (401, -2015)


async def test_session_with_a_revoked_key_is_told_so_with_the_next_request(exchange, client):
    await log_on(client)
    await client.ask("userDataStream.subscribe")
    exchange.simulation.exchange.access.revoke(ED_KEY)
    await client.socket.send_json({"id": 99, "method": "account.status", "params": {"timestamp": wall_ms()}})
    refused = {"code": -2015, "msg": "Invalid API-key, IP, or permissions for action."}
    assert await client.receive() == {"id": None, "status": 401, "error": refused}
    assert (await client.receive())["event"]["e"] == TERMINATED
    assert (await client.ask("session.status"))["result"]["apiKey"] is None


async def test_revocation_is_told_before_the_answer_to_a_request_that_needs_no_key(exchange, client):
    await log_on(client)
    exchange.simulation.exchange.access.revoke(ED_KEY)
    await client.socket.send_json({"id": 99, "method": "ping"})
    assert [(await client.receive())["id"] for _ in range(2)] == [None, 99]

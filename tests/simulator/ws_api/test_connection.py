"""Requests and answers of the WebSocket API: C55 of binance-protocol.md 7a, and what else 5.2 says."""

import asyncio

import aiohttp
import pytest

from binance_trade_agent.simulator.client_socket import SocketRules
from tests.exchange_process import READING_API_KEY
from tests.simulator.ws_api.client import EVENTS, signed_params, ws_client

pytestmark = pytest.mark.usefixtures("young_minute")
LIMIT = {
    "symbol": "BTCUSDT",
    "side": "BUY",
    "type": "LIMIT",
    "timeInForce": "GTC",
    "quantity": "0.10",
    "price": "99000",
}


@pytest.fixture
async def client(exchange):
    async with ws_client(exchange.url) as connected:
        yield connected


def error(answer: dict) -> tuple[int, int]:
    return answer["status"], answer["error"]["code"]


async def test_c55_each_request_is_answered(client):
    pong = await client.ask("ping")
    assert (pong["status"], pong["result"]) == (200, {})
    assert pong["rateLimits"] == [
        {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 6000, "count": 3}
    ]
    assert isinstance((await client.ask("time"))["result"]["serverTime"], int)
    assert (await client.signed(EVENTS))["result"] == {"subscriptionId": 0}
    again = await client.signed(EVENTS)
    assert again["error"] == {"code": -2035, "msg": "User Data Stream subscription already active."}
    assert (await client.ask("session.subscriptions"))["result"] == [{"subscriptionId": 0}]
    assert "rateLimits" not in await client.ask("ping", returnRateLimits=False)


async def test_c55_unknown_and_removed_methods_are_not_supported(client):
    for method in ("userDataStream.start", "userDataStream.ping", "userDataStream.stop", "nope", "v3/v3/ping"):
        assert error(await client.ask(method)) == (400, -1020)


async def test_c55_rate_limits_are_off_for_the_connection_and_on_for_a_request(exchange):
    async with ws_client(exchange.url, "?returnRateLimits=false") as client:
        assert "rateLimits" not in await client.ask("ping")
        assert "rateLimits" not in await client.ask("nope")
        assert "rateLimits" in await client.ask("ping", returnRateLimits=True)


async def test_id_is_echoed_as_it_came(client):
    for request_id in (1, 0, -5, 2**63 - 1, "a", "x" * 36, "", None):
        await client.socket.send_json({"id": request_id, "method": "v3/ping"})
        answer = await client.receive()
        assert (answer["id"], answer["status"]) == (request_id, 200)


UNSOUND_FRAMES = (
    ("{", None, -1135),
    ("[]", None, -1135),
    ('{"id":1.5,"method":"ping"}', None, -1100),
    ('{"id":7}', 7, -1102),
    ('{"id":7,"method":"ping","params":[]}', 7, -1135),
    ('{"id":7,"method":"depth"}', 7, -1102),
    ('{"id":7,"method":"depth","params":{"symbol":"BTCUSDT","foo":1}}', 7, -1104),
    ('{"id":7,"method":"depth","params":{"symbol":null}}', 7, -1105),
    ('{"id":7,"method":"depth","params":{"symbol":"BTCUSDT","limit":1e5}}', 7, -1100),
    ('{"id":7,"method":"account.status"}', 7, -2014),
    ('{"id":7,"method":"ping","params":{"a":1}}', 7, -1101),
)


@pytest.mark.parametrize("is_binary", [True, False])
async def test_frame_that_cannot_be_carried_out_is_answered_and_the_connection_stays(client, is_binary):
    for frame, request_id, code in UNSOUND_FRAMES:
        await (client.socket.send_bytes(frame.encode()) if is_binary else client.socket.send_str(frame))
        answer = await client.receive()
        status = 401 if code == -2014 else 400
        assert (answer["id"], answer["status"], answer["error"]["code"]) == (request_id, status, code)
    assert (await client.ask("ping"))["status"] == 200


async def test_fragments_make_one_request(client):
    frame = b'{"id":1,"method":"ping"}'
    for opcode_and_final, part in ((0x01, frame[:5]), (0x00, frame[5:12]), (0x80, frame[12:])):
        client.socket._writer.transport.write(bytes((opcode_and_final, 0x80 | len(part), 0, 0, 0, 0)) + part)
    assert (await client.receive())["result"] == {}


async def test_message_that_is_too_large_closes_this_connection_only(exchange, client):
    async with ws_client(exchange.url) as other:
        await client.socket.send_str(" " * 200_000)
        closed = await client.socket.receive(timeout=20)
        assert (closed.type, closed.data) == (aiohttp.WSMsgType.CLOSE, 1009)
        assert (await other.ask("ping"))["status"] == 200


async def test_values_are_signed_as_they_are_written(exchange, client):
    numbers = {**LIMIT, "quantity": 0.1, "price": 99000}
    assert (await client.signed("order.test", **numbers))["result"] == {}
    params = signed_params(**{**LIMIT, "quantity": "3e-05"})
    raw = str({"id": 1, "method": "order.test", "params": params}).replace("'3e-05'", "0.00003").replace("'", '"')
    await client.socket.send_str(raw)
    assert error(await client.receive()) == (400, -1022)
    assert (await client.signed("order.test", **LIMIT, computeCommissionRates=True))["result"]["discount"]
    assert error(await client.signed("openOrders.status", symbol="这是测试币456")) == (400, -1121)
    assert (await client.signed("account.status", returnRateLimits=False))["status"] == 200


async def test_orders_go_through_like_over_rest_and_show_the_order_count(client):
    placed = await client.signed("order.place", **LIMIT)
    assert placed["result"]["status"] == "NEW"
    assert [(limit["rateLimitType"], limit["intervalNum"], limit["count"]) for limit in placed["rateLimits"]] == [
        ("ORDERS", 10, 1),
        ("ORDERS", 1, 1),
        ("REQUEST_WEIGHT", 1, 2),
    ]
    refused = await client.signed("order.place", **{**LIMIT, "price": "99000.005"})
    assert error(refused) == (400, -1013)
    assert len(refused["rateLimits"]) == 3
    order_id = placed["result"]["orderId"]
    cancelled = await client.signed("order.cancel", symbol="BTCUSDT", orderId=order_id)
    assert (cancelled["result"]["status"], len(cancelled["rateLimits"])) == ("CANCELED", 1)
    assert error(await client.signed("order.place", key=READING_API_KEY, **LIMIT)) == (401, -2015)


async def test_events_of_a_request_come_behind_its_answer(client):
    await client.signed(EVENTS)
    assert (await client.signed("order.place", **LIMIT))["status"] == 200
    assert [(await client.receive())["event"]["e"] for _ in range(2)] == ["executionReport", "outboundAccountPosition"]


async def test_all_doors_share_the_weight_of_the_address(exchange, raw, client):
    await raw.get("exchangeInfo")
    assert (await client.ask("ping"))["rateLimits"][-1]["count"] == 23
    exchange.simulation.limits.of("127.0.0.1").set_used(5999, exchange.simulation.exchange.limits_now_ms())
    refused = await client.ask("exchangeInfo")
    assert error(refused) == (429, -1003)
    data = refused["error"]["data"]
    assert 0 < data["retryAfter"] - data["serverTime"] <= 60_000
    assert data["retryAfter"] % 1000 == data["serverTime"] % 1000


async def test_banned_address_is_answered_with_the_time_of_the_end(exchange, client):
    exchange.simulation.limits.of("127.0.0.1").ban(100, exchange.simulation.exchange.limits_now_ms())
    banned = await client.ask("ping")
    assert error(banned) == (418, -1003)
    assert 99_000 <= banned["error"]["data"]["retryAfter"] - banned["error"]["data"]["serverTime"] <= 100_000


@pytest.mark.parametrize("unit", ["MICROSECOND", "microsecond"])
async def test_times_are_in_microseconds_on_request(exchange, unit):
    async with ws_client(exchange.url, f"?timeUnit={unit}") as client:
        server_us = (await client.ask("time"))["result"]["serverTime"]
        assert server_us > 10**15
        await client.signed(EVENTS)
        placed = (await client.signed("order.place", **LIMIT))["result"]
        assert placed["transactTime"] > 10**15
        report = (await client.receive())["event"]
        assert report["T"] == placed["transactTime"]
        assert report["i"] == placed["orderId"]
        assert (await client.receive())["event"]["u"] == report["T"]


async def test_unknown_time_unit_is_refused_before_the_upgrade(exchange):
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        async with ws_client(exchange.url, "?timeUnit=NANOSECOND"):
            pass
    assert refused.value.status == 400


async def test_ordinary_request_is_no_connection(raw):
    reply = await raw.send("GET", "/ws-api/v3")
    assert 400 <= reply.status < 500


async def test_client_is_pinged_and_cut_off_when_it_does_not_answer(exchange):
    exchange.simulation.ws_api_rules = SocketRules(ping_seconds=0.05, pong_seconds=0.3)
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{exchange.url}/ws-api/v3", autoping=False) as silent,
        ws_client(exchange.url) as answering,
    ):
        kinds = [(await silent.receive(timeout=20)).type for _ in range(3)]
        assert kinds == [aiohttp.WSMsgType.PING] * 3
        waiting = asyncio.ensure_future(answering.socket.receive())
        while (message := await silent.receive(timeout=20)).type is aiohttp.WSMsgType.PING:
            pass
        assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, 1008)
        assert not waiting.done()
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)


async def test_connection_ends_at_its_greatest_age(exchange):
    exchange.simulation.ws_api_rules = SocketRules(age_seconds=0.2)
    async with ws_client(exchange.url) as client:
        closed = await client.socket.receive(timeout=20)
        assert (closed.type, closed.data) == (aiohttp.WSMsgType.CLOSE, 1001)


async def test_clients_ping_is_answered_with_its_payload(exchange):
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{exchange.url}/ws-api/v3", autoping=False) as socket,
    ):
        await socket.ping(b"payload")
        message = await socket.receive(timeout=20)
        assert (message.type, bytes(message.data)) == (aiohttp.WSMsgType.PONG, b"payload")

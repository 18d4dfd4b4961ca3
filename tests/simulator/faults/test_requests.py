"""Faults of requests through real clients: what is seen, and what the exchange has done meanwhile."""

import asyncio
import json

import aiohttp
import pytest
from binance.exceptions import BinanceAPIException, BinanceRequestException

from binance_trade_agent.ops.clock import monotonic_seconds, sleep_seconds
from tests.simulator.ws_api.client import ws_client

ORDER = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.01", "newClientOrderId": "f-1"}


async def buy(client):
    return await client.create_order(**ORDER)


async def executed(client) -> bool:
    return len(await client.get_my_trades(symbol="BTCUSDT")) == 1


@pytest.mark.parametrize(
    ("kind", "fields", "error", "is_executed"),
    [
        ("drop_before", {}, aiohttp.ClientError, False),
        ("drop_after", {}, aiohttp.ClientError, True),
        ("timeout_after", {}, asyncio.TimeoutError, True),
        ("unknown_executed", {}, BinanceAPIException, True),
        ("unknown_not_executed", {}, BinanceAPIException, False),
        ("http", {"status": 500, "body": '{"code":-1001,"msg":"Internal error"}'}, BinanceAPIException, False),
        ("http", {"status": 200, "body": "[]", "content_type": "text/plain"}, aiohttp.ContentTypeError, False),
        ("html", {"status": 502}, BinanceAPIException, False),
        ("truncate_json", {}, BinanceRequestException, True),
    ],
)
async def test_rest_order_under_a_fault(exchange, client, kind, fields, error, is_executed):
    client.session._timeout = aiohttp.ClientTimeout(0.5)
    client.REQUEST_TIMEOUT = 0.5
    await exchange.fault(kind, method="POST", path="/api/v3/order", **fields)
    with pytest.raises(error):
        await buy(client)
    assert await executed(client) is is_executed
    assert (await exchange.control("fault", kind="latency"))["id"] == 2  # the first one is spent, its number is not


@pytest.mark.parametrize(
    ("fault", "answer"),
    [
        ({"kind": "html", "status": 503}, (503, "text/html", None)),
        ({"kind": "unknown_executed"}, (504, "application/json", -1007)),
        ({"kind": "http", "status": 418, "retry_after_seconds": 7, "body": {"code": -1003}}, (418, "application/json", -1003)),
        ({"kind": "http", "status": 429, "headers": {"Retry-After": "7"}, "body": ""}, (429, "text/html", None)),
    ],
)  # fmt: skip
async def test_answer_of_a_fault_is_the_one_asked_for(exchange, raw, fault, answer):
    await exchange.control("fault", **fault)
    reply = await raw.get("ping")
    code = reply.json["code"] if reply.json else None
    assert (reply.status, reply.headers["Content-Type"].split(";")[0], code) == answer
    assert reply.headers.get("Retry-After") == ("7" if reply.status in {418, 429} else None)


async def test_fault_meets_the_chosen_requests_only(exchange, client):
    await exchange.fault("http", path="/api/v3/ping", status=503, nth=2, count=2)
    outcomes = []
    for _ in range(5):
        await client.get_server_time()
        try:
            await client.ping()
            outcomes.append(200)
        except BinanceAPIException as failure:
            outcomes.append(failure.status_code)
    assert outcomes == [200, 503, 503, 200, 200]


async def test_same_seed_meets_the_same_requests(exchange, raw):
    async def met(seed: int) -> list[int]:
        number = await exchange.fault("http", probability=0.5, seed=seed, path="ping")
        statuses = [(await raw.get("ping")).status for _ in range(30)]
        await exchange._request("DELETE", f"fault/{number}", None)
        return statuses

    first = await met(5)
    assert first == await met(5)
    assert 5 < first.count(503) < 25
    assert first != await met(6)


async def test_latency_delays_the_answer_and_adds_to_another_fault(exchange, raw):
    await exchange.fault("latency", ms=200, path="ping")
    await exchange.fault("http", status=502, path="ping")
    began = monotonic_seconds()
    assert (await raw.get("ping")).status == 502
    assert monotonic_seconds() - began >= 0.2


async def test_order_that_waits_beyond_its_window_is_refused_and_counted(exchange, raw):
    await exchange.fault("latency", ms=300, path="order")
    order = {**ORDER, "recvWindow": "200"}
    assert (await raw.order(**order)).error[:2] == (400, -1021)
    assert (await exchange.state())["orders_used"]["main"]["10s"] == 1
    assert (await exchange.state())["orders"] == []


async def test_fault_can_be_switched_off(exchange, client):
    number = await exchange.fault("http", count=None)
    await exchange._request("DELETE", f"fault/{number}", None)
    await client.ping()
    assert (await exchange._request("GET", "faults", None))["faults"] == []


@pytest.mark.parametrize(
    ("kind", "fields", "is_executed", "seen"),
    [
        ("unknown_executed", {}, True, (504, -1007)),
        ("unknown_not_executed", {}, False, (504, -1007)),
        ("http", {"status": 503, "body": {"code": -1008, "msg": "busy"}}, False, (503, -1008)),
        ("http", {"status": 500, "body": "oops"}, False, (500, -1000)),
        ("latency", {"ms": 50}, True, (200, None)),
        ("timeout_after", {}, True, None),
        ("drop_after", {}, True, None),
        ("drop_before", {}, False, None),
        ("truncate_json", {}, True, None),
        ("html", {"status": 502}, False, None),
    ],
)
async def test_websocket_order_under_a_fault(exchange, client, kind, fields, is_executed, seen):
    await exchange.fault(kind, method="WS", path="order.place", **fields)
    async with ws_client(exchange.url) as ws:
        if seen is not None:
            answer = await ws.signed("order.place", **ORDER)
            assert (answer["status"], answer.get("error", {}).get("code")) == seen
        else:
            ws.receive = lambda: ws.socket.receive_json(timeout=0.3)
            with pytest.raises((asyncio.TimeoutError, TypeError, json.JSONDecodeError)):
                await ws.signed("order.place", **ORDER)
    assert await executed(client) is is_executed


@pytest.mark.parametrize("is_first", [False, True])
async def test_event_comes_behind_the_answer_or_before_it(exchange, client, is_first):
    if is_first:
        await exchange.control("config", event_before_response=True)
    async with ws_client(exchange.url) as ws:
        await ws.signed("userDataStream.subscribe.signature")
        order = asyncio.create_task(buy(client))  # noqa: TID251
        await ws.receive()
        await sleep_seconds(0.02)
        assert order.done() is not is_first
        await order


async def test_answer_of_the_websocket_api_comes_first_unless_events_are_to(exchange):
    async with ws_client(exchange.url) as ws:
        await ws.signed("userDataStream.subscribe.signature")
        for events_first in (False, True):
            await exchange.control("config", event_before_response=events_first)
            await ws.socket.send_json({"id": "x", "method": "order.place", "params": signed(ORDER)})
            frames = [await ws.receive() for _ in range(4)]
            assert ["id" in frame for frame in frames].index(True) == (3 if events_first else 0)


def signed(order):
    from tests.simulator.ws_api.client import signed_params

    return signed_params(**order)

"""Faults through a real client: what it sees, and what the exchange has done meanwhile."""

import asyncio

import aiohttp
import pytest
from binance.exceptions import BinanceAPIException

from binance_trade_agent.ops.clock import monotonic_seconds


async def buy(client):
    return await client.order_market_buy(symbol="BTCUSDT", quantity="0.01", newClientOrderId="f-1")


async def executed(client) -> bool:
    return len(await client.get_my_trades(symbol="BTCUSDT")) == 1


async def test_dropped_answer_leaves_the_order_executed(exchange, client):
    await exchange.fault("drop_after", method="POST", path="/api/v3/order")
    with pytest.raises(aiohttp.ClientError):
        await buy(client)
    assert await executed(client)
    assert (await client.get_order(symbol="BTCUSDT", origClientOrderId="f-1"))["status"] == "FILLED"


async def test_answer_that_never_comes_leaves_the_order_executed(exchange, client):
    client.REQUEST_TIMEOUT = 0.3
    client.session._timeout = aiohttp.ClientTimeout(0.3)
    await exchange.fault("timeout_after", method="POST", path="order")
    with pytest.raises(asyncio.TimeoutError):
        await buy(client)
    assert await executed(client)


@pytest.mark.parametrize(("kind", "is_executed"), [("unknown_executed", True), ("unknown_not_executed", False)])
async def test_unknown_outcome_is_answered_504(exchange, client, kind, is_executed):
    await exchange.fault(kind, method="POST")
    with pytest.raises(BinanceAPIException) as failure:
        await buy(client)
    assert (failure.value.status_code, failure.value.code) == (504, -1007)
    assert await executed(client) is is_executed


async def test_http_fault_meets_the_chosen_requests_only(exchange, client):
    await exchange.fault("http", path="/api/v3/ping", status=503, skip=1, count=2)
    outcomes = []
    for _ in range(5):
        try:
            await client.ping()
            outcomes.append(200)
        except BinanceAPIException as failure:
            outcomes.append(failure.status_code)
    assert outcomes == [200, 503, 503, 200, 200]


async def test_latency_delays_the_answer(exchange, client):
    await exchange.fault("latency", ms=200, path="ping")
    began = monotonic_seconds()
    await client.ping()
    assert monotonic_seconds() - began >= 0.2


async def test_fault_can_be_switched_off(exchange, client):
    number = await exchange.fault("http", count=None)
    async with aiohttp.ClientSession() as session:
        await session.delete(f"{exchange.control_url}/sim/fault/{number}")
    await client.ping()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"kind": "drop_aftr"}, "did you mean drop_after"),
        ({"kind": "http", "statsu": 1}, "nearest is status"),
        ({"kind": "http", "status": "x"}, "must be int"),
    ],
)
async def test_wrong_fault_is_explained(exchange, fields, message):
    with pytest.raises(AssertionError, match=message):
        await exchange.control("fault", **fields)

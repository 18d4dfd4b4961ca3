"""Connections to the market streams: where they connect, what they subscribe to, and in which form they are served."""

import asyncio

import aiohttp
import pytest
from aiohttp import WSMsgType
from yarl import URL

from tests.exchange_process import running_exchange
from tests.simulator.streams.market import Market

TRADE = {"symbol": "BTCUSDT", "price": "100000", "qty": "1", "taker": "BUY"}


ADDRESSES = [
    ("ws", []),
    ("ws/", []),
    ("ws/btcusdt@trade", ["btcusdt@trade"]),
    ("ws/btcusdt%40trade", ["btcusdt@trade"]),
    ("ws/btcusdt@trade/ethusdt@aggTrade", ["btcusdt@trade", "ethusdt@aggTrade"]),
    ("ws/btcusdt@kline_1d@+08:00", ["btcusdt@kline_1d@+08:00"]),
    ("ws/btcusdt%40kline_1d%40%2B08%3A00", ["btcusdt@kline_1d@+08:00"]),
    ("ws/btcusdt%40trade%2Fethusdt%40trade", ["btcusdt@trade", "ethusdt@trade"]),
    ("stream?streams=btcusdt@kline_1d@+08:00/ethusdt@trade", ["btcusdt@kline_1d@+08:00", "ethusdt@trade"]),
    ("ws/0", ["0"]),
    ("ws/btcusdt@trade/btcusdt@trade", ["btcusdt@trade"]),
    ("stream", []),
    ("stream?streams=btcusdt@trade/ethusdt@trade", ["btcusdt@trade", "ethusdt@trade"]),
    ("stream?streams=btcusdt%40trade%2Fethusdt%40trade", ["btcusdt@trade", "ethusdt@trade"]),
    ("stream?timeUnit=MICROSECOND&streams=!miniTicker@arr", ["!miniTicker@arr"]),
]


@pytest.fixture
async def exchange():
    async with running_exchange(fixture="F0") as running:
        yield running


@pytest.fixture
async def session():
    async with aiohttp.ClientSession() as opened:
        yield opened


async def ask(socket, method: str, **request):
    await socket.send_json({"method": method, "id": 1, **request})
    return await socket.receive_json(timeout=20)


async def test_streams_are_named_in_the_address(exchange, session):
    for path, names in ADDRESSES:
        async with session.ws_connect(URL(f"{exchange.url}/{path}", encoded=True)) as socket:
            while "result" not in (answer := await ask(socket, "LIST_SUBSCRIPTIONS")):
                continue
            assert answer["result"] == names, path


async def test_messages_are_wrapped_by_default_only_under_stream(exchange, session):
    for path, is_combined in (("ws/x", False), ("stream", True), ("stream?streams=x", True)):
        async with session.ws_connect(f"{exchange.url}/{path}") as socket:
            assert (await ask(socket, "GET_PROPERTY", params=["combined"]))["result"] is is_combined
            assert await ask(socket, "SET_PROPERTY", params=["combined", not is_combined]) == {"result": None, "id": 1}
            assert (await ask(socket, "GET_PROPERTY", params=["combined"]))["result"] is not is_combined


async def test_wrapping_can_be_switched_while_listening(exchange, session):
    async with session.ws_connect(f"{exchange.url}/ws/btcusdt@trade") as socket:
        await exchange.control("trade", **TRADE)
        assert (await socket.receive_json(timeout=20))["e"] == "trade"
        await ask(socket, "SET_PROPERTY", params=["combined", True])
        await exchange.control("trade", **TRADE)
        message = await socket.receive_json(timeout=20)
        assert (message["stream"], message["data"]["e"]) == ("btcusdt@trade", "trade")


async def test_microseconds_on_request(exchange, session):
    async with (
        session.ws_connect(f"{exchange.url}/ws/btcusdt@trade") as plain,
        session.ws_connect(f"{exchange.url}/ws/btcusdt@trade?timeUnit=microsecond") as raw,
        session.ws_connect(f"{exchange.url}/stream?streams=btcusdt@trade&timeUnit=MICROSECOND") as combined,
    ):
        await ask(plain, "LIST_SUBSCRIPTIONS")
        await ask(raw, "LIST_SUBSCRIPTIONS")
        await ask(combined, "LIST_SUBSCRIPTIONS")
        await exchange.control("trade", **TRADE)
        expected = await plain.receive_json(timeout=20)
        expected = {**expected, "E": expected["E"] * 1000, "T": expected["T"] * 1000}
        assert await raw.receive_json(timeout=20) == expected
        assert await combined.receive_json(timeout=20) == {"stream": "btcusdt@trade", "data": expected}


async def test_connection_takes_at_most_1024_streams(exchange, session):
    names = [f"s{number}@trade" for number in range(1_024)]
    async with session.ws_connect(f"{exchange.url}/ws") as socket:
        assert (await ask(socket, "SUBSCRIBE", params=names))["result"] is None
        assert (await ask(socket, "SUBSCRIBE", params=["one@trade"]))["code"] == 2
        assert (await ask(socket, "SUBSCRIBE", params=names[:3]))["result"] is None
        assert len((await ask(socket, "LIST_SUBSCRIPTIONS"))["result"]) == 1_024


async def test_address_with_a_thousand_streams_is_served_and_with_more_refused(exchange, session):
    names = "/".join(f"sim{number}usdt@depth@100ms" for number in range(1_024))
    async with session.ws_connect(f"{exchange.url}/stream?streams={names}") as socket:
        assert len((await ask(socket, "LIST_SUBSCRIPTIONS"))["result"]) == 1_024
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await session.ws_connect(f"{exchange.url}/stream?streams={names}/one@trade")
    assert refused.value.status == 400


async def test_other_addresses_are_not_found(exchange, session):
    for path in ("wsx", "streams", "ws-api"):
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await session.ws_connect(f"{exchange.url}/{path}")
        assert refused.value.status == 404


async def test_more_than_five_messages_a_second_disconnect(exchange, session):
    async with session.ws_connect(f"{exchange.url}/ws") as socket:
        for _ in range(11):
            await socket.send_json({"method": "LIST_SUBSCRIPTIONS", "id": 1})
        messages = [await socket.receive(timeout=20) for _ in range(11)]
        assert [message.type for message in messages] == [WSMsgType.TEXT] * 10 + [WSMsgType.CLOSE]
        assert messages[-1].data == 1008


async def test_more_than_three_hundred_attempts_in_five_minutes_are_refused(exchange, session):
    async with session.ws_connect(f"{exchange.url}/ws") as first:
        attempts, status = 1, 400
        while status == 400 and attempts < 602:  # the five minutes may end on the way
            async with session.get(f"{exchange.url}/ws") as answer:  # no WebSocket, but an attempt
                attempts, status, headers = attempts + 1, answer.status, answer.headers
        assert status == 429
        assert attempts > 300
        assert 1 <= int(headers["Retry-After"]) <= 300
        assert (await ask(first, "LIST_SUBSCRIPTIONS"))["result"] == []


async def test_new_market_goes_on_under_the_same_connections(exchange, session):
    # A fixture's trades are those of its last candles, so their numbers go on with each minute of the wall clock.
    at_a_time = {"mode": "manual", "now": 1_767_571_200_000}
    async with session.ws_connect(f"{exchange.url}/ws/btcusdt@trade") as socket:
        await exchange.control("clock", **at_a_time)
        await exchange.control("trade", **TRADE)
        first = await socket.receive_json(timeout=20)
        await exchange.control("reset", fixture="F0")
        await exchange.control("clock", **at_a_time)
        await exchange.control("trade", **TRADE)
        assert (await socket.receive_json(timeout=20))["t"] == first["t"]


async def test_connections_that_end_leave_nothing_behind(exchange, session):
    for _ in range(5):
        async with session.ws_connect(f"{exchange.url}/ws/btcusdt@trade/btcusdt@depth"):
            pass
    for _ in range(100):
        if (await exchange.state())["connections"]["streams"] == 0:
            return
        await asyncio.wait_for(exchange.log(), 5)
    raise AssertionError("connections are kept")


@pytest.mark.parametrize("name", ["!ticker@arr", "!bookTicker", "nope@trade", "btcusdt@nope", "BTCUSDT@trade"])
def test_removed_and_unknown_streams_never_send(name):
    market = Market(history_minutes=30)
    listener = market.listen(name)
    market.run(10_000)
    assert listener.take() == []


def test_shutdown_is_announced_in_the_form_of_the_connection():
    market = Market(history_minutes=30)
    raw, combined = market.listen("btcusdt@trade"), market.listen("btcusdt@trade", is_combined=True)
    fine = market.listen(in_microseconds=True)
    market.streams.announce_shutdown()
    event = {"e": "serverShutdown", "E": market.exchange.now_ms}
    assert raw.take() == [event]
    assert combined.take() == [{"stream": "!serverShutdown", "data": event}]
    assert fine.take() == [{**event, "E": event["E"] * 1000}]

"""Faults of WebSockets, seen by clients of market streams and of the WebSocket API."""

import asyncio

import aiohttp
import pytest
from aiohttp import WSMsgType

from tests.simulator.ws_api.client import ws_client

STREAM = "btcusdt@trade"


class Connection:
    """A client of either kind of socket."""

    def __init__(self, target, socket):
        self.target = target
        self.socket = socket

    async def provoke(self, exchange) -> None:
        """Give the server a reason to send data."""
        if self.target == "streams":
            await exchange.control("trade", symbol="BTCUSDT", price="99995", qty="1", taker="BUY")
        else:
            await self.socket.send_json({"id": 1, "method": "ping"})

    async def next(self, seconds=2):
        return await self.socket.receive(timeout=seconds)


@pytest.fixture(params=["ws-api", "streams"])
async def connection(request, exchange):
    path = "/ws-api/v3" if request.param == "ws-api" else f"/ws/{STREAM}"
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{exchange.url}{path}", autoping=False) as socket,
    ):
        yield Connection(request.param, socket)


async def test_connection_is_closed_with_the_code(exchange, connection):
    await exchange.fault("ws_close", target=connection.target, code=1012)
    message = await connection.next()
    assert (message.type, message.data) == (WSMsgType.CLOSE, 1012)


async def test_kick_closes_the_connections_of_its_target(exchange, connection):
    other = "streams" if connection.target == "ws-api" else "ws-api"
    assert await exchange.control("kick", target=other) == {"closed": 0}
    assert await exchange.control("kick", target=connection.target, code=1001) == {"closed": 1}
    assert (await connection.next()).data == 1001


async def test_abort_is_a_tcp_reset(exchange, connection):
    transport = connection.socket._response.connection.transport
    lost = asyncio.get_running_loop().create_future()
    protocol = transport.get_protocol()
    original = protocol.connection_lost
    protocol.connection_lost = lambda error: (lost.set_result(error), original(error))
    await exchange.fault("ws_abort", target=connection.target)
    assert isinstance(await asyncio.wait_for(lost, 20), ConnectionResetError)


async def test_frozen_data_leaves_pings_answered_and_thaws(exchange, connection):
    number = await exchange.fault("ws_freeze_data", target=connection.target)
    await connection.provoke(exchange)
    await connection.socket.ping(b"are you there")
    message = await connection.next()
    assert (message.type, message.data) == (WSMsgType.PONG, b"are you there")
    await exchange._request("DELETE", f"fault/{number}", None)
    await connection.provoke(exchange)
    assert (await connection.next()).type is WSMsgType.TEXT


async def test_connection_that_is_frozen_wholly_answers_no_ping(exchange, connection):
    number = await exchange.fault("ws_freeze_all", target=connection.target)
    await connection.provoke(exchange)
    await connection.socket.ping(b"are you there")
    with pytest.raises(asyncio.TimeoutError):
        await connection.next(0.3)
    await exchange._request("DELETE", f"fault/{number}", None)
    kinds = {(await connection.next()).type for _ in range(1 if connection.target == "streams" else 2)}
    assert WSMsgType.PONG in kinds  # what the client had sent is read now


async def test_new_connection_is_frozen_too(exchange):
    await exchange.fault("ws_freeze_data", target="ws-api")
    async with ws_client(exchange.url) as ws:
        await ws.socket.send_json({"id": 1, "method": "ping"})
        with pytest.raises(asyncio.TimeoutError):
            await ws.socket.receive(timeout=0.3)


async def test_shutdown_is_announced_before_the_close(exchange, connection):
    await exchange.fault("server_shutdown", target=connection.target, lead_ms=100)
    event = (await connection.next()).json()
    event = event["event"] if connection.target == "ws-api" else event
    assert event["e"] == "serverShutdown"
    assert (await connection.next()).data == 1001


@pytest.mark.parametrize("path", ["/ws-api/v3", "/ws", "/stream?streams=btcusdt@trade"])
async def test_upgrade_is_refused_as_often_as_asked(exchange, path):
    await exchange.fault("ws_no_upgrade", status=503, count=2)
    async with aiohttp.ClientSession() as session:
        for _ in range(2):
            with pytest.raises(aiohttp.WSServerHandshakeError) as refusal:
                await session.ws_connect(f"{exchange.url}{path}")
            assert refusal.value.status == 503
        async with session.ws_connect(f"{exchange.url}{path}"):
            pass


async def test_message_of_a_stream_can_be_what_a_fault_waits_for(exchange):
    await exchange.fault("ws_close", stream=STREAM, nth=2)
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{exchange.url}/ws/{STREAM}") as hit,
        session.ws_connect(f"{exchange.url}/ws/ethusdt@trade") as spared,
    ):
        for _ in range(3):
            await exchange.control("trade", symbol="BTCUSDT", price="99995", qty="1", taker="BUY")
        messages = [await hit.receive(timeout=20) for _ in range(3)]
        assert [message.type for message in messages] == [WSMsgType.TEXT, WSMsgType.TEXT, WSMsgType.CLOSE]
        assert not spared.closed


async def test_request_can_be_what_a_fault_waits_for(exchange):
    await exchange.fault("ws_abort", method="WS", path="time")
    async with ws_client(exchange.url) as hit, ws_client(exchange.url) as spared:
        assert (await hit.ask("ping"))["status"] == 200
        await hit.socket.send_json({"id": 2, "method": "time"})
        assert (await hit.socket.receive(timeout=20)).type in {WSMsgType.CLOSED, WSMsgType.ERROR}
        assert (await spared.ask("time"))["status"] == 200

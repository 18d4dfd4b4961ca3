"""Frames on their way out: whole, in order, and never at the cost of other clients."""

import asyncio
import socket
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import WSMsgType, web

from binance_trade_agent.ops.clock import monotonic_seconds, sleep_seconds
from binance_trade_agent.simulator.outbox import Outbox, text_frame


@asynccontextmanager
async def server():
    """The outboxes of those who connect, and where to connect to."""
    outboxes = []

    async def handle(request: web.Request) -> web.StreamResponse:
        response = web.WebSocketResponse(compress=False)
        await response.prepare(request)
        outboxes.append(Outbox(request.transport))
        async for _ in response:
            pass
        return response

    app = web.Application()
    app.router.add_get("/", handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield outboxes, runner.addresses[0][1]
    await runner.cleanup()


async def until(condition) -> None:
    deadline = monotonic_seconds() + 30
    while not condition():
        assert monotonic_seconds() < deadline
        await sleep_seconds(0.01)


@pytest.mark.parametrize("length", [0, 1, 125, 126, 65_535, 65_536, 200_000])
async def test_frames_of_every_length_arrive_whole(length):
    async with (
        server() as (outboxes, port),
        aiohttp.ClientSession() as session,
        session.ws_connect(f"http://127.0.0.1:{port}") as client,
    ):
        await until(lambda: outboxes)
        outboxes[0].put("x" * length)
        outboxes[0].put("end")
        assert (await client.receive(timeout=20)).data == "x" * length
        assert (await client.receive(timeout=20)).data == "end"


async def test_frames_come_in_order_with_pings_between_them():
    async with (
        server() as (outboxes, port),
        aiohttp.ClientSession() as session,
        session.ws_connect(f"http://127.0.0.1:{port}", autoping=False) as client,
    ):
        await until(lambda: outboxes)
        for number in range(3_000):
            outboxes[0].put_frame(text_frame(str(number).encode()))
            if number == 1_500:
                outboxes[0].ping(b"now")
        messages = [await client.receive(timeout=20) for _ in range(3_001)]
        assert [message.data for message in messages if message.type is WSMsgType.TEXT] == [
            str(n) for n in range(3_000)
        ]
        assert (messages[1_501].type, bytes(messages[1_501].data)) == (WSMsgType.PING, b"now")


async def test_client_that_does_not_read_is_dropped_and_others_are_not_harmed():
    payload = text_frame(b"x" * 100_000)
    async with server() as (outboxes, port), aiohttp.ClientSession() as session:
        slow = socket.create_connection(("127.0.0.1", port))
        slow.send(
            b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        await until(lambda: outboxes)
        async with session.ws_connect(f"http://127.0.0.1:{port}") as quick:
            await until(lambda: len(outboxes) == 2)
            for number in range(400):  # 40 MB
                for outbox in outboxes:
                    outbox.put_frame(payload)
                outboxes[1].put(str(number))
                assert len((await quick.receive(timeout=20)).data) == 100_000
                assert (await quick.receive(timeout=20)).data == str(number)
        await asyncio.wait_for(asyncio.to_thread(read_to_the_end, slow), 15)


def read_to_the_end(slow: socket.socket) -> None:
    """Until the server has cut the connection off."""
    slow.settimeout(15)
    with slow:
        try:
            while slow.recv(1 << 20):
                pass
        except ConnectionResetError:
            return


async def test_reset_and_put_after_the_end_do_no_harm():
    async with (
        server() as (outboxes, port),
        aiohttp.ClientSession() as session,
        session.ws_connect(f"http://127.0.0.1:{port}") as client,
    ):
        await until(lambda: outboxes)
        outboxes[0].abort()
        outboxes[0].put("too late")
        assert (await client.receive(timeout=20)).type in {WSMsgType.CLOSED, WSMsgType.ERROR, WSMsgType.CLOSE}

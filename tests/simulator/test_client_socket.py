"""The life of a WebSocket connection: pings, pongs, age, and what a client may send (binance-protocol.md 5.1)."""

from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import WSMsgType, web

from binance_trade_agent.ops.clock import monotonic_seconds, wall_ms
from binance_trade_agent.simulator.client_socket import ClientSocket, SocketRules


@asynccontextmanager
async def connected(rules: SocketRules):
    """A client's socket to a server that gives back what it is sent."""

    async def handle(request: web.Request) -> web.StreamResponse:
        socket = await ClientSocket.accept(request, rules)

        async def receive(text: str) -> None:
            socket.outbox.put(text)

        await socket.serve(receive)
        return socket.response

    app = web.Application()
    app.router.add_get("/", handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    async with aiohttp.ClientSession() as session, session.ws_connect(url, autoping=False) as client:
        yield client
    await runner.cleanup()


async def closed_with(client) -> tuple[int, float]:
    """Code of the close, and seconds until it came; pings on the way stay without an answer."""
    began = monotonic_seconds()
    while (message := await client.receive(timeout=20)).type is not WSMsgType.CLOSE:
        assert message.type is WSMsgType.PING
    return message.data, monotonic_seconds() - began


def test_rules_are_those_of_the_protocol():
    rules = SocketRules()
    assert (rules.ping_seconds, rules.pong_seconds, rules.age_seconds) == (20, 60, 24 * 3600)


async def test_pings_come_steadily_whatever_the_client_sends():
    async with connected(SocketRules(ping_seconds=0.2)) as client:
        came = []
        while len(came) < 4:
            message = await client.receive(timeout=20)
            if message.type is WSMsgType.PING:
                came.append(int(message.data))  # when it was sent
                assert abs(came[-1] - wall_ms()) < 20_000
                await client.pong(message.data)
            await client.send_str("news")
        assert came[-1] - came[0] > 300, "three fifths of a second, but for a first one that was late"


async def test_client_that_answers_no_ping_is_disconnected():
    async with connected(SocketRules(ping_seconds=0.1, pong_seconds=0.3)) as client:
        code, seconds = await closed_with(client)
        assert code == 1008
        assert seconds >= 0.35


async def test_pong_with_another_payload_answers_nothing():
    async with connected(SocketRules(ping_seconds=0.1, pong_seconds=0.3)) as client:
        while (message := await client.receive(timeout=20)).type is WSMsgType.PING:
            await client.pong(b"something else")
        assert (message.type, message.data) == (WSMsgType.CLOSE, 1008)


async def test_answering_every_third_ping_is_enough():
    async with connected(SocketRules(ping_seconds=0.1, pong_seconds=0.5, age_seconds=1.5)) as client:
        pings = 0
        while (message := await client.receive(timeout=20)).type is WSMsgType.PING:
            pings += 1
            if pings % 3 == 0:
                await client.pong(message.data)
        assert (message.type, message.data) == (WSMsgType.CLOSE, 1001)
        assert pings >= 10


async def test_client_is_disconnected_at_the_highest_age():
    async with connected(SocketRules(age_seconds=0.3)) as client:
        code, seconds = await closed_with(client)
        assert code == 1001
        assert 0.25 < seconds < 15


async def test_ping_of_the_client_is_answered_with_its_payload():
    async with connected(SocketRules()) as client:
        await client.ping(b"are you there")
        message = await client.receive(timeout=20)
        assert (message.type, bytes(message.data)) == (WSMsgType.PONG, b"are you there")


async def test_pong_without_a_ping_is_allowed():
    async with connected(SocketRules()) as client:
        await client.pong(b"unasked")
        await client.send_str("still here")
        assert (await client.receive(timeout=20)).data == "still here"


@pytest.mark.parametrize("kind", ["ping", "pong", "text"])
async def test_more_than_five_messages_a_second_disconnect(kind):
    send = {"ping": "ping", "pong": "pong", "text": "send_str"}[kind]
    async with connected(SocketRules(messages_a_second=5)) as client:
        for _ in range(11):
            await getattr(client, send)("hello" if kind == "text" else b"hello")
        answers = []
        while (message := await client.receive(timeout=20)).type is not WSMsgType.CLOSE:
            answers.append(message)
        assert message.data == 1008
        assert len(answers) == (0 if kind == "pong" else 10)


async def test_too_large_a_message_disconnects():
    async with connected(SocketRules(message_bytes=1_000)) as client:
        await client.send_str("x" * 1_001)
        code, _ = await closed_with(client)
        assert code == 1009


async def test_binary_message_is_read_as_text():
    async with connected(SocketRules()) as client:
        await client.send_bytes(b'{"method":"LIST_SUBSCRIPTIONS"}')
        assert (await client.receive(timeout=20)).data == '{"method":"LIST_SUBSCRIPTIONS"}'

"""The network in memory: bytes arrive in order or not at all, and each fault does what its name says."""

import asyncio
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from binance_trade_agent.ops.clock import monotonic_seconds, sleep_seconds
from tests.torture.loop import run_virtual
from tests.torture.machine import Killed, Machine
from tests.torture.network import Endpoint, Network, NetworkFaults


class _Notes(asyncio.Protocol):
    def __init__(self):
        self.received: list[bytes] = []
        self.lost: list[Any] = []
        self.transport: Any = None

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.received.append(data)

    def connection_lost(self, exc):
        self.lost.append(exc)


async def _pair(network: Network, machine: Machine | None = None) -> tuple[Endpoint, _Notes, _Notes]:
    there = _Notes()
    network.serve("host", 80, lambda: there)
    transport, here = await network.connect("host", 80, _Notes, machine)
    return transport, here, there


def test_bytes_arrive_late_and_in_order():
    async def work():
        network = Network(1, NetworkFaults(jitter_seconds=0.5, spike=0.3))
        transport, _, there = await _pair(network)
        for number in range(100):
            transport.write(b"%d" % number)
        assert there.received == []
        await sleep_seconds(60)
        return there.received

    assert run_virtual(work) == [b"%d" % number for number in range(100)]


def test_a_goodbye_comes_behind_what_was_written():
    async def work():
        transport, here, there = await _pair(Network())
        transport.write(b"last words")
        transport.close()
        transport.write(b"too late")
        await sleep_seconds(1)
        return here.lost, there.received, there.lost

    assert run_virtual(work) == ([None], [b"last words"], [None])


@pytest.mark.parametrize(
    ("faults", "arrives"),
    [
        (NetworkFaults(reset_before=1.0), b""),
        (NetworkFaults(reset_within=1.0), b"requ"),
        (NetworkFaults(reset_after=1.0), b"request!"),
    ],
)
def test_a_reset_is_told_to_both_sides(faults, arrives):
    async def work():
        network = Network(1)
        transport, here, there = await _pair(network)
        network.faults = faults
        transport.write(b"request!")
        await sleep_seconds(10)
        return b"".join(there.received), *map(type, here.lost + there.lost)

    assert run_virtual(work) == (arrives, ConnectionResetError, ConnectionResetError)


def test_a_black_hole_swallows_both_ways_and_tells_nobody():
    async def work():
        network = Network(1, NetworkFaults(black_hole=1.0))
        transport, here, there = await _pair(network)
        transport.write(b"hello")
        there.transport.write(b"hello yourself")
        await sleep_seconds(3600)
        return here.received, there.received, here.lost, there.lost

    assert run_virtual(work) == ([], [], [], [])


def test_a_partition_delays_and_does_not_lose():
    async def work():
        network = Network(1)
        transport, _, there = await _pair(network)
        began = monotonic_seconds()
        network.partition(30)
        transport.write(b"late")
        await sleep_seconds(29)
        assert there.received == []
        late = _Notes()
        network.serve("host", 80, lambda: late)
        await network.connect("host", 80, _Notes)
        connected_after = monotonic_seconds() - began
        await sleep_seconds(1)
        return there.received, connected_after > 30

    assert run_virtual(work) == ([b"late"], True)


def test_nobody_listens_and_the_network_refuses():
    async def work():
        network = Network(1)
        async with aiohttp.ClientSession(connector=network.connector()) as http:
            with pytest.raises(aiohttp.ClientConnectorError):
                await http.get("http://nowhere:80/")
        await _pair(network)
        network.refuse(10)
        with pytest.raises(ConnectionRefusedError):
            await network.connect("host", 80, _Notes)
        await sleep_seconds(11)
        await network.connect("host", 80, _Notes)

    run_virtual(work)


def test_reading_pauses_and_goes_on():
    async def work():
        network = Network(1)
        transport, _, there = await _pair(network)
        there.transport.pause_reading()
        transport.write(b"a")
        await sleep_seconds(1)
        assert there.received == []
        there.transport.resume_reading()
        await sleep_seconds(1)
        return there.received

    assert run_virtual(work) == [b"a"]


def test_what_a_killed_machine_had_sent_arrives_and_nothing_else():
    async def work():
        machine = Machine("m")
        network = Network(1)
        transport, here, there = await _pair(network, machine)
        transport.write(b"sent")
        machine.kill()
        transport.write(b"never")
        there.transport.write(b"an answer to a dead one")
        await sleep_seconds(10)
        with pytest.raises(Killed):
            await network.connect("host", 80, _Notes, machine)
        return there.received, here.received, there.lost

    assert run_virtual(work) == ([b"sent"], [], [None])


def test_aiohttp_speaks_http_and_websocket_over_it():
    async def hello(request: web.Request) -> web.Response:
        return web.json_response({"from": request.remote, "said": await request.text()})

    async def echo(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            await socket.send_str(message.data.upper())
        return socket

    async def work():
        network, app = Network(1), web.Application()
        app.router.add_post("/hello", hello)
        app.router.add_get("/echo", echo)
        runner = web.AppRunner(app)
        await runner.setup()
        network.serve("host", 80, runner.server)
        async with aiohttp.ClientSession(connector=network.connector(Machine("m", "10.0.0.7"))) as http:
            async with http.post("http://host:80/hello", data="hi") as answer:
                said = await answer.json()
            async with http.ws_connect("http://host:80/echo") as socket:
                await socket.send_str("loud")
                heard = await socket.receive_str()
        await runner.cleanup()
        return said, heard

    assert run_virtual(work) == ({"from": "10.0.0.7", "said": "hi"}, "LOUD")

"""Signed limit orders over REST: how many a second over one connection and over eight, and how long each waits.

Every order is LIMIT, IOC, trades at once and so gives its place in the order count back; buys and sells take turns on a
deep book. Requests are made and signed beforehand and read by a plain asyncio protocol in a process of its own, so
that the client costs little. Orders per processor second of the exchange are what one whole core would carry.
The reference is aiohttp.web on uvloop, answering every POST with as many bytes.
"""

import asyncio
import hashlib
import hmac
import itertools
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import quantiles
from tempfile import TemporaryDirectory
from typing import cast
from urllib.request import Request, urlopen

import uvloop
from aiohttp import web

from binance_trade_agent.ops.clock import monotonic_seconds, sleep_seconds, wall_ms
from support.machine import print_head
from support.processes import TRADE_AGENT, cpu_seconds, finished, start

ORDERS = 12_000
WARM_UP = 1_000
KEY, SECRET = "K" * 64, b"S" * 64
ANSWER_BYTES = 620  # of an IOC order with one fill, newOrderRespType FULL


class Connection(asyncio.Protocol):
    """One keep-alive connection; it carries one request at a time."""

    def __init__(self) -> None:
        self._received = b""
        self._answer: asyncio.Future[None] | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is of no class of asyncio

    def data_received(self, data: bytes) -> None:
        """Collect one answer: a head with Content-Length, and a body."""
        self._received += data
        head, mark, body = self._received.partition(b"\r\n\r\n")
        if not mark:
            return
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        if len(body) >= length and self._answer is not None:
            if not head.startswith(b"HTTP/1.1 200"):
                self._answer.set_exception(RuntimeError(self._received.decode()))
            else:
                self._answer.set_result(None)
            self._received = b""

    async def ask(self, request: bytes) -> None:
        """Send a request and wait for its answer."""
        assert self._transport is not None
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        await self._answer


@dataclass
class Load:
    """What a client saw: wall seconds, and how long each order waited in milliseconds."""

    seconds: float = 0.0
    waits_ms: list[float] = field(default_factory=list)


def requests(host: str) -> Iterator[bytes]:
    """Signed orders, BUY and SELL in turns; made when asked for, so that their timestamps are fresh."""
    for number in itertools.count():
        side, price = (("BUY", "100000"), ("SELL", "99990"))[number % 2]
        body = (
            f"symbol=BTCUSDT&side={side}&type=LIMIT&timeInForce=IOC&quantity=0.001&price={price}"
            f"&newClientOrderId=b{number}&recvWindow=60000&timestamp={wall_ms()}"
        )
        body += f"&signature={hmac.new(SECRET, body.encode(), hashlib.sha256).hexdigest()}"
        yield (
            f"POST /api/v3/order HTTP/1.1\r\nHost: {host}\r\nX-MBX-APIKEY: {KEY}\r\n"
            f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n\r\n{body}"
        ).encode()


async def drive(host: str, port: int, connections: int, rate: float | None) -> Load:
    """Send ORDERS over so many connections, as fast as they are answered or at `rate` a second."""
    loop = asyncio.get_running_loop()
    lines = [(await loop.create_connection(Connection, host, port))[1] for _ in range(connections)]
    ready = list(itertools.islice(requests(host), WARM_UP + ORDERS))
    for request in ready[:WARM_UP]:
        await lines[0].ask(request)
    waiting, load, began = iter(enumerate(ready[WARM_UP:])), Load(), monotonic_seconds()

    async def work(line: Connection) -> None:
        for number, request in waiting:
            due = began if rate is None else began + number / rate
            if (early := due - monotonic_seconds()) > 0:
                await sleep_seconds(early)
            sent = due if rate is not None else monotonic_seconds()
            await line.ask(request)
            load.waits_ms.append((monotonic_seconds() - sent) * 1000)

    await asyncio.gather(*(work(line) for line in lines))
    load.seconds = monotonic_seconds() - began
    return load


def client(host: str, port: int, connections: int, rate: float | None) -> None:
    """The client process: drive, and say what was seen."""
    load = uvloop.run(drive(host, port, connections, rate))
    cuts = quantiles(load.waits_ms, n=100)
    print(json.dumps({"seconds": load.seconds, "p50": cuts[49], "p99": cuts[98]}))


def reference() -> None:
    """The reference process: aiohttp.web alone."""

    async def serve() -> None:
        app = web.Application()
        answer = b"x" * ANSWER_BYTES

        async def handle(request: web.Request) -> web.Response:
            await request.read()
            return web.Response(body=answer, content_type="application/json")

        app.router.add_post("/api/v3/order", handle)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        print(f"reference ready: http://127.0.0.1:{runner.addresses[0][1]}", flush=True)
        await asyncio.Event().wait()

    uvloop.run(serve())


def measured(url: str, pid: int, folder: Path, connections: int, rate: float | None = None) -> tuple[float, float, str]:
    """Orders a second, orders a processor second of the server, and the row to print."""
    host, _, port = url.removeprefix("http://").partition(":")
    before = cpu_seconds(pid)
    command = [sys.executable, __file__, "client", host, port, str(connections), str(rate or "")]
    process = start(command, folder, {}, read=True)
    assert process.stdout is not None
    seen = json.loads(process.stdout.read())
    finished(process)
    a_second = ORDERS / seen["seconds"]
    a_core = (ORDERS + WARM_UP) / (cpu_seconds(pid) - before)
    text = f"{a_second:8,.0f} {a_core:10,.0f} {seen['p50']:8.2f} {seen['p99']:8.2f}"
    return a_second, a_core, text


def deepen(control_url: str) -> None:
    """A book that is not used up."""
    body = {"symbol": "BTCUSDT", "bids": [["99990", "9000"]], "asks": [["100000", "9000"]]}
    urlopen(Request(f"{control_url}/sim/book", data=json.dumps(body).encode(), method="POST")).read()  # noqa: S310


def main() -> None:
    """Measure and print."""
    print_head("benchmarks/orders.py")
    print(f"{ORDERS:,} orders a row                        a second  a CPU sec   p50 ms   p99 ms")
    with TemporaryDirectory() as name:
        folder = Path(name)
        exchange = start(
            [TRADE_AGENT, "exchange", "--port=0", "--control-port=0", "--fixture=F0"], folder, {}, read=True
        )
        assert exchange.stdout is not None
        words = exchange.stdout.readline().split()
        url, control_url = words[3], words[5]
        deepen(control_url)
        rates = []
        for connections in (1, 8):
            rate, _, row = measured(url, exchange.pid, folder, connections)
            rates.append(rate)
            print(f"  exchange, {connections} connection(s)                {row}")
        half = min(rates[1], 3_000) / 2
        print(f"  exchange, 8, at {half:5,.0f} a second            {measured(url, exchange.pid, folder, 8, half)[2]}")
        exchange.terminate()
        finished(exchange)
        plain = start([sys.executable, __file__, "reference"], folder, {}, read=True)
        assert plain.stdout is not None
        url = plain.stdout.readline().split()[2]
        for connections in (1, 8):
            row = measured(url, plain.pid, folder, connections)[2]
            print(f"  aiohttp.web alone, {connections} (reference)         {row}")
        plain.kill()
        plain.wait()


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["client", host, port, connections, rate]:
            client(host, int(port), int(connections), float(rate) if rate else None)
        case ["reference"]:
            reference()
        case _:
            main()

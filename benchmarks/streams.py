"""Market streams under load: 50 connections to the 100 ms depth and the best prices of 500 symbols each.

The market runs at its own speed and faster, which makes it trade more often (a market that is faster than the machine
is slowed down); a depth stream sends at most ten messages a real second. The reference broadcasts messages of the same
size, number and rhythm with plain aiohttp: one `send_str` a message and connection. The clients only take the frames
apart; they run in a process of their own.
"""

import asyncio
import json
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles
from tempfile import TemporaryDirectory
from urllib.request import urlopen

from aiohttp import web
from numpy import interp

from binance_trade_agent.ops.clock import block_seconds, monotonic_seconds, sleep_seconds, wall_ms
from support.machine import print_head
from support.processes import TRADE_AGENT, cpu_seconds, finished, resident_mb, start

SYMBOLS = 500
CONNECTIONS = 50
WARM_SECONDS = 5
MEASURED_SECONDS = 15
SPEEDS = (1, 20)
TRADE_SPACING_SECONDS = 5  # of market time; all symbols trade at the same moments
SAMPLED = 97  # one in so many frames is looked into


@dataclass
class Heard:
    """What all clients have received; of a sample of the messages when they came, and their time `E`, in ms."""

    frames: int
    bytes: int
    sample: list[tuple[float, int]]


class FrameReader(asyncio.Protocol):
    """A connection that takes WebSocket frames apart and counts them; it reads too little for a ping to come."""

    def __init__(self, target: str, heard: Heard) -> None:
        self._target = target
        self._heard = heard
        self._rest = b""
        self._is_open = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the streams."""
        assert isinstance(transport, asyncio.Transport)
        transport.write(
            f"GET {self._target} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )

    def data_received(self, data: bytes) -> None:
        """Count what has come."""
        data = self._rest + data
        position = 0
        if not self._is_open:
            position = data.find(b"\r\n\r\n") + 4
            assert data.startswith(b"HTTP/1.1 101"), data[:200]
            self._is_open = True
        heard, size = self._heard, len(data)
        while size - position >= 10:
            length, begin = data[position + 1], position + 2
            if length == 126:
                length, begin = int.from_bytes(data[begin : begin + 2], "big"), begin + 2
            elif length == 127:
                length, begin = int.from_bytes(data[begin : begin + 8], "big"), begin + 8
            if begin + length > size:
                break
            heard.frames += 1
            heard.bytes += length
            if heard.frames % SAMPLED == 0:
                self._sample(data[begin : begin + length])
            position = begin + length
        self._rest = data[position:]

    def _sample(self, payload: bytes) -> None:
        at = payload.find(b'"E":')
        if at >= 0:
            self._heard.sample.append((wall_ms(), int(payload[at + 4 : at + 17])))


async def listen(url: str) -> dict[str, float]:
    """Connect all clients to the server at `url`; what they hear in MEASURED_SECONDS after WARM_SECONDS."""
    host, port = url.removeprefix("http://").split(":")
    names = "/".join(f"sim{n}usdt@depth@100ms/sim{n}usdt@bookTicker" for n in range(1, SYMBOLS + 1))
    heard = Heard(0, 0, [])
    loop = asyncio.get_running_loop()
    for _ in range(CONNECTIONS):
        await loop.create_connection(lambda: FrameReader(f"/stream?streams={names}", heard), host, int(port))
    await sleep_seconds(WARM_SECONDS)
    print("measuring", flush=True)
    heard.frames, heard.bytes = 0, 0
    heard.sample.clear()
    progress = await asyncio.to_thread(market_progress, url)
    wall = [at_ms for at_ms, _ in progress]
    market = [market_ms for _, market_ms in progress]
    first, last = market[0], market[-1]
    lags_ms = [
        came_ms - interp(market_ms, market, wall) for came_ms, market_ms in heard.sample if first < market_ms < last
    ]
    cuts = quantiles(lags_ms, n=100)
    speed = (last - first) / (wall[-1] - wall[0])
    return {"frames": heard.frames, "bytes": heard.bytes, "p50": cuts[49], "p99": cuts[98], "speed": speed}


def market_progress(url: str) -> list[tuple[float, int]]:
    """Ask for the market's time during the measurement: wall times in the middle of the requests, and the answers."""
    seen = []
    ends = monotonic_seconds() + MEASURED_SECONDS
    while monotonic_seconds() < ends:
        asked_ms = wall_ms()
        with urlopen(f"{url}/api/v3/time") as answer:  # noqa: S310 (our own server)
            server_ms = json.load(answer)["serverTime"]
        seen.append(((asked_ms + wall_ms()) / 2, server_ms))
        block_seconds(0.05)
    return seen


async def broadcast(frames_a_second: float, frame_bytes: int, round_seconds: float) -> None:
    """The reference: plain aiohttp that sends so many messages a second in all, in rounds, until it is ended."""
    sockets: list[web.WebSocketResponse] = []

    async def serve(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        sockets.append(socket)
        async for _ in socket:
            pass
        return socket

    async def serve_time(_request: web.Request) -> web.Response:
        return web.json_response({"serverTime": wall_ms()})

    app = web.Application()
    app.router.add_get("/stream", serve)
    app.router.add_get("/api/v3/time", serve_time)
    runner = web.AppRunner(app, max_line_size=65_536)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(f"ready: http://127.0.0.1:{runner.addresses[0][1]}", flush=True)
    a_round = max(1, round(frames_a_second / CONNECTIONS * round_seconds))
    filling = "0" * (frame_bytes - 25)
    due = monotonic_seconds()
    while True:
        for _ in range(a_round):
            text = f'{{"E":{wall_ms()},"x":"{filling}"}}'
            for socket in sockets:
                await socket.send_str(text)
        due += round_seconds
        await sleep_seconds(due - monotonic_seconds())


def measured(name: str, command: list[str]) -> dict[str, float]:
    """Start a server, whose first line of output names its address; let the clients listen; print a line; end it."""
    with TemporaryDirectory() as folder:
        server = start(command, Path(folder), {}, read=True)
        assert server.stdout is not None
        url = next(word for word in server.stdout.readline().split() if word.startswith("http://"))
        clients = start([sys.executable, __file__, "listen", url], Path(folder), {}, read=True)
        assert clients.stdout is not None
        clients.stdout.readline()
        cpu, began = cpu_seconds(server.pid), monotonic_seconds()
        heard: dict[str, float] = json.loads(clients.stdout.readline())
        seconds, cpu = monotonic_seconds() - began, cpu_seconds(server.pid) - cpu
        memory_mb = resident_mb(server.pid)
        finished(clients)
        server.send_signal(signal.SIGKILL)
        server.wait()
        server.stdout.close()
        clients.stdout.close()
    frames, megabytes = heard["frames"] / seconds, heard["bytes"] / seconds / 1e6
    print(
        f"  {name:30} {heard['speed']:6.1f} {frames:9,.0f} {megabytes:7.1f} {heard['p50']:8.0f} {heard['p99']:8.0f}"
        f" {cpu / seconds * 100:6.0f} {cpu * 1e6 / heard['frames']:9.2f} {memory_mb:7.0f}"
    )
    return {"frames": frames, "frame_bytes": heard["bytes"] / heard["frames"]}


def main() -> None:
    """Measure and print."""
    print_head("benchmarks/streams.py")
    print(
        f"{CONNECTIONS} connections, each to depth@100ms and bookTicker of {SYMBOLS} symbols, {MEASURED_SECONDS} s each"
    )
    print(
        f"  {'':30} {'speed':>6} {'events/s':>9} {'MB/s':>7} {'lag p50':>8} {'p99 ms':>8} {'CPU %':>6} us/event      MB"
    )
    symbols = ",".join(f"SIM{number}USDT" for number in range(1, SYMBOLS + 1))
    for speed in SPEEDS:
        options = ["--port=0", "--control-port=0", f"--symbols={symbols}", f"--speed={speed}"]
        load = measured(f"exchange, market asked for {speed}", [TRADE_AGENT, "exchange", *options])
        frames, frame_bytes = str(load["frames"]), str(round(load["frame_bytes"]))
        round_seconds = str(max(0.1, TRADE_SPACING_SECONDS / speed))
        measured(
            "  aiohttp alone (reference)", [sys.executable, __file__, "broadcast", frames, frame_bytes, round_seconds]
        )


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["listen", url]:
            print(json.dumps(asyncio.run(listen(url))))
        case ["broadcast", frames_a_second, frame_bytes, round_seconds]:
            asyncio.run(broadcast(float(frames_a_second), int(frame_bytes), float(round_seconds)))
        case _:
            main()

"""Many clients that do nothing, and clients that do not read: the others are served, and memory stays bounded."""

import asyncio
import contextlib
import resource
import socket

import aiohttp
import pytest

from binance_trade_agent.ops.clock import monotonic_seconds
from binance_trade_agent.simulator import outbox
from binance_trade_agent.simulator.streams.names import INTERVALS
from tests.exchange_process import RunningExchange, exchange_process, running_exchange
from tests.simulator.robustness.memory import rss_mb

_OPEN_FILES = 3_000
_SYMBOLS = tuple(f"SIM{number}USDT" for number in range(1, 41))
_STREAMS = "/".join(
    f"{symbol.lower()}@{kind}"
    for symbol in _SYMBOLS
    for kind in ("depth20@100ms", "depth20", *(f"kline_{interval}" for interval in INTERVALS))
)


async def upgrade(exchange: RunningExchange, path: str, *, own_address: str = "127.0.0.1") -> asyncio.StreamWriter:
    """Open a WebSocket, and read nothing behind its handshake."""
    host, port = exchange.url.removeprefix("http://").split(":")
    own = socket.socket()
    own.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    own.bind((own_address, 0))
    own.connect((host, int(port)))
    reader, writer = await asyncio.open_connection(sock=own, limit=1_024)
    writer.write(
        f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
    )
    async with asyncio.timeout(20):
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101")
    return writer


@pytest.fixture
def many_files():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < _OPEN_FILES:
        pytest.skip(f"the system allows {hard} open files, this needs {_OPEN_FILES}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, _OPEN_FILES), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_thousand_idle_sockets_cost_little_and_leave_the_exchange_answering(many_files):
    async with exchange_process(is_cold=True, fixture="F0") as exchange, aiohttp.ClientSession() as session:
        before_mb = rss_mb(exchange.process.pid)
        writers = []
        for number in range(1_000):
            path = "/ws-api/v3" if number % 4 else "/stream?streams=btcusdt@trade"
            writers.append(await upgrade(exchange, path, own_address=f"127.0.0.{2 + number % 10}"))
        connections = (await exchange.state())["connections"]
        assert connections == {"ws-api": 750, "streams": 250}
        grown_mb = rss_mb(exchange.process.pid) - before_mb
        print(f"1,000 idle WebSockets: {grown_mb:.1f} MB")
        assert grown_mb < 60
        for _ in range(10):
            began = monotonic_seconds()
            async with session.get(f"{exchange.url}/api/v3/ticker/24hr") as answer:
                assert answer.status == 200
            assert monotonic_seconds() - began < 10
        for writer in writers:
            writer.close()
        deadline = monotonic_seconds() + 30
        while (await exchange.state())["connections"] != {"ws-api": 0, "streams": 0}:
            assert monotonic_seconds() < deadline


async def test_clients_that_do_not_read_are_dropped_and_others_hear_everything(monkeypatch):
    monkeypatch.setattr(outbox, "_MOST_WAITING_BYTES", 1024 * 1024)
    options = {"speed": None, "symbols": _SYMBOLS, "history_minutes": 60}
    async with running_exchange(**options) as exchange, aiohttp.ClientSession() as session:
        silent = [await upgrade(exchange, f"/stream?streams={_STREAMS}"), await upgrade(exchange, "/ws-api/v3")]
        listener = await session.ws_connect(f"{exchange.url}/ws/sim1usdt@depth@100ms")
        hearing = asyncio.ensure_future(hear(listener))
        began = monotonic_seconds()
        while (await exchange.state())["connections"] != {"ws-api": 0, "streams": 1}:
            assert monotonic_seconds() - began < 30
            await exchange.fault("weight", used=0)
            flood(silent[1])
            await exchange.advance(2_000)
        await listener.close()
        assert await hearing > 5
        for writer in silent:
            writer.close()


def flood(writer: asyncio.StreamWriter) -> None:
    """Ask for all symbols many times over, as long as the connection takes it."""
    text = b'{"id":1,"method":"exchangeInfo"}'
    frame = bytes((0x81, 0x80 | len(text))) + bytes(4) + text  # a mask of zeros
    with contextlib.suppress(ConnectionError):
        if writer.transport.get_write_buffer_size() < 100_000:
            writer.write(frame * 50)


async def hear(listener: aiohttp.ClientWebSocketResponse) -> int:
    """Read the changes of a book until the connection ends; none may be missing. Returns how many there were."""
    number, last_update = 0, None
    async for message in listener:
        change = message.json()
        assert last_update in {None, change["U"] - 1}
        number, last_update = number + 1, change["u"]
    return number

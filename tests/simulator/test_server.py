"""The doors under bad clients: malformed, oversized, slow, idle, and very many."""

import asyncio
import contextlib
import resource
from decimal import Decimal

import aiohttp
import pytest

from binance_trade_agent.ops.clock import monotonic_seconds
from binance_trade_agent.simulator import rest
from binance_trade_agent.simulator.newcomers import Newcomers
from tests.exchange_process import exchange_process, start_process


async def raw_exchange(url: str, data: bytes, seconds: float = 3.0) -> bytes:
    """What comes back for these bytes until the connection ends, or nothing comes any more."""
    host, port = url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    received = b""
    try:
        writer.write(data)
        with contextlib.suppress(TimeoutError, ConnectionError):
            async with asyncio.timeout(seconds):
                while chunk := await reader.read(65536):
                    received += chunk
    finally:
        writer.close()
    return received


@pytest.mark.parametrize(
    "data",
    [
        b"NONSENSE\r\n\r\n",
        b"GET /api/v3/ping HTTP/9.9\r\n\r\n",
        b"GET /api/v3/ping HTTP/1.1\r\nHost: a\r\nContent-Length: -5\r\n\r\n",
        b"GET /api/v3/ping HTTP/1.1\r\nHost: a\r\nbad header\r\n\r\n",
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"b" * 100_000 + b"\r\n\r\n",
        b"POST /api/v3/order HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01",
    ],
)
async def test_malformed_http_is_refused_and_harms_nobody(exchange, raw, data):
    received = await raw_exchange(exchange.url, data)
    assert received.startswith((b"HTTP/1.1 400", b"HTTP/1.0 400"))
    assert (await raw.get("ping")).status == 200
    assert (await exchange.state())["failures"] == 0


async def test_body_that_is_too_large_is_refused_with_json(exchange, raw):
    reply = await raw.send("POST", "/api/v3/order", body="a=" + "b" * rest.MOST_BODY_BYTES)
    assert reply.error[:2] == (413, -1000)
    assert (await raw.get("ping")).status == 200


async def test_body_that_does_not_come_is_waited_for_only_so_long(exchange, raw, monkeypatch):
    monkeypatch.setattr(rest, "_BODY_SECONDS", 0.2)
    head = b"POST /api/v3/order HTTP/1.1\r\nHost: a\r\nContent-Length: 50\r\n\r\nsymbol="
    assert b"408" in (await raw_exchange(exchange.url, head))[:20]
    assert (await raw.get("ping")).status == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/v3/order/nope", 404),
        ("PATCH", "/api/v3/order", 405),
        ("POST", "/api/v3/ping", 405),
        ("PUT", "/api/v3/userDataStream", 410),
        ("GET", "/", 404),
        ("GET", "/wsx", 404),
        ("GET", "/sapi/v1/system/status", 404),
    ],
)
async def test_unknown_paths_and_methods(exchange, raw, method, path, status):
    reply = await raw.send(method, path)
    assert reply.status == status
    assert ("x-mbx-used-weight-1m" in reply.headers) is path.startswith("/api/")


@pytest.mark.parametrize("path", ["/ws", "/stream", "/ws-api/v3"])
async def test_socket_path_without_an_upgrade_is_refused_with_json(exchange, raw, path):
    reply = await raw.send("GET", path)
    assert reply.status in {400, 426}
    assert reply.json["code"] < 0


async def test_mistake_of_ours_is_an_error_counted_and_logged_once(exchange, raw, caplog, monkeypatch):
    def broken(*_args, **_named):
        raise ZeroDivisionError("ours")

    monkeypatch.setattr(rest, "dispatch", broken)
    for _ in range(2):
        assert (await raw.get("ping")).error == (
            500, -1000, "An unknown error occurred while processing the request.",
        )  # fmt: skip
    assert (await exchange.state())["failures"] == 2
    assert [record.levelname for record in caplog.records if record.exc_info] == ["ERROR"]


async def test_thousand_idle_connections_leave_room_for_others(exchange, raw):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 3_000:
        pytest.skip("the system allows too few open files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 3_000), hard))
    host, port = exchange.url.removeprefix("http://").split(":")
    opened = await asyncio.gather(*(asyncio.open_connection(host, int(port)) for _ in range(1_000)))
    began = monotonic_seconds()
    assert (await raw.get("ping")).status == 200
    assert monotonic_seconds() - began < 8
    for _, writer in opened:
        writer.close()


async def test_connection_that_never_asks_is_closed(exchange, raw):
    exchange.server._newcomers = Newcomers(patience_seconds=0.1)
    assert await raw_exchange(exchange.url, b"GET /api/v3/ping HT") == b""
    assert (await raw.get("ping")).status == 200


async def test_client_that_reads_nothing_does_not_hold_up_others(exchange, raw):
    host, port = exchange.url.removeprefix("http://").split(":")
    _, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"GET /api/v3/exchangeInfo HTTP/1.1\r\nHost: a\r\n\r\n" * 200)
    for _ in range(20):
        assert (await raw.get("time")).status in {200, 429}
    writer.close()


@pytest.mark.parametrize("speed", ["100000", "100000000"])
async def test_market_at_any_speed_is_asked_and_ended(speed):
    process = await start_process(speed=Decimal(speed), symbols=tuple(f"SIM{number}USDT" for number in range(1, 21)))
    try:
        line = (await asyncio.wait_for(process.stdout.readline(), 30)).decode()
        async with aiohttp.ClientSession() as session:
            for _ in range(5):
                async with session.get(f"{line.split()[3]}/api/v3/time", timeout=aiohttp.ClientTimeout(5)) as answer:
                    assert answer.status == 200
        process.terminate()
        assert await asyncio.wait_for(process.wait(), 5) == 0
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.communicate()


async def test_stop_announces_itself_to_every_socket():
    async with exchange_process(fixture="F0") as exchange, aiohttp.ClientSession() as session:
        market = await session.ws_connect(f"{exchange.url}/stream?streams=btcusdt@trade")
        api = await session.ws_connect(f"{exchange.url}/ws-api/v3")
        exchange.process.terminate()
        assert (await market.receive_json(timeout=20))["stream"] == "!serverShutdown"
        assert (await api.receive_json(timeout=20))["event"]["e"] == "serverShutdown"
        assert (await market.receive(timeout=20)).data == 1001
        assert (await api.receive(timeout=20)).data == 1001

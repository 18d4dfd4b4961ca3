"""HTTP that is broken, hostile or slow: nobody else notices, and nothing is left behind."""

import asyncio
import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.simulator.robustness.memory import rss_mb
from tests.simulator.robustness.running import FUZZ_FACTOR, PATIENCE_SECONDS, Victim, victim
from tests.simulator.robustness.wire import Wire, WireReply, read_reply

_LINES = (
    b"GET /api/v3/ping HTTP/1.1", b"GET /api/v3/ping", b"GET /api/v3/ping HTTP/1.0", b"GET  /api/v3/ping HTTP/1.1",
    b"GET /api/v3/ping HTTP/2.0", b"PRI * HTTP/2.0", b"POST /api/v3/order HTTP/1.1", b"GET * HTTP/1.1", b"", b"\x00",
    b"GET /\xff\xfe HTTP/1.1", b"CONNECT host:1 HTTP/1.1", b"G\x00T / HTTP/1.1", b"GET /api/v3/time?a=\xe8\xbf\x99 HTTP/1.1",
    b"OPTIONS * HTTP/1.1", b"HEAD /api/v3/ping HTTP/1.1", b"GET http:// HTTP/1.1", b"get /api/v3/ping HTTP/1.1",
)  # fmt: skip
_HEADERS = (
    b"Host: a", b"Host: b", b"Content-Length: 5", b"Content-Length: 7", b"Content-Length: -1", b"Content-Length: 1e3",
    b"Content-Length: " + b"9" * 400, b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity, chunked", b"X:",
    b": empty name", b"no colon", b" folded", b"Bad Name: x", b"X-MBX-APIKEY: \xff\xfe", b"X-MBX-APIKEY: " + b"K" * 64,
    b"Connection: close", b"Connection: upgrade", b"Upgrade: websocket", b"Expect: 100-continue", b"Cookie: " + b"a" * 9_000,
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", b"Sec-WebSocket-Version: 13", b"Content-Encoding: gzip",
    b"Content-Encoding: br", b"X-MBX-TIME-UNIT: NONSENSE", b"Accept: text/html", b"Content-Type: multipart/form-data",
    b"X: \x00", b"X: a\rb", b"Content-Type: \xff",
)  # fmt: skip
_BODIES = (
    b"", b"a=b", b"5\r\nabcde\r\n0\r\n\r\n", b"zz\r\n", b"5\r\nab", b"ffffffffffffffffff\r\n", b"-1\r\n\r\n",
    b"5;ext=\x00\r\nabcde\r\n0\r\nTrailer: x\r\n\r\n", b"\x1f\x8b\x08\x00nonsense", b"\x00" * 100, b"GET / HTTP/1.1\r\n\r\n",
)  # fmt: skip
_MEGABYTE = 1024 * 1024


@st.composite
def broken_requests(draw) -> bytes:
    lines = [draw(st.sampled_from(_LINES)), *draw(st.lists(st.sampled_from(_HEADERS), max_size=5))]
    ending = draw(st.sampled_from((b"\r\n", b"\r\n", b"\r\n", b"\n", b"\r")))
    return ending.join(lines) + ending * 2 + draw(st.sampled_from(_BODIES))


@pytest.fixture(scope="module")
def under_attack():
    with victim(fixture="F0") as running:
        yield running


@settings(max_examples=80 * FUZZ_FACTOR)
@given(st.lists(broken_requests(), min_size=1, max_size=4), st.booleans())
def test_broken_requests_harm_nobody(under_attack, requests, says_goodbye):
    under_attack.run(attack(under_attack, b"".join(requests), says_goodbye=says_goodbye))


async def attack(victim: Victim, data: bytes, *, says_goodbye: bool) -> None:
    victim.refresh()
    _, writer = await connect(victim)
    writer.write(data)
    if says_goodbye and writer.can_write_eof():
        writer.write_eof()
    assert await is_served(victim)
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()
    await victim.examine()


async def connect(victim: Victim) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, port = victim.exchange.url.removeprefix("http://").split(":")
    return await asyncio.open_connection(host, int(port))


async def is_served(victim: Victim) -> bool:
    """Whether somebody else gets an answer, within the time that `Wire` waits."""
    wire = Wire(victim.exchange.url)
    reply = await wire.ask("GET", b"/api/v3/ping", {})
    await wire.close()
    return reply.status == 200


def test_requests_in_one_breath_are_answered_in_their_order(under_attack):
    async def pipeline() -> list[int]:
        reader, writer = await connect(under_attack)
        paths = [b"ping", b"nope", b"time", b"ticker/price?symbol=NOPE"] * 10
        writer.write(b"".join(b"GET /api/v3/%s HTTP/1.1\r\nHost: a\r\n\r\n" % path for path in paths))
        async with asyncio.timeout(PATIENCE_SECONDS):
            replies = [await read_reply(reader) for _ in paths]
        writer.close()
        return [reply.status for reply in replies]

    assert under_attack.run(pipeline()) == [200, 404, 200, 400] * 10


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_body_that_is_not_encoded_as_it_says_is_refused_with_json(under_attack, encoding):
    async def post() -> WireReply:
        wire = Wire(under_attack.exchange.url)
        reply = await wire.ask("POST", b"/api/v3/order", {"Content-Encoding": encoding}, b"symbol=BTCUSDT")
        await wire.close()
        return reply

    under_attack.refresh()
    reply = under_attack.run(post())
    assert (reply.status, reply.json["code"]) == (400, -1000)
    assert reply.headers["x-mbx-used-weight-1m"].isdecimal()
    under_attack.run(under_attack.examine())


def test_large_bodies_at_once_are_refused_without_being_kept(under_attack):
    async def upload(length: int) -> bytes:
        reader, writer = await connect(under_attack)
        writer.write(b"POST /api/v3/order HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % length)
        with contextlib.suppress(ConnectionError):
            for _ in range(length // _MEGABYTE):
                writer.write(b"a" * _MEGABYTE)
                await writer.drain()
        status = b""
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(PATIENCE_SECONDS):
                status = await reader.read(12)
        writer.close()
        return status

    async def uploads() -> list[bytes]:
        return await asyncio.gather(*(upload(10 * _MEGABYTE) for _ in range(10)))

    before_mb = rss_mb()
    statuses = under_attack.run(uploads())
    assert set(statuses) <= {b"HTTP/1.1 413", b""}
    assert b"HTTP/1.1 413" in statuses
    assert rss_mb() - before_mb < 40
    assert under_attack.run(is_served(under_attack))


def test_requests_that_come_byte_by_byte_hold_nobody_up(under_attack):
    async def dribble() -> None:
        writers = [(await connect(under_attack))[1] for _ in range(50)]
        for byte in b"GET /api/v3/ping HT":
            for writer in writers:
                writer.write(bytes([byte]))
            assert await is_served(under_attack)
        for writer in writers:
            writer.close()

    under_attack.run(dribble())
    under_attack.run(under_attack.examine())

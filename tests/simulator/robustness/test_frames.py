"""WebSocket frames that RFC 6455 does not allow, and nonsense in those that it does, on every kind of socket."""

import asyncio
import contextlib
import json
import struct
from dataclasses import dataclass

import aiohttp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.simulator.robustness.memory import rss_mb
from tests.simulator.robustness.nonsense import NONSENSE
from tests.simulator.robustness.running import FUZZ_FACTOR, PATIENCE_SECONDS, Victim, victim

_PATHS = ("/ws-api/v3", "/ws", "/ws/btcusdt@trade", "/stream", "/stream?streams=btcusdt@depth/nope")
_MASK = b"\x01\x02\x03\x04"
_CONTINUATION, _TEXT, _BINARY, _CLOSE, _PING, _PONG = 0, 1, 2, 8, 9, 10
_MEGABYTE = 1024 * 1024


def frame(
    payload: bytes, opcode: int = _TEXT, *, first_bits: int = 0x80, is_masked: bool = True, length: int = -1
) -> bytes:
    """A frame as a client sends it; `length` may lie about its payload."""
    length = len(payload) if length < 0 else length
    mask_bit = 0x80 if is_masked else 0
    head = bytes((first_bits | opcode,))
    if length < 126:
        head += bytes((mask_bit | length,))
    elif length < 1 << 16:
        head += struct.pack("!BH", mask_bit | 126, length)
    else:
        head += struct.pack("!BQ", mask_bit | 127, length)
    if not is_masked:
        return head + payload
    return head + _MASK + bytes(byte ^ _MASK[index % 4] for index, byte in enumerate(payload))


_PING_REQUEST = b'{"id":1,"method":"ping"}'
_FRAMES = {
    "unmasked": frame(_PING_REQUEST, is_masked=False),
    "reserved bit 1": frame(_PING_REQUEST, first_bits=0xC0),
    "reserved bits 2 and 3": frame(_PING_REQUEST, first_bits=0xB0),
    "reserved opcode 3": frame(b"", 3),
    "reserved opcode 11": frame(b"", 11),
    "bad UTF-8": frame(b"\xff\xfe"),
    "cut UTF-8": frame("\u20ac".encode()[:2]),
    "longer than allowed": frame(b"a" * 200_000),
    "said to be 8 exabytes long": frame(b"", length=2**63 - 1),
    "length with the highest bit": frame(b"", length=2**64 - 1),
    "continuation of nothing": frame(b"a", _CONTINUATION),
    "text within a message": frame(b"a", first_bits=0) + frame(b"b"),
    "ping in fragments": frame(b"", _PING, first_bits=0),
    "ping too long": frame(b"a" * 126, _PING),
    "close too short": frame(b"\x03", _CLOSE),
    "close with code 0": frame(struct.pack("!H", 0), _CLOSE),
    "close with code 1005": frame(struct.pack("!H", 1005), _CLOSE),
    "close with code 65535": frame(struct.pack("!H", 65535), _CLOSE),
    "close with bad UTF-8": frame(struct.pack("!H", 1000) + b"\xff", _CLOSE),
    "close and more": frame(struct.pack("!H", 1000), _CLOSE) + frame(_PING_REQUEST),
    "http": b"GET /api/v3/ping HTTP/1.1\r\n\r\n",
    "zeros": b"\x00" * 64,
    "half a frame": frame(_PING_REQUEST)[:-3],
    "fragments without end": frame(b"a" * 1_000, first_bits=0) + frame(b"a" * 1_000, _CONTINUATION, first_bits=0) * 300,
    "empty fragments without end": frame(b"", first_bits=0) + frame(b"", _CONTINUATION, first_bits=0) * 5_000,
}


@pytest.fixture(scope="module")
def under_attack():
    with victim(fixture="F0") as running:
        yield running


@contextlib.asynccontextmanager
async def upgraded(running: Victim, path: str):
    """A WebSocket after its handshake, in bytes."""
    host, port = running.exchange.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    writer.write(f"GET {path} HTTP/1.1\r\nHost: a\r\n{head}{key}\r\n".encode())
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101")
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def is_served(running: Victim) -> bool:
    """Whether somebody else gets an answer on a socket of each kind."""
    async with aiohttp.ClientSession() as session:
        for path, request in (
            ("/ws-api/v3", {"id": 7, "method": "ping"}),
            ("/ws", {"id": 7, "method": "LIST_SUBSCRIPTIONS"}),
        ):
            async with session.ws_connect(f"{running.exchange.url}{path}") as socket:
                await socket.send_json(request)
                if (await socket.receive_json(timeout=PATIENCE_SECONDS))["id"] != 7:
                    return False
    return True


@pytest.mark.parametrize("path", _PATHS)
def test_bad_frames_end_their_own_connection_at_most(under_attack, path):
    async def attack() -> None:
        for name, data in _FRAMES.items():
            under_attack.refresh()
            async with upgraded(under_attack, path) as (_, writer):
                writer.write(data)
                assert await is_served(under_attack), name
        await under_attack.examine()

    under_attack.run(attack())


@dataclass(frozen=True)
class Piece:
    """A frame of any kind with any payload."""

    opcode: int
    first_bits: int
    payload: bytes


_PAYLOADS = st.one_of(
    st.binary(max_size=130), st.sampled_from([text.encode() for text in NONSENSE]), st.just(_PING_REQUEST), st.just(b"")
)
_PIECES = st.builds(
    Piece,
    st.sampled_from((_TEXT, _TEXT, _TEXT, _BINARY, _CONTINUATION, _CLOSE, _PING, _PONG, 3, 15)),
    st.sampled_from((0x80, 0x80, 0x80, 0x00, 0xC0)),
    _PAYLOADS,
)


@settings(max_examples=40 * FUZZ_FACTOR)
@given(st.sampled_from(_PATHS), st.lists(_PIECES, min_size=1, max_size=8))
def test_any_sequence_of_frames_harms_nobody(under_attack, path, pieces):
    async def attack() -> None:
        under_attack.refresh()
        async with upgraded(under_attack, path) as (_, writer):
            writer.write(b"".join(frame(each.payload, each.opcode, first_bits=each.first_bits) for each in pieces))
            assert await is_served(under_attack)
        await under_attack.examine()

    under_attack.run(attack())


_CONTROL_NONSENSE = st.one_of(
    st.none(), st.booleans(), st.integers(), st.just(10**30), st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(NONSENSE), st.just({}), st.just([]), st.just([[]]), st.just([1]),
)  # fmt: skip
_NAMES = st.one_of(
    st.sampled_from(("btcusdt@trade", "btcusdt@depth5@100ms", "!miniTicker@arr", "btcusdt@kline_1m@+08:00", "nope@trade",
                     "ethusdt@ticker_1h", "BTCUSDT@trade", "btcusdt@kline_7m", "@", "!", "!ticker@arr")),
    st.sampled_from(NONSENSE),
    st.text(max_size=8),
)  # fmt: skip
_CONTROL_MESSAGES = st.fixed_dictionaries(
    {},
    optional={
        "method": st.one_of(
            st.sampled_from(("SUBSCRIBE", "UNSUBSCRIBE", "LIST_SUBSCRIPTIONS", "SET_PROPERTY", "GET_PROPERTY")),
            _CONTROL_NONSENSE,
        ),
        "params": st.one_of(
            st.lists(_NAMES, max_size=3), st.lists(_NAMES, max_size=3), st.tuples(st.just("combined"), _CONTROL_NONSENSE),
            _CONTROL_NONSENSE,
        ),
        "id": st.one_of(st.integers(0, 9), _CONTROL_NONSENSE),
    },
)  # fmt: skip


@settings(max_examples=50 * FUZZ_FACTOR)
@given(st.sampled_from(_PATHS[1:]), st.lists(_CONTROL_MESSAGES, min_size=1, max_size=4))
def test_each_control_message_has_one_answer(under_attack, path, messages):
    async def ask() -> None:
        under_attack.refresh()
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(f"{under_attack.exchange.url}{path}") as socket,
        ):
            for message in messages:
                await socket.send_str(json.dumps(message))
                answer = await next_answer(socket)
                assert ("result" in answer) is not ("code" in answer), (message, answer)
        await under_attack.examine()

    under_attack.run(ask())


async def next_answer(socket: aiohttp.ClientWebSocketResponse) -> dict:
    """The next message that is of no stream."""
    while True:
        message = await socket.receive_json(timeout=PATIENCE_SECONDS)
        if isinstance(message, dict) and ("result" in message or "code" in message):
            return message


def test_messages_that_are_too_large_are_not_kept(under_attack):
    async def flood() -> None:
        async with contextlib.AsyncExitStack() as stack:
            for path in ("/ws-api/v3", "/ws") * 10:
                _, writer = await stack.enter_async_context(upgraded(under_attack, path))
                with contextlib.suppress(ConnectionError, TimeoutError):
                    writer.write(frame(b"", length=10 * _MEGABYTE))
                    for _ in range(10):
                        writer.write(bytes(_MEGABYTE))
                        await asyncio.wait_for(writer.drain(), 0.2)
            assert await is_served(under_attack)
            assert rss_mb() - before_mb < 40

    before_mb = rss_mb()
    under_attack.run(flood())

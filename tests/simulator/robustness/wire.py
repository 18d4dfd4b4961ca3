"""HTTP byte by byte, over one connection that is kept: what a library would mend before it is sent goes out as it is."""

import asyncio
import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.simulator.robustness.running import PATIENCE_SECONDS


@dataclass(frozen=True)
class WireReply:
    """An answer; header names are lower-case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Wire:
    """A connection that is opened when it is needed."""

    def __init__(self, url: str) -> None:
        self._host, port = url.removeprefix("http://").split(":")
        self._port = int(port)
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, method: str, target: bytes, headers: Mapping[str, str], body: bytes = b"") -> WireReply:
        """Send one request and wait, so long and no longer, for its answer."""
        head = [f"{method} ".encode() + target + b" HTTP/1.1", b"Host: localhost"]
        head += [f"{name}: {value}".encode() for name, value in headers.items()]
        if body or method in {"POST", "PUT"}:
            head.append(b"Content-Length: %d" % len(body))
        async with asyncio.timeout(PATIENCE_SECONDS):
            if self._streams is None:
                self._streams = await asyncio.open_connection(self._host, self._port)
            reader, writer = self._streams
            writer.write(b"\r\n".join(head) + b"\r\n\r\n" + body)
            reply = await read_reply(reader, has_body=method != "HEAD")
        if reply.headers.get("connection") == "close":
            await self.close()
        return reply

    async def close(self) -> None:
        if self._streams is not None:
            (_, writer), self._streams = self._streams, None
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()


async def read_reply(reader: asyncio.StreamReader, *, has_body: bool = True) -> WireReply:
    """The next answer on a connection."""
    status_line, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
    body = await reader.readexactly(int(headers.get("content-length", "0"))) if has_body else b""
    return WireReply(int(status_line.split()[1]), headers, body)

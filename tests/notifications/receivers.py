"""Who is notified: a webhook and a mail server on this machine, both real."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from aiohttp import web

from binance_trade_agent.ops.clock import monotonic_seconds, sleep_seconds


async def until(condition, seconds: float = 10.0) -> None:
    deadline = monotonic_seconds() + seconds
    while not condition():
        assert monotonic_seconds() < deadline, "it did not come about in time"
        await sleep_seconds(0.01)


@dataclass
class Webhook:
    """Attributes: answers: statuses of the next answers, 200 after them; gate: an answer waits for it."""

    port: int = 0
    bodies: list[dict[str, str]] = field(default_factory=list)
    asked: int = 0
    answers: list[int] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        return f"json://user:hunter2secret@127.0.0.1:{self.port}/hook"

    @property
    def lines(self) -> list[str]:
        return [line for body in self.bodies for line in body["message"].splitlines()]

    async def receive(self, request: web.Request) -> web.Response:
        self.asked += 1
        body = await request.json()
        await self.gate.wait()
        status = self.answers.pop(0) if self.answers else 200
        if status == 200:
            self.bodies.append(body)
        return web.Response(status=status)


@asynccontextmanager
async def webhook() -> AsyncIterator[Webhook]:
    hook = Webhook()
    hook.gate.set()
    application = web.Application()
    application.router.add_post("/hook{rest:.*}", hook.receive)
    runner = web.AppRunner(application, shutdown_timeout=0.1, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    hook.port = runner.addresses[0][1]
    try:
        yield hook
    finally:
        hook.gate.set()
        await runner.cleanup()


@asynccontextmanager
async def mail_server() -> AsyncIterator[tuple[int, list[str]]]:
    """Its port, and the mails that came."""
    mails: list[str] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 here\r\n")
        while line := await reader.readline():
            word = line.split()[0].upper()
            if word == b"DATA":
                writer.write(b"354 go on\r\n")
                mails.append((await reader.readuntil(b"\r\n.\r\n")).decode())
            writer.write(b"221 bye\r\n" if word == b"QUIT" else b"250 well\r\n")
            if word == b"QUIT":
                break
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], mails


@asynccontextmanager
async def rude_server(how: str) -> AsyncIterator[int]:
    """The port of one that takes connections and then resets them, says nothing, or says a byte now and then."""
    is_over, talks = asyncio.Event(), set()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talks.add(asyncio.current_task())
        if how != "hangs":
            await reader.read(1)
        if how == "resets":
            writer.transport.abort()
        while not is_over.is_set() and not writer.is_closing():
            if how == "drips":
                writer.write(b"H")
            with suppress(TimeoutError):
                await asyncio.wait_for(is_over.wait(), 0.05)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]
        is_over.set()
    if talks:
        await asyncio.wait(talks, timeout=10)

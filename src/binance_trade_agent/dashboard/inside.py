"""Asking the application from inside: a page takes in its regions so, and the hub makes them anew so.

A region is an ordinary address that answers with a piece of a page, or with JSON. So it is checked, refused and
described like every other, can be loaded by itself, and is made in one place only.
"""

import logging
from dataclasses import dataclass

from starlette.types import ASGIApp, Message, Scope

from binance_trade_agent.dashboard.access.gate import SESSION
from binance_trade_agent.dashboard.access.sessions import Session

REGION_HEADER = b"x-region"
_BROKEN = b'<p class="problem" role="alert">This part could not be made; the log says why.</p>'

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of it."""

    status: int
    content_type: str
    body: bytes

    @property
    def is_json(self) -> bool:
        """Whether it is data and no piece of a page."""
        return self.content_type.startswith("application/json")


async def ask(app: ASGIApp, url: str, session: Session) -> Answer:
    """GET `url` (a path with its query) as `session` would. A region that fails takes nothing else with it."""
    path, _, query = url.partition("?")
    scope: Scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(b"host", b"inside"), (REGION_HEADER, b"1")],
        "client": (session.client, 0),
        "server": ("inside", 0),
        SESSION: session,
    }
    started: Message = {}
    body = bytearray()

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            started.update(message)
        else:
            body.extend(message.get("body", b""))

    try:
        await app(scope, receive, send)
    except Exception:
        log.exception("the dashboard could not make %s", url)
        return Answer(500, "text/html", _BROKEN)
    headers = dict(started["headers"])
    return Answer(started["status"], headers.get(b"content-type", b"").decode("latin-1"), bytes(body))

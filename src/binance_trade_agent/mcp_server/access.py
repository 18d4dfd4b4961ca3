"""The gate: what every HTTP request passes before it comes to the server, as pure ASGI.

Where from: the Host, when there is no token (so that no foreign name leads a browser here), and the Origin, which only
browsers send. Who: the bearer token (RFC 6750).
"""

import secrets

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from binance_trade_agent.desk.addresses import LOOPBACK, host_name, is_same_origin

PATH = "/mcp"
LOCKED_NOTICE = (
    "This MCP server has no token, so it answers nothing to other machines.\n\n"
    "Set MCP_AUTH_TOKEN (or MCP_AUTH_TOKEN_FILE) and start it again. Until then an assistant on this machine can use "
    "`trade-agent mcp --stdio`.\n"
)


class Gate:
    """Stands before the application.

    Args:
        token: that a request has to carry; without one it is for this machine only.
        is_locked: only a notice is served: others could reach it, and there is no token.
    """

    def __init__(self, app: ASGIApp, token: str | None, *, is_locked: bool) -> None:
        self._app = app
        self._token = None if token is None else token.encode()
        self._is_locked = is_locked

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let it pass, or answer it here."""
        if scope["type"] == "http":
            refusal = self._refusal(Headers(scope=scope))
            if refusal is not None:
                await refusal(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _refusal(self, headers: Headers) -> Response | None:
        host, origin = headers.get("host", ""), headers.get("origin")
        if self._is_locked:
            return PlainTextResponse(LOCKED_NOTICE, 503)
        if self._token is None and host_name(host) not in LOOPBACK:
            return PlainTextResponse(
                f"Without MCP_AUTH_TOKEN this server is for this machine only, as http://127.0.0.1; not as {host!r}.",
                421,
            )
        if origin is not None and not is_same_origin(origin, host):
            return PlainTextResponse("This was asked for by a page of another site: refused.", 403)
        if self._token is not None and not self._has_token(headers):
            return PlainTextResponse(
                "This server needs its token: Authorization: Bearer, then MCP_AUTH_TOKEN.",
                401,
                {"WWW-Authenticate": "Bearer"},
            )
        return None

    def _has_token(self, headers: Headers) -> bool:
        assert self._token is not None
        scheme, _, given = headers.get("authorization", "").partition(" ")
        matches = secrets.compare_digest(given.strip().encode("latin-1", "replace"), self._token)
        return matches and scheme.lower() == "bearer"

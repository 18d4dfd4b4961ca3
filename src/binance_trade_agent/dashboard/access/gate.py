"""The gate: what every request passes before it comes to a page, as pure ASGI.

Where from: the Host, when there is no password (so that no foreign name leads a browser here), and the Origin of
whatever changes something and of every WebSocket. Who: the session. And what the browser may do with the answer.
"""

from collections.abc import Iterable
from urllib.parse import quote

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from binance_trade_agent.dashboard.access.passwords import Role
from binance_trade_agent.dashboard.access.sessions import COOKIE, Session, Sessions
from binance_trade_agent.desk.addresses import LOOPBACK, host_name, is_same_origin

SESSION = "dashboard.session"  # in the scope, once the gate is passed
_PUBLIC = frozenset({"/login", "/health", "/ready"})
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_POLICY_VIOLATION = 1008  # RFC 6455, 7.4.1
_MOST_BODY_BYTES = 256 * 1024  # forms are small

# The logo of lightweight-charts brings a style element of its own; this is its hash (tests/dashboard/test_browser.py).
CHART_LOGO_STYLE = "'sha256-3pRED1tOXas1FXFoPb9TGCjmYe9XQsmO9OV23khV2nY='"
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # with no-referrer a browser's forms name no Origin (Fetch Standard, 4.6)
    "X-Frame-Options": "SAMEORIGIN",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}

LOCKED_NOTICE = (
    "This dashboard has no password, so it shows nothing to other machines.\n\n"
    "Set DASHBOARD_PASSWORD (or DASHBOARD_PASSWORD_FILE) and start it again. Until then `trade-agent status`, `why`, "
    "`risk` and `analyze` tell the same inside the container: docker-compose exec trading-agent trade-agent status\n"
)


class Gate:
    """Stands before the application.

    Args:
        has_password: whether one logs in; without, it is for this machine only.
        is_locked: only a notice, health and readiness are served: others could reach it, and there is no password.
    """

    def __init__(self, app: ASGIApp, sessions: Sessions, *, has_password: bool, is_locked: bool) -> None:
        self._app = app
        self._sessions = sessions
        self._has_password = has_password
        self._is_locked = is_locked
        # Without a password everybody on this machine is the same person: no cookie, nothing to log out of.
        self._anybody = None if has_password else sessions.begin(Role.TRADER, "this machine", for_ever=True)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let it pass, or answer it here."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        session = self._anybody or self._sessions.find(connection.cookies.get(COOKIE))
        refusal = self._refusal(scope, connection.headers)
        if refusal is not None:
            await _refuse(refusal, scope, receive, send)
            return
        if session is None and not _is_public(scope["path"]):
            if scope["type"] == "websocket":
                await _close_without_session(receive, send)
            else:
                await _refuse(_please_log_in(scope, connection.headers), scope, receive, send)
            return
        scope[SESSION] = session
        await self._app(scope, receive, _with_headers(send, scope, connection.headers.get("host", "")))

    def _refusal(self, scope: Scope, headers: Headers) -> Response | None:
        host = headers.get("host", "")
        if self._is_locked and scope["path"] not in {"/health", "/ready"}:
            return PlainTextResponse(LOCKED_NOTICE, 503)
        if not self._has_password and not self._is_locked and host_name(host) not in LOOPBACK:
            text = (
                f"Without DASHBOARD_PASSWORD this page is for this machine only, as http://127.0.0.1; not as {host!r}."
            )
            return PlainTextResponse(text, 421)
        changes = scope["type"] == "websocket" or scope["method"] not in _SAFE_METHODS
        if changes and not is_same_origin(headers.get("origin"), host):
            return PlainTextResponse("This was asked for by another site, or by none: refused.", 403)
        if scope["type"] == "http" and _is_too_long(headers):
            return PlainTextResponse(
                f"At most {_MOST_BODY_BYTES} bytes are taken, and their number has to be given.", 413
            )
        return None


def cookie_header(session: Session, sessions: Sessions, scheme: str) -> str:
    """The Set-Cookie that begins a session."""
    secure = "; Secure" if scheme in {"https", "wss"} else ""
    return f"{COOKIE}={session.token}; Max-Age={sessions.lasts_seconds}; Path=/; HttpOnly; SameSite=Strict{secure}"


def _is_public(path: str) -> bool:
    return path in _PUBLIC or path.startswith("/static/")


def _is_too_long(headers: Headers) -> bool:
    length = headers.get("content-length", "")
    return "transfer-encoding" in headers or (length.isdigit() and int(length) > _MOST_BODY_BYTES)


def _please_log_in(scope: Scope, headers: Headers) -> Response:
    wants_page = scope["type"] == "http" and scope["method"] == "GET" and "text/html" in headers.get("accept", "")
    if not wants_page or "hx-request" in headers:
        return PlainTextResponse("Log in first: this session is over.", 401)
    query = scope["query_string"].decode("latin-1")
    return RedirectResponse("/login?next=" + quote(scope["path"] + (f"?{query}" if query else ""), safe="/"), 303)


async def _refuse(refusal: Response, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": _POLICY_VIOLATION, "reason": "refused"})
        return
    await refusal(scope, receive, _with_headers(send, scope, ""))


async def _close_without_session(receive: Receive, send: Send) -> None:
    """Accept and close: of a refused handshake a browser learns no code, and the page could not tell why."""
    await receive()
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.close", "code": _POLICY_VIOLATION, "reason": "there is no session"})


def _with_headers(send: Send, scope: Scope, host: str) -> Send:
    is_static = scope["path"].startswith("/static/")

    async def add(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers[name] = value
            headers.setdefault("Content-Security-Policy", _policy(host))
            if not is_static:
                headers.setdefault("Cache-Control", "no-store")
        await send(message)

    return add


def _policy(host: str) -> str:
    """What a page may load: from here only, no script or style within it (W3C Content Security Policy Level 3)."""
    sockets = f" ws://{host} wss://{host}" if host_name(host) else ""  # older browsers do not count them to 'self'
    return "; ".join(_rules(sockets))


def _rules(sockets: str) -> Iterable[str]:
    yield "default-src 'none'"
    yield "script-src 'self'"
    yield f"style-src 'self' {CHART_LOGO_STYLE}"
    yield "img-src 'self' data:"
    yield f"connect-src 'self'{sockets}"
    yield "font-src 'self'"
    yield "frame-src 'self'"
    yield "manifest-src 'self'"
    yield "form-action 'self'"
    yield "frame-ancestors 'self'"
    yield "base-uri 'none'"

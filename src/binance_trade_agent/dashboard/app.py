"""The application: pages, regions, commands, the WebSocket, and what stands before them."""

import contextlib
import logging
from collections.abc import AsyncIterator
from http import HTTPStatus

from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import WebSocketRoute
from starlette.types import ASGIApp
from starlette.websockets import WebSocket

from binance_trade_agent import __version__
from binance_trade_agent.dashboard import rendering
from binance_trade_agent.dashboard.access.attempts import Attempts
from binance_trade_agent.dashboard.access.gate import SESSION, Gate
from binance_trade_agent.dashboard.access.guard import guard
from binance_trade_agent.dashboard.access.passwords import Passwords
from binance_trade_agent.dashboard.access.sessions import Sessions
from binance_trade_agent.dashboard.assets import Assets
from binance_trade_agent.dashboard.live.hub import Hub
from binance_trade_agent.dashboard.live.watch import LedgerWatch
from binance_trade_agent.dashboard.pages import (
    advanced,
    bar,
    command_life,
    health,
    login,
    logs,
    market,
    portfolio,
    signals,
    stop_switch,
    system,
    trade,
)
from binance_trade_agent.dashboard.region import REGION
from binance_trade_agent.desk.desk import Desk
from binance_trade_agent.desk.memory import Memory
from binance_trade_agent.ledger.errors import LedgerError
from binance_trade_agent.ops.tasks import spawn, stop

PAGES = (login, bar, command_life, stop_switch, portfolio, market, system, health, logs, signals, trade, advanced)

log = logging.getLogger(__name__)


def application(desk: Desk, passwords: Passwords, *, is_locked: bool = False) -> ASGIApp:
    """The dashboard as an ASGI application.

    Args:
        desk: what pages read from; closed with the application.
        passwords: none of them means that it is for this machine only.
        is_locked: serve a notice instead of pages (access/gate.py).
    """
    sessions = Sessions(desk.settings.dashboard_session_hours)
    inner = FastAPI(
        title="binance-trading-agent dashboard",
        version=__version__,
        description="Pages and the pieces of them (regions). Changes need the token of the page that asks for them.",
        docs_url=None,
        redoc_url=None,
        lifespan=_lifespan,
        dependencies=[Depends(guard)],
    )
    inner.state.desk = desk
    inner.state.assets = Assets()
    inner.state.templates = rendering.environment(takes_regions=True)
    inner.state.pieces = rendering.environment(takes_regions=False)
    inner.state.sessions = sessions
    inner.state.passwords = passwords
    inner.state.attempts = Attempts()
    inner.state.has_password = bool(passwords.hashes)
    for page in PAGES:
        inner.include_router(page.router)
    inner.mount("/static", inner.state.assets)
    inner.state.portfolio = Memory(desk.ledger_path)
    inner.state.hub = Hub(inner, regions(), LedgerWatch(desk.ledger_path), sessions)
    inner.router.routes.append(WebSocketRoute("/live", _live))  # the gate stands before it; `guard` is for HTTP
    inner.add_api_route("/", _home, include_in_schema=False)
    inner.add_exception_handler(HTTPException, _refused)  # type: ignore[arg-type]
    inner.add_exception_handler(RequestValidationError, _not_understood)  # type: ignore[arg-type]
    inner.add_exception_handler(LedgerError, _no_ledger)  # type: ignore[arg-type]
    inner.add_exception_handler(Exception, _failed)
    packed = GZipMiddleware(inner, minimum_size=1_000, compresslevel=5)
    return Gate(packed, sessions, has_password=bool(passwords.hashes), is_locked=is_locked)


@contextlib.asynccontextmanager
async def _lifespan(inner: FastAPI) -> AsyncIterator[None]:
    looking = spawn(inner.state.hub.run(), name="hub")
    try:
        yield
    finally:
        await stop(looking)
        await inner.state.hub.close()
        await inner.state.portfolio.close()
        await inner.state.desk.close()


def regions() -> list[str]:
    """Paths of all regions."""
    routes = (route for page in PAGES for route in page.router.routes)
    return [route.path for route in routes if isinstance(route, APIRoute) and REGION in route.tags]


async def _live(websocket: WebSocket) -> None:
    await websocket.app.state.hub.serve(websocket, websocket.scope[SESSION])


async def _home() -> Response:
    return RedirectResponse("/portfolio", 303)


async def _refused(request: Request, failure: HTTPException) -> Response:
    sentence = str(failure.detail)
    if sentence == HTTPStatus(failure.status_code).phrase:
        path = request.url.path
        is_missing = failure.status_code == HTTPStatus.NOT_FOUND
        sentence = f"There is no page {path}." if is_missing else f"{path} does not take this: {sentence.lower()}."
    answer = await _problem(request, failure.status_code, sentence)
    answer.headers.update(failure.headers or {})
    return answer


async def _not_understood(request: Request, failure: RequestValidationError) -> Response:
    """One sentence for each value that is not allowed."""
    sentences = []
    for error in failure.errors():
        name = str(error["loc"][-1]) if error["loc"] else "the request"
        sentences.append(f"{name}: {error['msg'][:1].lower()}{error['msg'][1:]}.")
    return await _problem(request, 422, " ".join(dict.fromkeys(sentences)))


async def _failed(request: Request, failure: Exception) -> Response:  # noqa: ARG001 (the log has it)
    return await _problem(
        request, 500, "The page could not be made; the log says why. The trader does not depend on it."
    )


async def _no_ledger(request: Request, failure: LedgerError) -> Response:
    return await _problem(request, 503, f"{str(failure)[:1].upper()}{str(failure)[1:]}.")


async def _problem(request: Request, status: int, sentence: str) -> Response:
    """What went wrong, as the caller can read it: a page, a piece of a page, or JSON."""
    if "application/json" in request.headers.get("accept", ""):
        return JSONResponse({"detail": sentence}, status)
    template = "parts/problem.html" if rendering.is_region(request) else "problem.html"
    title = HTTPStatus(status).phrase
    return await rendering.render(request, template, status, title=title, sentence=sentence)

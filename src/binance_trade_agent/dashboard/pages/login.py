"""Logging in and out, and the choice of the theme."""

from typing import Annotated, Literal

from fastapi import APIRouter, Form, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from binance_trade_agent.dashboard.access.gate import cookie_header
from binance_trade_agent.dashboard.access.guard import SessionOf
from binance_trade_agent.dashboard.access.sessions import COOKIE
from binance_trade_agent.dashboard.region import PROBLEMS
from binance_trade_agent.dashboard.rendering import THEME_COOKIE, render
from binance_trade_agent.reports.wording import duration

router = APIRouter(default_response_class=HTMLResponse, responses=PROBLEMS)

_YEAR_SECONDS = 31_536_000


@router.get("/login")
async def show_login(request: Request, next: str = "/") -> Response:  # noqa: A002 (the name in the address)
    """The form."""
    if not request.app.state.has_password:
        return RedirectResponse("/", 303)
    return await render(request, "login.html", title="Log in", next=_path(next), problem="")


@router.post("/login", status_code=303, responses={429: {"description": "Too many wrong passwords were given."}})
async def log_in(
    request: Request,
    password: Annotated[str, Form(max_length=1_000)],
    next: Annotated[str, Form(max_length=2_000)] = "/",  # noqa: A002
) -> Response:
    """Begin a session, or say that the password is wrong."""
    state, client = request.app.state, request.client.host if request.client else "unknown"
    if wait := state.attempts.wait_seconds(client):
        text = f"Too many wrong passwords. Try again in {duration(round(wait * 1000) + 1000)}."
        return await render(request, "login.html", 429, title="Log in", next=_path(next), problem=text)
    state.attempts.begin(client)
    role = await state.desk.in_thread(lambda: state.passwords.role_of(password))
    if role is None:
        return await render(
            request, "login.html", 401, title="Log in", next=_path(next), problem="The password is wrong."
        )
    state.attempts.succeeded(client)
    session = state.sessions.begin(role, client)
    answer = RedirectResponse(_path(next), 303)
    answer.raw_headers.append((b"set-cookie", cookie_header(session, state.sessions, request.url.scheme).encode()))
    return answer


@router.post("/logout", status_code=303)
async def log_out(request: Request, session: SessionOf) -> Response:
    """End the session."""
    request.app.state.sessions.end(session)
    answer = RedirectResponse("/login", 303)
    answer.delete_cookie(COOKIE, httponly=True, samesite="strict")
    return answer


@router.post("/theme", status_code=303)
async def choose_theme(
    theme: Annotated[Literal["dark", "light", "system"], Form()],
    back: Annotated[str, Form(max_length=2_000)] = "/",
) -> Response:
    """Keep a theme for this browser."""
    answer = RedirectResponse(_path(back), 303)
    answer.set_cookie(THEME_COOKIE, theme, max_age=_YEAR_SECONDS, httponly=True, samesite="strict")
    return answer


def _path(address: str) -> str:
    """A path on this site, whatever was given: nobody is sent elsewhere."""
    is_ours = address.startswith("/") and not address.startswith("//")
    return address if is_ours and "\\" not in address and address.isprintable() else "/"

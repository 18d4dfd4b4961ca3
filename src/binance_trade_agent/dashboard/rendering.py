"""Templates: what all pages are given, and how a region is taken into a page."""

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlencode

from fastapi import Request
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from starlette.responses import HTMLResponse

from binance_trade_agent import __version__
from binance_trade_agent.dashboard import words
from binance_trade_agent.dashboard.access.gate import SESSION
from binance_trade_agent.dashboard.access.sessions import Session
from binance_trade_agent.dashboard.inside import REGION_HEADER, ask
from binance_trade_agent.ops.clock import wall_ms

THEME_COOKIE = "trading_agent_theme"
THEMES = ("dark", "light", "system")
NAVIGATION = (
    ("/portfolio", "Portfolio"),
    ("/market", "Market data"),
    ("/signals", "Signals & risk"),
    ("/trade", "Execute trade"),
    ("/system", "System health"),
    ("/logs", "Logs"),
    ("/advanced", "Advanced"),
)


def environment(*, takes_regions: bool) -> Environment:
    """The templates' environment: everything is escaped, an unknown name is a mistake.

    Args:
        takes_regions: whether `region` may be called, which has to be waited for; without, loops are twice as fast.
    """
    made = Environment(
        loader=PackageLoader("binance_trade_agent.dashboard"),
        autoescape=True,
        undefined=StrictUndefined,
        enable_async=takes_regions,
        auto_reload=False,  # else each render asks the disk whether its templates have changed
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(words.FILTERS)
    made.globals.update(navigation=NAVIGATION, version=__version__)
    return made


async def render(request: Request, template: str, status: int = 200, **values: Any) -> HTMLResponse:
    """The template as an answer. Beside `values` it has what `base.html` and the macros need."""
    state = request.app.state
    session: Session | None = request.scope.get(SESSION)
    theme = request.cookies.get(THEME_COOKIE, "")
    given = {
        "path": request.url.path,
        "session": session,
        "may_trade": session is not None and session.may_trade,
        "csrf": session.csrf if session else "",
        "has_password": state.has_password,
        "theme": theme if theme in THEMES else "dark",
        "build": state.assets.build,
        "now_wall_ms": wall_ms(),
        **values,
    }
    if REGION_HEADER.decode() in request.headers:  # a region takes in no other
        text = state.pieces.get_template(template).render(given)
    else:
        text = await state.templates.get_template(template).render_async(given, region=_region(request, session))
    return HTMLResponse(text, status)


def is_region(request: Request) -> bool:
    """Whether a piece of a page is asked for, by HTMX or from inside."""
    return REGION_HEADER.decode() in request.headers or "hx-request" in request.headers


def _region(request: Request, session: Session | None) -> Callable[..., Awaitable[Markup]]:
    async def region(path: str, on: str = "ledger", css: str = "", **query: Any) -> Markup:
        """A region of the page, filled now and made anew when one of `on` changes (live/hub.py)."""
        given = {name: value for name, value in query.items() if value not in (None, "")}
        url = f"{path}?{urlencode(given)}" if given else path
        assert session is not None, "a page with regions has a session"
        answer = await ask(request.app, url, session)
        return Markup('<div class="region {css}" data-live="{url}" data-on="{on}">{body}</div>').format(
            css=css,
            url=url,
            on=on,
            body=Markup(answer.body.decode()),  # noqa: S704 (ours, escaped there)
        )

    return region

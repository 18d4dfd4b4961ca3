"""What routes ask of whoever calls them: a session, and for each change the right to trade and the page's token."""

from typing import Annotated

from fastapi import Depends, HTTPException, Request

from binance_trade_agent.dashboard.access.gate import SESSION
from binance_trade_agent.dashboard.access.sessions import Session

CSRF_HEADER, CSRF_FIELD = "x-csrf-token", "csrf"
_SAFE_METHODS = frozenset({"GET", "HEAD"})
_WITHOUT_SESSION = frozenset({"/login"})  # its Origin was looked at by the gate
_FOR_ALL = frozenset({"/logout", "/theme"})


async def guard(request: Request) -> None:
    """Stands before every route. A change needs the page's token, and the role of a trader unless it is one's own.

    Raises:
        HTTPException: 403, with a sentence.
    """
    if request.method in _SAFE_METHODS or request.url.path in _WITHOUT_SESSION:
        return
    session: Session | None = request.scope.get(SESSION)
    if session is None:
        raise HTTPException(401, "Log in first: this session is over.")
    # Either will do: a form that was loaded later than its page knows the newer token.
    given = (request.headers.get(CSRF_HEADER), (await request.form()).get(CSRF_FIELD))
    if not any(isinstance(token, str) and session.is_csrf(token) for token in given):
        raise HTTPException(403, "This form is not of this session: load the page again.")
    if not session.may_trade and request.url.path not in _FOR_ALL:
        raise HTTPException(403, "You are logged in to look only; DASHBOARD_PASSWORD logs in to trade.")


def session_of(request: Request) -> Session:
    """The session; every page but the login has one."""
    session: Session | None = request.scope.get(SESSION)
    if session is None:
        raise HTTPException(401, "Log in first: this session is over.")
    return session


SessionOf = Annotated[Session, Depends(session_of)]

"""What people have changed: who, when, what, old, new, and what came of it."""

import sqlite3
from typing import Annotated

from fastapi import APIRouter, HTTPException, Query, Request
from starlette.responses import HTMLResponse, Response

from binance_trade_agent.dashboard.pages.advanced.shared import show
from binance_trade_agent.dashboard.region import PROBLEMS, REGION, DeskOf
from binance_trade_agent.dashboard.rendering import render
from binance_trade_agent.ledger.errors import LedgerError
from binance_trade_agent.reports.audit import AuditEntry, AuditKey, audit

ADDRESS = "/advanced/changes"
_PAGE = 25
_LARGEST = 2**63 - 1  # of SQLite's integers

# The key of the entry before the first on the page: `1700000000000-1-12`.
Before = Annotated[str, Query(pattern=r"^([0-9]{1,19}-[01]-[0-9]{1,19})?$")]

router = APIRouter(default_response_class=HTMLResponse, responses=PROBLEMS)


@router.get(ADDRESS)
async def show_changes(request: Request, before: Before = "") -> Response:
    """The section; the first page, or the one that begins after an entry."""
    _key(before)
    return await show(request, "advanced/changes.html", ADDRESS, before=before)


@router.get(f"{ADDRESS}/list", tags=[REGION])
async def show_list(request: Request, desk: DeskOf, before: Before = "") -> Response:
    """One page of them."""
    key = _key(before)

    def work(connection: sqlite3.Connection) -> list[AuditEntry]:
        return audit(connection, _PAGE + 1, key)

    try:
        found = await desk.read(work)
    except LedgerError:
        found = []
    entries, has_more = found[:_PAGE], len(found) > _PAGE
    older = "-".join(map(str, entries[-1].key)) if has_more else ""
    return await render(request, "advanced/changes_list.html", entries=entries, older=older, before=before)


def _key(text: str) -> AuditKey | None:
    if not text:
        return None
    key = AuditKey(*map(int, text.split("-")))
    if max(key) > _LARGEST:
        raise HTTPException(422, "before: there is no such entry.")
    return key

"""What the sections of the page share."""

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, HTTPException, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from binance_trade_agent.dashboard.access.sessions import Session
from binance_trade_agent.dashboard.rendering import render
from binance_trade_agent.desk.desk import Desk
from binance_trade_agent.desk.jobs.job import Work
from binance_trade_agent.desk.jobs.runner import BusyError, Jobs
from binance_trade_agent.ledger.errors import LedgerError
from binance_trade_agent.ledger.records import RunRecord
from binance_trade_agent.ledger.rows import run_from

SECTIONS = (
    ("/advanced", "Control"),
    ("/advanced/strategy", "Strategy"),
    ("/advanced/risk", "Risk limits"),
    ("/advanced/configuration", "Configuration"),
    ("/advanced/backtest", "Backtest"),
    ("/advanced/ledger", "Ledger"),
    ("/advanced/changes", "Changes"),
)


def _jobs(request: Request) -> Jobs:
    jobs: Jobs = request.app.state.jobs
    return jobs


JobsOf = Annotated[Jobs, Depends(_jobs)]


@dataclass(frozen=True, slots=True)
class Change:
    """Something that is to say something else."""

    name: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class NewestRun:
    """The newest run of the ledger.

    Attributes:
        settings: setting name -> value as it was written down, secrets masked.
        is_running: whether it goes on now; else it is over, and the next one may have other settings.
    """

    record: RunRecord
    settings: Mapping[str, str]
    is_running: bool


async def show(request: Request, template: str, section: str, **values: Any) -> HTMLResponse:
    """A section as a page; `section` is its address."""
    title = "Advanced" if section == "/advanced" else dict(SECTIONS)[section]
    return await render(request, template, title=title, sections=SECTIONS, section=section, **values)


async def confirm(
    request: Request,
    section: str,
    *,
    changes: Sequence[Change],
    fields: Mapping[str, str],
    heading: str,
    button: str,
    effect: str,
) -> HTMLResponse:
    """What is about to change, old and new, with the form that asks for it: a piece of a page for HTMX, else a page.

    Args:
        request: what is answered.
        section: its address; the form goes there.
        changes: all that would say something else.
        fields: of the form.
        heading: a question.
        button: what says yes to it.
        effect: a sentence on when it holds.
    """
    template = "advanced/confirm.html" if "hx-request" in request.headers else "advanced/confirm_page.html"
    return await show(
        request, template, section, changes=changes, fields=fields, heading=heading, button=button, effect=effect
    )


async def begun(jobs: Jobs, work: Work, session: Session) -> None:
    """Start a job.

    Raises:
        HTTPException: 409, another one runs; 503, it cannot be started.
    """
    try:
        await jobs.start(work, session.name)
    except BusyError as busy:
        raise HTTPException(409, str(busy)) from None
    except OSError as failure:
        where = f" {failure.filename}" if failure.filename else ""
        raise HTTPException(503, f"The {work.kind} cannot be started:{where} {failure.strerror or failure}.") from None


async def said_or_back(request: Request, sentence: str, section: str) -> Response:
    """What came of a form: the sentence for HTMX, else the way back to the section."""
    if "hx-request" in request.headers:
        return await render(request, "advanced/begun.html", sentence=sentence)
    return RedirectResponse(section, 303)


async def newest_run(desk: Desk) -> NewestRun | None:
    """None without a ledger, or without a run in it."""
    is_running = desk.is_running()

    def work(connection: sqlite3.Connection) -> NewestRun | None:
        row = connection.execute("SELECT * FROM runs ORDER BY number DESC LIMIT 1").fetchone()
        if row is None:
            return None
        record = run_from(row)
        return NewestRun(record, json.loads(record.settings_json), is_running and record.end_reason is None)

    try:
        return await desk.read(work)
    except LedgerError:
        return None


def effect_of(run: NewestRun | None) -> str:
    """When a change holds, as the end of a sentence."""
    if run is not None and run.is_running:
        return "It holds from the trader's next tick on, for all symbols, and over restarts until the settings change."
    return "No trader runs now: the next one carries it out when it starts."

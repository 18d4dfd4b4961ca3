"""A command from its placing to its end: waiting, carried out or refused, and the order that came of it."""

import sqlite3
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, HTTPException, Request
from pydantic import Field
from starlette.responses import HTMLResponse, RedirectResponse, Response

from binance_trade_agent.control import commands
from binance_trade_agent.control.commands import Command, CommandKind
from binance_trade_agent.dashboard.access.guard import SessionOf
from binance_trade_agent.dashboard.access.sessions import Session
from binance_trade_agent.dashboard.region import PROBLEMS, REGION, DeskOf
from binance_trade_agent.dashboard.rendering import render
from binance_trade_agent.desk.desk import Desk
from binance_trade_agent.ledger import queries
from binance_trade_agent.ledger.records import OrderEntry

router = APIRouter(default_response_class=HTMLResponse, responses=PROBLEMS)

CommandId = Annotated[int, Field(ge=1, le=2**63 - 1)]  # SQLite takes no greater one


@dataclass(frozen=True, slots=True)
class Life:
    """A command, and its order with what happened to that: (market ms, state, detail), oldest first."""

    command: Command
    order: OrderEntry | None
    events: list[tuple[int, str, str]]


@router.get("/commands/life", tags=[REGION])
async def show_life(request: Request, desk: DeskOf, command_id: CommandId) -> Response:
    """Where a command stands."""
    life = await desk.read(lambda connection: _life(connection, command_id))
    return await render(request, "parts/command_life.html", life=life, is_running=desk.is_running())


@router.get("/commands/{command_id}")
async def show_command(request: Request, desk: DeskOf, command_id: CommandId) -> Response:
    """The page of one command, which follows it to its end."""
    life = await desk.read(lambda connection: _life(connection, command_id))
    return await render(request, "command.html", title=f"Command {command_id}", life=life)


async def placed(
    request: Request, desk: Desk, session: Session, kind: CommandKind, payload: dict[str, str]
) -> Response:
    """Place a command and answer with its life: the piece of a page for HTMX, else the way to its page.

    Raises:
        LedgerError: it could not be placed.
    """
    return await followed(request, await desk.place(kind, payload, by=session.name))


async def followed(request: Request, command_id: int) -> Response:
    """A command's life: the piece of a page for HTMX, else the way to its page."""
    if "hx-request" in request.headers:
        return await render(request, "parts/command_placed.html", command_id=command_id)
    return RedirectResponse(f"/commands/{command_id}", 303)


@router.post("/commands/pause")
async def pause(request: Request, desk: DeskOf, session: SessionOf) -> Response:
    """Pause entries, or everything but protection (`scope`)."""
    scope = (await request.form()).get("scope", "entries")
    if scope not in {"entries", "everything"}:
        raise HTTPException(422, "scope must be entries or everything.")
    return await placed(request, desk, session, CommandKind.PAUSE, {"scope": str(scope)})


@router.post("/commands/resume")
async def resume(request: Request, desk: DeskOf, session: SessionOf) -> Response:
    """Take a pause back."""
    return await placed(request, desk, session, CommandKind.RESUME, {})


def _life(connection: sqlite3.Connection, command_id: int) -> Life:
    found = commands.command(connection, command_id)
    if found is None:
        raise HTTPException(404, f"There is no command {command_id}.")
    name = found.client_order_id
    entry = queries.order_entry(connection, name) if name else None
    rows = connection.execute(
        "SELECT at_ms, state, detail FROM order_events WHERE client_order_id = ? ORDER BY sequence", (name,)
    )
    return Life(found, entry, [(row["at_ms"], row["state"], row["detail"]) for row in rows] if entry else [])

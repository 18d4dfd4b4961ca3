"""Pausing, resuming, the emergency stop: where each stands, since when and by whom."""

import sqlite3
from dataclasses import dataclass

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, Response

from binance_trade_agent.control import commands
from binance_trade_agent.control.commands import Command
from binance_trade_agent.dashboard.pages.advanced.shared import show
from binance_trade_agent.dashboard.region import PROBLEMS, REGION, DeskOf
from binance_trade_agent.dashboard.rendering import render
from binance_trade_agent.domain.pause_scope import PauseScope
from binance_trade_agent.ledger import switches
from binance_trade_agent.ledger.errors import LedgerError

router = APIRouter(default_response_class=HTMLResponse, responses=PROBLEMS)


@dataclass(frozen=True, slots=True)
class Controls:
    """Where the switches stand.

    Attributes:
        scope: what is paused; None while nothing is.
        pause: the last carried-out `pause` or `resume`, stop: the last `kill` or carried-out `release`; None when
            there never was one.
        closes_positions: whether the emergency stop asks for that.
        waiting: commands that the trader has not answered yet, oldest first.
    """

    scope: PauseScope | None
    pause: Command | None
    is_stopped: bool
    stop: Command | None
    closes_positions: bool
    waiting: list[Command]


@router.get("/advanced")
async def show_control(request: Request) -> Response:
    """The section."""
    return await show(request, "advanced/control.html", "/advanced")


@router.get("/advanced/control", tags=[REGION])
async def show_controls(request: Request, desk: DeskOf) -> Response:
    """Where the switches stand, with what can be done about it."""
    try:
        controls = await desk.read(_controls)
    except LedgerError:
        controls = None
    return await render(request, "advanced/controls.html", controls=controls, is_running=desk.is_running())


def _controls(connection: sqlite3.Connection) -> Controls:
    return Controls(
        scope=switches.pause_scope(connection),
        pause=_last(connection, "kind IN ('pause', 'resume') AND state = 'DONE'"),
        is_stopped=switches.killed(connection),
        stop=_last(connection, "(kind = 'kill' AND state != 'REFUSED') OR (kind = 'release' AND state = 'DONE')"),
        closes_positions=switches.closes_positions(connection),
        waiting=_waiting(connection),
    )


def _last(connection: sqlite3.Connection, which: str) -> Command | None:
    row = connection.execute(f"SELECT max(command_id) FROM commands WHERE {which}").fetchone()  # noqa: S608 (ours)
    return commands.command(connection, row[0]) if row[0] is not None else None


def _waiting(connection: sqlite3.Connection) -> list[Command]:
    rows = connection.execute("SELECT command_id FROM commands WHERE state = 'PENDING' ORDER BY command_id LIMIT 20")
    found = [commands.command(connection, row["command_id"]) for row in rows]
    return [each for each in found if each is not None]

"""The emergency stop: it cancels what rests and protects nothing, enters nothing any more, closes positions on demand.

It is placed as a command and counts from that moment, whether or not a trader runs, and over restarts, until somebody
releases it by the trader's name.
"""

import sqlite3
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Form, HTTPException, Request
from starlette.responses import HTMLResponse, Response

from binance_trade_agent.control.commands import OF_ACCOUNT, CommandKind
from binance_trade_agent.dashboard.access.guard import SessionOf
from binance_trade_agent.dashboard.pages.command_life import placed
from binance_trade_agent.dashboard.portfolio.books import Market, held_symbols, market_of
from binance_trade_agent.dashboard.region import PROBLEMS, REGION, DeskOf
from binance_trade_agent.dashboard.rendering import is_region, render
from binance_trade_agent.ledger import queries, switches
from binance_trade_agent.ops import vitals
from binance_trade_agent.reports.positions_now import positions_now

router = APIRouter(default_response_class=HTMLResponse, responses=PROBLEMS)

CONFIRMATION = "STOP"


@dataclass(frozen=True, slots=True)
class Reach:
    """What the switch would do now: orders that rest and protect nothing, orders that protect, what could be sold."""

    is_killed: bool
    cancelled: int
    protective: int
    positions: int


@router.get("/stop", tags=[REGION])
async def show_stop(request: Request, desk: DeskOf) -> Response:
    """The form, as a page or as the content of a dialog; it says what would happen."""
    symbols = await desk.read(lambda connection: held_symbols(connection, queries.epoch_number(connection)))
    market = await market_of(desk.board, symbols)
    reach = await desk.read(lambda connection: _reach(connection, market))
    template = "parts/stop.html" if is_region(request) else "stop.html"
    return await render(
        request,
        template,
        title="Emergency stop",
        reach=reach,
        instance=desk.settings.trading_instance,
        confirmation=CONFIRMATION,
        is_running=desk.is_running(),
        others=vitals.others_of_account(desk.ledger_path),
    )


@router.post("/stop")
async def throw(
    request: Request,
    desk: DeskOf,
    session: SessionOf,
    reason: Annotated[str, Form(max_length=500)] = "",
    confirmation: Annotated[str, Form(max_length=20)] = "",
    close_positions: Annotated[bool, Form()] = False,
    whole_account: Annotated[bool, Form()] = False,
) -> Response:
    """Throw the switch."""
    if confirmation.strip().upper() != CONFIRMATION:
        raise HTTPException(422, f"Type {CONFIRMATION} to confirm; nothing was stopped.")
    if not reason.strip():
        raise HTTPException(422, "Say why, in a word; nothing was stopped.")
    payload = {"reason": reason.strip(), "close_positions": str(close_positions).lower()}
    if whole_account:
        if not desk.is_running():
            raise HTTPException(
                422, "No trader runs here that could ask the others of its account; nothing was stopped."
            )
        payload[OF_ACCOUNT] = "true"
    return await placed(request, desk, session, CommandKind.KILL, payload)


@router.post("/release")
async def release(
    request: Request, desk: DeskOf, session: SessionOf, name: Annotated[str, Form(max_length=50)] = ""
) -> Response:
    """Take it back, by the trader's name; the trader refuses another's."""
    return await placed(request, desk, session, CommandKind.RELEASE, {"name": name.strip()})


def _reach(connection: sqlite3.Connection, market: Market) -> Reach:
    epoch = queries.epoch_number(connection)
    orders = [entry.order for entry in queries.unsettled_orders(connection, epoch)]
    protective = sum(order.role.is_protective for order in orders)
    held = [each for each in positions_now(connection, epoch, rules=market.rules) if not each.is_dust]
    return Reach(switches.killed(connection), len(orders) - protective, protective, len(held))

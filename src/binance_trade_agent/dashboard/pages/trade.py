"""Execute trade: an order is written, judged by all rules as one types, repeated in words, confirmed, and followed."""

import sqlite3
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Form, HTTPException, Query, Request
from starlette.responses import HTMLResponse, Response

from binance_trade_agent.control import commands
from binance_trade_agent.control.commands import Command, CommandKind
from binance_trade_agent.dashboard import decision_words
from binance_trade_agent.dashboard.access.guard import SessionOf
from binance_trade_agent.dashboard.access.sessions import Session
from binance_trade_agent.dashboard.pages.command_life import followed
from binance_trade_agent.dashboard.region import PROBLEMS, REGION, DeskOf
from binance_trade_agent.dashboard.rendering import render
from binance_trade_agent.desk.desk import Desk
from binance_trade_agent.desk.judging import FRESH_SECONDS, Judged, judge, look, orderable, trader_of
from binance_trade_agent.desk.tickets import LIFETIME_SECONDS, TicketError, Tickets
from binance_trade_agent.domain.manual_orders import OrderKind
from binance_trade_agent.domain.orders import Order, Side
from binance_trade_agent.domain.values import as_dict
from binance_trade_agent.ledger import queries
from binance_trade_agent.ledger.errors import LedgerError
from binance_trade_agent.ops.clock import wall_ms
from binance_trade_agent.reports import order_words
from binance_trade_agent.reports.order_draft import Draft, Unit
from binance_trade_agent.reports.order_preview import Funds, funds
from binance_trade_agent.reports.positions_now import PositionNow, positions_now
from binance_trade_agent.reports.wording import exact, measured, sentence

router = APIRouter(default_response_class=HTMLResponse, responses=PROBLEMS)

_COMMANDS_SHOWN = 6
_OF_ORDERS = frozenset({CommandKind.ORDER, CommandKind.CANCEL, CommandKind.CLOSE})

Typed = Annotated[str, Query(max_length=60)]


def _draft(
    symbol: Typed = "",
    side: Typed = "BUY",
    type: Typed = "market",  # noqa: A002 (its name in the address)
    amount: Typed = "",
    unit: Typed = "quote",
    price: Typed = "",
    stop_price: Typed = "",
    stop_limit_price: Typed = "",
    worst_price: Typed = "",
) -> Draft:
    prices = (price, stop_price, stop_limit_price, worst_price)
    return Draft(symbol.strip().upper(), side, type, amount, unit, *prices)


Drafted = Annotated[Draft, Depends(_draft)]


@router.get("/trade")
async def show_trade(request: Request, desk: DeskOf, session: SessionOf, draft: Drafted) -> Response:
    """The page; with a draft in the address it is judged, so that no script is needed."""
    symbols = await orderable(desk)
    if not draft.symbol and symbols:
        draft = Draft(**{**as_dict(draft), "symbol": symbols[0]})
    judged = await _judged(desk, session, draft)
    return await render(
        request,
        "trade/page.html",
        title="Execute trade",
        symbols=symbols if draft.symbol in symbols else [*symbols, draft.symbol],
        sides=list(Side),
        kinds=[(kind.value, order_words.KINDS[kind]) for kind in OrderKind],
        units=list(Unit),
        assets=_assets(judged),
        **_shown(judged),
    )


@router.get("/trade/preview")
async def show_preview(request: Request, desk: DeskOf, session: SessionOf, draft: Drafted) -> Response:
    """What is shown beside the form as one types: the live preview, and the way to the confirmation."""
    return await render(request, "trade/beside.html", **_shown(await _judged(desk, session, draft)))


@router.get("/trade/parts/preview", tags=[REGION])
async def show_judgement(request: Request, desk: DeskOf, session: SessionOf, draft: Drafted) -> Response:
    """What the order would come to, and what each rule says, by the market of this moment."""
    return await render(request, "trade/preview.html", **_shown(await _judged(desk, session, draft)))


@router.get("/trade/parts/market", tags=[REGION])
async def show_market(request: Request, desk: DeskOf, symbol: Typed) -> Response:
    """Best prices with their age, the symbol's filters, and what is free for orders."""
    market_symbol = symbol.strip().upper()
    await look(desk, market_symbol)
    free: Funds | None = None
    try:
        free = await desk.read(lambda connection: funds(connection, desk.settings, trader_of(desk), market_symbol))
    except LedgerError:
        free = None
    return await render(
        request,
        "trade/market.html",
        symbol=market_symbol,
        quote=await desk.board.quote(market_symbol),
        rules=await desk.board.rules(market_symbol),
        funds=free,
        fresh_seconds=FRESH_SECONDS,
        exact=exact,
    )


@router.get("/trade/parts/open", tags=[REGION])
async def show_open(request: Request, desk: DeskOf) -> Response:
    """Open orders, positions, and the latest that persons have asked for."""
    held, orders, latest = await desk.read(_standing)
    quotes = {one.symbol: quote for one in held if (quote := await desk.board.quote(one.symbol))}
    rules = {one.symbol: found for one in held if (found := await desk.board.rules(one.symbol))}
    if held:
        epoch_of = queries.epoch_number
        held = await desk.read(
            lambda connection: positions_now(connection, epoch_of(connection), quotes=quotes, rules=rules)
        )
    return await render(
        request,
        "trade/open.html",
        positions=held,
        rules=rules,
        orders=orders,
        commands=latest,
        exact=exact,
        order_words=decision_words.order_words,
        state_badge=decision_words.state_badge,
        command_words=order_words.command_words,
    )


@router.get("/trade/confirm")
async def confirm_order(request: Request, desk: DeskOf, session: SessionOf, draft: Drafted) -> Response:
    """The order in words, and the form that places it."""
    judged = await _judged(desk, session, draft)
    if judged.why_not or judged.preview is None or judged.market is None:
        return await _confirmation(request, "trade/refused.html", title="Not to be placed", **_shown(judged))
    payload = order_words.payload(judged.preview.order)
    ticket = _tickets(request).issue(CommandKind.ORDER, payload, session.token)
    return await _confirmation(
        request,
        "trade/confirm.html",
        title="Confirm the order",
        ticket=ticket.name,
        lifetime_seconds=LIFETIME_SECONDS,
        is_live=await _is_live(desk),
        **_shown(judged),
    )


@router.get("/trade/cancel/{client_order_id}")
async def confirm_cancel(request: Request, desk: DeskOf, session: SessionOf, client_order_id: str) -> Response:
    """What would be cancelled, and the form that does it."""
    entry = await desk.read(lambda connection: queries.order_entry(connection, client_order_id))
    if entry is None:
        raise HTTPException(404, f"The ledger has no order {client_order_id!r}.")
    order = entry.order
    why_not = _why_not_now(desk, session) or _why_not_cancelled(order)
    if why_not:
        return await _confirmation(
            request,
            "trade/refused.html",
            title="Not to be cancelled",
            why_not=why_not,
        )
    ticket = _tickets(request).issue(CommandKind.CANCEL, {"client_order_id": client_order_id}, session.token)
    return await _confirmation(
        request,
        "trade/confirm_other.html",
        title="Cancel the order?",
        ticket=ticket.name,
        button="Cancel the order",
        lines=[
            f"{decision_words.order_words(order)}, {exact(order.executed_base)} executed so far.",
            *(["It is one of a list: the other one is cancelled with it."] if order.list_id else []),
        ],
    )


@router.get("/trade/close/{symbol}")
async def confirm_close(request: Request, desk: DeskOf, session: SessionOf, symbol: str) -> Response:
    """What would be sold, and the form that does it."""
    held, _, _ = await desk.read(_standing)
    found = next((one for one in held if one.symbol == symbol.upper()), None)
    if found is None:
        raise HTTPException(404, f"Nothing is held of {symbol.upper()!r}.")
    if why_not := _why_not_now(desk, session):
        return await _confirmation(request, "trade/refused.html", title="Not to be closed", why_not=why_not)
    ticket = _tickets(request).issue(CommandKind.CLOSE, {"symbol": found.symbol, "reason": ""}, session.token)
    quote = await desk.board.quote(found.symbol)
    return await _confirmation(
        request,
        "trade/confirm_other.html",
        title=f"Close the position of {found.symbol}?",
        ticket=ticket.name,
        button=f"Sell all {found.base_asset} of the position",
        lines=order_words.closing(found, quote),
    )


@router.post("/trade/place")
async def place(
    request: Request, desk: DeskOf, session: SessionOf, ticket: Annotated[str, Form(max_length=100)] = ""
) -> Response:
    """Place what was confirmed, once however often it is sent, and follow it."""
    if why_not := _why_not_now(desk, session):
        raise HTTPException(409, f"{sentence(why_not)} Nothing was placed.")

    async def put(kind: CommandKind, payload: dict[str, str]) -> int:
        expires = str(wall_ms() + LIFETIME_SECONDS * 1000)
        return await desk.place(kind, {**payload, "expires_wall_ms": expires}, by=session.name)

    try:
        command_id = await _tickets(request).redeem(
            ticket, session.token, lambda known: put(known.kind, dict(known.payload))
        )
    except TicketError as failure:
        raise HTTPException(409, sentence(str(failure))) from None
    return await followed(request, command_id)


async def _judged(desk: Desk, session: Session, draft: Draft) -> Judged:
    """What is thought of a draft now."""
    why_not = _why_not_now(desk, session)
    return await judge(desk, draft, [why_not] if why_not else [])


def _why_not_now(desk: Desk, session: Session) -> str:
    """Why nothing can be ordered at all; empty when something can."""
    if not session.may_trade:
        return "you are logged in to look only; DASHBOARD_PASSWORD logs in to trade"
    if not desk.is_running():
        return "no trader runs: it would carry the order out"
    return ""


def _why_not_cancelled(order: Order) -> str:
    """As the trader would refuse it; empty when it would not."""
    if order.role.is_protective:
        return "it protects the position and would be put back at once; to leave the position, close it"
    if order.is_terminal:
        return f"it is over already: {str(order.state).lower()}"
    return "" if order.is_on_exchange else "what became of it is not known yet: it is asked about"


async def _is_live(desk: Desk) -> bool:
    runs = await desk.read(queries.runs)
    return bool(runs) and runs[-1].mode == "live"


def _standing(connection: sqlite3.Connection) -> tuple[list[PositionNow], list[Order], list[Command]]:
    epoch = queries.epoch_number(connection)
    orders = [entry.order for entry in queries.unsettled_orders(connection, epoch)]
    latest = [one for one in commands.latest_commands(connection, 50) if one.kind in _OF_ORDERS]
    return positions_now(connection, epoch), orders[::-1], latest[:_COMMANDS_SHOWN]


def _assets(judged: Judged) -> tuple[str, str]:
    """Names of base and quote asset, as far as they are known."""
    rules = judged.market.rules if judged.market else None
    return (rules.base_asset, rules.quote_asset) if rules else ("base asset", "quote asset")


def _shown(judged: Judged) -> dict[str, Any]:
    draft = as_dict(judged.draft)
    told = (judged.preview, judged.market.rules) if judged.preview and judged.market else None
    return {
        "judged": judged,
        "draft": draft,
        "query": urlencode({name: value for name, value in draft.items() if value}),
        "why_not": judged.why_not,
        "fresh_seconds": FRESH_SECONDS,
        "exact": exact,
        "measured": measured,
        "used_pct": decision_words.used_pct,
        "ended": decision_words.ended,
        "words": order_words.in_words(*told) if told else "",
        "rows": order_words.rows(*told) if told else [],
    }


async def _confirmation(request: Request, template: str, *, title: str, **values: Any) -> Response:
    """A confirmation, as a page or as the content of the dialog."""
    is_dialog = "hx-request" in request.headers
    frame = "trade/in_dialog.html" if is_dialog else "trade/alone.html"
    return await render(request, frame, title=title, part=template, is_dialog=is_dialog, **values)


def _tickets(request: Request) -> Tickets:
    state = request.app.state
    if not hasattr(state, "tickets"):
        state.tickets = Tickets()
    tickets: Tickets = state.tickets
    return tickets

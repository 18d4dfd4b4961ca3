"""Signals & risk: the last decision on each symbol and why, the limits, and why so many decisions traded nothing."""

import sqlite3
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, HTTPException, Query, Request
from starlette.responses import HTMLResponse, Response

from binance_trade_agent.dashboard import decision_words
from binance_trade_agent.dashboard.region import PROBLEMS, REGION, DeskOf
from binance_trade_agent.dashboard.rendering import render
from binance_trade_agent.desk.judging import trader_of
from binance_trade_agent.domain.candles import DAY_MS, MINUTE_MS
from binance_trade_agent.domain.decisions import Outcome
from binance_trade_agent.domain.nearest import nearest
from binance_trade_agent.domain.values import replace
from binance_trade_agent.domain.wording import iso_utc
from binance_trade_agent.ledger import alarms, queries
from binance_trade_agent.ledger.errors import LedgerError
from binance_trade_agent.ledger.reader import LedgerReader
from binance_trade_agent.reports import decision_pages
from binance_trade_agent.reports.decision_pages import DecisionPage, Filters, Place
from binance_trade_agent.reports.idle import Idle, idle
from binance_trade_agent.reports.risk_limits import RiskLimits, risk_limits
from binance_trade_agent.reports.why import Explainer, Explanation
from binance_trade_agent.reports.wording import exact, measured, parse_utc, sentence, signed_money, utc_text

router = APIRouter(default_response_class=HTMLResponse, responses=PROBLEMS)

Span = Literal["hour", "day", "week", "all"]
_SPANS_MS: dict[str, int | None] = {"hour": 60 * MINUTE_MS, "day": DAY_MS, "week": 7 * DAY_MS, "all": None}
_REASONS_SHOWN = 12
_MOST_MS = 2**63 - 1

Text = Annotated[str, Query(max_length=60)]


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the lists are asked for, as it stands in the address."""

    symbol: Text = ""
    outcome: Text = ""
    rule: Text = ""
    since: Text = ""
    until: Text = ""

    @property
    def filters(self) -> Filters:
        """The same, understood.

        Raises:
            HTTPException: 422, with a sentence.
        """
        if self.outcome and self.outcome not in Outcome.__members__:
            near = nearest(self.outcome.upper(), list(Outcome))
            hint = f"; did you mean {near}?" if near else "."
            raise HTTPException(422, f"outcome is one of {', '.join(Outcome)}{hint}")
        return Filters(
            symbol=self.symbol or None,
            outcome=Outcome(self.outcome) if self.outcome else None,
            rule=self.rule or None,
            from_ms=_moment("since", self.since),
            before_ms=_moment("until", self.until),
        )


@router.get("/signals")
async def show_signals(
    request: Request,
    desk: DeskOf,
    asked: Annotated[_Asked, Depends()],
    before: Text = "",
    span: Span = "day",
) -> Response:
    """The page."""
    asked = replace(asked, symbol=asked.symbol.strip().upper())
    _ = asked.filters, _place(before)
    try:
        symbols, rules = await desk.read(
            lambda connection: (decision_pages.decided_symbols(connection), decision_pages.refusing_rules(connection))
        )
    except LedgerError:
        symbols, rules = [], []
    return await render(
        request,
        "signals/page.html",
        title="Signals & risk",
        asked=asked,
        before=before,
        span=span,
        spans=tuple(_SPANS_MS),
        symbols=symbols,
        rules=sorted({*rules, *([asked.rule] if asked.rule else [])}),
        outcomes=list(Outcome),
    )


@router.get("/signals/parts/standing", tags=[REGION])
async def show_standing(request: Request, desk: DeskOf, part: Literal["verdict", "limits"] = "verdict") -> Response:
    """Whether entries are allowed now and what stops them; or where every limit stands."""
    trader = trader_of(desk)

    def read(reader: LedgerReader) -> tuple[RiskLimits, list[Any]]:
        return risk_limits(reader, desk.settings, trader), reader.snapshot(alarms.standing)

    try:
        limits, standing = await desk.with_reader(read)
    except ValueError as failure:
        raise HTTPException(404, sentence(str(failure))) from None
    return await render(
        request,
        f"signals/{part}.html",
        limits=limits,
        alarms=standing,
        measured=measured,
        settings_of=desk.settings,
    )


@router.get("/signals/parts/latest", tags=[REGION])
async def show_latest(request: Request, desk: DeskOf) -> Response:
    """The last decision on each symbol of the newest run."""

    def read(connection: sqlite3.Connection) -> list[tuple[str, Explanation | None]]:
        runs = queries.runs(connection)
        return [(symbol, _last(connection, symbol)) for symbol in (runs[-1].symbols if runs else ())]

    found = await desk.read(read)
    return await render(request, "signals/latest.html", found=found, **_WORDS)


@router.get("/signals/parts/history", tags=[REGION])
async def show_history(
    request: Request, desk: DeskOf, asked: Annotated[_Asked, Depends()], before: Text = ""
) -> Response:
    """Decisions, newest first. `before`: where the page before ended."""
    place, filters = _place(before), asked.filters
    page: DecisionPage = await desk.read(lambda connection: decision_pages.decision_page(connection, filters, place))
    older = page.older and f"{page.older.run}.{page.older.tick_ms}.{page.older.symbol}"
    return await render(
        request, "signals/history.html", page=page, asked=asked, older=older, is_newest=place is None, **_WORDS
    )


@router.get("/signals/parts/tally", tags=[REGION])
async def show_tally(request: Request, desk: DeskOf, symbol: Text = "", span: Span = "day") -> Response:
    """How the decisions of a span up to the last tick ended: why has it not traded?"""
    length_ms = _SPANS_MS[span]

    def read(connection: sqlite3.Connection) -> tuple[decision_pages.Tally, int | None, Idle]:
        last_ms = decision_pages.last_tick_ms(connection)
        from_ms = None if last_ms is None or length_ms is None else last_ms - length_ms + 1
        filters = replace(Filters(symbol=symbol or None), from_ms=from_ms)
        return decision_pages.tally(connection, filters), last_ms, idle(connection)

    tally, last_ms, idle_now = await desk.read(read)
    return await render(
        request,
        "signals/tally.html",
        tally=tally,
        last_ms=last_ms,
        idle=idle_now,
        symbol=symbol,
        span=span,
        shown=_REASONS_SHOWN,
        **_WORDS,
    )


@router.get("/signals/parts/decision", tags=[REGION])
async def show_explanation(request: Request, desk: DeskOf, symbol: Text, at: Text = "") -> Response:
    """A decision with everything that led to it and that came of it; the last one without `at`."""
    found = await desk.read(lambda connection: _explained(connection, symbol, at))
    return await render(request, "signals/explanation.html", found=found, **_WORDS)


@router.get("/signals/parts/order", tags=[REGION])
async def show_story(request: Request, desk: DeskOf, name: Text) -> Response:
    """An order from its intent to its end, and the decision that led to it."""
    found = await desk.read(lambda connection: _of_order(connection, name))
    return await render(request, "signals/order_story.html", found=found, **_WORDS)


@router.get("/signals/{symbol}")
async def show_decision(request: Request, desk: DeskOf, symbol: str, at: Text = "") -> Response:
    """The page of a decision: of the last one, or of the latest tick up to `at` (UTC)."""
    found = await desk.read(lambda connection: _explained(connection, symbol.upper(), at))
    decision = found.decision
    ends: tuple[int | None, int | None] = (None, None)
    if decision is not None:
        ends = await desk.read(lambda connection: _neighbours(connection, decision.run_id, decision.tick_ms, symbol))
    return await render(
        request,
        "signals/decision.html",
        title=f"{found.symbol}: decision",
        found=found,
        at=at,
        earlier=ends[0],
        later=ends[1],
        **_WORDS,
    )


@router.get("/orders/{client_order_id}")
async def show_order(request: Request, desk: DeskOf, client_order_id: str) -> Response:
    """The page of an order."""
    found = await desk.read(lambda connection: _of_order(connection, client_order_id))
    return await render(request, "signals/order.html", title=f"Order on {found.symbol}", found=found, **_WORDS)


def _last(connection: sqlite3.Connection, symbol: str) -> Explanation | None:
    try:
        return Explainer(connection, "", symbol).last()
    except ValueError:
        return None


def _explained(connection: sqlite3.Connection, symbol: str, at: str) -> Explanation:
    try:
        explainer = Explainer(connection, "", symbol)
        return explainer.at(at) if at else explainer.last()
    except ValueError as failure:
        raise HTTPException(404, sentence(str(failure))) from None


def _of_order(connection: sqlite3.Connection, name: str) -> Explanation:
    entry = queries.order_entry(connection, name)
    if entry is None:
        raise HTTPException(404, f"The ledger has no order {name!r}.")
    return Explainer(connection, "", entry.order.symbol).order(name)


def _neighbours(
    connection: sqlite3.Connection, run_id: str, tick_ms: int, symbol: str
) -> tuple[int | None, int | None]:
    """The ticks before and after it, in its run."""
    before = queries.decision_at(connection, run_id, symbol.upper(), tick_ms - 1)
    return before.tick_ms if before else None, queries.next_tick_ms(connection, run_id, symbol.upper(), tick_ms)


def _moment(name: str, text: str) -> int | None:
    if not text.strip():
        return None
    try:
        return parse_utc(text)
    except ValueError as failure:
        raise HTTPException(422, decision_words.ended(f"{name}: {failure}")) from None


def _place(text: str) -> Place | None:
    if not text:
        return None
    run, _, rest = text.partition(".")
    tick, _, symbol = rest.partition(".")
    try:
        place = Place(int(run), int(tick), symbol)
    except ValueError:
        place = None
    if place is None or max(abs(place.run), abs(place.tick_ms)) > _MOST_MS:
        raise HTTPException(422, f"before is {text!r}: it is no place in the list; begin at its newest end.")
    return place


_WORDS: dict[str, Any] = {
    "outcome_badge": decision_words.outcome_badge,
    "outcome_meaning": decision_words.outcome_meaning,
    "state_badge": decision_words.state_badge,
    "headline": decision_words.headline,
    "short_reason": decision_words.short_reason,
    "used_pct": decision_words.used_pct,
    "order_words": decision_words.order_words,
    "measured": measured,
    "exact": exact,
    "signed_money": signed_money,
    "iso": iso_utc,
    "utc_text": utc_text,
}

"""The bar on every page: mode, what the trader does, its last tick, equity, and the way to the emergency stop."""

import sqlite3
from dataclasses import dataclass
from decimal import Decimal

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, Response

from binance_trade_agent.dashboard.region import PROBLEMS, REGION, DeskOf
from binance_trade_agent.dashboard.rendering import render
from binance_trade_agent.desk.desk import Desk
from binance_trade_agent.ledger import alarms, equity, queries, switches
from binance_trade_agent.ledger.equity import Series
from binance_trade_agent.ledger.errors import LedgerError
from binance_trade_agent.ops.health import is_overdue
from binance_trade_agent.ops.heartbeat import Heartbeat
from binance_trade_agent.reports.equity_curve import quote_assets
from binance_trade_agent.reports.idle import idle

_COUNTED_DECISIONS = 300  # enough for a few words, in some ms after each commit

router = APIRouter(default_response_class=HTMLResponse, responses=PROBLEMS)


@dataclass(frozen=True, slots=True)
class Bar:
    """What the bar says.

    Attributes:
        mode: of the newest run; of the settings where there was none yet.
        state: one word: running, starting, paused, stopped, late, failed, `not running`, `emergency stop`.
        why: a sentence on the state, empty where there is nothing to say.
        equity_quote: the quote asset and the bot's positions by the last tick; None before the first one.
        alarms: how many stand.
        idle: why nothing is traded, in a few words; empty while no trader runs, or where there is nothing to speak of.
    """

    mode: str
    state: str
    why: str
    beat: Heartbeat | None
    equity_quote: Decimal | None
    quote_asset: str
    alarms: int
    idle: str

    @property
    def is_live(self) -> bool:
        """Whether real money is at stake."""
        return self.mode == "live"


@dataclass(frozen=True, slots=True)
class _Books:
    mode: str | None = None
    is_killed: bool = False
    pause: str | None = None
    equity_quote: Decimal | None = None
    quote_asset: str = ""
    alarms: int = 0
    idle: str = ""


@router.get("/bar", tags=[REGION])
async def show_bar(request: Request, desk: DeskOf) -> Response:
    """The bar's changing part."""
    return await render(request, "parts/bar.html", bar=await bar_of(desk))


async def bar_of(desk: Desk) -> Bar:
    """What the bar says now; without a ledger only what is known without one."""
    try:
        books = await desk.read_unless_same(_books)
    except LedgerError:
        books = _Books()
    beat = desk.heartbeat()
    state, why = _state(desk, beat, books)
    mode = books.mode or desk.settings.mode
    idle_now = books.idle if desk.is_running() else ""
    return Bar(mode, state, why, beat, books.equity_quote, books.quote_asset, books.alarms, idle_now)


def _books(connection: sqlite3.Connection) -> _Books:
    row = connection.execute("SELECT mode FROM runs ORDER BY number DESC LIMIT 1").fetchone()
    epoch = queries.epoch_number(connection)
    assets = quote_assets(connection, epoch)
    mark = equity.latest(connection, Series(epoch, assets[0])) if assets else None
    return _Books(
        mode=row["mode"] if row else None,
        is_killed=switches.killed(connection),
        pause=switches.pause_scope(connection),
        equity_quote=mark.adjusted_quote + mark.external_quote if mark else None,
        quote_asset=assets[0] if assets else "",
        alarms=len(alarms.standing(connection)),
        idle=idle(connection, most=_COUNTED_DECISIONS).brief,
    )


def _state(desk: Desk, beat: Heartbeat | None, books: _Books) -> tuple[str, str]:
    """What the trader does, in a word, and why; what is worst comes first."""
    if books.is_killed:
        return "emergency stop", f"nothing is entered until it is released{_that_none_works(desk, beat)}"
    if beat is None:
        return "not running", "no trader has ever run on this ledger"
    if not desk.is_running():
        if beat.state in {"failed", "stopped"}:
            return beat.state, beat.detail
        return "not running", "the trader has gone without a word; it goes on from its ledger when it is started again"
    if beat.state == "starting":
        return "starting", beat.detail
    return _at_work(beat, books)


def _that_none_works(desk: Desk, beat: Heartbeat | None) -> str:
    if beat is None or not desk.is_running():
        return "; no trader runs"
    return "; the trader is late" if is_overdue(beat) else ""


def _at_work(beat: Heartbeat, books: _Books) -> tuple[str, str]:
    if is_overdue(beat):
        return "late", "the trading loop has given no sign of life when it meant to"
    if books.pause is not None:
        what = "everything but the protection of positions" if books.pause == "everything" else "entries"
        return "paused", f"{what} until resume"
    return "running", beat.detail

"""Market data: candles with what the strategy sees and what the bot did, live price, order book, 24 h figures."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from binance_trade_agent.cache.market_board import IndicatorsSeen
from binance_trade_agent.dashboard.market.books import SymbolBooks, Traded, by_settings, symbol_books, traded
from binance_trade_agent.dashboard.market.chart import MOST_BARS, TAIL_BARS, chart
from binance_trade_agent.dashboard.market.depth import HEIGHT, WIDTH, depth_view
from binance_trade_agent.dashboard.region import PROBLEMS, REGION, DeskOf
from binance_trade_agent.dashboard.rendering import render
from binance_trade_agent.desk.desk import Desk
from binance_trade_agent.domain.candles import INTERVAL_MS
from binance_trade_agent.domain.positions import Position
from binance_trade_agent.ledger.errors import LedgerError

router = APIRouter(default_response_class=HTMLResponse, responses=PROBLEMS)

FILLS_LISTED = 8
_QUICK_INTERVALS = ("1m", "5m", "15m", "1h", "4h", "1d")
_PLACES = {
    "simulated": "the simulated exchange",
    "paper": "the simulated exchange, which relays Binance's prices",
    "testnet": "Binance's testnet",
    "live": "Binance",
}

Symbol = Annotated[
    str,
    Query(max_length=20, pattern=r"^[^\W_]+$", description="letters and digits, such as BTCUSDT", examples=["BTCUSDT"]),
]
Interval = Literal["1s", "1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d", "3d", "1w"]


@dataclass(frozen=True, slots=True)
class _Books:
    """What the ledger says; `trouble` is why it says nothing."""

    traded: Traded
    symbol: SymbolBooks
    trouble: str = ""


@router.get("/market")
async def show_market(
    request: Request, desk: DeskOf, symbol: Symbol | None = None, interval: Interval | None = None
) -> Response:
    """The page; without a symbol or an interval, those that are traded."""
    books = await _books(desk, symbol or "")
    chosen = symbol.upper() if symbol else books.traded.symbols[0]
    candles_of = interval or books.traded.interval
    await desk.looking.at(chosen, candles_of)
    return await render(
        request,
        "market/page.html",
        title="Market data",
        symbol=chosen,
        interval=candles_of,
        symbols=books.traded.symbols,
        intervals=tuple(INTERVAL_MS),
        quick_intervals=_QUICK_INTERVALS,
    )


@router.get("/market/figures", tags=[REGION])
async def show_figures(request: Request, desk: DeskOf, symbol: Symbol, interval: Interval) -> Response:
    """Live price, spread and the figures of 24 hours, each with its age."""
    symbol = symbol.upper()
    await desk.looking.at(symbol, interval)
    books = await _books(desk, symbol)
    return await render(
        request,
        "market/figures.html",
        symbol=symbol,
        quote=await desk.board.quote(symbol),
        day=await desk.board.day(symbol),
        short=_short,
        rules=await desk.board.rules(symbol),
        books=books.symbol,
        place=_PLACES.get(books.traded.mode, "the exchange"),
        is_running=desk.is_running(),
        is_traded=symbol in books.traded.symbols,
        trouble=books.trouble,
    )


@router.get("/market/book", tags=[REGION])
async def show_book(request: Request, desk: DeskOf, symbol: Symbol) -> Response:
    """The order book."""
    symbol = symbol.upper()
    book = await desk.board.book(symbol)
    return await render(
        request,
        "market/book.html",
        symbol=symbol,
        book=book,
        depth=depth_view(book) if book else None,
        rules=await desk.board.rules(symbol),
        size=(WIDTH, HEIGHT),
        is_running=desk.is_running(),
    )


@router.get("/market/position", tags=[REGION])
async def show_position(request: Request, desk: DeskOf, symbol: Symbol) -> Response:
    """The position with what protects it, the open orders, and the latest fills."""
    symbol = symbol.upper()
    books = await _books(desk, symbol)
    quote, rules = await desk.board.quote(symbol), await desk.board.rules(symbol)
    return await render(
        request,
        "market/position.html",
        symbol=symbol,
        books=books.symbol,
        fills=list(reversed(books.symbol.fills[-FILLS_LISTED:])),
        quote=quote,
        rules=rules,
        is_dust=bool(rules and quote and rules.is_dust(books.symbol.position.quantity, quote.bid)),
        trouble=books.trouble,
    )


@router.get("/market/chart", tags=[REGION], response_class=JSONResponse)
async def chart_data(desk: DeskOf, symbol: Symbol, interval: Interval) -> JSONResponse:
    """Everything that the chart draws: bars, lines, marks and levels; numbers are floats, times seconds UTC."""
    return JSONResponse(await _chart(desk, symbol.upper(), interval, MOST_BARS))


@router.get("/market/chart/tail", tags=[REGION], response_class=JSONResponse)
async def chart_tail(desk: DeskOf, symbol: Symbol, interval: Interval) -> JSONResponse:
    """The same with the newest candles only."""
    return JSONResponse(await _chart(desk, symbol.upper(), interval, TAIL_BARS))


async def _chart(desk: Desk, symbol: str, interval: str, bars: int) -> dict[str, Any]:
    await desk.looking.at(symbol, interval)
    books = await _books(desk, symbol)
    candles, rules = await desk.board.candles(symbol, interval), await desk.board.rules(symbol)
    indicators = await desk.board.indicators(symbol, interval)
    drawn = chart(candles, indicators, books.symbol, rules, bars=bars)
    return {**drawn, "note": _note(symbol, interval, books.traded, indicators), "trouble": _trouble(desk, drawn)}


def _note(symbol: str, interval: str, known: Traded, indicators: IndicatorsSeen | None) -> str:
    """What a person should know of the lines."""
    if symbol not in known.symbols:
        return f"{symbol} is not traded, so no strategy looks at it."
    if indicators is None:
        return ""
    if indicators.trouble:
        return f"No indicators: {indicators.trouble}."
    name = indicators.strategy
    if interval != known.interval:
        return f"{name} decides on {known.interval} candles; here its indicators are over {interval} ones."
    return f"{name} decides on these candles, once they are closed."


def _short(value: Decimal) -> str:
    """A large amount in a few digits: `1,959.5 M`. The exact one stands beside it."""
    return (
        f"{value / 1_000_000:,.1f} M" if value >= 1_000_000 else f"{value:,.0f}" if value >= 1_000 else f"{value:.4g}"
    )


def _trouble(desk: Desk, drawn: dict[str, Any]) -> str:
    """Why there is nothing to draw."""
    if drawn["times"]:
        return ""
    if not desk.is_running():
        return "No trader runs, so nobody reads candles from the exchange."
    return "Waiting for the trader to read the candles from the exchange. It does so within some seconds."


async def _books(desk: Desk, symbol: str) -> _Books:
    """What the ledger says; the market is shown without it too."""
    try:
        return await desk.read(
            lambda connection: _Books(traded(connection, desk.settings), symbol_books(connection, symbol))
        )
    except LedgerError as failure:
        return _Books(by_settings(desk.settings), SymbolBooks(Position(symbol)), str(failure))

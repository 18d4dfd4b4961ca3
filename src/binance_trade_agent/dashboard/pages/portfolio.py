"""Portfolio: what the account is worth and was, what is held and protects it, what was traded and what it brought."""

import sqlite3
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, HTTPException, Query, Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse

from binance_trade_agent.dashboard import words
from binance_trade_agent.dashboard.decision_words import headline
from binance_trade_agent.dashboard.portfolio import books
from binance_trade_agent.dashboard.portfolio.asked import UNKNOWN_STRATEGY, PageAsked, Span, TradesAsked
from binance_trade_agent.dashboard.portfolio.drawing import SPANS, TAIL_POINTS, drawing
from binance_trade_agent.dashboard.portfolio.figures import rows, utc_day
from binance_trade_agent.dashboard.region import PROBLEMS, REGION, DeskOf
from binance_trade_agent.dashboard.rendering import render
from binance_trade_agent.desk.desk import Desk
from binance_trade_agent.desk.memory import Memory
from binance_trade_agent.ledger.equity import Series
from binance_trade_agent.ledger.errors import LedgerError
from binance_trade_agent.ledger.reader import LedgerReader
from binance_trade_agent.ledger.records import Epoch
from binance_trade_agent.reports.equity_curve import SHARPE_DAYS, quote_assets, run_spans
from binance_trade_agent.reports.order_strategies import BY_HAND
from binance_trade_agent.reports.tally import TallyView
from binance_trade_agent.reports.trade_pages import csv_chunks, trade_page

router = APIRouter(default_response_class=HTMLResponse, responses=PROBLEMS)

TRADES_SHOWN = 20
DAYS_SHOWN = 14
_MOST_LOOKS = 3  # symbols whose prices the trader reads each second for a reader (agents/market_publisher.py)

EpochNumber = Annotated[int | None, Query(ge=1, le=2**31, description="the latest one where it is left out")]


def _memory(request: Request) -> Memory:
    memory: Memory = request.app.state.portfolio
    return memory


MemoryOf = Annotated[Memory, Depends(_memory)]


@router.get("/portfolio")
async def show_portfolio(
    request: Request,
    desk: DeskOf,
    asked: Annotated[PageAsked, Query()],
) -> Response:
    """The page."""
    try:
        known, epoch = await desk.read(lambda connection: books.epochs_of(connection, asked.epoch))
    except ValueError as failure:
        raise HTTPException(404, str(failure)) from None
    except LedgerError as failure:
        return await render(request, "portfolio/nothing.html", title="Portfolio", why=str(failure))
    asked.filters()  # what is not allowed is refused with the page, not in a part of it
    asked.place()
    return await render(
        request,
        "portfolio/page.html",
        title="Portfolio",
        epochs=known,
        epoch=epoch,
        asked=asked,
        spans=tuple(SPANS),
    )


@router.get("/portfolio/summary", tags=[REGION])
async def show_summary(request: Request, desk: DeskOf, memory: MemoryOf, epoch: EpochNumber = None) -> Response:
    """The cards: equity and its changes, profit, drawdown, Sharpe ratio, win rate, fees."""
    chosen = await _epoch(desk, epoch)
    found = await _account(desk, chosen)
    tally = await memory.tally(chosen.epoch) if chosen else None
    figures, is_read = None, True
    if found.series is not None:
        curve, _, is_read = await memory.curve(found.series)
        figures = curve.figures()
    return await render(
        request,
        "portfolio/summary.html",
        account=found,
        worth=found.worth,
        figures=figures,
        is_read=is_read,
        tally=tally,
        totals=_of_asset(tally, found.quote_asset),
        beat=desk.heartbeat(),
        is_running=desk.is_running(),
        sharpe_days=SHARPE_DAYS,
    )


@router.get("/portfolio/positions", tags=[REGION])
async def show_positions(request: Request, desk: DeskOf, epoch: EpochNumber = None) -> Response:
    """What is held, its worth, and what stands on the exchange to sell it."""
    chosen = await _epoch(desk, epoch)
    found = await _account(desk, chosen)
    if found.is_current:
        for position in found.held[:_MOST_LOOKS]:
            await desk.looking.at(position.symbol)
    market = await books.market_of(desk.board, [position.symbol for position in found.held])
    return await render(
        request,
        "portfolio/positions.html",
        account=found,
        positions=[position for position in found.held if not position.is_dust],
        dust=[position for position in found.held if position.is_dust],
        rules=market.rules,
        is_running=desk.is_running(),
    )


@router.get("/portfolio/trades", tags=[REGION])
async def show_trades(
    request: Request, desk: DeskOf, memory: MemoryOf, asked: Annotated[TradesAsked, Query()]
) -> Response:
    """Trades with the newest first: orders of ours with their fills, filtered, a page at a time."""
    chosen = await _epoch(desk, asked.epoch)
    tally = await memory.tally(chosen.epoch) if chosen else None
    filters = asked.filters(_days_of(tally, asked))
    before = asked.place()
    page, symbols, named, decisions = await desk.read(
        lambda connection: (
            trade_page(connection, chosen.epoch, filters, before, limit=TRADES_SHOWN) if chosen else None,
            books.traded_symbols(connection, chosen.epoch) if chosen else [],
            books.strategies(connection, chosen.epoch) if chosen else [],
            books.last_decisions(connection) if tally is None or not tally.total else [],
        )
    )
    rules = (await books.market_of(desk.board, sorted({row.trade.symbol for row in page.rows}))).rules if page else {}
    return await render(
        request,
        "portfolio/trades.html",
        page=page,
        asked=asked,
        tally=tally,
        symbols=symbols,
        strategies=_strategy_choices(tally, named),
        decisions=[(decision, headline(decision)) for decision in decisions],
        rules=rules,
        older=asked.address(before=str(page.older)) if page and page.older else "",
        newest=asked.address(before=""),
        csv=asked.address("/portfolio/trades.csv", before=""),
        is_running=desk.is_running(),
    )


@router.get("/portfolio/trades.csv", response_class=StreamingResponse)
async def trades_csv(desk: DeskOf, asked: Annotated[TradesAsked, Query()]) -> Response:
    """All trades that match, as CSV."""
    filters = asked.filters()
    chosen = await _epoch(desk, asked.epoch)
    number = chosen.epoch if chosen else 0
    reader = await desk.in_thread(lambda: LedgerReader.open(desk.ledger_path))

    def chunks() -> Any:
        with reader:
            yield from csv_chunks(reader, number, filters)

    name = f"trades-epoch-{number}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(chunks(), media_type="text/csv; charset=utf-8", headers=headers)


@router.get("/portfolio/performance", tags=[REGION])
async def show_performance(
    request: Request,
    desk: DeskOf,
    memory: MemoryOf,
    epoch: EpochNumber = None,
    days_before: Annotated[int | None, Query(ge=0, le=10**6)] = None,
) -> Response:
    """What the trades brought by day, by symbol and by strategy."""
    chosen = await _epoch(desk, epoch)
    tally = await memory.tally(chosen.epoch) if chosen else None
    days = [group for group in tally.by_day if days_before is None or group.name < days_before] if tally else []
    shown = days[:DAYS_SHOWN]
    older = {"epoch": epoch, "days_before": shown[-1].name} if len(days) > DAYS_SHOWN else None
    return await render(
        request,
        "portfolio/performance.html",
        tally=tally,
        by_day=rows(shown, utc_day),
        by_symbol=rows(tally.by_symbol) if tally else [],
        by_strategy=rows(tally.by_strategy) if tally else [],
        in_all=tally.in_all if tally else [],
        older=f"/portfolio?{urlencode({k: v for k, v in older.items() if v is not None})}#performance" if older else "",
        is_newest=days_before is None,
    )


@router.get("/portfolio/chart", tags=[REGION], response_class=JSONResponse)
async def chart_data(
    desk: DeskOf, memory: MemoryOf, span: Span = "all", epoch: EpochNumber = None, *, every_epoch: bool = False
) -> JSONResponse:
    """What the chart draws: equity less what came from outside, its drawdown, and where epochs and runs begin."""
    return JSONResponse(await _drawn(desk, memory, span, epoch, every_epoch=every_epoch))


@router.get("/portfolio/chart/tail", tags=[REGION], response_class=JSONResponse)
async def chart_tail(
    desk: DeskOf, memory: MemoryOf, span: Span = "all", epoch: EpochNumber = None, *, every_epoch: bool = False
) -> JSONResponse:
    """The same with the newest points only."""
    return JSONResponse(await _drawn(desk, memory, span, epoch, every_epoch=every_epoch, tail=TAIL_POINTS))


async def _drawn(
    desk: Desk, memory: Memory, span: str, number: int | None, *, every_epoch: bool, tail: int | None = None
) -> dict[str, Any]:
    chosen = await _epoch(desk, number)
    found = await desk.read(lambda connection: _series(connection, chosen, every_epoch=every_epoch))
    asset = found[-1][1].quote_asset if found else ""
    parts, is_read = [], True
    for epoch, series, runs in found:
        curve, hold, is_whole = await memory.curve(series)
        parts.append((epoch, curve, hold, runs))
        is_read = is_read and is_whole
    drawn = await memory.in_thread(lambda: drawing(parts, span=span, digits=words.decimals(asset), tail=tail))
    trouble = "" if drawn["epochs"] else _why_no_curve(chosen, is_running=desk.is_running())
    return {**drawn, "asset": asset, "is_read": is_read, "trouble": trouble}


def _series(connection: sqlite3.Connection, chosen: Epoch | None, *, every_epoch: bool) -> list[Any]:
    """Epochs in order with the series of their curves, all in the quote asset of the chosen one, and their runs."""
    if chosen is None or not (assets := quote_assets(connection, chosen.epoch)):
        return []
    known, _ = books.epochs_of(connection, None)
    wanted = [epoch for epoch in reversed(known) if every_epoch or epoch.epoch == chosen.epoch]
    return [
        (epoch, Series(epoch.epoch, assets[0]), run_spans(connection, epoch.epoch))
        for epoch in wanted[-_MOST_EPOCHS_DRAWN:]
        if assets[0] in quote_assets(connection, epoch.epoch)
    ]


_MOST_EPOCHS_DRAWN = 4  # as many curves are kept in memory


def _why_no_curve(epoch: Epoch | None, *, is_running: bool) -> str:
    if epoch is not None and epoch.closed_ms is not None:
        return "No tick of this epoch has left a worth of the account."
    if is_running:
        return "The curve begins with the first tick that values the account."
    return "No tick has valued the account yet, and no trader runs."


async def _epoch(desk: Desk, number: int | None) -> Epoch | None:
    try:
        return (await desk.read(lambda connection: books.epochs_of(connection, number)))[1]
    except ValueError as failure:
        raise HTTPException(404, str(failure)) from None


async def _account(desk: Desk, epoch: Epoch | None) -> books.Account:
    number = epoch.epoch if epoch else 0
    symbols = await desk.read(lambda connection: books.held_symbols(connection, number))
    market = await books.market_of(desk.board, symbols)
    return await desk.read(lambda connection: books.account(connection, epoch, market))


def _of_asset(tally: TallyView | None, quote_asset: str) -> Any:
    """What the trades in the curve's quote asset add up to, None without any."""
    groups = tally.in_all if tally else []
    return next((group.sums for group in groups if group.name == quote_asset), None)


def _days_of(tally: TallyView | None, asked: TradesAsked) -> frozenset[int] | None:
    """The days on which there are trades of the strategy that is asked for, once all are counted."""
    strategy = asked.strategy_name()
    return tally.days_of(strategy) if tally and tally.is_whole and strategy is not None else None


def _strategy_choices(tally: TallyView | None, named: list[str]) -> list[tuple[str, str]]:
    """Values and words of the strategies that trades can be owed to."""
    counted = {group.name for group in tally.by_strategy} if tally else set()
    names = sorted((counted | set(named)) - {"", BY_HAND})
    choices = [(name, name) for name in names]
    if BY_HAND in counted:
        choices.append((BY_HAND, BY_HAND))
    if "" in counted:
        choices.append((UNKNOWN_STRATEGY, UNKNOWN_STRATEGY))
    return choices

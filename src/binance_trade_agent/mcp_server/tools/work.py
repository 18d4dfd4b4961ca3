"""Longer work: a process of its own behind the trader, with its progress; it ends when the client gives up."""

import csv
import io
import json
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field
from starlette.requests import Request

from binance_trade_agent.cache.market_board import CandlesSeen
from binance_trade_agent.desk.jobs.backtest import backtest, missing_candles
from binance_trade_agent.desk.jobs.candle_names import candle_names
from binance_trade_agent.desk.jobs.job import Job, Work
from binance_trade_agent.desk.jobs.runner import BusyError
from binance_trade_agent.domain.money import plain
from binance_trade_agent.mcp_server.fields import (
    Interval,
    Moment,
    Number,
    Parameters,
    Symbol,
    at_utc,
    moment_ms,
    parameter_list,
    refuse_symbol,
)
from binance_trade_agent.mcp_server.offering import Call, ToolError, reads, shared
from binance_trade_agent.mcp_server.trading.client import requested_by
from binance_trade_agent.ops.clock import sleep_seconds
from binance_trade_agent.ops.tasks import spawn

_LOOK_SECONDS = 0.2
_BACKTEST_SECONDS = 900.0
_COMPARE_SECONDS = 120.0

Percent = Annotated[Decimal, Field(ge=0, le=10, max_digits=12, description="percent")]


class Opinion(BaseModel):
    """What one strategy says."""

    name: str
    action: str | None = Field(description="BUY, SELL or HOLD; null where it failed")
    confidence: float | None = Field(description="0 to 1; 0 for HOLD")
    reason: str | None
    failed: str | None = Field(description="why it says nothing")


class StrategyPair(BaseModel):
    """Two strategies over the same candles."""

    first: str
    second: str
    candles: int
    same_fraction: float = Field(description="0 to 1: on so much of them they said the same")


class StrategyComparison(BaseModel):
    """What every strategy says on the newest closed candle."""

    symbol: str
    interval: str
    candle_open_utc: str
    close: Number = Field(description="of that candle, quote asset per unit of base asset")
    strategies: list[Opinion]
    buy: int = Field(description="how many say so")
    sell: int
    hold: int
    mean_vote: float | None = Field(description="mean of direction (1, -1, 0) times confidence")
    pairs: list[StrategyPair]
    not_asked: str | None = Field(description="what the bot asks for beyond this before it buys; null for nothing")


class BacktestResult(BaseModel):
    """What would have come of it. What a backtest earned, no market has to pay again."""

    strategy: str
    symbols: list[str]
    interval: str
    start_utc: str
    end_utc: str
    quote_asset: str
    confirm_interval: str | None = Field(
        description="TRADING_CONFIRM_INTERVAL: purchases were made only where these larger candles said BUY too"
    )
    opening_quote: Number
    final_quote: Number
    fees_quote: Number | None
    return_pct: float | None
    buy_and_hold_return_pct: float | None
    sharpe: float | None = Field(description="of daily returns, a year of 365 days")
    drawdown_pct: float | None = Field(description="the deepest fall")
    round_trips: int = Field(description="positions that were left")
    win_rate_pct: float | None
    profit_factor: float | None = Field(description="what winners won by what losers lost; null without losers")


async def compare_strategies(
    call: Call,
    symbol: Annotated[Symbol | None, Field(description="the first that is traded without one")] = None,
    interval: Annotated[Interval | None, Field(description="TRADING_CANDLE_INTERVAL without one")] = None,
) -> StrategyComparison:
    """What every strategy says on the newest closed candle that the trader has read, why, and how far they agree.

    The one that STRATEGY_NAME chooses is asked with STRATEGY_PARAMS, the others with their defaults. Confirmation by
    larger candles (TRADING_CONFIRM_INTERVAL) is not asked for; `not_asked` says so. It takes some seconds.
    """
    desk = shared(call).desk
    name = symbol or desk.settings.trading_symbols[0]
    length = interval or desk.settings.trading_candle_interval
    await desk.looking.at(name, length)
    seen = await desk.board.candles(name, length)
    rows = _closed(seen) if seen else []
    if not rows:
        raise await refuse_symbol(desk, name, f"The trader has told nothing of {length} candles of {name} yet")

    def arguments(folder: Path) -> Sequence[str]:
        path = folder / f"{name}-{length}.csv"
        path.write_text(_table(rows), encoding="utf-8")
        return ["strategies", "compare", f"--data={path}", "--json"]

    work = Work(
        kind="comparison",
        lane="comparison",
        arguments=arguments,
        about={"symbol": name},
        digest=_printed,
        limit_seconds=_COMPARE_SECONDS,
        keep=1,
    )
    return _comparison((await _finished(call, work)).result, desk.settings.trading_confirm_interval)


async def run_backtest(
    call: Call,
    strategy: Annotated[str, Field(max_length=100, description="a name of list_strategies")],
    symbols: Annotated[list[Symbol], Field(min_length=1, max_length=20)],
    interval: Interval,
    parameters: Parameters | None = None,
    start: Annotated[Moment | None, Field(description="the first day or moment; of all candles without one")] = None,
    end: Annotated[Moment | None, Field(description="where it ends, itself not included")] = None,
    cash_quote: Annotated[
        Decimal, Field(gt=0, le=10**12, max_digits=24, description="quote asset at the beginning")
    ] = Decimal(10_000),
    fee_pct: Percent = Decimal("0.1"),
    spread_pct: Percent = Decimal("0.02"),
    slippage: Literal["none", "sqrt", "book"] = "sqrt",
) -> BacktestResult:
    """Trade recorded candles (HISTORY_PATH) with the agents that trade live, by the limits of the settings.

    It takes from a second to 15 minutes at most, tells its progress in percent, and ends when the call is cancelled or
    its client goes. One runs at a time. No order is placed.
    """
    desk = shared(call).desk
    names = await desk.in_thread(lambda: candle_names(desk.settings.history_path))
    if why_not := missing_candles(names, symbols, interval):
        raise ToolError(why_not)
    from_ms, to_ms = moment_ms("start", start), moment_ms("end", end)
    if from_ms is not None and to_ms is not None and from_ms >= to_ms:
        raise ToolError("The period is empty: its start is not before its end.")
    asked = {
        "strategy": strategy,
        "params": parameter_list(parameters),
        "symbol": ",".join(dict.fromkeys(symbols)),
        "interval": interval,
        "data": str(names.folder),
        "start": start,
        "end": end,
        "cash": plain(cash_quote),
        "fee": plain(fee_pct),
        "spread": plain(spread_pct),
        "slippage": slippage,
    }
    if any("\x00" in text for text in asked.values() if text):
        raise ToolError("A text holds a character that no strategy has in its name.")
    done = await _finished(call, backtest(asked, _BACKTEST_SECONDS))
    return _result(done.result, desk.settings.trading_confirm_interval)


def not_asked(confirm_interval: str) -> str:
    """What the bot asks for beyond what is compared, a sentence."""
    return (
        f"TRADING_CONFIRM_INTERVAL is {confirm_interval}: the bot buys only where {confirm_interval} candles say BUY "
        "too, which is no part of this comparison."
    )


async def _finished(call: Call, work: Work) -> Job:
    """The job of some work when it has a result.

    Raises:
        ToolError: another one runs, or it has come to no result.
    """
    jobs = shared(call).jobs
    try:
        job = await jobs.start(work, requested_by(call))
    except BusyError as busy:
        raise ToolError(str(busy)) from None
    except OSError as failure:
        raise ToolError(f"The {work.kind} cannot be started: {failure.strerror or failure}.") from None
    said = -1
    try:
        while job.is_running and not await _has_gone(call):
            percent = jobs.progress_pct(job) or 0
            if percent > said:  # progress must grow with each message (MCP, Progress)
                said = percent
                await call.report_progress(percent, 100, f"{work.kind} {percent} %")
            await sleep_seconds(_LOOK_SECONDS)
    finally:
        if job.is_running:  # the client has gone, or has cancelled the call
            spawn(jobs.cancel(job), name="cancel-job")
    if job.is_running:
        raise ToolError(f"The client has gone, so the {work.kind} was ended.")
    if not job.is_done:
        raise ToolError(f"The {work.kind} has no result: {job.sentence.rstrip('.')}.")
    return job


async def _has_gone(call: Call) -> bool:
    """Whether the client of a request over HTTP has closed its connection: its answer would reach nobody.

    Protocol versions before 2026-07-28 let a request go on then, so that its client may come back for the rest of the
    stream; this server keeps no streams. Later ones cancel the call by themselves, and standard input just ends.
    """
    request = call.request_context.request
    return isinstance(request, Request) and await request.is_disconnected()


def _closed(seen: CandlesSeen) -> list[tuple[str, ...]]:
    """Those that have closed, in rows of a candle file."""
    return [
        (str(each.open_time_ms), *map(plain, (each.open, each.high, each.low, each.close, each.volume)))
        for each in seen.candles
        if each.close_time_ms < seen.read_ms
    ]


def _table(rows: Sequence[tuple[str, ...]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([("time", "open", "high", "low", "close", "volume"), *rows])
    return text.getvalue()


def _printed(folder: Path) -> dict[str, Any]:
    made: dict[str, Any] = json.loads((folder / "out").read_bytes())
    return made


def _comparison(found: dict[str, Any], confirm_interval: str | None) -> StrategyComparison:
    said = found["consensus"]
    return StrategyComparison(
        symbol=found["symbol"],
        interval=found["interval"],
        candle_open_utc=at_utc(found["candle_open_ms"]),
        close=found["close"],
        strategies=found["strategies"],
        buy=said["BUY"],
        sell=said["SELL"],
        hold=said["HOLD"],
        mean_vote=said["mean_vote"],
        pairs=found["agreement"]["pairs"],
        not_asked=not_asked(confirm_interval) if confirm_interval else None,
    )


def _result(found: dict[str, Any], confirm_interval: str | None) -> BacktestResult:
    setup, figures, trades, hold = found["setup"], found["figures"], found["trades"], found["hold"]
    fall = figures["drawdown"]
    return BacktestResult(
        strategy=setup["strategy"],
        symbols=setup["symbols"],
        interval=setup["interval"],
        start_utc=at_utc(setup["start_ms"]),
        end_utc=at_utc(setup["end_ms"]),
        quote_asset=setup["quote_asset"],
        confirm_interval=confirm_interval,
        opening_quote=setup["opening_quote"],
        final_quote=found["final_quote"],
        fees_quote=found["fees_quote"],
        return_pct=figures["return_pct"],
        buy_and_hold_return_pct=hold["figures"]["return_pct"] if hold else None,
        sharpe=figures["sharpe"],
        drawdown_pct=fall["pct"] if fall else None,
        round_trips=trades["trades"],
        win_rate_pct=trades["win_rate_pct"],
        profit_factor=trades["profit_factor"],
    )


TOOLS = (reads(compare_strategies, "All strategies now"), reads(run_backtest, "Backtest"))

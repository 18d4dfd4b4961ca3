"""Longer work: a process of its own behind the trader, with its progress; it ends when the client gives up."""

import csv
import io
import json
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from binance_trade_agent.cache.market_board import CandlesSeen
from binance_trade_agent.desk.jobs.backtest import backtest, missing_candles
from binance_trade_agent.desk.jobs.candle_names import candle_names
from binance_trade_agent.desk.jobs.job import Job, Work
from binance_trade_agent.desk.jobs.runner import BusyError
from binance_trade_agent.domain.money import plain
from binance_trade_agent.mcp_server.fields import Interval, Moment, Number, Symbol, at_utc, moment_ms, refuse_symbol
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


class BacktestResult(BaseModel):
    """What would have come of it. What a backtest earned, no market has to pay again."""

    strategy: str
    symbols: list[str]
    interval: str
    start_utc: str
    end_utc: str
    quote_asset: str
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

    The one that STRATEGY_NAME chooses is asked with STRATEGY_PARAMS, the others with their defaults. Purchases need no
    confirmation by larger candles here.
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
    return _comparison((await _finished(call, work)).result)


async def run_backtest(
    call: Call,
    strategy: Annotated[str, Field(max_length=100, description="a name of list_strategies")],
    symbols: Annotated[list[Symbol], Field(min_length=1, max_length=20)],
    interval: Interval,
    parameters: Annotated[dict[str, str], Field(max_length=50, description="those that differ from its defaults")] = {},  # noqa: B006 (the SDK copies it)
    start: Moment | None = None,
    end: Moment | None = None,
    cash_quote: Annotated[
        Decimal, Field(gt=0, le=10**12, max_digits=24, description="quote asset at the beginning")
    ] = Decimal(10_000),
    fee_pct: Percent = Decimal("0.1"),
    spread_pct: Percent = Decimal("0.02"),
    slippage: Literal["none", "sqrt", "book"] = "sqrt",
) -> BacktestResult:
    """Trade recorded candles (HISTORY_PATH) with the agents that trade live, by the limits of the settings.

    It takes from a second to minutes, says how far it is, and ends when the call is cancelled. It trades nothing.
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
        "params": ",".join(f"{name}={value}" for name, value in parameters.items()),
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
    return _result((await _finished(call, backtest(asked, _BACKTEST_SECONDS))).result)


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
        while job.is_running:
            percent = jobs.progress_pct(job) or 0
            if percent > said:  # progress must grow with each message (MCP, Progress)
                said = percent
                await call.report_progress(percent, 100, f"{work.kind} {percent} %")
            await sleep_seconds(_LOOK_SECONDS)
    finally:
        if job.is_running:  # the client has gone, or has cancelled the call
            spawn(jobs.cancel(job), name="cancel-job")
    if not job.is_done:
        raise ToolError(f"The {work.kind} has no result: {job.sentence.rstrip('.')}.")
    return job


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


def _comparison(found: dict[str, Any]) -> StrategyComparison:
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
    )


def _result(found: dict[str, Any]) -> BacktestResult:
    setup, figures, trades, hold = found["setup"], found["figures"], found["trades"], found["hold"]
    fall = figures["drawdown"]
    return BacktestResult(
        strategy=setup["strategy"],
        symbols=setup["symbols"],
        interval=setup["interval"],
        start_utc=at_utc(setup["start_ms"]),
        end_utc=at_utc(setup["end_ms"]),
        quote_asset=setup["quote_asset"],
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

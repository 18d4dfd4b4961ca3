"""A backtest on recorded candles as a job: its options and what is kept of its report, whoever asks for it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from binance_trade_agent.desk.jobs.candle_names import CandleNames
from binance_trade_agent.desk.jobs.job import Work

KIND = "backtest"
LIMIT_SECONDS = 1_800.0
KEEP = 20


class _Setup(msgspec.Struct):
    strategy: str
    symbols: list[str]
    interval: str
    quote_asset: str
    start_ms: int
    end_ms: int
    opening_quote: str


class _Fall(msgspec.Struct):
    pct: float | None = None


class _Figures(msgspec.Struct):
    return_pct: float | None = None
    sharpe: float | None = None
    drawdown: _Fall | None = None


class _Hold(msgspec.Struct):
    figures: _Figures


class _Trades(msgspec.Struct):
    trades: int
    win_rate_pct: float | None = None
    profit_factor: float | None = None


class Figures(msgspec.Struct):
    """The few figures of the report's JSON that are kept with the job; percent, and amounts in quote asset as text."""

    setup: _Setup
    final_quote: str
    fees_quote: str | None
    figures: _Figures
    trades: _Trades
    hold: _Hold | None = None


def backtest(asked: Mapping[str, str | None], limit_seconds: float = LIMIT_SECONDS) -> Work:
    """The job of a backtest.

    Args:
        asked: value of each option of `trade-agent backtest`, checked; None leaves it out.
        limit_seconds: after which it is ended.
    """
    return Work(
        kind=KIND,
        lane=KIND,
        arguments=lambda folder: _arguments(asked, folder),
        about={name: text for name, text in asked.items() if text and name != "data"},
        digest=_digest,
        limit_seconds=limit_seconds,
        keep=KEEP,
    )


def missing_candles(names: CandleNames, symbols: Sequence[str], interval: str) -> str:
    """Why there is nothing to test, one sentence; empty when there is something."""
    if names.trouble:
        return names.trouble
    if not symbols:
        return "Choose at least one symbol."
    for symbol in symbols:
        if (symbol, interval) not in names.held:
            there = ", ".join(sorted(each for name, each in names.held if name == symbol))
            others = f"; there are: {there}" if there else ", nor of another interval"
            return f"There are no {interval} candles of {symbol[:30]}{others}."
    return ""


def _arguments(asked: Mapping[str, str | None], folder: Path) -> list[str]:
    """Each option with its value in one word, so that no value can be taken for an option."""
    options = [f"--{name}={text}" for name, text in asked.items() if text is not None]
    outputs = [f"--json={folder / 'report.json'}", f"--html={folder / 'report.html'}"]
    return ["backtest", *options, *outputs]


def _digest(folder: Path) -> dict[str, Any]:
    report = msgspec.json.decode((folder / "report.json").read_bytes(), type=Figures)
    made: dict[str, Any] = msgspec.to_builtins(report)
    return made

"""`trade-agent backtest`: candles by name, a run with a progress bar, and the report wherever it is wanted."""

import os
import sys
from collections.abc import Callable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from binance_trade_agent import exit_codes
from binance_trade_agent.backtest.fills import FillSettings
from binance_trade_agent.backtest.plan import BacktestError, BacktestPlan
from binance_trade_agent.backtest.result import BacktestResult
from binance_trade_agent.backtest.run import Progress, run_backtest
from binance_trade_agent.domain.candles import INTERVAL_MS
from binance_trade_agent.domain.strategy_choice import StrategyChoice
from binance_trade_agent.history.errors import AbsentError, HistoryError
from binance_trade_agent.history.files import symbol_and_interval, unknown_interval
from binance_trade_agent.history.rules import rules_of
from binance_trade_agent.history.store import open_data
from binance_trade_agent.history.table import CandleTable
from binance_trade_agent.settings import Settings
from binance_trade_agent.strategies.registry import StrategyError

if TYPE_CHECKING:
    from collections.abc import Iterator

STANDARD_OUTPUT = Path("-")


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be tested, and on what.

    Attributes:
        data: a file of candles or a data folder.
        interval: None for that of the file, or of the settings.
        start_ms, end_ms: trading begins at or after the first and ends before the second; None for no bound.
        detail: interval of finer candles, None for none.
        symbols: empty for that of the file, or those of the settings.
    """

    settings: Settings
    data: Path
    interval: str | None
    start_ms: int | None
    end_ms: int | None
    detail: str | None
    cash: Decimal
    fills: FillSettings
    symbols: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Outputs:
    """Files that the report goes to besides the terminal; None for none."""

    json_path: Path | None = None
    csv_path: Path | None = None
    html_path: Path | None = None


def backtest(asked: Asked, outputs: Outputs, *, every_candle: bool = False) -> tuple[int, str]:
    """Run, print the report and write its files; an exit code, and what is wrong when something is."""
    try:
        refuse_unwritable({"--json": outputs.json_path, "--csv": outputs.csv_path, "--html": outputs.html_path})
        plan, candles, details = loaded(asked)
        with progress_bar("Testing") as progress:
            result = run_backtest(plan, candles, details=details, every_candle=every_candle, progress=progress)
        tell(result, outputs)
    except (BacktestError, HistoryError, StrategyError) as failure:
        return exit_codes.WRONG_CONFIGURATION, str(failure)
    except BrokenPipeError:
        raise  # whoever reads the report has seen enough; click ends the process without a word
    except OSError as failure:
        return exit_codes.FAILURE, f"{failure.filename or 'the report'} cannot be written: {failure.strerror}"
    return exit_codes.OK, ""


def refuse_unwritable(paths: Mapping[str, Path | None]) -> None:
    """A long run whose report has nowhere to go is not begun.

    Args:
        paths: where it is to go, by option.

    Raises:
        BacktestError: one of them cannot be written.
    """
    for option, path in paths.items():
        if path is None or path == STANDARD_OUTPUT:
            continue
        if path.is_dir():
            raise BacktestError(f"{option}: {path} is a folder; name a file in it")
        if not path.parent.is_dir():
            raise BacktestError(f"{option}: {path} cannot be written, as there is no folder {path.parent}")
        if not os.access(path if path.exists() else path.parent, os.W_OK):
            raise BacktestError(f"{option}: {path} must not be written to")


def loaded(asked: Asked) -> tuple[BacktestPlan, dict[str, CandleTable], dict[str, CandleTable]]:
    """The plan, the candles, and finer candles where they are asked for; earlier candles to warm up on included.

    Raises:
        HistoryError, BacktestError: there are none, or the symbols and the intervals do not fit.
        StrategyError: there is no such strategy, or a parameter is not allowed.
    """
    settings = asked.settings
    symbols, interval = _what(asked)
    if asked.end_ms is not None and asked.start_ms is not None and asked.start_ms >= asked.end_ms:
        raise BacktestError("the period is empty: --start is not before --end")
    _refuse_bad_confirmation(settings.trading_confirm_interval, interval)
    if asked.data == settings.history_path and not asked.data.exists():
        raise BacktestError(
            f"there is no data folder {asked.data}: name a file or a folder with --data, or fetch candles with "
            "`trade-agent data download`"
        )
    try:
        candles = {symbol: open_data(asked.data, symbol, interval, end_ms=asked.end_ms) for symbol in symbols}
    except AbsentError as failure:
        raise HistoryError(f"{failure}{_by_settings(asked)}") from None
    details = {}
    if asked.detail is not None:
        _refuse_bad_detail(asked.detail, interval)
        details = {
            symbol: open_data(asked.data, symbol, asked.detail, asked.start_ms, asked.end_ms) for symbol in symbols
        }
    folder = asked.data if asked.data.is_dir() else None
    rules = {symbol: rules_of(folder, symbol, table.price(table.open[0])) for symbol, table in candles.items()}
    choice = StrategyChoice(settings.strategy_name, settings.strategy_params)
    plan = BacktestPlan(settings, choice, rules, asked.fills, asked.cash, asked.start_ms, asked.end_ms)
    return plan, candles, details


def _what(asked: Asked) -> tuple[tuple[str, ...], str]:
    """Symbols and interval: as asked, else those of the file, else those of the settings."""
    settings = asked.settings
    held = symbol_and_interval(asked.data) if asked.data.is_file() else None
    symbols = tuple(symbol.upper() for symbol in asked.symbols) or ((held[0],) if held else settings.trading_symbols)
    interval = asked.interval or (held[1] if held else settings.trading_candle_interval)
    if interval not in INTERVAL_MS:
        raise BacktestError(f"--interval: {unknown_interval(interval)}")
    return symbols, interval


def _by_settings(asked: Asked) -> str:
    """Which of what was looked for nobody named, so that it came from the settings; as the end of a sentence."""
    settings = asked.settings
    said = []
    if not asked.symbols:
        said.append(f"without --symbol TRADING_SYMBOLS holds, {','.join(settings.trading_symbols)}")
    if asked.interval is None:
        said.append(f"without --interval TRADING_CANDLE_INTERVAL, {settings.trading_candle_interval}")
    return f" ({'; '.join(said)})" if said else ""


def _refuse_bad_detail(detail: str, interval: str) -> None:
    if detail not in INTERVAL_MS:
        raise BacktestError(f"--detail: {unknown_interval(detail)}")
    if INTERVAL_MS[interval] % INTERVAL_MS[detail] or INTERVAL_MS[detail] >= INTERVAL_MS[interval]:
        raise BacktestError(f"--detail {detail}: candles of {interval} are not made of several of these")


def _refuse_bad_confirmation(larger: str | None, interval: str) -> None:
    """Settings are held against TRADING_CANDLE_INTERVAL; here the candles may be others."""
    if larger and (INTERVAL_MS[larger] <= INTERVAL_MS[interval] or INTERVAL_MS[larger] % INTERVAL_MS[interval]):
        raise BacktestError(
            f"TRADING_CONFIRM_INTERVAL is {larger}: it must be larger than the interval of the candles, {interval}, "
            "and a multiple of it"
        )


@contextmanager
def progress_bar(what: str) -> "Iterator[Progress | None]":
    """A bar on standard error that says how far it is; none where nobody looks.

    Another program that looks gets a line for each percent, `Testing 37 %`: it sets TRADE_AGENT_PROGRESS=lines.
    """
    if not sys.stderr.isatty():
        in_lines = os.environ.get("TRADE_AGENT_PROGRESS") == "lines"
        yield _each_percent(lambda pct: print(f"{what} {pct} %", file=sys.stderr, flush=True)) if in_lines else None
        return
    from rich.console import Console
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Bars(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task(what, total=100)
        yield _each_percent(lambda pct: bars.update(task, completed=pct))


def _each_percent(say: Callable[[int], None]) -> Progress:
    """A progress that is said once for each percent."""
    told = -1

    def progress(over_ms: int, of_ms: int) -> None:
        nonlocal told
        percent = 100 * over_ms // max(1, of_ms)
        if percent != told:
            told = percent
            say(percent)

    return progress


def tell(result: BacktestResult, outputs: Outputs) -> None:
    """Print the report, and write it where it is wanted.

    Raises:
        OSError: a file cannot be written.
    """
    from binance_trade_agent.backtest.report.files import to_json, write_csv
    from binance_trade_agent.backtest.report.report import Report
    from binance_trade_agent.backtest.report.text import to_text

    report = Report.of(result)
    if outputs.csv_path is not None:
        write_csv(outputs.csv_path, report)
    if outputs.html_path is not None:
        from binance_trade_agent.backtest.report.page import write_html

        write_html(outputs.html_path, result, report)
    if outputs.json_path == STANDARD_OUTPUT:
        print(to_json(report))
        return
    if outputs.json_path is not None:
        outputs.json_path.write_text(to_json(report), encoding="utf-8")
    print(to_text(report))

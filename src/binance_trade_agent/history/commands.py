"""`trade-agent data`: fetch, import, list and check recorded candles."""

import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from binance_trade_agent import exit_codes
from binance_trade_agent.domain.wording import iso_second
from binance_trade_agent.history.checking import Checked, check_files
from binance_trade_agent.history.errors import HistoryError
from binance_trade_agent.history.files import read_table
from binance_trade_agent.history.importing import Imported, import_files
from binance_trade_agent.history.spans import gaps
from binance_trade_agent.history.store import CandleStore, candle_files
from binance_trade_agent.ops.terminal import complain

_MOST_SHOWN = 40  # gaps and notes of one file on the terminal; --json has all


@dataclass(frozen=True, slots=True)
class DownloadOptions:
    """What to download, and from where.

    Attributes:
        symbols, intervals: each with each.
        start_ms, end_ms: candles that open in [start_ms, end_ms); see download.Wanted for None.
        rest_url: the exchange's base address.
        archive_url: the archive's; None asks the exchange only.
        limits_folder: see KlinesSource.reach.
    """

    symbols: Sequence[str]
    intervals: Sequence[str]
    start_ms: int | None
    end_ms: int | None
    rest_url: str
    archive_url: str | None
    limits_folder: Path


def download_candles(folder: Path, options: DownloadOptions) -> int:
    """Fetch what the folder lacks; how far it is goes to standard error, what has come to standard output.

    Returns:
        0; 1 when a host does not answer or a piece was refused; 2 when there is no such symbol or the folder holds
        candles of another exchange.
    """
    from binance_trade_agent.history.web import UnreachableError

    try:
        return asyncio.run(_download(folder, options))
    except UnreachableError as failure:
        return complain(failure, exit_codes.FAILURE)
    except HistoryError as failure:
        return complain(failure, exit_codes.WRONG_CONFIGURATION)


async def _download(folder: Path, options: DownloadOptions) -> int:
    from binance_trade_agent.history.download import Wanted, download
    from binance_trade_agent.history.klines import KlinesSource
    from binance_trade_agent.history.progress import shown
    from binance_trade_agent.history.rules import write_listings
    from binance_trade_agent.history.web import open_web

    store = CandleStore(folder)
    failures: list[str] = []
    held: list[str] = []
    async with open_web() as web:
        source = await KlinesSource.reach(web, options.rest_url, options.symbols, options.limits_folder)
        write_listings(folder, source.listings.values())
        try:
            with shown() as progress:
                for symbol in options.symbols:
                    for interval in options.intervals:
                        wanted = Wanted(symbol, interval, options.start_ms, options.end_ms)
                        fetched = await download(store, source, options.archive_url, wanted, progress)
                        failures += fetched.failures
                        held.append(_held(store, symbol, interval, fetched.new))
        finally:
            print("\n".join(held), end="\n" if held else "", flush=True)
            await source.budget.close()
    return complain("\n".join(failures), exit_codes.FAILURE) if failures else exit_codes.OK


def _held(store: CandleStore, symbol: str, interval: str, new: int) -> str:
    table = store.read(symbol, interval)
    if table is None:
        return f"{symbol} {interval}: nothing"
    first, last = (iso_second(int(table.open_times_ms[row])) for row in (0, -1))
    path = store.path_of(symbol, interval)
    return f"{symbol} {interval}: {new:,} new candles, {len(table):,} in all from {first} to {last}, in {path}"


def import_candles(folder: Path, paths: Sequence[Path], symbol: str | None, interval: str | None) -> int:
    """Merge files into the folder and print what each brought. Returns 0, or 2 when one was refused."""
    code = exit_codes.OK
    for imported in import_files(CandleStore(folder), paths, symbol, interval):
        if imported.merged is None:
            code = complain(imported.refusal, exit_codes.WRONG_CONFIGURATION)
        else:
            print(
                _imported(imported, imported.merged.added, imported.merged.replaced, imported.merged.same), flush=True
            )
    return code


def _imported(imported: Imported, added: int, replaced: int, same: int) -> str:
    counts = f"{added:,} added, {replaced:,} replaced, {same:,} already there"
    return f"{imported.symbol} {imported.interval}: {counts}  ({imported.path})"


def list_candles(folder: Path, *, as_json: bool) -> int:
    """Print a line for each file of candles. Returns 0, 1 when a file is broken, 2 when there is no such folder."""
    try:
        files = candle_files(folder)
    except HistoryError as failure:
        return complain(failure, exit_codes.WRONG_CONFIGURATION)
    rows, broken = [], []
    for (symbol, interval), paths in files.items():
        for path in paths:
            try:
                table = read_table(path)
            except HistoryError as failure:
                broken.append(str(failure))
                continue
            rows.append(
                {
                    "symbol": symbol,
                    "interval": interval,
                    "from_ms": int(table.open_times_ms[0]),
                    "to_ms": int(table.open_times_ms[-1]),
                    "candles": len(table),
                    "gaps": len(gaps(table)),
                    "bytes": path.stat().st_size,
                    "file": str(path),
                }
            )
    if as_json:
        print(json.dumps({"folder": str(folder), "files": rows, "broken": broken}, indent=2))
    else:
        _print_rows(folder, rows)
        complain("\n".join(broken), exit_codes.FAILURE)
    return exit_codes.FAILURE if broken else exit_codes.OK


def _print_rows(folder: Path, rows: Sequence[dict[str, object]]) -> None:
    if not rows:
        print(f"{folder} holds no candles; `trade-agent data download` fetches some")
        return
    titles = ("symbol", "interval", "from", "to", "candles", "gaps", "size", "file")
    lines = [titles] + [
        (
            str(row["symbol"]),
            str(row["interval"]),
            iso_second(int(str(row["from_ms"]))),
            iso_second(int(str(row["to_ms"]))),
            f"{row['candles']:,}",
            f"{row['gaps']}",
            f"{int(str(row['bytes'])) / 1e6:.1f} MB",
            Path(str(row["file"])).name,
        )
        for row in rows
    ]
    widths = [max(len(line[place]) for line in lines) for place in range(len(titles))]
    for line in lines:
        cells = (
            f"{cell:>{width}}" if 4 <= place <= 6 else f"{cell:{width}}"
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        print("  ".join(cells).rstrip())


def check_candles(folder: Path, *, as_json: bool) -> int:
    """Print what is wrong with each file and what one should know of it.

    Returns:
        0, 1 when something is wrong that a backtest must not use, 2 when there is no such folder.
    """
    try:
        files = candle_files(folder)
    except HistoryError as failure:
        return complain(failure, exit_codes.WRONG_CONFIGURATION)
    checks = []
    for checked in check_files(files):
        checks.append(checked)
        if not as_json:
            _print_checked(checked)
    wrong = sum(len(checked.wrong) for checked in checks)
    if as_json:
        print(
            json.dumps({"folder": str(folder), "checks": [asdict(each) for each in checks], "wrong": wrong}, indent=2)
        )
    else:
        print(f"{wrong} wrong" if checks else f"{folder} holds no candles")
    return exit_codes.FAILURE if wrong else exit_codes.OK


def _print_checked(checked: Checked) -> None:
    said = [*(f"wrong: {each}" for each in checked.wrong), *(f"gap: {gap}" for gap in checked.gaps), *checked.notes]
    gap_count = f", {len(checked.gaps)} gap{'s' * (len(checked.gaps) > 1)}" if checked.gaps else ""
    print(f"{checked.what}: {checked.candles:,} candles{gap_count}{'' if said else ', nothing to say'}")
    for line in said[:_MOST_SHOWN]:
        print(f"    {line}")
    if len(said) > _MOST_SHOWN:
        print(f"    and {len(said) - _MOST_SHOWN:,} more; --json has them")
    sys.stdout.flush()

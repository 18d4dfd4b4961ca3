"""The command `data` and those below it."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from binance_trade_agent.cli.shared import configuration_of, fail, json_option, moment, names

if TYPE_CHECKING:
    from binance_trade_agent.settings import Settings

data_option = click.option(
    "--data", type=click.Path(path_type=Path), metavar="FOLDER", help="The data folder; HISTORY_PATH without this."
)


@click.group("data")
def data() -> None:
    """Recorded candles for backtests: fetch, import, list and check them.

    They are kept as SYMBOL-INTERVAL.parquet in the data folder, beside exchangeInfo.json, the symbols' filters.
    """


@data.command("download")
@click.option("--symbol", metavar="A,B", help="Which; TRADING_SYMBOLS without this.")
@click.option("--interval", metavar="I,J", help="Of which candles; TRADING_CANDLE_INTERVAL without this.")
@click.option("--start", metavar="D", help="From this date or time (UTC) on; else from the first one kept, or a year.")
@click.option("--end", metavar="D", help="Before this date or time (UTC); else up to the last closed candle.")
@data_option
@click.option(
    "--archive-url",
    metavar="URL",
    help="Binance's public archive; `none` asks the exchange only, which is the default with another exchange.",
)
@click.option(
    "--rest-url",
    metavar="URL",
    help="The exchange: an address, mainnet or testnet; EXCHANGE_URL without this, else mainnet.",
)
def download(
    symbol: str | None,
    interval: str | None,
    start: str | None,
    end: str | None,
    data: Path | None,
    archive_url: str | None,
    rest_url: str | None,
) -> None:
    """Fetch candles that the data folder lacks: from Binance's public archive, the latest from the exchange.

    No key is needed or sent. Each file of the archive is checked against its SHA-256. A download that was interrupted
    goes on where it was; what is there is not fetched again. Without a network nothing is lost.

    Exit codes: 0 done, 1 a host does not answer or a file was refused (the rest is kept), 2 no such symbol or interval.
    """
    settings = configuration_of({"HISTORY_PATH": data}).settings
    symbols = names(symbol.upper() if symbol else None) or settings.trading_symbols
    intervals = names(interval) or (settings.trading_candle_interval,)
    from binance_trade_agent.domain.candles import INTERVAL_MS
    from binance_trade_agent.history.commands import DownloadOptions, download_candles
    from binance_trade_agent.history.files import unknown_interval

    for each in symbols:
        if not each.isalnum():
            fail(f"--symbol {each}: a symbol is letters and digits, such as BTCUSDT")
    for each in intervals:
        if each not in INTERVAL_MS:
            fail(f"--interval: {unknown_interval(each)}")
    start_ms, end_ms = moment("--start", start), moment("--end", end)
    if start_ms is not None and end_ms is not None and start_ms >= end_ms:
        fail(f"--start {start} is not before --end {end}")
    rest, archive = _addresses(settings, rest_url, archive_url)
    options = DownloadOptions(symbols, intervals, start_ms, end_ms, rest, archive, settings.ledger_path.parent)
    sys.exit(download_candles(settings.history_path, options))


@data.command("import")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="PATH...")
@click.option("--symbol", help="What the files hold, whatever their names say.")
@click.option("--interval", help="The same.")
@data_option
def import_(paths: tuple[Path, ...], symbol: str | None, interval: str | None, data: Path | None) -> None:
    """Merge files of other programs into the data folder: CSV, gzip CSV, Feather, Parquet; or folders of them.

    A file is named SYMBOL-INTERVAL, such as BTCUSDT-1m.csv.gz or freqtrade's BTC_USDT-1m.feather, or --symbol and
    --interval say what it holds. A candle that is there already is replaced when its numbers differ.

    Exit codes: 0 all is merged, 2 a file was refused (the others are merged).
    """
    folder = configuration_of({"HISTORY_PATH": data}).settings.history_path
    from binance_trade_agent.domain.candles import INTERVAL_MS
    from binance_trade_agent.history.commands import import_candles
    from binance_trade_agent.history.files import unknown_interval

    if interval is not None and interval not in INTERVAL_MS:
        fail(f"--interval: {unknown_interval(interval)}")
    if symbol is not None and not symbol.isalnum():
        fail(f"--symbol {symbol}: a symbol is letters and digits, such as BTCUSDT")
    sys.exit(import_candles(folder, paths, symbol.upper() if symbol else None, interval))


@data.command("list")
@data_option
@json_option
def list_(data: Path | None, as_json: bool) -> None:
    """Which candles there are: symbol, interval, from, to, how many, gaps, size."""
    folder = configuration_of({"HISTORY_PATH": data}).settings.history_path
    from binance_trade_agent.history.commands import list_candles

    sys.exit(list_candles(folder, as_json=as_json))


@data.command("check")
@data_option
@json_option
def check(data: Path | None, as_json: bool) -> None:
    """Look for gaps, repeated and misplaced candles, odd prices, silent hours, and intervals that do not agree.

    Wrong is what a backtest must not use: rows that are broken, repeated or off the grid, a price that is ten times off
    those before and after it, candles that are not what the smaller ones add up to. The rest are notes: gaps, prices
    twice off, thirty candles or more in a row without volume or without range.

    Exit codes: 0 nothing is wrong, 1 something is, 2 there is no such folder.
    """
    folder = configuration_of({"HISTORY_PATH": data}).settings.history_path
    from binance_trade_agent.history.commands import check_candles

    sys.exit(check_candles(folder, as_json=as_json))


def _addresses(settings: "Settings", rest_url: str | None, archive_url: str | None) -> tuple[str, str | None]:
    """Base addresses of the exchange and of the archive, None without one: it holds Binance's own candles only."""
    from binance_trade_agent.exchange.endpoints import LIVE, TESTNET
    from binance_trade_agent.history.archive import ARCHIVE_URL
    from binance_trade_agent.history.klines import BINANCE, market_of

    known = {"mainnet": LIVE.rest.removesuffix("/api"), "testnet": TESTNET.rest.removesuffix("/api")}
    asked = rest_url or settings.exchange_url or "mainnet"
    rest = known.get(asked) or _address("--rest-url", asked.rstrip("/").removesuffix("/api"), "mainnet, testnet or ")
    if archive_url == "none" or (archive_url is None and market_of(rest) != BINANCE):
        return rest, None
    return rest, _address("--archive-url", (archive_url or ARCHIVE_URL).rstrip("/"))


def _address(option: str, address: str, or_else: str = "") -> str:
    try:
        parts = urlsplit(address)
        is_one = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        is_one = False
    if not is_one:
        fail(f"{option} {address}: not {or_else}an http:// or https:// address")
    return address

"""The command `check-bias`."""

import sys
from pathlib import Path

import click

from binance_trade_agent.cli.shared import configuration_of, fail, json_option, moment


@click.command("check-bias")
@click.option("--strategy", "strategies", required=True, metavar="S[,..]", help="Names, or `all`; presets too.")
@click.option("--params", default="", metavar="A=1,B=2", help="Parameters of the one strategy; else its defaults.")
@click.option("--symbol", metavar="X", help="Which; without this that of the file.")
@click.option(
    "--data",
    required=True,
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="Candles: a file SYMBOL-INTERVAL.csv, .csv.gz, .parquet or .feather, or a data folder.",
)
@click.option("--interval", metavar="I", help="Of which candles; else that of the file, or TRADING_CANDLE_INTERVAL.")
@click.option("--start", metavar="D", help="From this date or time (UTC) on.")
@click.option("--end", metavar="D", help="Before this date or time (UTC).")
@click.option(
    "--rows",
    type=click.IntRange(100, 1_000_000),
    default=5000,
    show_default=True,
    metavar="N",
    help="How many rows of a strategy are looked at: those with a signal first.",
)
@json_option
def check_bias(
    strategies: str,
    params: str,
    symbol: str | None,
    data: Path,
    interval: str | None,
    start: str | None,
    end: str | None,
    rows: int,
    as_json: bool,
) -> None:
    """Check on recorded candles that strategies know nothing in a backtest that they would not know live.

    Look-ahead: cut off after a row, do the candles say the same in every row that is left? Start-up: does a row say the
    same with the few hundred candles of a live tick as with all that are recorded? Each column that differs is shown
    with its number of rows, and the first one.

    `trade-agent strategies check` makes the same two checks and others on made-up candles, in a second.

    Exit codes: 0 all passed, 1 one failed, 2 no such strategy or data.
    """
    from binance_trade_agent.backtest.bias.command import Asked, check_recorded
    from binance_trade_agent.history.errors import HistoryError
    from binance_trade_agent.history.files import symbol_and_interval
    from binance_trade_agent.history.store import candle_files

    try:
        held = symbol_and_interval(data) if data.is_file() else None
        if symbol is None and held is None:
            there = ", ".join(sorted({name for name, _ in candle_files(data)}))
            fail(f"--symbol: which of those in {data}: {there}?" if there else f"{data} holds no candles")
    except HistoryError as failure:
        fail(str(failure))
    symbol = symbol.upper() if symbol else held[0] if held else ""
    interval = interval or (held[1] if held else configuration_of({}).settings.trading_candle_interval)
    period = moment("--start", start), moment("--end", end)
    sys.exit(check_recorded(Asked(strategies, params, symbol, interval, data, *period, rows), as_json=as_json))

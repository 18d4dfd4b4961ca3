"""The command `backtest`."""

import logging
import sys
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from binance_trade_agent import exit_codes
from binance_trade_agent.cli.shared import Amount, SettingsCommand, configuration_of, fail, moment, names

if TYPE_CHECKING:
    from binance_trade_agent.backtest.command import Asked

_file = click.Path(path_type=Path, dir_okay=False)
_NOT_WHEN_SIMULATED = ("spread", "slippage", "slippage_pct", "impact", "volume_share")


@click.command("backtest", cls=SettingsCommand)
@click.option("--strategy", metavar="S", help="Which; STRATEGY_NAME without this.")
@click.option("--params", metavar="A=1,B=2", help="Its parameters; STRATEGY_PARAMS without this.")
@click.option("--symbol", metavar="X,Y", help="Which symbols, on one account; TRADING_SYMBOLS without this.")
@click.option("--interval", metavar="I", help="Of which candles; that of the file, or TRADING_CANDLE_INTERVAL.")
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="A file SYMBOL-INTERVAL.csv, .csv.gz, .parquet or .feather, or a data folder; HISTORY_PATH without this.",
)
@click.option("--start", metavar="D", help="Trade from this date or time (UTC) on; earlier candles only warm up.")
@click.option("--end", metavar="D", help="Trade before this date or time (UTC).")
@click.option("--detail", metavar="I", help="Candles of this shorter interval say which of stop and target came first.")
@click.option(
    "--cash",
    type=Amount(above=0, most=10**12),
    default="10000",
    show_default=True,
    help="Quote asset at the beginning.",
)
@click.option(
    "--fills",
    "rules",
    type=click.Choice(["candles", "simulated"]),
    default="candles",
    show_default=True,
    help="How orders fill: by --spread, --slippage and --volume-share, or as on `exchange --replay` of the same file.",
)
@click.option("--fee", type=Amount(most=10), default="0.1", show_default=True, help="Commission of a fill, percent.")
@click.option("--spread", type=Amount(most=10), default="0.02", show_default=True, help="Bid to ask, percent.")
@click.option(
    "--slippage",
    type=click.Choice(["none", "fixed", "sqrt", "book"]),
    default="sqrt",
    show_default=True,
    help="How an order moves the price: not, by --slippage-pct, by the square-root law, or through a made-up book.",
)
@click.option("--slippage-pct", type=Amount(most=10), default="0.02", show_default=True, help="With --slippage fixed.")
@click.option("--impact", type=Amount(most=10), default="1", show_default=True, help="Factor of the square-root law.")
@click.option(
    "--volume-share",
    type=Amount(most=100),
    default="10",
    show_default=True,
    help="Percent of a candle's volume that one order may fill of; 0 for no bound.",
)
@click.option("--json", "json_path", type=_file, metavar="OUT", help="Write the report as JSON; - for standard output.")
@click.option("--csv", "csv_path", type=_file, metavar="OUT", help="Write the trades as CSV.")
@click.option("--html", "html_path", type=_file, metavar="OUT", help="Write the report as one HTML file with charts.")
@click.option(
    "--every-candle", is_flag=True, help="Visit every candle, also where nothing can happen: the same, slower."
)
def backtest(
    json_path: Path | None,
    csv_path: Path | None,
    html_path: Path | None,
    every_candle: bool,
    **options: Any,
) -> None:
    """Trade recorded candles with the agents that trade live, and report what would have come of it.

    Signals come from closed candles; orders fill when the next candle opens, with the spread and slippage given; stops
    and targets fill within candles. Limits, sizes and exits are those of the settings, as for `run`. No network needed.

    Exit codes: 0 done, 1 the report could not be written in the end, 2 wrong settings, no such data, an empty period or
    a file that cannot be written, 130 ended by Ctrl-C.
    """
    try:
        asked = asked_of(**options)
        from binance_trade_agent.backtest.command import Outputs, backtest

        code, complaint = backtest(asked, Outputs(json_path, csv_path, html_path), every_candle=every_candle)
    except KeyboardInterrupt:
        fail("ended before the backtest was over.", exit_codes.INTERRUPTED)
    if complaint:
        fail(complaint, code)
    sys.exit(code)


def asked_of(
    *,
    strategy: str | None,
    params: str | None,
    symbol: str | None,
    interval: str | None,
    data: Path | None,
    start: str | None,
    end: str | None,
    detail: str | None,
    cash: Decimal,
    rules: str,
    fee: Decimal,
    spread: Decimal,
    slippage: str,
    slippage_pct: Decimal,
    impact: Decimal,
    volume_share: Decimal,
    **flags: Any,
) -> "Asked":
    """What the options ask to be tested, `optimize` has them too; a wrong one ends the process with a sentence."""
    given = {"strategy_name": strategy, "strategy_params": params, "trading_symbols": symbol}
    flags |= {name: value for name, value in given.items() if value is not None}
    _refuse_idle(rules, slippage)
    configuration = configuration_of(flags)
    # A log of errors only, with no secret at hand: structlog would take 60 ms of the start.
    logging.basicConfig(level=logging.ERROR, format="%(message)s")
    from binance_trade_agent.backtest.command import Asked
    from binance_trade_agent.backtest.fills import FillSettings

    return Asked(
        configuration.settings,
        data or configuration.settings.history_path,
        interval,
        moment("--start", start),
        moment("--end", end),
        detail,
        cash,
        FillSettings(fee, spread, slippage, slippage_pct, impact, volume_share, rules),
        symbols=names(symbol),
    )


def _refuse_idle(rules: str, slippage: str) -> None:
    """An option that another one leaves without effect is refused: nobody shall believe that it was tested."""
    source_of = click.get_current_context().get_parameter_source
    given = [name for name in _NOT_WHEN_SIMULATED if source_of(name) is ParameterSource.COMMANDLINE]
    for name in given:
        option = f"--{name.replace('_', '-')}"
        if rules == "simulated":
            fail(f"{option} belongs to --fills candles; with simulated, orders fill as on the simulated exchange")
        if (belongs_to := {"slippage_pct": "fixed", "impact": "sqrt"}.get(name, slippage)) != slippage:
            fail(f"{option} belongs to --slippage {belongs_to}, and --slippage is {slippage}")

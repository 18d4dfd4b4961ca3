"""The command `strategies` and those below it."""

import sys
from pathlib import Path
from typing import Any

import click

from binance_trade_agent.cli.shared import SettingsCommand, configuration_of, json_option, set_up_log

_data_option = click.option(
    "--data",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="FILE",
    help="Candles: SYMBOL-INTERVAL.csv, .csv.gz or .parquet.",
)


@click.group("strategies", invoke_without_command=True)
@json_option
@click.pass_context
def strategies(context: click.Context, as_json: bool) -> None:
    """List strategies and presets with their parameters, defaults and bounds; your own ones with their file.

    Your own: a file in config/strategies/ that holds one class of Strategy, or an entry point of the group
    binance_trade_agent.strategies in an installed package.
    """
    if context.invoked_subcommand:
        return
    from dataclasses import asdict

    from binance_trade_agent.strategies.registry import describe

    described = describe()
    if as_json:
        import json

        print(json.dumps([asdict(entry) for entry in described], indent=2))
        return
    for entry in described:
        if entry.broken:
            print(f"{entry.name}: broken, cannot be used: {entry.broken}")
            continue
        place = f"  [{entry.place}]" if entry.place else ""
        print(f"{entry.name}: {entry.summary}{place}")
        for parameter in entry.parameters:
            print(f"    {parameter.name} = {parameter.default:g}  ({parameter.allowed}) {parameter.description}")


@strategies.command("new")
@click.argument("name")
def new(name: str) -> None:
    """Write config/strategies/NAME.py, a small strategy to start from."""
    from binance_trade_agent.ops.strategy_commands import new_strategy

    sys.exit(new_strategy(name))


@strategies.command("check")
@click.argument("name")
@_data_option
@click.option("--params", default="", metavar="A=1,B=2", help="Parameters to check it with; its defaults without this.")
def check(name: str, data: Path | None, params: str) -> None:
    """Check that a strategy may be trusted with a market; a line for each check.

    It runs; it runs at both ends of its parameters' bounds; what it says is defined; it changes nothing that it is
    given; it says the same when it is asked again; it looks at no row after the present one; it remembers nothing older
    than its warm-up; it explains each kind of row; it is fast enough; how often it says BUY and SELL.

    Without --data it is checked on synthetic candles. Exit codes: 0 all passed, 1 one failed, 2 no such strategy.
    """
    from binance_trade_agent.ops.strategy_commands import check_strategy

    sys.exit(check_strategy(name, data, params))


@strategies.command("compare", cls=SettingsCommand)
@click.option("--symbol", help="Which; without this that of --data, or the first of TRADING_SYMBOLS.")
@_data_option
@json_option
def compare(symbol: str | None, data: Path | None, as_json: bool, **flags: Any) -> None:
    """What every strategy says on the last closed candle, why, what they say together and how far they agree.

    The one that STRATEGY_NAME chooses is asked with STRATEGY_PARAMS, the others with their defaults. Candles come from
    the exchange of the mode, or from --data. One that fails is shown with its reason.
    """
    configuration = configuration_of(flags)
    set_up_log(configuration)
    from binance_trade_agent.ops.strategy_comparison import compare_strategies

    sys.exit(compare_strategies(configuration, symbol, data, as_json=as_json))

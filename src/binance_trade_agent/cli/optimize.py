"""The command `optimize`."""

import sys
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from binance_trade_agent.cli.backtest import asked_of, backtest
from binance_trade_agent.cli.shared import SettingsCommand

_file = click.Path(path_type=Path, dir_okay=False)
# The backtests that are searched are those of `backtest`: the same options, but for what it writes.
_NOT_SHARED = {"json_path", "csv_path", "html_path", "every_candle"}
_CANDLES = {"trading_symbols", "trading_candle_interval", "trading_interval_seconds"}
_shared = [option for option in backtest.params if option.name not in _NOT_SHARED]


@click.command("optimize", cls=SettingsCommand, params=list(_shared))
@click.option(
    "--space",
    multiple=True,
    metavar="NAME=RANGE",
    help="What to search: name=low:high, name=low:high:step or name=a,b,c; once a parameter. Without it all of them, "
    "each from half to one and a half times its default.",
)
@click.option(
    "--goal",
    "goals",
    multiple=True,
    default=("sharpe",),
    show_default=True,
    metavar="NAME",
    help="What is to be best: sharpe, sortino, calmar, profit, cagr, profit_factor, expectancy, sqn, win_rate, "
    "drawdown, exposure or trades; several give a Pareto front.",
)
@click.option(
    "--sampler",
    metavar="NAME",
    help="grid, random, tpe, cmaes or nsga2; tpe for one goal, nsga2 for several. All but grid need Optuna.",
)
@click.option("--trials", type=click.IntRange(min=1), help="How many sets: 100; of a grid at most 10000.")
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True, help="Of the sampler.")
@click.option(
    "--batch",
    type=click.IntRange(1, 1000),
    default=10,
    show_default=True,
    help="Sets that a sampler proposes before it learns from them: so many can run side by side.",
)
@click.option(
    "--prune",
    "pruner",
    default="none",
    show_default=True,
    metavar="NAME",
    help="Give up sets early, after a quarter and a half of the period: median or halving.",
)
@click.option(
    "--min-trades", type=click.IntRange(min=0), default=10, show_default=True, help="With fewer a set is worthless."
)
@click.option("--top", type=click.IntRange(1, 1000), default=10, show_default=True, help="Best sets to show.")
@click.option(
    "--holdout", type=float, metavar="PART", help="Last part of the period that is kept back: 0.25; 0 for none."
)
@click.option(
    "--walk-forward", type=click.IntRange(1, 1000), metavar="N", help="Search N times, each judged on what follows."
)
@click.option("--train-days", type=click.FloatRange(min=0, min_open=True), help="Of a window; three times --test-days.")
@click.option("--test-days", type=click.FloatRange(min=0, min_open=True), help="Of a window; what the period gives.")
@click.option("--anchored", is_flag=True, help="Windows begin together and grow, instead of moving on.")
@click.option(
    "--storage", type=_file, metavar="FILE", help="Keep what was tried; a search that was killed goes on from it."
)
@click.option("--jobs", type=click.IntRange(1, 1000), help="Processes: all cores for long searches, else one.")
@click.option(
    "--dask", metavar="ADDRESS", help="Run on the workers of this Dask scheduler, such as tcp://10.0.0.5:8786."
)
@click.option("--json", "json_path", type=_file, metavar="OUT", help="Write the report as JSON; - for standard output.")
@click.option("--csv", "csv_path", type=_file, metavar="OUT", help="Write every set that was tried as CSV.")
@click.pass_context
def optimize(context: click.Context, /, **options: Any) -> None:
    """Search for the parameters of a strategy, and judge the best on candles that they were not chosen on.

    Each set of parameters is a whole backtest, as `backtest` runs it. A quarter of the period is kept back, or every
    window of --walk-forward is judged on the days that follow it; both numbers are shown side by side, with the
    deflated Sharpe ratio and a warning for each sign that the best set is luck.

    Ctrl-C ends it with what was found. The same seed gives the same report with any number of processes.

    Exit codes: 0 done, 1 nothing was worth something, or workers were lost, 2 a mistake in what was asked for.
    """
    own = {name: options.pop(name) for name in _own_names()}
    outputs_to = {name: own.pop(name) for name in ("json_path", "csv_path")}
    asked = asked_of(**options)
    from binance_trade_agent.backtest.optimize.command import Outputs, Wanted, run_optimize

    outputs = Outputs(**outputs_to, options=_repeated(context), settings=_repeated(context, of_run=True))
    sys.exit(run_optimize(asked, Wanted(**own), outputs))


def _own_names() -> list[str]:
    shared = {option.name for option in _shared}
    return [option.name for option in optimize.params if option.name and option.name not in shared]


def _repeated(context: click.Context, *, of_run: bool = False) -> list[str]:
    """The options that make the same backtest, as they were given, or those of them that are settings of `run`.

    Those of the strategy are not among them, the best set has its own; nor, of `run`, those of the candles.
    """
    left_out = {*_own_names(), "strategy", "params", "strategy_name", "strategy_params", "help"}
    if of_run:
        left_out |= {*(option.name for option in _shared), *_CANDLES}
    words = []
    for option in context.command.get_params(context):
        name = option.name or ""
        if name not in left_out and context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            words += [option.opts[0], str(context.params[name])]
    return words

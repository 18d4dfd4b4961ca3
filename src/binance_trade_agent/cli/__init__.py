"""The command `trade-agent`. Everything heavy is imported inside the command that needs it, so that help is instant."""

import os
import sys
from collections.abc import Sequence
from typing import NoReturn

import click

from binance_trade_agent import __version__
from binance_trade_agent.cli import (
    backtest,
    check_bias,
    control,
    dashboard,
    explain,
    feed,
    history,
    ledger,
    mcp,
    optimize,
    replay,
    reports,
    strategies,
    trading,
)
from binance_trade_agent.ops import container_log, terminal


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run a command and exit with its code."""
    terminal.lack_no_character()
    container_log.speak_as_program(os.environ)
    sys.exit(group.main(arguments, prog_name="trade-agent", standalone_mode=True))


@click.group(name="trade-agent", context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="trade-agent")
def group() -> None:
    """A trading daemon for Binance spot.

    Without keys it trades on a simulated exchange of its own; with testnet keys on the testnet. Settings come from
    flags, the environment, .env and config/*.toml; `trade-agent config` shows what is in effect and why.
    """


for command in (
    trading.run,
    trading.config,
    reports.analyze,
    strategies.strategies,
    backtest.backtest,
    optimize.optimize,
    check_bias.check_bias,
    trading.doctor,
    reports.reconcile,
    reports.account,
    replay.replay,
    ledger.ledger,
    history.data,
    dashboard.dashboard,
    mcp.mcp,
    trading.exchange,
    feed.feed,
    trading.health,
    reports.status,
    explain.why,
    explain.risk,
    control.stop,
    control.pause,
    control.resume,
    control.set_strategy,
    control.set_risk,
    control.order,
    control.cancel,
    control.close,
    control.kill,
    control.release,
    control.notify,
):
    group.add_command(command)

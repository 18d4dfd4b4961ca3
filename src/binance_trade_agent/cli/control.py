"""Commands to the running trader: `stop`, `pause`, `resume`, `set-strategy`, `set-risk`, `kill`, `release`."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from binance_trade_agent import exit_codes
from binance_trade_agent.cli.shared import configuration_of, fail, ledger_path_option

if TYPE_CHECKING:
    from binance_trade_agent.settings import Settings


def _command(kind: str, text: str) -> click.Command:
    @click.command(kind, help=text)
    @ledger_path_option
    def place(ledger_path: Path | None) -> None:
        from binance_trade_agent.ops.command import place_and_wait

        _end_with(ledger_path, lambda settings: place_and_wait(settings.ledger_path, kind))

    return place


def _end_with(ledger_path: Path | None, work: "Callable[[Settings], int]") -> None:
    """Do `work` with the settings and end with its exit code; what is wrong ends it with a sentence."""
    from binance_trade_agent.configuration import ConfigError
    from binance_trade_agent.ledger.errors import LedgerError
    from binance_trade_agent.strategies.registry import StrategyError

    settings = configuration_of({"LEDGER_PATH": ledger_path}).settings
    try:
        sys.exit(work(settings))
    except (ConfigError, StrategyError) as failure:
        fail(str(failure))
    except LedgerError as failure:
        fail(str(failure), exit_codes.FAILURE)


stop = _command("stop", "End the running trader in good order.")
resume = _command("resume", "Allow entries again, and all that was paused.")


@click.command("pause")
@click.option("--everything", is_flag=True, help="The strategy leaves no position either; what protects them goes on.")
@ledger_path_option
def pause(ledger_path: Path | None, everything: bool) -> None:
    """Let the running trader enter no new positions, until `resume`; it holds over restarts."""
    from binance_trade_agent.ops import command

    _end_with(ledger_path, lambda settings: command.pause(settings, everything=everything))


@click.command("kill")
@click.option("--reason", default="", metavar="TEXT", help="Why, for the record.")
@ledger_path_option
def kill(ledger_path: Path | None, reason: str) -> None:
    """Throw the kill switch: nothing is entered and entries that rest are cancelled, until `release`.

    It holds at once, over restarts, and without a trader. What protects positions stays.
    """
    from binance_trade_agent.ops import command

    _end_with(ledger_path, lambda settings: command.kill(settings, reason))


@click.command("release")
@click.argument("name")
@ledger_path_option
def release(name: str, ledger_path: Path | None) -> None:
    """Turn the kill switch off. NAME is the trader's, TRADING_INSTANCE, so that no other one is meant."""
    from binance_trade_agent.ops import command

    _end_with(ledger_path, lambda settings: command.release(settings, name))


@click.command("set-strategy")
@click.argument("name")
@click.option(
    "--params",
    default="",
    metavar="NAME=VALUE,...",
    help="What differs from the defaults, such as rsi_period=10,ETHUSDT.rsi_period=14.",
)
@ledger_path_option
def set_strategy(name: str, params: str, ledger_path: Path | None) -> None:
    """Let strategy NAME decide from the next tick on, on all symbols.

    It holds over restarts, until STRATEGY_NAME or STRATEGY_PARAMS is changed.
    """
    from binance_trade_agent.ops import command

    _end_with(ledger_path, lambda settings: command.set_strategy(settings, name, params))


@click.command("set-risk")
@click.argument("changes", nargs=-1, required=True, metavar="NAME=VALUE...")
@ledger_path_option
def set_risk(changes: tuple[str, ...], ledger_path: Path | None) -> None:
    """Let other limits hold from now on, such as RISK_MAX_ORDER_QUOTE=200, on all symbols.

    Each holds over restarts, until its setting is changed. `trade-agent risk` shows what is changed.
    """
    from binance_trade_agent.ops import command

    wanted = dict(change.partition("=")[::2] for change in changes)
    _end_with(ledger_path, lambda settings: command.set_risk(settings, wanted))

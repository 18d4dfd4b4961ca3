"""Commands to the running trader: orders, switches, other strategies and limits.

Each waits for its answer. Exit codes: 0 done, 1 refused or without an answer.
"""

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
    settings = configuration_of({"LEDGER_PATH": ledger_path}).settings
    _end_with_failures(lambda: work(settings))


def _end_with_failures(work: Callable[[], int]) -> None:
    from binance_trade_agent.configuration import ConfigError
    from binance_trade_agent.ledger.errors import LedgerError
    from binance_trade_agent.strategies.registry import StrategyError

    try:
        sys.exit(work())
    except (ConfigError, StrategyError) as failure:
        fail(str(failure))
    except LedgerError as failure:
        fail(str(failure), exit_codes.FAILURE)


_account_option = click.option(
    "--account", is_flag=True, help="The other daemons of its account too; each is taken back by its own name."
)
stop = _command("stop", "End the running trader in good order.")
resume = _command("resume", "Allow entries again, and all that was paused.")


@click.command("pause")
@click.option("--everything", is_flag=True, help="The strategy leaves no position either; what protects them goes on.")
@_account_option
@ledger_path_option
def pause(ledger_path: Path | None, everything: bool, account: bool) -> None:
    """Let the running trader enter no new positions, until `resume`; it holds over restarts."""
    from binance_trade_agent.ops import command

    _end_with(ledger_path, lambda settings: command.pause(settings, everything=everything, whole_account=account))


@click.command("kill")
@click.option("--reason", default="", metavar="TEXT", help="Why, for the record.")
@click.option("--close-positions", is_flag=True, help="Sell all positions at market as well.")
@_account_option
@ledger_path_option
def kill(ledger_path: Path | None, reason: str, close_positions: bool, account: bool) -> None:
    """Throw the kill switch: nothing is entered and entries that rest are cancelled, until `release`.

    It holds at once, over restarts, and without a trader. What protects positions stays.
    """
    from binance_trade_agent.ops import command

    _end_with(
        ledger_path,
        lambda settings: command.kill(settings, reason, closes_positions=close_positions, whole_account=account),
    )


@click.command("close")
@click.argument("symbol", default="")
@click.option("--all", "is_all", is_flag=True, help="All positions.")
@click.option("--reason", default="", metavar="TEXT", help="Why, for the record.")
@ledger_path_option
def close(symbol: str, is_all: bool, reason: str, ledger_path: Path | None) -> None:
    """Sell the position of SYMBOL, or all of them with --all, at market.

    Its stop, its target and what persons have on sale of it are cancelled first.
    """
    from binance_trade_agent.ops import command

    if bool(symbol) == is_all:
        fail("Name a symbol or give --all, one of the two: `trade-agent close BTCUSDT`, `trade-agent close --all`.")
    _end_with(ledger_path, lambda settings: command.close(settings, symbol, reason))


@click.command("cancel")
@click.argument("client_order_id", metavar="ID")
@ledger_path_option
def cancel(client_order_id: str, ledger_path: Path | None) -> None:
    """Cancel the resting order ID, as `trade-agent status` names it."""
    from binance_trade_agent.ops import command

    _end_with(ledger_path, lambda settings: command.cancel(settings, client_order_id))


@click.command("order")
@click.argument("side", type=click.Choice(["buy", "sell"], case_sensitive=False))
@click.argument("symbol")
@click.option("--quantity", metavar="BASE", help="How much, in base asset.")
@click.option("--quote", metavar="QUOTE", help="How much, in quote asset.")
@click.option(
    "--type",
    "kind",
    type=click.Choice(["market", "limit", "stop-limit", "oco"], case_sensitive=False),
    default="market",
    show_default=True,
)
@click.option("--price", default="", help="The limit; of an oco that of its target.")
@click.option(
    "--stop-price", default="", help="The price that makes an order of a stop-limit, or of the stop of an oco."
)
@click.option("--stop-limit-price", default="", help="The limit of an oco's stop.")
@click.option(
    "--worst-price",
    default="",
    help="Of a market order: refused when the book gives a worse average; without it RISK_MAX_SLIPPAGE_PCT bounds it.",
)
@click.option("--yes", "is_agreed", is_flag=True, help="Place it without being asked.")
@ledger_path_option
def order(
    side: str,
    symbol: str,
    quantity: str | None,
    quote: str | None,
    kind: str,
    price: str,
    stop_price: str,
    stop_limit_price: str,
    worst_price: str,
    is_agreed: bool,
    ledger_path: Path | None,
) -> None:
    """Buy or sell SYMBOL: shows what it comes to and which rules refuse it, asks, and waits until it fills or rests.

    It obeys the same limits as the strategy's orders. It is not carried out later than 60 s after it was confirmed.
    """
    from binance_trade_agent.ops.order_command import order as order_now
    from binance_trade_agent.reports.order_draft import Draft

    if (quantity is None) == (quote is None):
        fail("Say how much, by one of the two: --quantity in base asset, --quote in quote asset.")
    amount, unit = (quantity, "base") if quantity is not None else (quote, "quote")
    kind_name = kind.lower().replace("-", "_")
    draft = Draft(
        symbol.upper(), side.upper(), kind_name, amount or "", unit, price, stop_price, stop_limit_price, worst_price
    )
    unused = [
        name
        for name in ("price", "stop_price", "stop_limit_price")
        if getattr(draft, name) and name not in draft.prices
    ]
    if worst_price and kind_name != "market":
        unused.append("worst_price")
    if unused:
        fail(f"--{unused[0].replace('_', '-')} does not belong to a {kind} order.")
    configuration = configuration_of({"LEDGER_PATH": ledger_path})
    _end_with_failures(lambda: order_now(configuration, draft, is_agreed=is_agreed))


@click.command("release")
@click.argument("name")
@ledger_path_option
def release(name: str, ledger_path: Path | None) -> None:
    """Turn the kill switch off. NAME is the trader's, TRADING_INSTANCE, so that no other one is meant."""
    from binance_trade_agent.ops import command

    _end_with(ledger_path, lambda settings: command.release(settings, name))


@click.command("notify")
@click.argument("text", default="This is a test: notifications arrive here.")
def notify(text: str) -> None:
    """Send TEXT to each address of NOTIFY_URLS now, to see that it arrives."""
    from binance_trade_agent.notifications import command

    settings = configuration_of({}).settings
    _end_with_failures(lambda: command.notify(settings, text))


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

"""What the commands share: settings as flags, options that several take, and how they end."""

import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from binance_trade_agent import exit_codes

if TYPE_CHECKING:
    from binance_trade_agent.configuration import Configuration

# Flags are visible to every user of the machine, so secrets have none; nor have these.
_NO_FLAGS = {"LIVE_TRADING_ACK", "TRADER_ON_FINISH", "TRADING_AUTOSTART"}

ledger_path_option = click.option(
    "--ledger-path", type=click.Path(path_type=Path), help="The ledger; LEDGER_PATH without this."
)
json_option = click.option("--json", "as_json", is_flag=True, help="One JSON document.")


class SettingsCommand(click.Command):
    """A command with a flag for each setting: TRADING_SYMBOLS is --symbols, LEDGER_PATH is --ledger-path."""

    def get_params(self, context: click.Context) -> list[click.Parameter]:
        """The command's own options, then the flags."""
        return [*super().get_params(context), *self._flags()]

    def _flags(self) -> list[click.Parameter]:
        from binance_trade_agent.configuration import SECRETS
        from binance_trade_agent.settings import Settings, shown

        return [
            click.Option(
                [f"--{name.removeprefix('trading_').replace('_', '-')}", name],
                help=f"{field.description} [{name.upper()}, default: {shown(field.default)}]",
                metavar="VALUE",
                expose_value=True,
            )
            for name, field in Settings.model_fields.items()
            if name.upper() not in _NO_FLAGS | SECRETS
        ]


def fail(message: str, code: int = exit_codes.WRONG_CONFIGURATION) -> NoReturn:
    """End the process with one sentence on standard error."""
    from binance_trade_agent.ops.terminal import complain

    sys.exit(complain(message, code))


def configuration_of(
    flags: dict[str, Any], when_wrong: Callable[[dict[str, Any], str], None] | None = None
) -> "Configuration":
    """Load the settings, with flags by their names; a wrong one ends the process with a sentence.

    Args:
        flags: what the command line gave.
        when_wrong: is told of it too, with the flags by setting names.
    """
    from binance_trade_agent.configuration import ConfigError, load
    from binance_trade_agent.ops.terminal import complain

    given = {name.upper(): value for name, value in flags.items()}
    try:
        return load(given)
    except ConfigError as failure:
        complain(failure, exit_codes.WRONG_CONFIGURATION)
        if when_wrong is not None:
            when_wrong(given, str(failure))
        sys.exit(exit_codes.WRONG_CONFIGURATION)


class Amount(click.ParamType[Decimal]):
    """A finite decimal number within bounds, as text that holds all of its digits."""

    name = "amount"

    def __init__(self, *, least: int = 0, above: int | None = None, most: int | None = None) -> None:
        self._least, self._above, self._most = least, above, most

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Decimal:
        """The number."""
        from binance_trade_agent.domain.money import parse_amount

        try:
            amount = parse_amount(str(value))
        except ValueError as failure:
            self.fail(f"{failure}.", param, ctx)
        is_low = amount < self._least if self._above is None else amount <= self._above
        if is_low or (self._most is not None and amount > self._most):
            low = f"at least {self._least}" if self._above is None else f"above {self._above}"
            high = "" if self._most is None else f", at most {self._most}"
            self.fail(f"{value} is not allowed: it must be {low}{high}.", param, ctx)
        return amount


def names(text: str | None) -> tuple[str, ...]:
    """Names separated by commas, each once."""
    return tuple(dict.fromkeys(part.strip() for part in (text or "").split(",") if part.strip()))


def moment(option: str, text: str | None) -> int | None:
    """A date or time in ms UTC; one that is none ends the process with a sentence that names the option."""
    from binance_trade_agent.reports.wording import parse_utc

    try:
        return None if text is None else parse_utc(text)
    except ValueError as error:
        fail(f"{option}: {error}")


def set_up_log(configuration: "Configuration", file_name: str | None = None) -> None:
    """Log as the settings say, with no secret in it; a process that goes on for long into files `file_name` too."""
    from binance_trade_agent.ops import logging
    from binance_trade_agent.ops.log_file import LogFile, log_folder
    from binance_trade_agent.settings import secret_texts

    settings = configuration.settings
    file = None
    if file_name is not None and settings.log_file_mb:
        file = LogFile(log_folder(settings.ledger_path), file_name, settings.log_file_mb)
    logging.configure(settings.log_format, settings.log_level, secrets=secret_texts(settings), file=file)

"""`trade-agent dashboard`."""

import sys
from typing import Any

import click

from binance_trade_agent.cli.shared import SettingsCommand, configuration_of, fail, set_up_log


@click.command("dashboard", cls=SettingsCommand)
@click.option(
    "--locked-without-password",
    is_flag=True,
    help="Serve a notice instead of ending where others can reach it and no password is set; for containers.",
)
def dashboard(locked_without_password: bool, **flags: Any) -> None:
    """Serve the pages on port 8050, until SIGTERM.

    It reads the ledger and what the trader tells, and leaves commands for the trader; it needs no keys. Without
    DASHBOARD_PASSWORD it is for this machine only. Exit codes: 0 stopped, 2 wrong settings, 1 the rest.
    """
    configuration = configuration_of(flags)
    set_up_log(configuration, "dashboard")
    from binance_trade_agent.configuration import ConfigError
    from binance_trade_agent.dashboard.command import serve

    try:
        sys.exit(serve(configuration, locked_without_password=locked_without_password))
    except ConfigError as failure:
        fail(str(failure))

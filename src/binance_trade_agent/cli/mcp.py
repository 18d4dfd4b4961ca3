"""`trade-agent mcp`."""

import sys
from typing import Any

import click

from binance_trade_agent.cli.shared import SettingsCommand, configuration_of, fail, set_up_log


@click.command("mcp", cls=SettingsCommand)
@click.option("--stdio", is_flag=True, help="Speak over standard input and output, to the client that starts this.")
@click.option(
    "--locked-without-token",
    is_flag=True,
    help="Serve a notice instead of ending where others can reach it and no token is set; for containers.",
)
def mcp(stdio: bool, locked_without_token: bool, **flags: Any) -> None:
    """Serve assistants by the Model Context Protocol: on port 8080 at /mcp, until SIGTERM, or with --stdio.

    They read what the ledger holds and the trader tells; with MCP_ALLOW_TRADING=true they leave orders and other
    commands for the trader too. It needs no keys. Without MCP_AUTH_TOKEN it is for this machine only. Exit codes:
    0 stopped, 2 wrong settings, 1 the rest.
    """
    configuration = configuration_of(flags)
    set_up_log(configuration)
    from binance_trade_agent.configuration import ConfigError
    from binance_trade_agent.mcp_server import command

    try:
        if stdio:
            sys.exit(command.serve_stdio(configuration))
        sys.exit(command.serve(configuration, locked_without_token=locked_without_token))
    except ConfigError as failure:
        fail(str(failure))

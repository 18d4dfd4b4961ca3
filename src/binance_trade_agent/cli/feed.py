"""`trade-agent feed`."""

import sys
from typing import Any

import click

from binance_trade_agent.cli.shared import SettingsCommand, configuration_of, set_up_log


@click.command("feed", cls=SettingsCommand)
@click.option(
    "--market",
    type=click.Choice(["live", "testnet"]),
    help="Whose public data, where the settings have no keys for that mode; without this, the mode's.",
)
def feed(market: str | None, **flags: Any) -> None:
    """Follow the market for all daemons of this host, until SIGTERM.

    Daemons with TRADING_FEED=shared and the same REDIS_URL say what they trade, and take candles, prices and rules from
    here: what that costs of the exchange's request weight is spent once. TRADING_SYMBOLS is followed in any case. It
    needs no keys and sends none. A daemon whose feed is away goes on by itself. Exit codes: 0 stopped, 2 wrong
    settings, 1 the rest.
    """
    from binance_trade_agent.ops.signals import end_quietly_until_listened_to

    end_quietly_until_listened_to("the market was followed")
    configuration = configuration_of(flags)
    set_up_log(configuration)
    from binance_trade_agent.feed.command import run

    sys.exit(run(configuration.settings, market))

"""The command `replay`."""

import sys
from pathlib import Path

import click

from binance_trade_agent.cli.shared import configuration_of, json_option, ledger_path_option


@click.command("replay")
@click.argument("run", default="last")
@ledger_path_option
@json_option
def replay(run: str, ledger_path: Path | None, as_json: bool) -> None:
    """Decide a recorded RUN again by the same agents, and print the first decision that comes out otherwise.

    RUN is the id of a run or its beginning, its number in the ledger, or `last`. What its decisions were made on is
    beside the ledger, in recordings/ (RECORD_KEEP_MB). Nothing is changed, and nothing is asked of the exchange.

    Exit codes: 0 for `0 differences`, 1 otherwise, 2 when there is no such run or no recording of it.
    """
    path = configuration_of({"LEDGER_PATH": ledger_path}).settings.ledger_path
    from binance_trade_agent.backtest.replay.command import replay_run

    sys.exit(replay_run(path, run, as_json=as_json))

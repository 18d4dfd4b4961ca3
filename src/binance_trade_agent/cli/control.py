"""Commands to the running trader: `stop`, `pause`, `resume`."""

import sys
from pathlib import Path

import click

from binance_trade_agent import exit_codes
from binance_trade_agent.cli.shared import configuration_of, fail, ledger_path_option


def _command(kind: str, text: str) -> click.Command:
    @click.command(kind, help=text)
    @ledger_path_option
    def place(ledger_path: Path | None) -> None:
        from binance_trade_agent.ledger.errors import LedgerError
        from binance_trade_agent.ops.command import place_and_wait

        settings = configuration_of({"LEDGER_PATH": ledger_path}).settings
        try:
            sys.exit(place_and_wait(settings.ledger_path, kind))
        except LedgerError as failure:
            fail(str(failure), exit_codes.FAILURE)

    return place


stop = _command("stop", "End the running trader in good order.")
pause = _command("pause", "Let the running trader enter no new positions, until `resume`; it holds over restarts.")
resume = _command("resume", "Allow entries again.")

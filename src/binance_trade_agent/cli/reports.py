"""Commands that tell what happened: `analyze`, `status`, `reconcile`, `account`."""

import sys
from pathlib import Path
from typing import Any

import click

from binance_trade_agent import exit_codes
from binance_trade_agent.cli.shared import (
    SettingsCommand,
    configuration_of,
    fail,
    json_option,
    ledger_path_option,
    set_up_log,
)


@click.command("analyze")
@ledger_path_option
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="Latest trades to show.")
@click.option("--symbol", help="Only this symbol.")
@click.option("--since", metavar="TIME", help="Only trades since this UTC time, such as 2026-01-05T12:00.")
@json_option
@click.option("--csv", "as_csv", is_flag=True, help="All trades as CSV.")
def analyze(
    ledger_path: Path | None, limit: int, symbol: str | None, since: str | None, as_json: bool, as_csv: bool
) -> None:
    """Trades, positions, fees, profit and equity, from the ledger alone."""
    from binance_trade_agent.ledger.errors import LedgerError
    from binance_trade_agent.ledger.reader import LedgerReader
    from binance_trade_agent.reports import analysis, analysis_files, wording

    settings = configuration_of({"LEDGER_PATH": ledger_path}).settings
    try:
        since_ms = wording.parse_utc(since) if since else None
        with LedgerReader.open(settings.ledger_path) as reader:
            wanted = None if as_csv else limit
            found = analysis.analyze(reader, symbol=symbol and symbol.upper(), since_ms=since_ms, limit=wanted)
    except (LedgerError, ValueError) as failure:
        fail(str(failure), exit_codes.FAILURE)
    if as_json:
        print(analysis_files.as_json(found))
    elif as_csv:
        print(analysis_files.as_csv(found), end="")
    else:
        from binance_trade_agent.reports.analysis_text import print_analysis

        print_analysis(found)


@click.command("status")
@ledger_path_option
@json_option
def status(ledger_path: Path | None, as_json: bool) -> None:
    """What the trader does now: heartbeat, positions, orders that are not settled, alarms; from the ledger alone."""
    from binance_trade_agent.ledger.errors import LedgerError
    from binance_trade_agent.ledger.lock import is_held
    from binance_trade_agent.ledger.reader import LedgerReader
    from binance_trade_agent.ops import heartbeat
    from binance_trade_agent.reports import status

    path = configuration_of({"LEDGER_PATH": ledger_path}).settings.ledger_path
    try:
        with LedgerReader.open(path) as reader:
            last = heartbeat.read(heartbeat.heartbeat_path(path))
            found = status.status(reader, last, is_running=is_held(path))
    except LedgerError as failure:
        fail(str(failure), exit_codes.FAILURE)
    print(status.as_json(found) if as_json else "\n".join(status.lines(found)))


@click.command("reconcile", cls=SettingsCommand)
def reconcile(**flags: Any) -> None:
    """Compare the ledger with the exchange and print each difference; exit code 0 only for `0 differences`."""
    configuration = configuration_of(flags)
    set_up_log(configuration)
    from binance_trade_agent.ops.reconcile import compare

    sys.exit(compare(configuration))


@click.command("account", cls=SettingsCommand)
@click.option("--forget", metavar="NAME", help="Let go of the claim of a daemon that does not run any more.")
def account(forget: str | None, **flags: Any) -> None:
    """Who has what of an account that several daemons share, and what nobody claims.

    The claim of a daemon that does not run stays: what it holds is held, and it may start again. Exit codes: 0 done, 1
    not done or without an answer, 2 wrong settings.
    """
    configuration = configuration_of(flags)
    set_up_log(configuration)
    from binance_trade_agent.ops.account_command import show

    sys.exit(show(configuration, forget))

"""The command `ledger` and those below it."""

import sys
from pathlib import Path

import click

from binance_trade_agent.cli.shared import configuration_of, json_option, ledger_path_option


@click.group("ledger")
def ledger() -> None:
    """Verify, back up or export the ledger while the trader runs; restore it while none does."""


@ledger.command("verify")
@ledger_path_option
@json_option
def verify(ledger_path: Path | None, as_json: bool) -> None:
    """Work out wallets, positions, profits and orders again from the journal, and print each difference.

    Exit code 0 only for `0 differences`, 2 when there is no ledger that can be read.
    """
    path = configuration_of({"LEDGER_PATH": ledger_path}).settings.ledger_path
    from binance_trade_agent.ops.ledger_commands import verify_ledger

    sys.exit(verify_ledger(path, as_json=as_json))


@ledger.command("backup")
@ledger_path_option
@click.option(
    "--to", type=click.Path(path_type=Path), help="A new file, or a folder for it; <ledger>.backup-TIME without it."
)
@click.option(
    "--keep", type=click.IntRange(min=1), help="Leave only so many dated backups in the folder; the oldest go."
)
def backup(ledger_path: Path | None, to: Path | None, keep: int | None) -> None:
    """Copy the ledger as of one moment, check the copy, and print where it is and how large.

    The trader may run meanwhile. With --keep it can be called by a timer (docs/guide/systemd.md).
    """
    path = configuration_of({"LEDGER_PATH": ledger_path}).settings.ledger_path
    from binance_trade_agent.ops.ledger_commands import back_up_ledger

    sys.exit(back_up_ledger(path, to, keep))


@ledger.command("restore")
@click.argument("backup", type=click.Path(path_type=Path))
@ledger_path_option
def restore(backup: Path, ledger_path: Path | None) -> None:
    """Put BACKUP in the ledger's place, after it was verified; refused while a trader runs.

    What was there is kept beside it. The next start takes what was traded since the backup from the exchange.
    """
    path = configuration_of({"LEDGER_PATH": ledger_path}).settings.ledger_path
    from binance_trade_agent.ops.ledger_commands import restore_ledger

    sys.exit(restore_ledger(path, backup))


@ledger.command("export")
@ledger_path_option
@click.option("--format", "form", type=click.Choice(["csv", "jsonl"]), default="csv", show_default=True)
@click.option(
    "--to", type=click.Path(path_type=Path), help="A new folder, or one to make it in; <ledger>.export-TIME without it."
)
def export(ledger_path: Path | None, form: str, to: Path | None) -> None:
    """Write each table to a file of its own, for accountants and other programs."""
    path = configuration_of({"LEDGER_PATH": ledger_path}).settings.ledger_path
    from binance_trade_agent.ops.ledger_commands import export_ledger

    sys.exit(export_ledger(path, to, form))

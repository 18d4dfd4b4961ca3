"""Placing a command for the running trader, and waiting for its answer."""

from pathlib import Path

from binance_trade_agent import exit_codes
from binance_trade_agent.control import commands
from binance_trade_agent.control.commands import Command, CommandKind, CommandState
from binance_trade_agent.ledger.ledger import LedgerReader
from binance_trade_agent.ledger.lock import is_held
from binance_trade_agent.ops.clock import block_seconds, monotonic_seconds, wall_ms

_ANSWER_SECONDS = 30.0
_ASK_EVERY_SECONDS = 0.1


def place_and_wait(ledger_path: Path, kind: str) -> int:
    """Place `kind` and print the trader's answer. Returns the exit code.

    A pause or resume that nobody takes stays in the ledger for the next start; a stop needs a trader.

    Raises:
        LedgerError: there is no ledger, or it cannot be written.
    """
    wanted = CommandKind(kind)
    runs = is_held(ledger_path)
    if not runs and wanted is CommandKind.STOP:
        print(f"No trader runs on {ledger_path}.")
        return exit_codes.FAILURE
    command_id = commands.place(ledger_path, wanted, requested_by="cli", requested_wall_ms=wall_ms())
    if not runs:
        print(f"No trader runs on {ledger_path}; the next one will carry this out: {kind}.")
        return exit_codes.OK
    answered = _answer(ledger_path, command_id)
    if answered is None:
        print(f"The trader has not answered in {_ANSWER_SECONDS:g} s; it will carry this out when it looks: {kind}.")
        return exit_codes.FAILURE
    print(answered.answer.capitalize() + ".")
    return exit_codes.OK if answered.state is CommandState.DONE else exit_codes.FAILURE


def _answer(ledger_path: Path, command_id: int) -> Command | None:
    deadline = monotonic_seconds() + _ANSWER_SECONDS
    with LedgerReader.open(ledger_path) as reader:
        while monotonic_seconds() < deadline:
            command = reader.snapshot(lambda connection: commands.command(connection, command_id))
            if command is not None and command.state is not CommandState.PENDING:
                return command
            block_seconds(_ASK_EVERY_SECONDS)
    return None

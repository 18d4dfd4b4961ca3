"""Placing a command for the running trader, and waiting for its answer."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from binance_trade_agent import exit_codes
from binance_trade_agent.control import commands
from binance_trade_agent.control.commands import FOR_THE_RUN, OF_ACCOUNT, Command, CommandKind, CommandState
from binance_trade_agent.control.risk_switch import checked, effective_settings
from binance_trade_agent.control.strategy_switch import asked_choice
from binance_trade_agent.domain.claims import going_on
from binance_trade_agent.domain.pause_scope import PauseScope
from binance_trade_agent.ledger import queries
from binance_trade_agent.ledger.lock import is_held
from binance_trade_agent.ledger.reader import LedgerReader
from binance_trade_agent.ops import vitals
from binance_trade_agent.ops.clock import block_seconds, monotonic_seconds, wall_ms
from binance_trade_agent.reports.wording import sentence
from binance_trade_agent.settings import Settings
from binance_trade_agent.strategies.in_use import StrategiesInUse

_ANSWER_SECONDS = 30.0
_ASK_EVERY_SECONDS = 0.1


def set_strategy(settings: Settings, name: str, params: str) -> int:
    """Ask for another strategy and print the trader's answer. Returns the exit code.

    Raises:
        StrategyError: there is no such strategy, or a parameter is not allowed; nothing was placed.
        LedgerError: there is no ledger, or it cannot be written.
    """
    StrategiesInUse(asked_choice(name, params), _traded_symbols(settings))
    return place_and_wait(settings.ledger_path, CommandKind.SET_STRATEGY, {"name": name, "params": params})


def set_risk(settings: Settings, wanted: Mapping[str, str]) -> int:
    """Ask for other limits, setting name -> value, and print the trader's answer. Returns the exit code.

    A trader that runs checks them itself: it was perhaps started with other settings.

    Raises:
        ConfigError: none runs, and they cannot be changed so; nothing was placed.
        LedgerError: there is no ledger, or it cannot be written.
    """
    if not is_held(settings.ledger_path):
        with LedgerReader.open(settings.ledger_path) as reader:
            checked(reader.snapshot(lambda connection: effective_settings(connection, settings)), wanted)
    return place_and_wait(settings.ledger_path, CommandKind.SET_RISK, wanted)


def pause(settings: Settings, *, everything: bool, whole_account: bool = False) -> int:
    """Pause entries, or everything that does not protect, and print the trader's answer. Returns the exit code.

    With `whole_account` it is for the other daemons of its account too.

    Raises:
        LedgerError: there is no ledger, or it cannot be written.
    """
    scope = PauseScope.EVERYTHING if everything else PauseScope.ENTRIES
    return _place_for_account(settings, CommandKind.PAUSE, {"scope": scope.value}, whole_account=whole_account)


def kill(settings: Settings, reason: str, *, closes_positions: bool = False, whole_account: bool = False) -> int:
    """Throw the kill switch, and sell all positions if asked to; print the trader's answer. Returns the exit code.

    With `whole_account` it is for the other daemons of its account too, but for their positions.

    Raises:
        LedgerError: there is no ledger, or it cannot be written.
    """
    payload = {"reason": reason, "close_positions": "true" if closes_positions else ""}
    wanted = {name: value for name, value in payload.items() if value}
    return _place_for_account(settings, CommandKind.KILL, wanted, whole_account=whole_account)


def cancel(settings: Settings, client_order_id: str) -> int:
    """Cancel an order that rests, and print the trader's answer. Returns the exit code.

    Raises:
        LedgerError: there is no ledger, or it cannot be written.
    """
    return place_and_wait(settings.ledger_path, CommandKind.CANCEL, {"client_order_id": client_order_id})


def close(settings: Settings, symbol: str, reason: str) -> int:
    """Sell the position of a symbol, all of them without one, and print the trader's answer. Returns the exit code.

    Raises:
        LedgerError: there is no ledger, or it cannot be written.
    """
    payload = {"symbol": symbol.upper(), **({"reason": reason} if reason else {})}
    return place_and_wait(settings.ledger_path, CommandKind.CLOSE, payload)


def release(settings: Settings, name: str) -> int:
    """Turn the kill switch of the trader `name` off, and print its answer. Returns the exit code.

    Raises:
        LedgerError: there is no ledger, or it cannot be written.
    """
    if not is_held(settings.ledger_path) and name != settings.trading_instance:
        # A trader that runs says so itself, by the name that it was started with.
        instance = settings.trading_instance
        print(f"No trader runs, and TRADING_INSTANCE is {instance}, not {name}: `trade-agent release {instance}`.")
        return exit_codes.FAILURE
    return place_and_wait(settings.ledger_path, CommandKind.RELEASE, {"name": name})


def place_and_wait(ledger_path: Path, kind: str, payload: Mapping[str, str] | None = None) -> int:
    """Place `kind` and print the trader's answer. Returns the exit code.

    What nobody takes stays in the ledger for the next start, but what is for the trader that runs.

    Raises:
        LedgerError: there is no ledger, or it cannot be written.
    """
    wanted = CommandKind(kind)
    runs = is_held(ledger_path)
    if wanted in FOR_THE_RUN and not needs_trader(ledger_path):
        if wanted is CommandKind.STOP:
            print(
                "If one is just being started, say it again in a second; what a supervisor starts, that one stops: "
                "`supervisorctl stop trader` in Docker, `systemctl stop trade-agent`."
            )
        return exit_codes.FAILURE
    typed = wanted.value.replace("_", "-")
    command_id = commands.place(ledger_path, wanted, requested_by="cli", requested_wall_ms=wall_ms(), payload=payload)
    if not runs:
        then = f"the next one will carry this out: {typed}"
        if wanted is CommandKind.KILL:
            then = "the kill switch is on; what rests on the exchange and what is held stay until one runs"
        print(f"No trader runs on {ledger_path}; {then}.")
        return exit_codes.OK
    answered = _answer(ledger_path, command_id)
    if answered is None or answered.state is CommandState.PENDING:
        print(f"The trader has not answered in {_ANSWER_SECONDS:g} s; {_what_then(wanted, answered)}.")
        return exit_codes.FAILURE
    print(sentence(answered.answer))
    return exit_codes.OK if answered.state is CommandState.DONE else exit_codes.FAILURE


def _place_for_account(settings: Settings, kind: CommandKind, payload: dict[str, str], *, whole_account: bool) -> int:
    """Place a command that may be for all daemons of an account: the trader asks the others, where one runs."""
    path = settings.ledger_path
    if is_held(path):
        return place_and_wait(path, kind, payload | ({OF_ACCOUNT: "true"} if whole_account else {}))
    code = place_and_wait(path, kind, payload)
    if others := vitals.others_of_account(path):
        print(f"{sentence(going_on(others, kind.value))[:-1]}, given where one of them runs.")
    return exit_codes.FAILURE if whole_account else code


def needs_trader(ledger_path: Path) -> bool:
    """Whether one runs, for what needs one; says that none does."""
    if is_held(ledger_path):
        return True
    print(f"No trader runs on {ledger_path}; nothing was placed.")
    return False


def _what_then(kind: CommandKind, command: Command | None) -> str:
    """What becomes of a command without an answer."""
    if kind is CommandKind.KILL:
        return "the kill switch is on all the same, how far its work has come says `trade-agent status`"
    if command is not None and command.client_order_id is not None:
        return f"its order {command.client_order_id} is under way: `trade-agent status`"
    if kind in FOR_THE_RUN and kind is not CommandKind.STOP:
        return "it carries this out within 60 s of its placing or not at all: `trade-agent status`"
    return f"it will carry this out when it looks: {kind.replace('_', '-')}"


def _traded_symbols(settings: Settings) -> Sequence[str]:
    """Those of the trader that runs, which was perhaps started with other settings; else those of the settings."""
    if not is_held(settings.ledger_path):
        return settings.trading_symbols
    with LedgerReader.open(settings.ledger_path) as reader:
        runs = reader.snapshot(queries.runs)
    return runs[-1].symbols if runs else settings.trading_symbols


def _answer(ledger_path: Path, command_id: int) -> Command | None:
    """The command once it is answered, or as it is when the wait is over."""
    command: Command | None = None
    deadline = monotonic_seconds() + _ANSWER_SECONDS
    with LedgerReader.open(ledger_path) as reader:
        while monotonic_seconds() < deadline:
            command = reader.snapshot(lambda connection: commands.command(connection, command_id))
            if command is not None and command.state is not CommandState.PENDING:
                return command
            block_seconds(_ASK_EVERY_SECONDS)
    return command

"""The command `trade-agent`. Everything heavy is imported inside the command that needs it, so that help is instant."""

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click

from binance_trade_agent import __version__, exit_codes
from binance_trade_agent.ops import container_log

if TYPE_CHECKING:
    from binance_trade_agent.configuration import Configuration

F = TypeVar("F", bound=Callable[..., Any])

# Flags are visible to every user of the machine, so secrets come from the environment or from files only.
_NO_FLAGS = {"BINANCE_API_KEY", "BINANCE_API_SECRET", "REDIS_URL", "LIVE_TRADING_ACK", "TRADING_AUTOSTART"}


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run a command and exit with its code."""
    sys.exit(_group.main(arguments, prog_name="trade-agent", standalone_mode=True))


@click.group(name="trade-agent", context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="trade-agent")
def _group() -> None:
    """A trading daemon for Binance spot.

    Without keys it trades on a simulated exchange of its own; with testnet keys on the testnet. Settings come from
    flags, the environment, .env and config/*.toml; `trade-agent config` shows what is in effect and why.
    """


class _SettingsCommand(click.Command):
    """A command with a flag for each setting: TRADING_SYMBOLS is --symbols, LEDGER_PATH is --ledger-path."""

    def get_params(self, context: click.Context) -> list[click.Parameter]:
        return [*super().get_params(context), *self._flags()]

    def _flags(self) -> list[click.Parameter]:
        from binance_trade_agent.settings import Settings, shown

        return [
            click.Option(
                [f"--{name.removeprefix('trading_').replace('_', '-')}", name],
                help=f"{field.description} [{name.upper()}, default: {shown(field.default)}]",
                metavar="VALUE",
                expose_value=True,
            )
            for name, field in Settings.model_fields.items()
            if name.upper() not in _NO_FLAGS
        ]


def _fail(message: str, code: int = exit_codes.WRONG_CONFIGURATION) -> NoReturn:
    from binance_trade_agent.ops.terminal import complain

    sys.exit(complain(message, code))


def _configuration(flags: dict[str, Any]) -> "Configuration":
    from binance_trade_agent.configuration import ConfigError, load

    try:
        return load({name.upper(): value for name, value in flags.items()})
    except ConfigError as failure:
        _fail(str(failure))


def _set_up_log(configuration: "Configuration") -> None:
    from binance_trade_agent.ops import logging

    settings = configuration.settings
    secret_settings = (settings.binance_api_key, settings.binance_api_secret, settings.redis_url)
    secrets = [secret.get_secret_value() for secret in secret_settings if secret is not None]
    logging.configure(settings.log_format, settings.log_level, secrets=secrets)


@_group.command("run", cls=_SettingsCommand)
@click.option(
    "--takeover",
    is_flag=True,
    help="Take the ledger and the account from the trader that has them: it is ended, killed after 12 s.",
)
def _run(takeover: bool, **flags: Any) -> None:
    """Trade until the duration is over or a signal comes.

    Exit codes: 0 done or stopped, 2 wrong settings or keys, 3 ledger and exchange could not be reconciled, 1 the rest.
    """
    from binance_trade_agent.ops.signals import end_quietly_until_listened_to

    end_quietly_until_listened_to("trading began")
    container_log.copy_output(os.environ)
    configuration = _configuration(flags)
    _set_up_log(configuration)
    from binance_trade_agent.daemon import run

    sys.exit(run(configuration, takeover=takeover))


@_group.command("config", cls=_SettingsCommand)
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def _config(as_json: bool, **flags: Any) -> None:
    """Print each effective setting and where it came from; secrets are masked."""
    rows = list(_configuration(flags).rows())
    if as_json:
        import json

        print(json.dumps({name: {"value": value, "origin": origin} for name, value, origin in rows}, indent=2))
        return
    width = max(len(name) for name, _, _ in rows)
    for name, value, origin in rows:
        print(f"{name:{width}}  {value}  ({origin})")


@_group.command("analyze")
@click.option("--ledger-path", type=click.Path(path_type=Path), help="The ledger; LEDGER_PATH without this.")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="Latest trades to show.")
@click.option("--symbol", help="Only this symbol.")
@click.option("--since", metavar="TIME", help="Only trades since this UTC time, such as 2026-01-05T12:00.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.option("--csv", "as_csv", is_flag=True, help="All trades as CSV.")
def _analyze(
    ledger_path: Path | None, limit: int, symbol: str | None, since: str | None, as_json: bool, as_csv: bool
) -> None:
    """Trades, positions, fees, profit and equity, from the ledger alone."""
    from binance_trade_agent.ledger.errors import LedgerError
    from binance_trade_agent.ledger.ledger import LedgerReader
    from binance_trade_agent.reports import analysis, analysis_files, wording

    settings = _configuration({"LEDGER_PATH": ledger_path}).settings
    try:
        since_ms = wording.parse_utc(since) if since else None
        with LedgerReader.open(settings.ledger_path) as reader:
            wanted = None if as_csv else limit
            found = analysis.analyze(reader, symbol=symbol and symbol.upper(), since_ms=since_ms, limit=wanted)
    except (LedgerError, ValueError) as failure:
        _fail(str(failure), exit_codes.FAILURE)
    if as_json:
        print(analysis_files.as_json(found))
    elif as_csv:
        print(analysis_files.as_csv(found), end="")
    else:
        from binance_trade_agent.reports.analysis_text import print_analysis

        print_analysis(found)


@_group.command("strategies")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def _strategies(as_json: bool) -> None:
    """List strategies and presets with their parameters, defaults and bounds."""
    from dataclasses import asdict

    from binance_trade_agent.strategies.registry import describe

    described = describe()
    if as_json:
        import json

        print(json.dumps([asdict(entry) for entry in described], indent=2))
        return
    for entry in described:
        print(f"{entry.name}: {entry.summary}")
        for parameter in entry.parameters:
            bounds = f"{parameter.minimum:g} to {parameter.maximum:g}"
            print(f"    {parameter.name} = {parameter.default:g}  ({bounds}) {parameter.description}")


@_group.command("doctor", cls=_SettingsCommand)
def _doctor(**flags: Any) -> None:
    """Check python, libraries, exchange, clock, keys, symbols, Redis, ledger and disk; a line each.

    Exit code 1 when something failed.
    """
    configuration = _configuration(flags)
    from binance_trade_agent.ops.doctor import examine

    sys.exit(examine(configuration))


@_group.command("reconcile", cls=_SettingsCommand)
def _reconcile(**flags: Any) -> None:
    """Compare the ledger with the exchange and print each difference; exit code 0 only for `0 differences`."""
    configuration = _configuration(flags)
    _set_up_log(configuration)
    from binance_trade_agent.ops.reconcile import compare

    sys.exit(compare(configuration))


_LEDGER_PATH = click.option(
    "--ledger-path", type=click.Path(path_type=Path), help="The ledger; LEDGER_PATH without this."
)


@_group.group("ledger")
def _ledger() -> None:
    """Verify, back up or export the ledger; the trader may run meanwhile."""


@_ledger.command("verify")
@_LEDGER_PATH
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def _ledger_verify(ledger_path: Path | None, as_json: bool) -> None:
    """Work out wallets, positions, profits and orders again from the journal, and print each difference.

    Exit code 0 only for `0 differences`, 2 when there is no ledger that can be read.
    """
    path = _configuration({"LEDGER_PATH": ledger_path}).settings.ledger_path
    from binance_trade_agent.ops.ledger_commands import verify_ledger

    sys.exit(verify_ledger(path, as_json=as_json))


@_ledger.command("backup")
@_LEDGER_PATH
@click.option(
    "--to", type=click.Path(path_type=Path), help="A new file, or a folder for it; <ledger>.backup-TIME without it."
)
def _ledger_backup(ledger_path: Path | None, to: Path | None) -> None:
    """Copy the ledger as of one moment, check the copy, and print where it is and how large.

    To restore one: stop the trader, move the ledger and its -wal file away, and copy the backup to the ledger's place.
    """
    path = _configuration({"LEDGER_PATH": ledger_path}).settings.ledger_path
    from binance_trade_agent.ops.ledger_commands import back_up_ledger

    sys.exit(back_up_ledger(path, to))


@_ledger.command("export")
@_LEDGER_PATH
@click.option("--format", "form", type=click.Choice(["csv", "jsonl"]), default="csv", show_default=True)
@click.option(
    "--to", type=click.Path(path_type=Path), help="A new folder, or one to make it in; <ledger>.export-TIME without it."
)
def _ledger_export(ledger_path: Path | None, form: str, to: Path | None) -> None:
    """Write each table to a file of its own, for accountants and other programs."""
    path = _configuration({"LEDGER_PATH": ledger_path}).settings.ledger_path
    from binance_trade_agent.ops.ledger_commands import export_ledger

    sys.exit(export_ledger(path, to, form))


@_group.command("exchange")
@click.option("--port", type=click.IntRange(0, 65535), default=8090, show_default=True, help="0 takes a free port.")
@click.option("--control-port", type=click.IntRange(0, 65535), default=8091, show_default=True, help="On the loopback.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--symbols",
    metavar="A,B",
    help="Of a synthetic or relayed market; a synthetic one has SIM1USDT, ABC27USDT, ... too. [TRADING_SYMBOLS]",
)
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), help="Of a synthetic market. [SIMULATION_SEED]")
@click.option(
    "--replay",
    multiple=True,
    metavar="FILE",
    help="Candles to play: SYMBOL-INTERVAL.csv, .csv.gz or .parquet; once for each file. [SIMULATION_REPLAY]",
)
@click.option(
    "--relay",
    metavar="PLACE",
    help="Relay the market of mainnet, of testnet or of an address; needs no key. [SIMULATION_RELAY in paper mode]",
)
@click.option("--fixture", metavar="NAME", help="A market that stands still, for tests: F0, F1 or F2.")
@click.option("--start", metavar="ISO|now", help="Market time of the start, UTC. [SIMULATION_START]")
@click.option(
    "--speed",
    metavar="N|stepped",
    help="Market seconds a second, up to 1000000 (as fast as the machine can), or stepped. [SIMULATION_SPEED]",
)
@click.option(
    "--state",
    type=click.Path(path_type=Path),
    help="Keeps accounts, orders and trades over restarts: a file, or a folder with a file for each market.",
)
@click.option("--faults", type=click.Path(path_type=Path), metavar="FILE", help="TOML file of faults to be met.")
@click.option(
    "--balance",
    "balances",
    multiple=True,
    metavar="ASSET=AMOUNT",
    help="What the account starts with; once for each asset. [SIMULATION_BALANCES]",
)
@click.option("--commission", "commission_rate", metavar="FRACTION", help="Of each fill, 0.001 without this.")
@click.option(
    "--exit-when-idle",
    "exit_when_idle_seconds",
    type=click.FloatRange(min=1),
    metavar="SECONDS",
    help="End after so long without any client.",
)
@click.option("--announce", type=click.Path(path_type=Path), help="File to write the addresses to when it is ready.")
@click.option("--when-needed", is_flag=True, help="End at once when the settings do not trade on this exchange.")
def _exchange(**options: Any) -> None:
    """Run the simulated exchange alone, until SIGTERM.

    On one port it speaks Binance's REST (/api/v3), market streams (/ws, /stream) and WebSocket API (/ws-api/v3); on the
    other, on the loopback only, it takes commands (/sim). It prints one line when it accepts connections. Its keys are
    64 times K (trading) and 64 times R (reading), each with the secret 64 times S.

    Prices come from a synthetic market (--symbols, --seed: the default), from recorded candles (--replay), from the
    present market of a real Binance (--relay: orders are matched here), or stand still (--fixture).

    A setting in brackets holds where its flag is not given. Exit codes: 0 ended by a signal or idle, 2 wrong options,
    3 another exchange has the state file, 1 anything else.
    """
    from binance_trade_agent.ops.signals import end_quietly_until_listened_to

    end_quietly_until_listened_to("the market opened")
    from binance_trade_agent.simulator.command import exchange_options
    from binance_trade_agent.simulator.main import run_exchange

    settings = _configuration({}).settings
    if options.pop("when_needed") and not _is_needed(settings, options["port"]):
        print(f"The simulated exchange is not needed: the mode is {settings.mode}.", flush=True)
        return
    meant = {
        "symbols": settings.trading_symbols,
        "seed": settings.simulation_seed,
        "replay": settings.simulation_replay,
        "relay": settings.simulation_relay if settings.mode == "paper" else None,
        "start": settings.simulation_start,
        "speed": settings.simulation_speed,
        "balances": settings.simulation_balances,
    }
    given = {name: value for name, value in options.items() if value not in (None, ())}
    try:
        chosen = exchange_options(given, meant)
    except ValueError as failure:
        _fail(str(failure))
    sys.exit(run_exchange(chosen))


def _is_needed(settings: Any, port: int) -> bool:
    from urllib.parse import urlsplit

    return settings.is_simulated and urlsplit(settings.exchange_url or "").port == port


@_group.command("health")
def _health() -> None:
    """Exit code 0 when the trading loop's heartbeat is fresh; for a container's health check."""
    from binance_trade_agent.ops import heartbeat

    settings = _configuration({}).settings
    last = heartbeat.read(heartbeat.heartbeat_path(settings.ledger_path))
    if last is None:
        if not settings.trading_autostart:
            print("TRADING_AUTOSTART=false, and nobody has started the trader.")
            return
        _fail(f"no trader has ever run on {settings.ledger_path}.", exit_codes.FAILURE)
    said = f"run {last.run_id}: {last.state}, cycle {last.cycle}, heartbeat {last.age_seconds:.0f} s old"
    said += f"; {last.detail}" if last.detail else "."
    if not last.is_healthy:
        _fail(said, exit_codes.FAILURE)
    print(said)


@_group.command("status")
@click.option("--ledger-path", type=click.Path(path_type=Path), help="The ledger; LEDGER_PATH without this.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def _status(ledger_path: Path | None, as_json: bool) -> None:
    """What the trader does now: heartbeat, positions, orders that are not settled, alarms; from the ledger alone."""
    from binance_trade_agent.ledger.errors import LedgerError
    from binance_trade_agent.ledger.ledger import LedgerReader
    from binance_trade_agent.ledger.lock import is_held
    from binance_trade_agent.ops import heartbeat
    from binance_trade_agent.reports import status

    path = _configuration({"LEDGER_PATH": ledger_path}).settings.ledger_path
    try:
        with LedgerReader.open(path) as reader:
            last = heartbeat.read(heartbeat.heartbeat_path(path))
            found = status.status(reader, last, is_running=is_held(path))
    except LedgerError as failure:
        _fail(str(failure), exit_codes.FAILURE)
    print(status.as_json(found) if as_json else "\n".join(status.lines(found)))


def _command(kind: str, text: str) -> None:
    @_group.command(kind, help=text)
    @click.option("--ledger-path", type=click.Path(path_type=Path), help="The ledger; LEDGER_PATH without this.")
    def place(ledger_path: Path | None) -> None:
        from binance_trade_agent.ledger.errors import LedgerError
        from binance_trade_agent.ops.command import place_and_wait

        settings = _configuration({"LEDGER_PATH": ledger_path}).settings
        try:
            sys.exit(place_and_wait(settings.ledger_path, kind))
        except LedgerError as failure:
            _fail(str(failure), exit_codes.FAILURE)


_command("stop", "End the running trader in good order.")
_command("pause", "Let the running trader enter no new positions, until `resume`; it holds over restarts.")
_command("resume", "Allow entries again.")


if __name__ == "__main__":
    main()

"""Commands that trade, and those that show whether one could: `run`, `config`, `doctor`, `exchange`, `health`."""

import os
import sys
from pathlib import Path
from typing import Any

import click

from binance_trade_agent import exit_codes
from binance_trade_agent.cli.shared import SettingsCommand, configuration_of, fail, json_option, set_up_log
from binance_trade_agent.ops import container_log


@click.command("run", cls=SettingsCommand)
@click.option(
    "--takeover",
    is_flag=True,
    help="Take the ledger and the account from the trader that has them: it is ended, killed after 12 s.",
)
def run(takeover: bool, **flags: Any) -> None:
    """Trade until the duration is over or a signal comes.

    Exit codes: 0 done or stopped, 2 wrong settings or keys, 3 ledger and exchange could not be reconciled, 1 the rest.
    """
    from binance_trade_agent.ops.signals import end_quietly_until_listened_to

    end_quietly_until_listened_to("trading began")
    container_log.copy_output(os.environ)
    configuration = configuration_of(flags, _tell_wrong_settings)
    set_up_log(configuration, "trader")
    from binance_trade_agent.ops.lean_pandas import import_pandas

    import_pandas()
    from binance_trade_agent.daemon import run

    sys.exit(run(configuration, takeover=takeover))


def _tell_wrong_settings(flags: dict[str, Any], sentences: str) -> None:
    from binance_trade_agent.notifications.failed_start import tell_wrong_settings

    tell_wrong_settings(flags, sentences)


@click.command("config", cls=SettingsCommand)
@json_option
def config(as_json: bool, **flags: Any) -> None:
    """Print each effective setting and where it came from; secrets are masked."""
    rows = list(configuration_of(flags).rows())
    if as_json:
        import json

        print(json.dumps({name: {"value": value, "origin": origin} for name, value, origin in rows}, indent=2))
        return
    width = max(len(name) for name, _, _ in rows)
    for name, value, origin in rows:
        print(f"{name:{width}}  {value}  ({origin})")


@click.command("doctor", cls=SettingsCommand)
def doctor(**flags: Any) -> None:
    """Check all that a start depends on, and what is around it; a line each, and what to do where it is not well.

    Python, libraries, strategy, settings, folder, ledger, disk, ports, notifications, Redis, exchange, clock, keys and
    symbols.

    Exit code 1 when something failed.
    """
    configuration = configuration_of(flags)
    from binance_trade_agent.ops.doctor import examine

    sys.exit(examine(configuration))


@click.command("exchange")
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
def exchange(**options: Any) -> None:
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

    settings = configuration_of({}).settings
    if options.pop("when_needed") and not _is_needed(settings, options["port"]):
        place = f", with EXCHANGE_URL {settings.exchange_url or 'not set'}" if settings.is_simulated else ""
        print(f"The simulated exchange is not needed: the mode is {settings.mode}{place}.", flush=True)
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
        fail(str(failure))
    sys.exit(run_exchange(chosen))


def _is_needed(settings: Any, port: int) -> bool:
    from urllib.parse import urlsplit

    address = urlsplit(settings.exchange_url or "")
    return settings.is_simulated and address.port == port and address.hostname in {"127.0.0.1", "localhost", "::1"}


def _feed_health() -> None:
    from binance_trade_agent.feed.signs import feed_health, signs_path

    is_healthy, said = feed_health(signs_path(configuration_of({}).settings.ledger_path))
    if not is_healthy:
        fail(said, exit_codes.FAILURE)
    print(said)


@click.command("health")
@click.option("--feed", "is_of_feed", is_flag=True, help="Of `trade-agent feed` with the same LEDGER_PATH instead.")
def health(*, is_of_feed: bool) -> None:
    """Exit code 0 while the trading loop gives signs of life, or was stopped on purpose; for a health check.

    It says, too, what keeps a healthy trader from trading: a pause, an emergency stop, a limit that was passed, a ban.
    """
    if is_of_feed:
        _feed_health()
        return
    from binance_trade_agent.ops import supervision
    from binance_trade_agent.ops.health import health_at, restraints_at

    settings = configuration_of({}).settings
    found = health_at(settings.ledger_path)
    last = found.beat
    watched = supervision.read(supervision.file_of(os.environ)).get(supervision.TRADER, supervision.Supervision())
    if last is None:
        said = f"no trader has ever run on {settings.ledger_path}"
    else:
        state = "gone without a word" if found.state == "gone" else last.state
        said = f"run {last.run_id}: {state}, cycle {last.cycle}, heartbeat {last.age_seconds:.0f} s old"
        said = "; ".join(filter(None, [said, last.detail, *restraints_at(settings.ledger_path, found)]))
    said += f"; {watched.said}." if watched.said else "."
    if not found.is_healthy and watched.is_failing:
        fail(said, exit_codes.FAILURE)
    if last is None and not settings.trading_autostart:
        said = "TRADING_AUTOSTART=false, and nobody has started the trader."
    elif not found.is_healthy and found.state != "stopped":
        fail(said, exit_codes.FAILURE)
    print(said)

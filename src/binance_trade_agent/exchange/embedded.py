"""The simulated exchange as a process of its own, started by the daemon when it has no other.

It outlives a daemon that was killed: its address is kept beside the ledger, and the next start finds it as it was left.
A daemon that ends in good order ends it too; its state is in a file, so the next one goes on from there.
"""

import asyncio
import contextlib
import hashlib
import json
import logging
import os
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from binance_trade_agent import exit_codes
from binance_trade_agent.configuration import ConfigError
from binance_trade_agent.ops.clock import monotonic_seconds, sleep_seconds
from binance_trade_agent.ops.private_files import written
from binance_trade_agent.settings import Settings, shown

_READY_SECONDS = 60
_STOP_SECONDS = 5.0
_ASK_AGAIN_SECONDS = 0.2
_EXIT_STATE_IN_USE = 3  # of `trade-agent exchange`
_ANSWER_SECONDS = 10.0
_IDLE_SECONDS = 900  # an exchange whose daemon was killed and never came back ends itself after so long

log = logging.getLogger(__name__)


class ExchangeStartError(Exception):
    """The simulated exchange did not start. The text says why."""


class _StateInUseError(Exception):
    """Another process keeps the market's state."""


@dataclass(frozen=True, slots=True)
class EmbeddedExchange:
    """A simulated exchange of ours that runs. `market` names its seed or files, start and balances."""

    pid: int
    url: str
    control_url: str
    market: str


@contextlib.asynccontextmanager
async def exchange_of_ledger(settings: Settings, *, is_owner: bool) -> AsyncIterator[EmbeddedExchange]:
    """The exchange that belongs to the ledger: the one that still runs, or a new one that goes on from its state file.

    Args:
        settings: name the ledger and the market.
        is_owner: for the trader, which takes over an exchange that a killed trader has left, and ends it at its own
            end. Others look at the trader's while it runs, else at one of their own.

    Raises:
        ConfigError: the exchange refuses the settings (a broken replay file, say; the text is its own sentence), or
            the trader's exchange is of another market than the settings'.
        ExchangeStartError: it did not start for another reason.
    """
    exchange, child = await _acquired(settings, is_owner=is_owner)
    try:
        yield exchange
    finally:
        if child is not None:
            await _stop_child(child)
        elif is_owner:
            await _stop(exchange.pid)


def has_traded_market(settings: Settings) -> bool:
    """Whether the settings' market is the one beside the ledger, or there is none yet."""
    states = list(settings.ledger_path.parent.glob(_beside(settings, "exchange-*.state").name))
    return not states or _beside(settings, f"exchange-{_market(settings)}.state") in states


async def _acquired(settings: Settings, *, is_owner: bool) -> tuple[EmbeddedExchange, Process | None]:
    """The exchange that runs, or a new one with its process."""
    market = _market(settings)
    deadline = monotonic_seconds() + _READY_SECONDS
    while True:
        running = await _still_running(settings)
        if running is not None and running.market == market:
            log.info("going on with the simulated exchange that still runs (process %d)", running.pid)
            return running, None
        if running is not None and not is_owner:
            raise ConfigError(
                f"the simulated exchange that runs for {settings.ledger_path} is of another market: give the same "
                "TRADING_SYMBOLS and SIMULATION_* settings as the trader's."
            )
        if running is not None:
            await _stop(running.pid)
        process = await _spawned(settings, market, is_owner=is_owner)
        try:
            return await _ready(process, settings, market), process
        except _StateInUseError:
            # A daemon that was killed while its exchange was starting has left one that will announce itself soon.
            if monotonic_seconds() >= deadline:
                raise ExchangeStartError(
                    "a simulated exchange that does not answer holds the ledger's market"
                ) from None
            await sleep_seconds(_ASK_AGAIN_SECONDS)
        except BaseException:
            await _stop_child(process)
            raise


async def _stop(pid: int) -> None:
    """End an exchange that another process has started; it saves its state."""
    deadline = monotonic_seconds() + _STOP_SECONDS
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
        while monotonic_seconds() < deadline:
            os.kill(pid, 0)
            await sleep_seconds(0.02)


async def _stop_child(process: Process) -> None:
    with contextlib.suppress(ProcessLookupError, TimeoutError):
        process.terminate()
        await asyncio.wait_for(process.wait(), _STOP_SECONDS)


async def _still_running(settings: Settings) -> EmbeddedExchange | None:
    """The exchange that announced itself beside the ledger and still answers; a trader has one at most."""
    for path in sorted(settings.ledger_path.parent.glob(_beside(settings, "exchange-*.json").name)):
        market = path.stem.rpartition("-")[2]
        try:
            record = EmbeddedExchange(**json.loads(path.read_text(encoding="utf-8")), market=market)
        except (OSError, ValueError, TypeError):
            continue
        if await _answers(record):
            return record
    return None


async def _answers(record: EmbeddedExchange) -> bool:
    timeout = aiohttp.ClientTimeout(total=_ANSWER_SECONDS)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as http,
            http.get(f"{record.control_url}/sim/state") as answer,
        ):
            # The port may belong to another program by now: only the process that announced itself is ours.
            return answer.ok and (await answer.json()).get("pid") == record.pid
    except (aiohttp.ClientError, OSError, ValueError):
        return False


async def _spawned(settings: Settings, market: str, *, is_owner: bool) -> Process:
    # The exchange announces itself, so that it is found even when the daemon is killed before it is ready.
    announce = [f"--announce={_beside(settings, f'exchange-{market}.json')}"] if is_owner else []
    log_path = _beside(settings, "exchange.log")
    try:
        log_path.parent.mkdir(parents=True, exist_ok=True)
        log_file = written(log_path, "wb")
    except OSError as failure:
        raise ExchangeStartError(f"the simulated exchange cannot write {log_path}: {failure.strerror}") from None
    with log_file:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "binance_trade_agent.cli",
            "exchange",
            *_arguments(settings),
            f"--state={_beside(settings, f'exchange-{market}.state')}",
            *announce,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=log_file,
            start_new_session=True,  # Ctrl-C at the terminal is for the daemon, which ends the exchange itself
        )


async def _ready(process: Process, settings: Settings, market: str) -> EmbeddedExchange:
    """The exchange in `process`, when it has said that it accepts connections."""
    assert process.stdout is not None
    log_path = _beside(settings, "exchange.log")
    try:
        line = (await asyncio.wait_for(process.stdout.readline(), _READY_SECONDS)).decode()
    except TimeoutError:
        raise ExchangeStartError(
            f"the simulated exchange did not start in {_READY_SECONDS} s; see {log_path}"
        ) from None
    words = line.split()
    if "control" not in words:
        complaint = log_path.read_text(encoding="utf-8").strip().removeprefix("Error: ").removeprefix("exchange: ")
        exit_code = await process.wait()
        if exit_code == exit_codes.WRONG_CONFIGURATION:
            raise ConfigError(f"the simulated exchange refuses TRADING_SYMBOLS or a SIMULATION_ setting: {complaint}")
        if exit_code == _EXIT_STATE_IN_USE:
            raise _StateInUseError
        last_line = (complaint.splitlines() or ["it said nothing"])[-1].removeprefix("exchange: ")
        raise ExchangeStartError(f"the simulated exchange did not start: {last_line} (its log is {log_path})")
    # Its own speed is that it stands still until the trader lets time pass, at the speed that is set.
    log.info("%s", line.strip().replace("speed stepped", f"speed {shown(settings.simulation_speed)}"))
    where = words.index("control")
    return EmbeddedExchange(process.pid, words[where - 1], words[where + 1], market)


def _arguments(settings: Settings) -> list[str]:
    symbols = f"--symbols={','.join(settings.trading_symbols)}"
    start = [f"--start={settings.simulation_start}"] if settings.simulation_start else []
    if settings.mode == "paper":
        market = [f"--relay={settings.simulation_relay}", symbols]
    elif settings.simulation_replay:
        market = [*(f"--replay={path}" for path in settings.simulation_replay), *start, "--speed=stepped"]
    else:
        market = [symbols, f"--seed={settings.simulation_seed}", *start, "--speed=stepped"]
    balances = [f"--balance={asset}={amount}" for asset, amount in settings.simulation_balances.items()]
    return [*market, *balances, "--port=0", "--control-port=0", f"--exit-when-idle={_IDLE_SECONDS}"]


def _market(settings: Settings) -> str:
    """A name for what the exchange shows: another market must not go on with this one's orders."""
    if settings.mode == "paper":
        source = ["relay", settings.simulation_relay, *settings.trading_symbols]
    else:
        recorded = [str(path.resolve()) for path in settings.simulation_replay]
        source = recorded or [*settings.trading_symbols, str(settings.simulation_seed)]
        source.append(settings.simulation_start or "")
    parts = [*source, shown(settings.simulation_balances)]
    return hashlib.blake2b("|".join(parts).encode(), digest_size=4).hexdigest()


def _beside(settings: Settings, name: str) -> Path:
    return settings.ledger_path.with_name(f"{settings.ledger_path.name}.{name}")

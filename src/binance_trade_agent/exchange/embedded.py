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
from dataclasses import asdict, dataclass
from pathlib import Path

import aiohttp

from binance_trade_agent.configuration import ConfigError
from binance_trade_agent.ops.clock import monotonic_seconds, sleep_seconds
from binance_trade_agent.settings import Settings, shown

_READY_SECONDS = 60
_STOP_SECONDS = 5.0
_IDLE_SECONDS = 900  # an exchange whose daemon was killed and never came back ends itself after so long

log = logging.getLogger(__name__)


class ExchangeStartError(Exception):
    """The simulated exchange did not start. The text says why."""


@dataclass(frozen=True, slots=True)
class EmbeddedExchange:
    """A simulated exchange of ours that runs. `market` names its seed or files, start and balances."""

    pid: int
    url: str
    control_url: str
    market: str


async def find_or_start(settings: Settings) -> EmbeddedExchange:
    """The exchange that belongs to the ledger: the one that still runs, or a new one that goes on from its state file.

    Raises:
        ConfigError: the exchange refuses the settings (a broken replay file, say); the text is its own sentence.
        ExchangeStartError: it did not start for another reason.
    """
    market = _market(settings)
    running = await _still_running(settings.ledger_path)
    if running is not None:
        if running.market == market:
            log.info("going on with the simulated exchange that still runs (process %d)", running.pid)
            return running
        await stop(running)
    exchange = await _start(settings, market)
    _record_path(settings.ledger_path).write_text(json.dumps(asdict(exchange)), encoding="utf-8")
    return exchange


async def stop(exchange: EmbeddedExchange) -> None:
    """End the process; it saves its state."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(exchange.pid, signal.SIGTERM)
        deadline = monotonic_seconds() + _STOP_SECONDS
        while monotonic_seconds() < deadline and not _has_ended(exchange.pid):
            await sleep_seconds(0.02)


async def _still_running(ledger_path: Path) -> EmbeddedExchange | None:
    try:
        record = EmbeddedExchange(**json.loads(_record_path(ledger_path).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    try:
        async with aiohttp.ClientSession() as http, http.get(f"{record.control_url}/sim/state") as answer:
            # The port may belong to another program by now: only the process that was recorded is ours.
            return record if answer.ok and (await answer.json()).get("pid") == record.pid else None
    except (aiohttp.ClientError, OSError, ValueError):
        return None


async def _start(settings: Settings, market: str) -> EmbeddedExchange:
    ledger_path = settings.ledger_path
    log_path = ledger_path.with_name(f"{ledger_path.name}.exchange.log")
    state_path = ledger_path.with_name(f"{ledger_path.name}.exchange-{market}.state")
    with log_path.open("wb") as log_file:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "binance_trade_agent.cli",
            "exchange",
            *_arguments(settings),
            f"--state={state_path}",
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=log_file,
            start_new_session=True,  # Ctrl-C at the terminal is for the daemon, which ends the exchange itself
        )
    assert process.stdout is not None
    try:
        line = (await asyncio.wait_for(process.stdout.readline(), _READY_SECONDS)).decode()
    except TimeoutError:
        process.kill()
        raise ExchangeStartError(
            f"the simulated exchange did not start in {_READY_SECONDS} s; see {log_path}"
        ) from None
    words = line.split()
    if "control" not in words:
        complaint = log_path.read_text(encoding="utf-8").strip().removeprefix("Error: ").removeprefix("exchange: ")
        if await process.wait() == 2:
            raise ConfigError(complaint)
        raise ExchangeStartError(f"the simulated exchange did not start: {complaint.splitlines()[-1:]} in {log_path}")
    log.info("%s", line.strip())
    where = words.index("control")
    return EmbeddedExchange(process.pid, words[where - 1], words[where + 1], market)


def _arguments(settings: Settings) -> list[str]:
    feed = (
        [f"--replay={path}" for path in settings.simulation_replay]
        if settings.simulation_replay
        else [f"--symbols={','.join(settings.trading_symbols)}", f"--seed={settings.simulation_seed}"]
    )
    start = [f"--start={settings.simulation_start}"] if settings.simulation_start else []
    balances = [f"--balance={asset}={amount}" for asset, amount in settings.simulation_balances.items()]
    return [
        *feed,
        *start,
        *balances,
        "--port=0",
        "--control-port=0",
        "--speed=stepped",
        f"--exit-when-idle={_IDLE_SECONDS}",
    ]


def _market(settings: Settings) -> str:
    source = [str(path.resolve()) for path in settings.simulation_replay] or [
        *settings.trading_symbols,
        str(settings.simulation_seed),
    ]
    parts = [*source, settings.simulation_start or "", shown(settings.simulation_balances)]
    return hashlib.blake2b("|".join(parts).encode(), digest_size=4).hexdigest()


def _record_path(ledger_path: Path) -> Path:
    return ledger_path.with_name(f"{ledger_path.name}.exchange.json")


def _has_ended(pid: int) -> bool:
    """Whether the process is gone; a child of ours that ended is collected, so that it does not linger."""
    with contextlib.suppress(ChildProcessError):
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False

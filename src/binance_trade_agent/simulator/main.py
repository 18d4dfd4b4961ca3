"""The process of the simulated exchange: `trade-agent exchange`."""

import asyncio
import errno
import json
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from binance_trade_agent.domain.wording import iso_second
from binance_trade_agent.ops.private_files import written
from binance_trade_agent.simulator.exchange import Exchange
from binance_trade_agent.simulator.faults.kinds import Fault
from binance_trade_agent.simulator.faults.schedule import ScheduleError, read_schedule
from binance_trade_agent.simulator.market.feed import FeedError
from binance_trade_agent.simulator.market.relay.upstream import UpstreamError
from binance_trade_agent.simulator.options import ExchangeOptions, OptionsError, open_exchange, state_file
from binance_trade_agent.simulator.relaying import following
from binance_trade_agent.simulator.server import ExchangeServer
from binance_trade_agent.simulator.simulation import Simulation
from binance_trade_agent.simulator.state_file import StateFileError, StateInUseError
from binance_trade_agent.simulator.symbols import UnknownSymbolError

__all__ = ["ExchangeOptions", "run_exchange"]

_ENDED_WELL = 0
_FAILED = 1
_WRONG_OPTIONS = 2
STATE_IN_USE = 3


def run_exchange(options: ExchangeOptions) -> int:
    """Run the exchange until it is told to end, and return the exit code.

    Prints one line on standard output when it accepts connections. 0: ended by SIGTERM, SIGINT or idleness. 1: the
    market failed, or the relayed exchange cannot be reached. 2: the options are wrong. 3: another exchange has the
    state file. One sentence on standard error says what is wrong.
    """
    try:
        if kept := state_file(options):
            kept.claim()
        faults = read_schedule(options.faults) if options.faults else ()
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            return runner.run(_serve(options, faults))
    except UpstreamError as error:
        print(f"exchange: {error}", file=sys.stderr)
        return _FAILED
    except (OptionsError, FeedError, ScheduleError, StateFileError, UnknownSymbolError, ValueError, OSError) as error:
        print(f"exchange: {error}", file=sys.stderr)
        return _WRONG_OPTIONS
    except StateInUseError as error:
        print(f"exchange: {error}", file=sys.stderr)
        return STATE_IN_USE


async def _serve(options: ExchangeOptions, faults: Sequence[Fault]) -> int:
    exchange = await open_exchange(options)
    simulation = Simulation(exchange, state_file(options))
    for fault in faults:
        simulation.faults.add(fault, origin_ms=exchange.feed.start_ms)
    server = ExchangeServer(simulation, exit_when_idle_seconds=options.exit_when_idle_seconds)
    told_to_end = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told_to_end.set)
    async with following(exchange, options.relay):
        try:
            await server.start(options.host, options.port, options.control_port)
        except OSError as error:
            raise OptionsError(_why_not_there(error, options)) from None
        if options.announce:
            _announce(options.announce, server)
        print(_ready_line(options, exchange, server), flush=True)
        assert server.ended is not None, "a started server has a driver"
        waiting = asyncio.ensure_future(told_to_end.wait())
        await asyncio.wait({waiting, server.ended}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        has_failed = server.ended.done() and server.ended.exception() is not None
        await server.stop()
    return _FAILED if has_failed else _ENDED_WELL


def _why_not_there(error: OSError, options: ExchangeOptions) -> str:
    """One sentence for the person who chose the address."""
    ports = f"--port {options.port} or --control-port {options.control_port}"
    match error.errno:
        case errno.EADDRINUSE:
            return f"{ports} is taken by another program: choose others, or 0 for free ones"
        case errno.EACCES:
            return f"{ports} may not be used without more rights: choose ports above 1023, or 0 for free ones"
    return (
        f"--host {options.host} is not an address of this machine: use 127.0.0.1, or 0.0.0.0 for all of its addresses"
    )


def _announce(path: Path, server: ExchangeServer) -> None:
    """Write where the exchange is reached, for a program that may lose the process that started it.

    Raises:
        OptionsError: there is no such folder, or it may not be written.
    """
    place = {"pid": os.getpid(), "url": server.url, "control_url": server.control_url}
    fresh = path.with_name(f"{path.name}.new")
    try:
        with written(fresh, encoding="utf-8") as file:
            file.write(json.dumps(place))
        fresh.replace(path)
    except OSError as error:
        raise OptionsError(f"--announce {path} cannot be written: {error.strerror}") from None


def _ready_line(options: ExchangeOptions, exchange: Exchange, server: ExchangeServer) -> str:
    source = f"replay of {len(options.replay)} files" if options.replay else f"seed {options.seed}"
    source = options.fixture or (f"relay of {options.relay}" if options.relay else source)
    return (
        f"simulated exchange ready: {server.url} control {server.control_url} symbols {','.join(exchange.listings)} "
        f"{source} speed {exchange.speed_label} market time {iso_second(exchange.now_ms)}"
    )


def _loop_factory() -> "type[asyncio.AbstractEventLoop] | None":
    """The uvloop event loop where it is installed (twice the requests), else None: asyncio's own."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.Loop

"""One run of the daemon: settings in, trading until it is over or a signal comes, an exit code out."""

import asyncio
import contextlib
import json
import logging
import os
import sys
from datetime import UTC, datetime

from binance_trade_agent import exit_codes
from binance_trade_agent.agents.epochs import CannotReconcileError
from binance_trade_agent.assembly import Assembly, RunName
from binance_trade_agent.configuration import ConfigError, Configuration
from binance_trade_agent.exchange.connect import connected
from binance_trade_agent.exchange.embedded import ExchangeStartError
from binance_trade_agent.exchange.errors import AuthError, ExchangeError
from binance_trade_agent.ledger.errors import LedgerError, LedgerUnavailable
from binance_trade_agent.ledger.ledger import Ledger, LedgerReader
from binance_trade_agent.ledger.lock import Holder, LedgerLock
from binance_trade_agent.ledger.records import RunRecord
from binance_trade_agent.ops import heartbeat
from binance_trade_agent.ops.clock import MarketGoneError, wall_ms
from binance_trade_agent.ops.signals import StopSignals, stop_signals
from binance_trade_agent.reports.session import render, session_report
from binance_trade_agent.strategies.registry import StrategyError, create_strategy

log = logging.getLogger(__name__)


def run(configuration: Configuration) -> int:
    """Trade until the duration is over or a signal comes. Returns the exit code; failures are said in one sentence."""
    try:
        return asyncio.run(_run(configuration))
    except (ExchangeStartError, MarketGoneError, LedgerUnavailable) as failure:
        log.error("%s", failure)  # noqa: TRY400 (a sentence for the user, not a trace)
        return exit_codes.FAILURE
    except (ConfigError, StrategyError, LedgerError, AuthError) as failure:
        log.error("%s", failure)  # noqa: TRY400
        return exit_codes.WRONG_CONFIGURATION
    except CannotReconcileError as failure:
        log.error("%s", failure)  # noqa: TRY400
        return exit_codes.NOT_RECONCILED
    except ExchangeError as failure:
        log.error("%s", failure)  # noqa: TRY400
        return exit_codes.FAILURE
    except (KeyboardInterrupt, asyncio.CancelledError):
        log.error("stopped by force; what was under way is asked about at the next start")  # noqa: TRY400
        return exit_codes.FAILURE


async def _run(configuration: Configuration) -> int:
    with stop_signals() as signals:
        try:
            return await _trade(configuration, signals)
        except asyncio.CancelledError:
            if not signals.has_ended_start:
                raise
            log.info("Stopped before trading began")
            return exit_codes.OK


async def _trade(configuration: Configuration, signals: StopSignals) -> int:
    settings = configuration.settings
    started_wall_ms = wall_ms()
    run_id = _run_id(started_wall_ms)
    async with contextlib.AsyncExitStack() as stack:
        stack.enter_context(LedgerLock.acquire(settings.ledger_path, Holder(os.getpid(), run_id, started_wall_ms)))
        beat_path = heartbeat.heartbeat_path(settings.ledger_path)
        heartbeat.beat(
            beat_path, run_id=run_id, state="starting", cycle=0, next_within_seconds=settings.exchange_startup_seconds
        )
        strategy = create_strategy(settings.strategy_name, settings.strategy_params)
        ledger = await stack.enter_async_context(await Ledger.open(settings.ledger_path))
        connection = await stack.enter_async_context(connected(settings, is_trader=True))
        fence = await ledger.next_fence()
        assembly = await Assembly.of(stack, settings, strategy, ledger, connection, RunName(run_id, fence))
        record = RunRecord(
            run_id=run_id,
            mode=settings.mode,
            strategy=strategy.name,
            symbols=settings.trading_symbols,
            settings_json=json.dumps({name: value for name, value, _ in configuration.rows()}),
            exchange=connection.endpoints.rest,
            started_ms=connection.clock.now_ms(),
            started_wall_ms=started_wall_ms,
            pid=os.getpid(),
            fence=fence,
        )
        async with assembly.following_the_stream():
            await ledger.begin_run(record)
            signals.loop = assembly.loop
            reason = await assembly.loop.run()
        await ledger.end_run(run_id, connection.clock.now_ms(), wall_ms(), reason)
        log.info("Stopped: %s", reason)
    with LedgerReader.open(settings.ledger_path) as reader:
        _print_report(render(session_report(reader, run_id)))
    return exit_codes.OK


def _print_report(report: str) -> None:
    """Print it. The run has ended well even when nobody can be told so: a full disk, a pipe that was closed."""
    try:
        print(report, flush=True)
    except OSError as failure:
        log.warning("the report could not be printed (%s); `trade-agent analyze` has the numbers", failure.strerror)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is left of it would fail again at exit


def _run_id(started_wall_ms: int) -> str:
    """`20260105T143600.123-4711`: to the millisecond, since a container's processes get the same number each time."""
    started = datetime.fromtimestamp(started_wall_ms // 1000, UTC)
    return f"{started:%Y%m%dT%H%M%S}.{started_wall_ms % 1000:03}-{os.getpid()}"

"""One run of the daemon: settings in, trading until it is over or a signal comes, an exit code out."""

import asyncio
import contextlib
import gc
import json
import logging
import os
import socket
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from binance_trade_agent import exit_codes
from binance_trade_agent.agents.account_share import Share, SharedAccount
from binance_trade_agent.agents.epochs import CannotReconcileError
from binance_trade_agent.assembly import Assembly
from binance_trade_agent.configuration import ConfigError, Configuration
from binance_trade_agent.control.claims import ClaimsAwayError
from binance_trade_agent.control.lease import Lease, LeaseHeldError, LeaseHolder, account_name, leased, part_of
from binance_trade_agent.domain.claims import AccountLimits
from binance_trade_agent.domain.strategy_choice import StrategyChoice
from binance_trade_agent.domain.wording import iso_utc
from binance_trade_agent.exchange.auth_halt import ADVICE
from binance_trade_agent.exchange.connect import Connection, connected, until_reached
from binance_trade_agent.exchange.embedded import ExchangeStartError
from binance_trade_agent.exchange.errors import AuthError, ExchangeError
from binance_trade_agent.ground import RunName
from binance_trade_agent.ledger.errors import LedgerError, LedgerUnavailable
from binance_trade_agent.ledger.ledger import Ledger
from binance_trade_agent.ledger.lock import Holder, LedgerLock
from binance_trade_agent.ledger.reader import LedgerReader
from binance_trade_agent.ledger.records import RunRecord
from binance_trade_agent.ledger.takeover import take_over
from binance_trade_agent.notifications.failed_start import told_if_it_fails
from binance_trade_agent.notifications.notifier import notifying
from binance_trade_agent.notifications.targets import targets
from binance_trade_agent.ops import heartbeat
from binance_trade_agent.ops.clock import MarketGoneError, wall_ms
from binance_trade_agent.ops.event_loop import fast_loop, let_threads_in
from binance_trade_agent.ops.signals import StopSignals, stop_signals
from binance_trade_agent.ops.systemd import Service
from binance_trade_agent.reports.session import render, session_report
from binance_trade_agent.settings import Settings
from binance_trade_agent.strategies.in_use import StrategiesInUse
from binance_trade_agent.strategies.registry import BadStrategyParams, StrategyError

_START_SECONDS = 90  # systemd's own default, which a start has beyond the time that it may wait for the exchange

log = logging.getLogger(__name__)


def run(configuration: Configuration, *, takeover: bool = False) -> int:
    """Trade until the duration is over or a signal comes. Returns the exit code; failures are said in one sentence.

    Args:
        configuration: what and where to trade.
        takeover: take ledger and account from the trader that has them.
    """
    try:
        # What is imported stays: to look through it again and again would hold the event loop for 0.1 s each time.
        gc.freeze()
        let_threads_in()
        with asyncio.Runner(loop_factory=fast_loop()) as runner:
            return runner.run(_run(configuration, takeover=takeover))
    except (ExchangeStartError, MarketGoneError, LedgerUnavailable, ClaimsAwayError) as failure:
        log.error("%s", failure)  # noqa: TRY400 (a sentence for the user, not a trace)
        return exit_codes.FAILURE
    except (ConfigError, StrategyError, LedgerError, LeaseHeldError, AuthError) as failure:
        advice = f"; {ADVICE} (BINANCE_API_KEY, BINANCE_API_SECRET)" if isinstance(failure, AuthError) else ""
        log.error("%s%s", failure, advice)  # noqa: TRY400
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


async def _run(configuration: Configuration, *, takeover: bool = False) -> int:
    with stop_signals() as signals:
        try:
            return await _trade(configuration, signals, takeover=takeover)
        except asyncio.CancelledError:
            if not signals.has_ended_start:
                raise
            log.info("Stopped before trading began")
            return exit_codes.OK


async def _trade(configuration: Configuration, signals: StopSignals, *, takeover: bool) -> int:
    settings = configuration.settings
    service = Service(os.environ)
    started_wall_ms = wall_ms()
    run_id = _run_id(started_wall_ms)
    async with contextlib.AsyncExitStack() as stack:
        holder = Holder(os.getpid(), run_id, started_wall_ms)
        async with told_if_it_fails(settings):
            addresses = targets(settings)
            acquired = (
                LedgerLock.acquire(settings.ledger_path, holder)
                if not takeover
                else await take_over(settings.ledger_path, holder)
            )
            lock = stack.enter_context(acquired)
            tell = stack.enter_context(_signs_of_life(settings, run_id, service))
            strategies = _strategies(settings)
            ledger = await stack.enter_async_context(await Ledger.open(settings.ledger_path))
            await stack.enter_async_context(notifying(settings, addresses))
        connection = await stack.enter_async_context(connected(settings, is_trader=True, tell=tell))
        account = await _account(settings, connection)
        named = _named(settings, holder)
        await _nobody_shares(settings, account)
        lease = await stack.enter_async_context(_lease(settings, account, ledger, lock, named, takeover=takeover))
        name = RunName(
            run_id,
            lease.fence,
            lease.objection,
            lambda: lease.away_since_wall_ms,
            started_wall_ms=started_wall_ms,
            share=await _share(stack, settings, account, connection, ledger, named),
        )
        assembly = await Assembly.of(stack, settings, strategies, ledger, connection, name)
        record = RunRecord(
            run_id=run_id,
            mode=settings.mode,
            strategy=strategies.name,
            symbols=settings.trading_symbols,
            settings_json=json.dumps({name: value for name, value, _ in configuration.rows()}),
            exchange=connection.endpoints.rest,
            started_ms=connection.clock.now_ms(),
            started_wall_ms=started_wall_ms,
            pid=os.getpid(),
            fence=lease.fence,
        )
        async with assembly.following_the_stream():
            await ledger.begin_run(record)
            signals.listen_for(assembly.loop)
            assembly.loop.on_beat.append(lambda: _tell_service(service, settings))
            lease.when_lost(assembly.loop.request_stop)
            reason = await assembly.loop.run()
            service.stopping(f"stopped: {reason}")
        await _note_end(ledger, run_id, connection.clock.now_ms(), reason)
        log.info("Stopped: %s", reason)
    with LedgerReader.open(settings.ledger_path) as reader:
        _print_report(render(session_report(reader, run_id)))
    return exit_codes.WRONG_CONFIGURATION if lease.is_lost else exit_codes.OK  # a restart would be refused


def _strategies(settings: Settings) -> StrategiesInUse:
    """Those of the settings. Raises ConfigError, which names the setting, when they cannot be used."""
    try:
        choice = StrategyChoice(settings.strategy_name, settings.strategy_params)
        return StrategiesInUse(choice, settings.trading_symbols)
    except StrategyError as failure:
        setting = "STRATEGY_PARAMS" if isinstance(failure, BadStrategyParams) else "STRATEGY_NAME"
        raise ConfigError(f"{setting}: {failure}") from None


@contextlib.contextmanager
def _signs_of_life(settings: Settings, run_id: str, service: Service) -> Iterator[Callable[[str], None]]:
    """Heartbeats of the start, by a function that is told what keeps it, and the last one of a run that fails."""
    path = heartbeat.heartbeat_path(settings.ledger_path)
    within_seconds = settings.exchange_startup_seconds

    def tell(detail: str) -> None:
        heartbeat.beat(
            path, run_id=run_id, state="starting", cycle=0, next_within_seconds=within_seconds, detail=detail
        )
        service.starting(detail, within_seconds + _START_SECONDS)

    tell("")
    try:
        yield tell
    except asyncio.CancelledError:
        heartbeat.end(path, "stopped")
        raise
    except Exception as failure:
        heartbeat.end(path, "failed", str(failure))
        raise


def _tell_service(service: Service, settings: Settings) -> None:
    """Pass the loop's heartbeat on to systemd."""
    if service.is_due and (last := heartbeat.read(heartbeat.heartbeat_path(settings.ledger_path))):
        service.alive(f"{last.state}, cycle {last.cycle}; {last.detail}".rstrip("; "))


async def _account(settings: Settings, connection: Connection) -> str:
    """The account's name, by which daemons meet in Redis; empty without one."""
    if settings.redis_url is None:
        return ""
    stated = await until_reached(settings, connection.gateway.account, connection.tell)
    return account_name(connection.endpoints.rest, stated.uid, connection.api_key)


def _named(settings: Settings, holder: Holder) -> LeaseHolder:
    return LeaseHolder(
        socket.gethostname(), holder.pid, holder.run_id, settings.trading_instance, iso_utc(holder.started_wall_ms)
    )


def _lease(
    settings: Settings, account: str, ledger: Ledger, lock: LedgerLock, holder: LeaseHolder, *, takeover: bool
) -> contextlib.AbstractAsyncContextManager[Lease]:
    """One trader an account, or a part of it: see control/lease.py.

    The lease of a run that was killed on this ledger is nobody's.
    """
    return leased(
        settings.redis_url.get_secret_value() if settings.redis_url else None,
        part_of(account, settings.trading_instance if settings.shares_account else ""),
        ledger,
        holder,
        dead_run=lock.killed.run_id if lock.killed else None,
        takeover=takeover,
    )


async def _nobody_shares(settings: Settings, account: str) -> None:
    """Return when all of the account may be this daemon's, or need not.

    Raises:
        LeaseHeldError: others have a part of it.
    """
    if settings.redis_url is not None and not settings.shares_account:
        from binance_trade_agent.control.redis_claims import refuse_shared

        await refuse_shared(settings.redis_url.get_secret_value(), account)


async def _share(
    stack: contextlib.AsyncExitStack,
    settings: Settings,
    account: str,
    connection: Connection,
    ledger: Ledger,
    holder: LeaseHolder,
) -> SharedAccount | None:
    """This daemon's part of the account; None where it has all of it, which nobody else may have a part of then.

    Raises:
        LeaseHeldError: somebody has.
    """
    if settings.redis_url is None:
        return None
    await _nobody_shares(settings, account)  # since the lease is held, nobody begins to
    if not settings.shares_account:
        return None
    from binance_trade_agent.control.redis_claims import RedisClaims

    claims = await stack.enter_async_context(RedisClaims(settings.redis_url.get_secret_value(), account))
    limits = AccountLimits(settings.account_max_exposure_quote, settings.account_max_open_positions)
    share = Share(settings.trading_instance, str(holder), settings.trading_capital_quote, limits)
    return SharedAccount(connection.gateway, ledger, claims, share)


async def _note_end(ledger: Ledger, run_id: str, ended_ms: int, reason: str) -> None:
    """Write why the run ended. It has ended well even when the ledger cannot be told so."""
    try:
        await ledger.end_run(run_id, ended_ms, wall_ms(), reason)
    except LedgerUnavailable as failure:
        log.warning("the end of the run could not be written (%s)", failure)


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

"""`trade-agent feed`: reaches the exchange without keys, and serves until a signal comes."""

import asyncio
import logging
import os
import socket

from binance_trade_agent import exit_codes
from binance_trade_agent.agents.market_data import LEAST_HISTORY
from binance_trade_agent.configuration import ConfigError
from binance_trade_agent.exchange.connect import Connection, connected_without_keys
from binance_trade_agent.exchange.errors import ExchangeError
from binance_trade_agent.feed.choice import redis_store, streams_of, wanted_of
from binance_trade_agent.feed.market_feed import MarketFeed
from binance_trade_agent.feed.serving import FeedServer
from binance_trade_agent.ops.clock import sleep_seconds
from binance_trade_agent.ops.signals import StopSignals, stop_signals
from binance_trade_agent.ops.tasks import spawn, stop, wait_for_any
from binance_trade_agent.settings import Settings

_SYNCHRONISE_SECONDS = 600.0

log = logging.getLogger(__name__)


def run(settings: Settings, market: str | None) -> int:
    """Serve until a signal comes. Returns the exit code; failures are said in one sentence.

    Args:
        settings: say which exchange, and what is followed in any case.
        market: see `connected_without_keys`.
    """
    try:
        return asyncio.run(_run(settings, market))
    except ConfigError as failure:
        log.error("%s", failure)  # noqa: TRY400 (a sentence for the user, not a trace)
        return exit_codes.WRONG_CONFIGURATION
    except ExchangeError as failure:
        log.error("%s", failure)  # noqa: TRY400
        return exit_codes.FAILURE
    except (KeyboardInterrupt, asyncio.CancelledError):
        return exit_codes.FAILURE


async def _run(settings: Settings, market: str | None) -> int:
    with stop_signals() as signals:
        try:
            await _serve(settings, market, signals)
        except asyncio.CancelledError:
            if not signals.has_ended_start:
                raise
        log.info("the feed has ended")
        return exit_codes.OK


class _Service:
    """A feed that is served until it is asked to end."""

    def __init__(self) -> None:
        self._is_over = asyncio.Event()

    def request_stop(self, _reason: str) -> None:
        self._is_over.set()

    async def serve(self, server: FeedServer) -> None:
        """Until then, or until the server fails."""
        work = spawn(server.run(), name="feed server")
        try:
            await wait_for_any([work], None, self._is_over)
        finally:
            await stop(work)
        if not work.cancelled():
            work.result()


async def _serve(settings: Settings, market: str | None, signals: StopSignals) -> None:
    if settings.redis_url is None:
        raise ConfigError("`trade-agent feed` needs REDIS_URL, where it and its daemons meet.")
    async with connected_without_keys(settings, market) as connection:
        if connection.is_stepped:
            raise ConfigError(
                f"the simulated exchange at EXCHANGE_URL={settings.exchange_url} is stepped: its market stands still "
                "between ticks, so that there is nothing to follow."
            )
        name = f"{socket.gethostname()}:{os.getpid()}"
        feed = MarketFeed(connection.gateway, connection.clock, streams_of(connection, name))
        store = redis_store(settings, connection)
        server = FeedServer(feed, connection.gateway, store, wanted_of(settings, LEAST_HISTORY), name)
        log.info("following the market of %s (%s) as %s", connection.endpoints.rest, connection.market, name)
        clock = spawn(_keep_time(connection), name="clock of the exchange")
        service = _Service()
        signals.listen_for(service)
        try:
            await service.serve(server)
        finally:
            await stop(clock)
            await server.let_go()
            await store.close()


async def _keep_time(connection: Connection) -> None:
    """Take over the exchange's clock again every ten minutes."""
    while True:
        await sleep_seconds(_SYNCHRONISE_SECONDS)
        try:
            await connection.gateway.synchronise()
        except ExchangeError as failure:
            log.debug("the exchange's clock could not be asked for: %s", failure)

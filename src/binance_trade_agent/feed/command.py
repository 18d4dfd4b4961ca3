"""`trade-agent feed`: reaches the exchange without keys, and serves until a signal comes."""

import asyncio
import contextlib
import gc
import logging
import os
import socket

from binance_trade_agent import exit_codes
from binance_trade_agent.agents.market_data import LEAST_HISTORY
from binance_trade_agent.configuration import ConfigError
from binance_trade_agent.exchange.connect import Connection, connected_without_keys, market_now
from binance_trade_agent.exchange.errors import ExchangeError
from binance_trade_agent.feed.choice import redis_store, streams_of, wanted_of
from binance_trade_agent.feed.market_feed import MarketFeed
from binance_trade_agent.feed.serving import FeedServer
from binance_trade_agent.feed.signs import SignsOfLife, signs_path
from binance_trade_agent.ops.clock import sleep_seconds
from binance_trade_agent.ops.event_loop import fast_loop
from binance_trade_agent.ops.loop_lag import LoopLag
from binance_trade_agent.ops.signals import StopSignals, stop_signals
from binance_trade_agent.ops.tasks import spawn, stop, wait_for_any
from binance_trade_agent.settings import Settings

_SYNCHRONISE_SECONDS = 600.0
_ASK_AGAIN_SECONDS = 5.0

log = logging.getLogger(__name__)


def run(settings: Settings, market: str | None) -> int:
    """Serve until a signal comes. Returns the exit code; failures are said in one sentence.

    Args:
        settings: say which exchange, and what is followed in any case.
        market: see `connected_without_keys`.
    """
    name = f"{socket.gethostname()}:{os.getpid()}"
    signs = SignsOfLife(signs_path(settings.ledger_path), name)
    try:
        gc.freeze()  # as in the daemon
        with asyncio.Runner(loop_factory=fast_loop()) as runner:
            runner.run(_run(settings, market, name, signs))
    except ConfigError as failure:
        return _failed(signs, failure, exit_codes.WRONG_CONFIGURATION)
    except ExchangeError as failure:
        return _failed(signs, failure, exit_codes.FAILURE)
    except (KeyboardInterrupt, asyncio.CancelledError):
        signs.ended("failed", "stopped by force")
        return exit_codes.FAILURE
    except Exception:
        signs.ended("failed", "the log says why")
        raise
    signs.ended("stopped")
    return exit_codes.OK


def _failed(signs: SignsOfLife, failure: Exception, code: int) -> int:
    log.error("%s", failure)
    signs.ended("failed", str(failure))
    return code


async def _run(settings: Settings, market: str | None, name: str, signs: SignsOfLife) -> None:
    with stop_signals() as signals:
        try:
            await _serve(settings, market, signals, name, signs)
        except asyncio.CancelledError:
            if not signals.has_ended_start:
                raise
        log.info("the feed has ended")


class _Service:
    """A feed that is served until it is asked to end, or the exchange has begun another market."""

    def __init__(self) -> None:
        self._is_over = asyncio.Event()
        self._is_elsewhere = asyncio.Event()

    def request_stop(self, _reason: str) -> None:
        self._is_over.set()

    def request_move(self) -> None:
        self._is_elsewhere.set()

    async def serve(self, server: FeedServer) -> bool:
        """Until then, or until the server fails. Returns whether there is another market to be served."""
        self._is_elsewhere.clear()
        work = spawn(server.run(), name="feed server")
        try:
            await wait_for_any([work], None, self._is_over, self._is_elsewhere)
        finally:
            await stop(work)
        if not work.cancelled():
            work.result()
        return not self._is_over.is_set()


async def _serve(settings: Settings, market: str | None, signals: StopSignals, name: str, signs: SignsOfLife) -> None:
    if settings.redis_url is None:
        raise ConfigError("`trade-agent feed` needs REDIS_URL, where it and its daemons meet.")
    with contextlib.suppress(OSError):  # then there are no signs of life, and no reason not to serve
        settings.ledger_path.parent.mkdir(parents=True, exist_ok=True)
    signs.starting(settings.exchange_startup_seconds)
    service = _Service()
    with LoopLag().measured():
        while await _serve_market(settings, market, signals, service, name, signs):
            pass


async def _serve_market(
    settings: Settings, market: str | None, signals: StopSignals, service: _Service, name: str, signs: SignsOfLife
) -> bool:
    """Serve the market that the exchange has now. Returns whether it has begun another one."""
    async with connected_without_keys(settings, market) as connection:
        if connection.is_stepped:
            raise ConfigError(
                f"the simulated exchange at EXCHANGE_URL={settings.exchange_url} is stepped: its market stands still "
                "between ticks, so that there is nothing to follow."
            )
        feed = MarketFeed(connection.gateway, connection.clock, streams_of(connection, name))
        store = redis_store(settings, connection)
        server = FeedServer(feed, connection.gateway, store, wanted_of(settings, LEAST_HISTORY), name)
        server.on_beat.append(lambda: signs.beat(server.beats, server.state))
        log.info("following the market of %s (%s) as %s", connection.endpoints.rest, connection.market, name)
        beside = [
            spawn(_keep_time(connection), name="clock of the exchange"),
            spawn(_watch_market(settings, connection, feed, service), name="market of the exchange"),
        ]
        signals.listen_for(service)
        try:
            return await service.serve(server)
        finally:
            for task in beside:
                await stop(task)
            await server.let_go()
            await store.close()


async def _watch_market(settings: Settings, connection: Connection, feed: MarketFeed, service: _Service) -> None:
    """Notice that the exchange has begun another market, as a simulated one may that is started anew.

    That has cut all connections, so it is looked for when one is there again.
    """
    has_opened = asyncio.Event()
    feed.quote_links.opened.append(lambda _: has_opened.set())
    while True:
        await has_opened.wait()
        has_opened.clear()
        try:
            now = await market_now(settings, connection)
        except ExchangeError as failure:
            log.debug("the exchange's market could not be asked for: %s", failure)
            await sleep_seconds(_ASK_AGAIN_SECONDS)
            has_opened.set()
            continue
        if now != connection.market:
            log.warning("the exchange has begun another market (%s); this feed follows that from now on", now)
            service.request_move()
            return


async def _keep_time(connection: Connection) -> None:
    """Take over the exchange's clock again every ten minutes."""
    while True:
        await sleep_seconds(_SYNCHRONISE_SECONDS)
        try:
            await connection.gateway.synchronise()
        except ExchangeError as failure:
            log.debug("the exchange's clock could not be asked for: %s", failure)

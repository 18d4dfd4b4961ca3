"""The ports of a running simulation, and the task that drives its market."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from aiohttp import web
from aiohttp.http import HttpProcessingError

from binance_trade_agent.domain.wording import iso_second
from binance_trade_agent.ops import tasks
from binance_trade_agent.ops.clock import monotonic_seconds, sleep_seconds
from binance_trade_agent.simulator.control.api import ControlApi
from binance_trade_agent.simulator.errors import ApiError, internal_error
from binance_trade_agent.simulator.exchange import Exchange
from binance_trade_agent.simulator.faults.kinds import Target
from binance_trade_agent.simulator.faults.sockets import TARGETS
from binance_trade_agent.simulator.http_answers import error_answer, page
from binance_trade_agent.simulator.newcomers import Newcomers
from binance_trade_agent.simulator.outbox import GOING_AWAY
from binance_trade_agent.simulator.rest import MOST_BODY_BYTES, RestApi
from binance_trade_agent.simulator.simulation import Simulation
from binance_trade_agent.simulator.streams.connection import is_stream_path
from binance_trade_agent.simulator.ws_api import WS_API_PATH, WsApi

_LOOPBACK = "127.0.0.1"
_STEP_SECONDS = 0.05
_SAVE_EVERY_SECONDS = 1.0
_SHUTDOWN_SECONDS = 0.5
_MOST_LINE_BYTES = 32 * 1024  # of a request: five hundred symbols in a query have their place
_LINGERING_SECONDS = 1.0  # how long the rest of a body is read that nobody wants
_BACKLOG = 1024
_MISTAKES_OF_CLIENTS = (ConnectionError, HttpProcessingError, web.RequestPayloadError)


def _is_ours(record: logging.LogRecord) -> bool:
    """Whether a mistake is ours, and not that of a client who has gone or whose request is no HTTP."""
    return not (record.exc_info and isinstance(record.exc_info[1], _MISTAKES_OF_CLIENTS))


_HTTP_LOG = logging.getLogger(f"{__name__}.http")
_HTTP_LOG.addFilter(_is_ours)


class ExchangeServer:
    """Serves a simulation on an exchange port and a control port.

    Attributes:
        url, control_url: where it is reached; known after `start`.
        ended: done when the market's driver has ended, because the exchange was idle for too long or failed.
    """

    def __init__(self, simulation: Simulation, *, exit_when_idle_seconds: float | None = None) -> None:
        self._simulation = simulation
        self._exit_when_idle_seconds = exit_when_idle_seconds
        self._rest = RestApi(simulation)
        self._ws_api = WsApi(simulation)
        self._newcomers = Newcomers()
        self._runners: list[web.AppRunner] = []
        self.url = self.control_url = ""
        self.ended: asyncio.Task[None] | None = None

    async def start(self, host: str, port: int, control_port: int) -> None:
        """Accept connections and let the market run; a port 0 takes a free one.

        Raises:
            OSError: a port is taken, or the host is not ours.
        """
        exchange = web.Application(client_max_size=MOST_BODY_BYTES)
        exchange.router.add_route("*", "/{path:.*}", self._serve)
        try:
            self.url = await self._listen(exchange, host, port)
            self.control_url = await self._listen(ControlApi(self._simulation).application(), _LOOPBACK, control_port)
        except OSError:
            await self._close_ports()
            raise
        self._simulation.save_news()
        self.ended = tasks.spawn(self._drive(), name="market driver")

    async def stop(self) -> None:
        """Announce it, close every connection and save the state."""
        simulation = self._simulation
        if self.ended is not None:
            await tasks.stop(self.ended)
        for target in TARGETS:
            simulation.announce_shutdown(target)
        outboxes = [outbox for target in TARGETS for outbox in simulation.sockets.outboxes(target)]
        closing = [asyncio.wait_for(outbox.disconnect(GOING_AWAY), _SHUTDOWN_SECONDS) for outbox in outboxes]
        await asyncio.gather(*closing, return_exceptions=True)
        await self._close_ports()
        simulation.save_news()
        simulation.close()

    async def _listen(self, app: web.Application, host: str, port: int) -> str:
        runner = web.AppRunner(
            app,
            access_log=None,
            shutdown_timeout=_SHUTDOWN_SECONDS,
            logger=_HTTP_LOG,
            max_line_size=_MOST_LINE_BYTES,
            lingering_time=_LINGERING_SECONDS,
        )
        self._runners.append(runner)
        await runner.setup()
        await web.TCPSite(runner, host, port, backlog=_BACKLOG).start()
        return f"http://{host}:{runner.addresses[0][1]}"

    async def _close_ports(self) -> None:
        for runner in self._runners:
            await runner.cleanup()

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        """Whatever comes to the exchange port."""
        simulation = self._simulation
        self._newcomers.has_asked(request)
        simulation.clients += 1
        try:
            if request.path == WS_API_PATH:
                return await self._socket("ws-api", request, self._ws_api.serve)
            if is_stream_path(request.path):
                return await self._socket("streams", request, self._serve_streams)
            return await self._rest.handle(request)
        except (ConnectionError, web.HTTPException):
            raise
        except Exception as failure:  # noqa: BLE001 (whatever it is, the client gets an answer)
            simulation.failures.note(f"{request.method} {request.path}", failure)
            return error_answer(internal_error()).response()
        finally:
            simulation.clients -= 1
            simulation.last_request_seconds = monotonic_seconds()

    async def _serve_streams(self, request: web.Request) -> web.StreamResponse:
        """Count an attempt to connect (binance-protocol.md 2.8), and serve it if it is not one too many."""
        exchange = self._simulation.exchange
        self._simulation.limits.of(request.remote).open_stream(exchange.limits_now_ms())
        return await self._simulation.streams.serve(request)

    async def _socket(
        self, target: Target, request: web.Request, serve: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """A WebSocket, unless it is refused."""
        refusal = self._simulation.faults.refused_upgrade(target, request.path)
        if refusal is not None:
            return page(refusal.status).response(close=True)
        try:
            return await serve(request)
        except ApiError as error:
            return error_answer(error).response()
        except web.HTTPException as refused:
            return error_answer(ApiError(-1000, refused.text or refused.reason, status=refused.status)).response()

    async def _drive(self) -> None:
        """Let the market run with its clock until the exchange was idle for too long."""
        saved_seconds = monotonic_seconds()
        has_ended = False
        while not self._is_idle():
            simulation = self._simulation
            if not simulation.exchange.clock.is_stepped:
                simulation.advance()
                if simulation.exchange.changed or monotonic_seconds() - saved_seconds >= _SAVE_EVERY_SECONDS:
                    simulation.save()
                    saved_seconds = monotonic_seconds()
            for runner in self._runners[:1]:  # the control port is for the loopback only
                if runner.server is not None:
                    self._newcomers.close_silent(runner.server)
            has_ended = has_ended or _announced_end(simulation.exchange)
            await sleep_seconds(_STEP_SECONDS)
        logging.getLogger(__name__).info("no request for %s seconds", self._exit_when_idle_seconds)

    def _is_idle(self) -> bool:
        limit = self._exit_when_idle_seconds
        return limit is not None and self._simulation.idle_seconds() >= limit


def _announced_end(exchange: Exchange) -> bool:
    """Whether a recorded market is over, which is said in the log."""
    ends_ms = exchange.feed.ends_ms
    if ends_ms is None or exchange.now_ms < ends_ms:
        return False
    logging.getLogger(__name__).warning("the recorded market ended at %s: its prices stand still", iso_second(ends_ms))
    return True

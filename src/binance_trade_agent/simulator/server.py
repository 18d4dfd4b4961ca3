"""The ports of a running simulation, and the task that drives its market."""

import asyncio
import logging

from aiohttp import web

from binance_trade_agent.ops import tasks
from binance_trade_agent.ops.clock import monotonic_seconds, sleep_seconds
from binance_trade_agent.simulator.control import ControlApi
from binance_trade_agent.simulator.errors import ApiError
from binance_trade_agent.simulator.rest import RestApi
from binance_trade_agent.simulator.simulation import Simulation
from binance_trade_agent.simulator.ws_api import serve_ws_api

_LOOPBACK = "127.0.0.1"
_STEP_SECONDS = 0.05
_SAVE_EVERY_SECONDS = 1.0
_SHUTDOWN_SECONDS = 0.5
_GOING_AWAY = 1001


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
        self._runners: list[web.AppRunner] = []
        self.url = self.control_url = ""
        self.ended: asyncio.Task[None] | None = None

    async def start(self, host: str, port: int, control_port: int) -> None:
        """Accept connections and let the market run; a port 0 takes a free one.

        Raises:
            OSError: a port is taken, or the host is not ours.
        """
        exchange = web.Application()
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
        """Close every connection and save the state."""
        if self.ended is not None:
            await tasks.stop(self.ended)
        streams = [connection.outbox for connection in self._simulation.streams.connections]
        outboxes = [*self._simulation.ws_api_outboxes, *streams]
        closing = [asyncio.wait_for(outbox.disconnect(_GOING_AWAY), _SHUTDOWN_SECONDS) for outbox in outboxes]
        await asyncio.gather(*closing, return_exceptions=True)
        await self._close_ports()
        self._simulation.save_news()

    async def _listen(self, app: web.Application, host: str, port: int) -> str:
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=_SHUTDOWN_SECONDS)
        self._runners.append(runner)
        await runner.setup()
        await web.TCPSite(runner, host, port).start()
        return f"http://{host}:{runner.addresses[0][1]}"

    async def _close_ports(self) -> None:
        for runner in self._runners:
            await runner.cleanup()

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        """Whatever comes to the exchange port."""
        simulation = self._simulation
        simulation.clients += 1
        try:
            if request.path == "/ws-api/v3":
                return await serve_ws_api(simulation, request)
            if request.path.startswith(("/ws", "/stream")):
                return await simulation.streams.serve(request)
            return await self._rest.handle(request)
        except ApiError as error:
            return web.json_response({"code": error.code, "msg": error.message}, status=error.status)
        finally:
            simulation.clients -= 1
            simulation.last_request_seconds = monotonic_seconds()

    async def _drive(self) -> None:
        """Let the market run with its clock until the exchange was idle for too long."""
        saved_seconds = monotonic_seconds()
        while not self._is_idle():
            simulation = self._simulation
            if not simulation.exchange.clock.is_stepped:
                simulation.advance()
                if simulation.exchange.changed or monotonic_seconds() - saved_seconds >= _SAVE_EVERY_SECONDS:
                    simulation.save()
                    saved_seconds = monotonic_seconds()
            await sleep_seconds(_STEP_SECONDS)
        logging.getLogger(__name__).info("no request for %s seconds", self._exit_when_idle_seconds)

    def _is_idle(self) -> bool:
        limit = self._exit_when_idle_seconds
        return limit is not None and self._simulation.idle_seconds() >= limit

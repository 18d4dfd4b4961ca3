"""Connections that come and send no request: they are closed after a while, so that nobody can use up all there are."""

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from binance_trade_agent.ops.clock import monotonic_seconds

PATIENCE_SECONDS = 60.0  # as long as nginx, behind which Binance is, waits for a request's head by default


class Newcomers:
    """The connections of a port whose first request has not come yet, or not wholly."""

    def __init__(self, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self._patience_seconds = patience_seconds
        self._since: dict[RequestHandler, float] = {}
        self._served: set[RequestHandler] = set()

    def has_asked(self, request: web.Request) -> None:
        """A connection has sent a request; aiohttp looks after it from now on."""
        self._served.add(request.protocol)

    def close_silent(self, server: web.Server) -> None:
        """Close those of a port's connections that have been waited for long enough."""
        now = monotonic_seconds()
        open_now = set(server.connections)
        self._served &= open_now
        self._since = {connection: self._since.get(connection, now) for connection in open_now - self._served}
        for connection, since in self._since.items():
            if now - since >= self._patience_seconds:
                connection.force_close()

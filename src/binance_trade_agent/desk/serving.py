"""Serving over HTTP until a signal comes: what the dashboard and the MCP server have in common."""

import asyncio
import logging
import signal
import socket
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from binance_trade_agent.desk.addresses import listening

_STOP_SECONDS = 3
_PATIENCE_SECONDS = 10.0  # for a connection that does not say what it wants

log = logging.getLogger(__name__)


def listening_as_set(prefix: str, host: str, port: int) -> socket.socket | None:
    """A socket on the address that PREFIX_HOST and PREFIX_PORT name; None, and said in the log, where there is none."""
    try:
        return listening(host, port)
    except OSError as failure:
        reason = failure.strerror or failure
        log.error("%s_HOST=%s, %s_PORT=%d: it cannot listen there: %s", prefix, host, prefix, port, reason)  # noqa: TRY400
        return None


def web_server(app: ASGIApp, **options: Any) -> uvicorn.Server:
    """The web server of an application; of its own start it says nothing: whoever starts it says a line."""
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    return uvicorn.Server(
        uvicorn.Config(
            app,
            http=_Impatient,
            log_config=None,
            access_log=False,
            server_header=False,
            lifespan="on",
            timeout_graceful_shutdown=_STOP_SECONDS,
            **options,
        )
    )


class _Impatient(H11Protocol):
    """Closes a connection that asks for nothing for too long: each holds one of the files that the process may open."""

    _patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """It waits for its first request."""
        super().connection_made(transport)
        self._look()

    def data_received(self, data: bytes) -> None:
        """A request may begin with it."""
        super().data_received(data)
        self._look()

    def on_response_complete(self) -> None:
        """It waits for its next request."""
        super().on_response_complete()
        self._look()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is waited for any more."""
        super().connection_lost(exc)
        self._look()

    def _look(self) -> None:
        """Have a timer run while no request is under way. A connection that became a WebSocket is not among these."""
        waits = self in self.connections and (self.cycle is None or self.cycle.response_complete)
        if waits and self._patience is None:
            self._patience = self.loop.call_later(_PATIENCE_SECONDS, self.transport.close)
        elif not waits and self._patience is not None:
            self._patience.cancel()
            self._patience = None


def serve_until_told(server: uvicorn.Server, made: socket.socket) -> None:
    """Serve on the socket until SIGTERM or SIGINT, which is no failure; on uvloop where there is one."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _has_been_heard)  # uvicorn ends at them, then raises them again
    server.run(sockets=[made])


def _has_been_heard(_: int, __: object) -> None:
    """A stop that was asked for is no failure."""

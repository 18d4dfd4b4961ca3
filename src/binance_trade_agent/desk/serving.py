"""Serving over HTTP until a signal comes: what the dashboard and the MCP server have in common."""

import logging
import signal
import socket
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from binance_trade_agent.desk.addresses import listening

_STOP_SECONDS = 3

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
            log_config=None,
            access_log=False,
            server_header=False,
            lifespan="on",
            timeout_graceful_shutdown=_STOP_SECONDS,
            **options,
        )
    )


def serve_until_told(server: uvicorn.Server, made: socket.socket) -> None:
    """Serve on the socket until SIGTERM or SIGINT, which is no failure; on uvloop where there is one."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _has_been_heard)  # uvicorn ends at them, then raises them again
    server.run(sockets=[made])


def _has_been_heard(_: int, __: object) -> None:
    """A stop that was asked for is no failure."""

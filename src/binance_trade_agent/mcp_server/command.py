"""`trade-agent mcp`: checks where it may be reached from, and serves until a signal comes or the client goes."""

import asyncio
import logging
import os
import socket

import uvicorn
from starlette.types import ASGIApp

from binance_trade_agent import exit_codes
from binance_trade_agent.cache.shared import board_namespace, shared_cache
from binance_trade_agent.configuration import ConfigError, Configuration
from binance_trade_agent.desk import serving
from binance_trade_agent.desk.addresses import is_loopback, url_of
from binance_trade_agent.desk.desk import Desk
from binance_trade_agent.desk.serving import listening_as_set, serve_until_told
from binance_trade_agent.mcp_server.access import PATH, Gate
from binance_trade_agent.mcp_server.server import TradingServer, trading_server
from binance_trade_agent.settings import Settings

log = logging.getLogger(__name__)

_NICER = 5  # a trader beside it has nice value 0, jobs have 10
_MOST_BODY_BYTES = 256 * 1024
_MOST_SESSIONS = 1_000
_IDLE_SECONDS = 300  # a session without a request for so long is over: its client begins another


def serve_stdio(configuration: Configuration) -> int:
    """Serve one client over standard input and output, until it closes them. Returns the exit code."""
    _begin()
    asyncio.run(trading_server(desk_of(configuration)).run_stdio_async())
    return exit_codes.OK


def serve(configuration: Configuration, *, locked_without_token: bool = False) -> int:
    """Serve over HTTP. Returns the exit code.

    Args:
        configuration: see settings.
        locked_without_token: on an address that others can reach, without a token, serve a notice instead of refusing
            to start; for the container, whose ports are published by somebody else.

    Raises:
        ConfigError: it would be open to others without a token.
    """
    settings = configuration.settings
    is_locked = settings.mcp_auth_token is None and not is_loopback(settings.mcp_host)
    if is_locked and not locked_without_token:
        raise ConfigError(
            f"MCP_HOST={settings.mcp_host} lets others reach the MCP server, which needs a token: set MCP_AUTH_TOKEN "
            "(or MCP_AUTH_TOKEN_FILE), or MCP_HOST=127.0.0.1."
        )
    made = listening_as_set("MCP", settings.mcp_host, settings.mcp_port)
    if made is None:
        return exit_codes.FAILURE
    _begin()
    with made:
        _serve(configuration, made, is_locked=is_locked)
    return exit_codes.OK


def application(server: TradingServer, settings: Settings, *, is_locked: bool = False) -> ASGIApp:
    """The server over HTTP, with the gate before it."""
    # The SDK's own look at Host and Origin stays off: the gate looks at both, and it knows whether there is a token.
    inner = server.streamable_http_app(
        streamable_http_path=PATH,
        host="",
        max_request_body_size=_MOST_BODY_BYTES,
        max_sessions=_MOST_SESSIONS,
        session_idle_timeout=_IDLE_SECONDS,
    )
    token = settings.mcp_auth_token
    return Gate(inner, None if token is None else token.get_secret_value(), is_locked=is_locked)


def web_server(app: ASGIApp) -> uvicorn.Server:
    """The web server of the application."""
    return serving.web_server(app, ws="none")


def _serve(configuration: Configuration, made: socket.socket, *, is_locked: bool) -> None:
    settings = configuration.settings
    if is_locked:
        log.warning(
            "the MCP server has no token: it answers with a notice and nothing else until MCP_AUTH_TOKEN is set"
        )
    may = "assistants may trade" if settings.mcp_allow_trading else "assistants only read"
    log.info("MCP server on %s%s; %s", url_of(made), PATH, may)
    server = trading_server(desk_of(configuration))
    serve_until_told(web_server(application(server, settings, is_locked=is_locked)), made)
    log.info("MCP server stopped")


def desk_of(configuration: Configuration) -> Desk:
    """What the tools read from; the server closes it."""
    settings = configuration.settings
    return Desk(configuration, shared_cache(settings), board_namespace(settings), reader="mcp")


def _begin() -> None:
    """Step behind the trader, however many ask; what the library says of refusals is not logged."""
    os.nice(_NICER)
    logging.getLogger("mcp.server").setLevel(logging.WARNING)

"""`trade-agent dashboard`: checks where it may be reached from, and serves until a signal comes."""

import contextlib
import ctypes
import logging
import os
import socket

import uvicorn
from starlette.types import ASGIApp

from binance_trade_agent import exit_codes
from binance_trade_agent.cache.shared import board_namespace, shared_cache
from binance_trade_agent.configuration import ConfigError, Configuration
from binance_trade_agent.dashboard.access.passwords import Passwords
from binance_trade_agent.dashboard.app import application
from binance_trade_agent.desk.addresses import is_loopback, url_of
from binance_trade_agent.desk.desk import Desk
from binance_trade_agent.desk.serving import listening_as_set, serve_until_told, web_server

log = logging.getLogger(__name__)

_M_ARENA_MAX, _M_MMAP_THRESHOLD = -8, -3  # malloc.h of glibc
_LARGE_BLOCK_BYTES = 1_000_000
_NICER = 5  # a trader beside it has nice value 0: however many look, it goes first


def serve(configuration: Configuration, *, locked_without_password: bool = False) -> int:
    """Serve the dashboard. Returns the exit code.

    Args:
        configuration: see settings.
        locked_without_password: on an address that others can reach, without a password, serve a notice instead of
            refusing to start; for the container, whose ports are published by somebody else.

    Raises:
        ConfigError: it would be open to others without a password, or a password is no hash.
    """
    settings = configuration.settings
    _spare_memory()
    try:
        passwords = Passwords.of(settings)
    except ValueError as failure:
        raise ConfigError(str(failure)) from None
    is_locked = not passwords.hashes and not is_loopback(settings.dashboard_host)
    if is_locked and not locked_without_password:
        raise ConfigError(
            f"DASHBOARD_HOST={settings.dashboard_host} lets others reach the dashboard, which needs a password: set "
            "DASHBOARD_PASSWORD (or DASHBOARD_PASSWORD_FILE), or DASHBOARD_HOST=127.0.0.1."
        )
    made = listening_as_set("DASHBOARD", settings.dashboard_host, settings.dashboard_port)
    if made is None:
        return exit_codes.FAILURE
    os.nice(_NICER)
    with made:
        _serve(configuration, passwords, made, is_locked=is_locked)
    return exit_codes.OK


def _serve(configuration: Configuration, passwords: Passwords, made: socket.socket, *, is_locked: bool) -> None:
    settings = configuration.settings
    desk = Desk(configuration, shared_cache(settings), board_namespace(settings))
    if is_locked:
        log.warning("the dashboard has no password: it shows a notice and nothing else until DASHBOARD_PASSWORD is set")
    log.info("Dashboard on %s", url_of(made))
    serve_until_told(server(application(desk, passwords, is_locked=is_locked)), made)
    log.info("Dashboard stopped")


def server(app: ASGIApp) -> uvicorn.Server:
    """The web server of the application."""
    # A window of deflate takes 300 KB a tab, and more CPU than it saves on a page of some KB a second.
    return web_server(app, ws_max_size=65_536, ws_per_message_deflate=False)


def _spare_memory() -> None:
    """Two words to the C library of GNU (mallopt(3)).

    All threads take from one arena: 8 MB of 113 with 20 tabs, for threads that mostly wait. And large blocks, as the
    hash of a password takes, go back to the system once they are free: 20 MB for each thread that has hashed.
    """
    with contextlib.suppress(OSError, AttributeError):  # another C library has no such call
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, _LARGE_BLOCK_BYTES)

"""Telling systemd how the trader is: its readiness, its signs of life, its end (sd_notify).

Lines of `NAME=value` in one datagram to the socket that NOTIFY_SOCKET names (sd_notify(3), section Notes: the protocol
is stable and may be spoken without libsystemd). Nobody listens where there is no such variable, and nothing is sent.
"""

import contextlib
import socket
from collections.abc import MutableMapping

from binance_trade_agent.ops.clock import monotonic_seconds

_MOST_OFTEN_SECONDS = 1.0
_STATUS_CHARACTERS = 200


class Service:
    """This process as a service of systemd's.

    The variables are removed from `environment`: a process that this one starts is not the service.
    """

    def __init__(self, environment: MutableMapping[str, str]) -> None:
        self._address = _address(environment.pop("NOTIFY_SOCKET", ""))
        environment.pop("WATCHDOG_PID", None)  # the trader is the service's main process, or is not listened to
        watchdog = environment.pop("WATCHDOG_USEC", "")
        # A sign of life is due within WatchdogSec; a quarter of that is often enough.
        self._every_seconds = min(_MOST_OFTEN_SECONDS, int(watchdog) / 4e6 if watchdog.isdecimal() else 1.0)
        self._told_seconds = float("-inf")
        self._is_ready = False

    @property
    def is_due(self) -> bool:
        """Whether somebody listens, and has not heard of it for some time."""
        return self._address is not None and monotonic_seconds() - self._told_seconds >= self._every_seconds

    def starting(self, detail: str, within_seconds: float) -> None:
        """It starts, and will have said more within so many seconds."""
        self._send(f"EXTEND_TIMEOUT_USEC={round(within_seconds * 1e6)}", _status(f"starting; {detail}".rstrip("; ")))

    def alive(self, status: str) -> None:
        """A sign of life, for the trading loop's own heartbeat only; the first one says that it is ready."""
        self._told_seconds = monotonic_seconds()
        self._send(*([] if self._is_ready else ["READY=1"]), "WATCHDOG=1", _status(status))
        self._is_ready = True

    def stopping(self, status: str) -> None:
        """It ends."""
        self._send("STOPPING=1", _status(status))

    def _send(self, *lines: str) -> None:
        """Never waits and never fails: who trades must not be held up by who watches."""
        if self._address is None:
            return
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as outlet:
            outlet.setblocking(False)
            outlet.sendto("\n".join(lines).encode(errors="replace"), self._address)


def _address(name: str) -> str | None:
    """A path, or a name of Linux's abstract sockets, which NOTIFY_SOCKET begins with an `@`; None for another kind."""
    if name.startswith("@"):
        return f"\0{name[1:]}"
    return name if name.startswith("/") else None


def _status(text: str) -> str:
    return f"STATUS={' '.join(text.split())[:_STATUS_CHARACTERS]}"

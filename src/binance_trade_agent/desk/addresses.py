"""Where a server listens, and what a request says of where it was sent and where it comes from."""

import ipaddress
import re
import socket

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[0-9a-z._-]+)(:[0-9]{1,5})?", re.IGNORECASE)


def host_name(host: str) -> str:
    """The name in a Host header, without its port; empty where it is no host."""
    found = _HOST.fullmatch(host)
    return found[1].strip("[]").lower() if found else ""


def is_same_origin(origin: str | None, host: str) -> bool:
    """Whether an Origin header names the host that the request was sent to."""
    return bool(host_name(host)) and origin in {f"http://{host}", f"https://{host}"}


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches what listens on `host`."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def listening(host: str, port: int) -> socket.socket:
    """A socket that listens: from then on connections wait there.

    Raises:
        OSError: it cannot listen there.
    """
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    made = socket.socket(family, kind, protocol)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(address)
        made.listen(128)
    except OSError:
        made.close()
        raise
    return made


def url_of(made: socket.socket) -> str:
    """The address that a person on this machine opens."""
    host, port = made.getsockname()[:2]
    if host in {"0.0.0.0", "::"}:  # noqa: S104 (it is compared, not listened on)
        host = "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

"""Ports for servers that have to be told theirs: by the time they listen nobody else may have taken it."""

import random
import socket

# Below those that the system gives to connections (net.ipv4.ip_local_port_range), of which a run of the tests has
# thousands: one that was free a moment ago may be another connection's own end now.
_PORTS = range(20_000, 32_000)
_CHANCE = random.SystemRandom()  # workers that run tests in the same order must not draw the same ones


def free_port() -> int:
    """A port on which nobody listens."""
    while True:
        port = _CHANCE.choice(_PORTS)
        with socket.socket() as probe:
            try:
                probe.bind(("", port))
            except OSError:
                continue
            return port

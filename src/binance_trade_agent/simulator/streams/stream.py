"""A stream that somebody listens to: each of its messages is encoded once for all who want it in the same form."""

from dataclasses import dataclass
from typing import Any, Protocol

import orjson

from binance_trade_agent.simulator.outbox import Outbox, text_frame
from binance_trade_agent.simulator.payloads import Json

# Fields of each event that are times (binance-protocol.md 5.1); a kline's are one level down.
_TIMES = {
    "trade": ("E", "T"),
    "aggTrade": ("E", "T"),
    "kline": ("E",),
    "depthUpdate": ("E",),
    "24hrMiniTicker": ("E",),
    "24hrTicker": ("E", "O", "C"),
    "1hTicker": ("E", "O", "C"),
    "4hTicker": ("E", "O", "C"),
    "1dTicker": ("E", "O", "C"),
    "avgPrice": ("E", "T"),
    "serverShutdown": ("E",),
}


@dataclass(frozen=True, slots=True)
class Form:
    """How a connection wants its messages.

    Attributes:
        is_combined: wrapped with the name of their stream.
        in_microseconds: times in microseconds instead of milliseconds.
    """

    is_combined: bool
    in_microseconds: bool

    def frame(self, name: str, message: Json | list[Json]) -> bytes:
        """A message of stream `name` as a WebSocket frame."""
        payload = orjson.dumps(_microseconds(message) if self.in_microseconds else message)
        if self.is_combined:
            payload = b'{"stream":%b,"data":%b}' % (orjson.dumps(name), payload)
        return text_frame(payload)


class StreamWatcher(Protocol):
    """Is told what happens on the market streams, before it happens."""

    def connected(self, outbox: Outbox) -> None:
        """A connection has come."""
        ...

    def passes(self, name: str) -> None:
        """A message of stream `name` is about to be sent."""
        ...


class Stream:
    """A name, and those who listen to it."""

    def __init__(self, name: str, watcher: StreamWatcher | None = None) -> None:
        self.name = name
        self._watcher = watcher
        self._listeners: dict[Form, dict[Outbox, None]] = {}

    @property
    def is_heard(self) -> bool:
        """Whether anybody listens."""
        return bool(self._listeners)

    def add(self, outbox: Outbox, form: Form) -> None:
        """Let a connection listen."""
        self._listeners.setdefault(form, {})[outbox] = None

    def remove(self, outbox: Outbox, form: Form) -> None:
        """Let a connection listen no more."""
        outboxes = self._listeners[form]
        del outboxes[outbox]
        if not outboxes:
            del self._listeners[form]

    def send(self, message: Json | list[Json]) -> None:
        """Send a message to all who listen."""
        if self._watcher is not None:
            self._watcher.passes(self.name)
        for form, outboxes in self._listeners.items():
            frame = form.frame(self.name, message)
            for outbox in outboxes:
                outbox.put_frame(frame)


def _microseconds(message: Any) -> Any:
    """A copy of a message with its times in microseconds."""
    if isinstance(message, list):
        return [_microseconds(item) for item in message]
    copy = dict(message)
    for name in _TIMES.get(message.get("e", ""), ()):
        copy[name] = message[name] * 1000
    if copy.get("e") == "kline":
        kline = message["k"]
        copy["k"] = {**kline, "t": kline["t"] * 1000, "T": (kline["T"] + 1) * 1000 - 1}
    return copy

"""One client of the market streams: where it connected to, what it listens to, how it wants its messages."""

from urllib.parse import unquote

from aiohttp import web

from binance_trade_agent.simulator.outbox import Outbox
from binance_trade_agent.simulator.streams.stream import Form

MOST_STREAMS = 1_024


class StreamConnection:
    """A connection.

    Attributes:
        form: how messages are to be.
        names: of the streams that it listens to, in the order of their subscription.
    """

    def __init__(self, outbox: Outbox, form: Form) -> None:
        self.outbox = outbox
        self.form = form
        self.names: dict[str, None] = {}


def is_stream_path(path: str) -> bool:
    """Whether market streams are served there."""
    return path in {"/ws", "/stream"} or path.startswith(("/ws/", "/stream/"))


def form_in_url(request: web.Request) -> Form:
    """How a new connection wants its messages."""
    unit = request.query.get("timeUnit", "")
    return Form(is_combined=request.path.startswith("/stream"), in_microseconds=unit.upper() == "MICROSECOND")


def names_in_url(request: web.Request) -> list[str]:
    """Streams that a new connection names in its path or query, each once; both may be percent-encoded.

    A plus is a plus there, as in the zone of `btcusdt@kline_1m@+08:00`, not a space as in a form.
    """
    path, _, query = request.raw_path.partition("?")
    if path.startswith("/stream"):
        text = next((pair[len("streams=") :] for pair in query.split("&") if pair.startswith("streams=")), "")
    else:
        text = path[len("/ws") :]
    text = unquote(text)
    return list(dict.fromkeys(name for name in text.split("/") if name))

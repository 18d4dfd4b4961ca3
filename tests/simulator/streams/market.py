"""A stepped market and somebody who listens to its streams, without sockets."""

from collections.abc import Sequence
from typing import Any

import orjson

from binance_trade_agent.simulator.exchange import Exchange
from binance_trade_agent.simulator.options import ExchangeOptions
from binance_trade_agent.simulator.streams.connection import StreamConnection
from binance_trade_agent.simulator.streams.hub import Streams
from binance_trade_agent.simulator.streams.stream import Form
from tests.exchange_process import made_exchange


class Listener:
    """Takes the frames that would go out on a socket."""

    def __init__(self) -> None:
        self._messages: list[Any] = []

    def put_frame(self, frame: bytes) -> None:
        header = {126: 4, 127: 10}.get(frame[1], 2)
        self._messages.append(orjson.loads(frame[header:]))

    def take(self) -> list[Any]:
        """All messages since the last time."""
        messages, self._messages = self._messages, []
        return messages


class Market:
    """A synthetic market of some symbols that stands still until it is moved."""

    def __init__(self, *symbols: str, seed: int = 7, **options: Any) -> None:
        wanted = ExchangeOptions(symbols=symbols or ("BTCUSDT",), speed=None, seed=seed, **options)
        self.exchange: Exchange = made_exchange(wanted)
        self.streams = Streams()
        self.streams.attach(self.exchange)

    def listen(self, *names: str, is_combined: bool = False, in_microseconds: bool = False) -> Listener:
        """Listen to streams from now on."""
        listener = Listener()
        form = Form(is_combined=is_combined, in_microseconds=in_microseconds)
        self.streams.open(StreamConnection(listener, form), names)
        return listener

    def advance(self, milliseconds: int) -> None:
        """Let the market go on at once by so much."""
        self.exchange.clock.advance_to(self.exchange.clock.now_ms() + milliseconds)
        self.exchange.advance()
        self.streams.pump()

    def run(self, milliseconds: int, step_ms: int = 50) -> None:
        """Let the market go on in steps, as the server does in real time."""
        for _ in range(milliseconds // step_ms):
            self.advance(step_ms)


def of_event(messages: Sequence[Any], event: str) -> list[Any]:
    """Those messages that are of an event."""
    return [message for message in messages if message.get("e") == event]

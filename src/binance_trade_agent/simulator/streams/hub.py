"""All market stream connections of an exchange (binance-protocol.md 5.1)."""

from collections.abc import Iterable
from typing import Any

import orjson
from aiohttp import web

from binance_trade_agent.simulator.client_socket import ClientSocket, SocketRules
from binance_trade_agent.simulator.exchange import Exchange
from binance_trade_agent.simulator.streams.catalogue import open_channel
from binance_trade_agent.simulator.streams.connection import (
    MOST_STREAMS,
    StreamConnection,
    form_in_url,
    names_in_url,
)
from binance_trade_agent.simulator.streams.control import INVALID_REQUEST, ControlError, ControlMessage, parse_control
from binance_trade_agent.simulator.streams.schedule import Schedule
from binance_trade_agent.simulator.streams.stream import Form, Stream, StreamWatcher

STREAM_RULES = SocketRules(messages_a_second=5)  # binance-protocol.md 2.8
_SHUTDOWN_STREAM = "!serverShutdown"


class Streams:
    """Market stream connections, and the streams that they listen to.

    Attributes:
        connections: those that are open.
        rules: of new ones.
    """

    def __init__(self, rules: SocketRules = STREAM_RULES, watcher: StreamWatcher | None = None) -> None:
        """Have no connection yet; `watcher` is told of what happens, so that faults can."""
        self.connections: list[StreamConnection] = []
        self.rules = rules
        self._watcher = watcher
        self._exchange: Exchange | None = None
        self._streams: dict[str, Stream] = {}
        self._schedule = Schedule()

    def attach(self, exchange: Exchange) -> None:
        """Listen to an exchange; streams go on with its market as if they had been subscribed to anew."""
        self._exchange = exchange
        self._schedule = Schedule()
        for stream in self._streams.values():
            self._open_channel(stream)
        exchange.listeners.append(self._schedule.on_transaction)
        exchange.snapshot_listeners.append(self._before_snapshot)

    def pump(self) -> None:
        """Send what every stream has to say at the present market time."""
        if self._exchange is not None and self._streams:
            self._schedule.pump(self._exchange)

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Serve one connection until it ends."""
        names = names_in_url(request)
        if len(names) > MOST_STREAMS:
            raise web.HTTPBadRequest(text=f"a connection may listen to {MOST_STREAMS} streams, not {len(names)}")
        client = await ClientSocket.accept(request, self.rules)
        connection = StreamConnection(client.outbox, form_in_url(request))
        self.open(connection, names)

        async def receive(text: str) -> None:
            connection.outbox.put(orjson.dumps(self._answer(connection, text)).decode())

        try:
            await client.serve(receive)
        finally:
            self.close(connection)
        return client.response

    def open(self, connection: StreamConnection, names: Iterable[str]) -> None:
        """A connection has come, and listens to streams; unknown names are accepted and stay silent."""
        self.connections.append(connection)
        if self._watcher is not None:
            self._watcher.connected(connection.outbox)
        self._subscribe(connection, names)

    def close(self, connection: StreamConnection) -> None:
        """A connection has gone."""
        self.connections.remove(connection)
        self._unsubscribe(connection, list(connection.names))

    def announce_shutdown(self) -> None:
        """Tell every connection that it is about to be closed."""
        now_ms = self._exchange.now_ms if self._exchange is not None else 0
        for connection in self.connections:
            message = {"e": "serverShutdown", "E": now_ms}
            connection.outbox.put_frame(connection.form.frame(_SHUTDOWN_STREAM, message))

    def _before_snapshot(self, symbol: str) -> None:
        """Let the running diffs of a book end before a snapshot of it; see DiffDepthChannel."""
        if self._exchange is not None:
            self._schedule.end_diffs(symbol, self._exchange)

    def _answer(self, connection: StreamConnection, text: str) -> dict[str, Any]:
        try:
            message = parse_control(text)
            return {"result": self._carry_out(connection, message), "id": message.request_id}
        except ControlError as error:
            return error.answer

    def _carry_out(self, connection: StreamConnection, message: ControlMessage) -> Any:
        match message.method:
            case "SUBSCRIBE":
                if len(connection.names.keys() | set(message.names)) > MOST_STREAMS:
                    raise ControlError(INVALID_REQUEST, f"Invalid request: more than {MOST_STREAMS} streams")
                self._subscribe(connection, message.names)
            case "UNSUBSCRIBE":
                self._unsubscribe(connection, message.names)
            case "LIST_SUBSCRIPTIONS":
                return list(connection.names)
            case "GET_PROPERTY":
                return connection.form.is_combined
            case _:
                self._change_form(connection, is_combined=bool(message.value))
        return None

    def _subscribe(self, connection: StreamConnection, names: Iterable[str]) -> None:
        for name in names:
            connection.names[name] = None
            if name not in self._streams:
                self._streams[name] = Stream(name, self._watcher)
                self._open_channel(self._streams[name])
            self._streams[name].add(connection.outbox, connection.form)

    def _unsubscribe(self, connection: StreamConnection, names: Iterable[str]) -> None:
        """A stream ends with its last listener."""
        for name in names:
            if name not in connection.names:
                continue
            del connection.names[name]
            stream = self._streams[name]
            stream.remove(connection.outbox, connection.form)
            if not stream.is_heard:
                del self._streams[name]
                self._schedule.remove(stream)

    def _change_form(self, connection: StreamConnection, *, is_combined: bool) -> None:
        names = list(connection.names)
        for name in names:
            self._streams[name].remove(connection.outbox, connection.form)
        connection.form = Form(is_combined=is_combined, in_microseconds=connection.form.in_microseconds)
        for name in names:
            self._streams[name].add(connection.outbox, connection.form)

    def _open_channel(self, stream: Stream) -> None:
        if self._exchange is not None and (channel := open_channel(stream.name, self._exchange)):
            self._schedule.add(stream, channel)

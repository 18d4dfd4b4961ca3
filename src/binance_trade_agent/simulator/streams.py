"""Market stream connections at `/ws` and `/stream`: subscriptions, control messages (binance-protocol.md 5.1)."""

from typing import Any
from urllib.parse import unquote

import orjson
from aiohttp import WSMsgType, web

from binance_trade_agent.matching.transactions import Transaction
from binance_trade_agent.ops.clock import monotonic_seconds
from binance_trade_agent.simulator.channels import Channel, open_channel
from binance_trade_agent.simulator.exchange import Exchange
from binance_trade_agent.simulator.outbox import Outbox

_PING_SECONDS = 20.0
_METHODS = ("SUBSCRIBE", "UNSUBSCRIBE", "LIST_SUBSCRIPTIONS", "SET_PROPERTY", "GET_PROPERTY")


class StreamError(Exception):
    """A control message that cannot be carried out; `code` is the protocol's."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class StreamConnection:
    """One client: the streams it listens to, and whether messages are wrapped with the stream's name."""

    def __init__(self, outbox: Outbox, *, is_combined: bool) -> None:
        self.outbox = outbox
        self.is_combined = is_combined
        self.names: dict[str, None] = {}

    def send(self, name: str, message: bytes) -> None:
        """Pass on a message of a stream."""
        text = message.decode()
        self.outbox.put(f'{{"stream":"{name}","data":{text}}}' if self.is_combined else text)


class Streams:
    """All market stream connections of the exchange, and the channels that they listen to."""

    def __init__(self) -> None:
        self.connections: list[StreamConnection] = []
        self._exchange: Exchange | None = None
        self._channels: dict[str, Channel | None] = {}

    def attach(self, exchange: Exchange) -> None:
        """Listen to an exchange; channels of a former one begin anew."""
        self._exchange = exchange
        self._channels = {name: open_channel(name, exchange) for name in self._channels}
        exchange.listeners.append(self._on_transaction)

    def pump(self) -> None:
        """Send what every channel has to say at the present market time."""
        real_seconds = monotonic_seconds()
        for name, channel in self._channels.items():
            if channel is None or self._exchange is None:
                continue
            for message in channel.messages(self._exchange, real_seconds):
                encoded = orjson.dumps(message)
                for connection in self.connections:
                    if name in connection.names:
                        connection.send(name, encoded)

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        """Serve one connection until it ends."""
        socket = web.WebSocketResponse(heartbeat=_PING_SECONDS)
        await socket.prepare(request)
        connection = StreamConnection(Outbox(socket), is_combined=request.path.startswith("/stream"))
        self.connections.append(connection)
        self._subscribe(connection, _names_in_url(request))
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    connection.outbox.put(orjson.dumps(self._answer(connection, message.data)).decode())
        finally:
            self.connections.remove(connection)
            self._drop_unheard()
            await connection.outbox.stop()
        return socket

    def _on_transaction(self, transaction: Transaction) -> None:
        for trade in transaction.trades:
            for channel in self._channels.values():
                if channel is not None:
                    channel.on_trade(trade)

    def _answer(self, connection: StreamConnection, text: str) -> dict[str, Any]:
        try:
            request = orjson.loads(text)
        except orjson.JSONDecodeError as error:
            return {"code": 3, "msg": f"Invalid JSON: {error}"}
        if not isinstance(request, dict):
            return {"code": 2, "msg": "Invalid request: expected an object"}
        try:
            return {"result": self._carry_out(connection, request), "id": request.get("id")}
        except StreamError as error:
            return {"code": error.code, "msg": error.message, "id": request.get("id")}

    def _carry_out(self, connection: StreamConnection, request: dict[str, Any]) -> Any:
        params = request.get("params", [])
        match request.get("method"):
            case "SUBSCRIBE":
                self._subscribe(connection, _stream_names(params))
            case "UNSUBSCRIBE":
                for name in _stream_names(params):
                    connection.names.pop(name, None)
                self._drop_unheard()
            case "LIST_SUBSCRIPTIONS":
                return list(connection.names)
            case "SET_PROPERTY":
                _check_property(params)
                if len(params) != 2 or not isinstance(params[1], bool):
                    raise StreamError(1, "Invalid value type: expected Boolean")
                connection.is_combined = params[1]
            case "GET_PROPERTY":
                _check_property(params)
                return connection.is_combined
            case method:
                expected = ", ".join(f"`{known}`" for known in _METHODS)
                raise StreamError(2, f"Invalid request: unknown variant `{method}`, expected one of {expected}")
        return None

    def _subscribe(self, connection: StreamConnection, names: list[str]) -> None:
        """Unknown names are accepted and stay silent (binance-protocol.md 5.1)."""
        for name in names:
            connection.names[name] = None
            if name not in self._channels and self._exchange is not None:
                self._channels[name] = open_channel(name, self._exchange)

    def _drop_unheard(self) -> None:
        heard = {name for connection in self.connections for name in connection.names}
        self._channels = {name: channel for name, channel in self._channels.items() if name in heard}


def _names_in_url(request: web.Request) -> list[str]:
    if request.path.startswith("/stream"):
        text = request.query.get("streams", "")
    else:
        text = unquote(request.path.removeprefix("/ws"))
    return [name for name in text.split("/") if name]


def _stream_names(params: Any) -> list[str]:
    if not isinstance(params, list) or not all(isinstance(name, str) for name in params):
        raise StreamError(2, "Invalid request: params must be an array of stream names")
    return params


def _check_property(params: Any) -> None:
    if not isinstance(params, list) or not params or params[0] != "combined":
        raise StreamError(0, "Unknown property")
